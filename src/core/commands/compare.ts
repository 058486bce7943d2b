/**
 * Writes and deletes that depend on what a value is: the conditions IFEQ, IFNE, IFDEQ and IFDNE of SET and DELEX, and DIGEST, which IFDEQ speaks of.
 * Guarded: they are judged at the first owner of the key, where the command runs, so of two at once in a healthy cluster one loses.
 */
import { HearsayError } from '../base/errors.js';
import { digestOf } from '../base/xxh3.js';
import type { Args } from '../resp/args.js';
import type { Reply } from '../resp/reply.js';
import type { Command, CommandContext } from './command.js';
import { FAST, READ, READ_FIRST, syntaxError, WRITE, wrongArity } from './command.js';
import type { Keyspace } from './keyspace.js';
import { lookupCounted } from './ranges.js';

export const IFEQ = 256;
export const IFNE = 512;
export const IFDEQ = 1024;
export const IFDNE = 2048;
export const COMPARED = IFEQ | IFNE | IFDEQ | IFDNE;

const DIGEST_LENGTH = 16;

/** The condition that a word names, 0 for none. */
export function comparisonAt(args: Args, index: number): number {
  if (args.equalsIgnoreCase(index, 'IFEQ')) return IFEQ;
  if (args.equalsIgnoreCase(index, 'IFNE')) return IFNE;
  if (args.equalsIgnoreCase(index, 'IFDEQ')) return IFDEQ;
  return args.equalsIgnoreCase(index, 'IFDNE') ? IFDNE : 0;
}

/** Refuses what can be no digest. */
export function requireOperand(args: Args, condition: number, index: number): void {
  if ((condition & (IFDEQ | IFDNE)) === 0 || /^[\da-f]{16}$/i.test(args.quote(index, DIGEST_LENGTH + 1))) return;
  throw new HearsayError('ERR', 'a digest is exactly 16 hexadecimal characters');
}

/** Whether the text in `entry` is what the condition asks, with what stands at `args[index]`. */
export function compares({ entry }: Keyspace, args: Args, condition: number, index: number): boolean {
  const { buffer, starts, ends } = args;
  if (condition === IFEQ || condition === IFNE) {
    const order = entry.buffer.compare(buffer, starts[index], ends[index], entry.valueStart, entry.valueEnd);
    return (order === 0) === (condition === IFEQ);
  }
  const digest = digestOf(entry.buffer, entry.valueStart, entry.valueEnd);
  return (digest === args.string(index).toLowerCase()) === (condition === IFDEQ);
}

function delex(context: CommandContext, args: Args, reply: Reply): void {
  const { keyspace } = context;
  const { buffer, starts, ends } = args;
  let matches = true;
  if (args.count !== 2) {
    if (args.count !== 4) throw wrongArity('delex');
    const condition = comparisonAt(args, 2);
    if (condition === 0) throw syntaxError();
    requireOperand(args, condition, 3);
    matches = keyspace.lookup(buffer, starts[1], ends[1]) && compares(keyspace, args, condition, 3);
  }
  reply.integer(matches && keyspace.remove(buffer, starts[1], ends[1]) ? 1 : 0);
}

function digest(context: CommandContext, args: Args, reply: Reply): void {
  const { entry } = context.keyspace;
  if (lookupCounted(context, args)) reply.bulkString(digestOf(entry.buffer, entry.valueStart, entry.valueEnd));
  else reply.null();
}

const oneKey = { firstKey: 1, lastKey: 1, step: 1, group: 'string' } as const;

export const compareCommands: Command[] = [
  {
    name: 'delex',
    arity: -2,
    flags: WRITE | READ_FIRST | FAST,
    ...oneKey,
    summary: 'Delete a key, if its value is, or is not, a given one',
    run: delex,
  },
  { name: 'digest', arity: 2, flags: READ | FAST, ...oneKey, summary: 'Get the XXH3 digest of a value', run: digest },
];
