/**
 * Several keys set at once under one condition or expiry: MSETNX and MSETEX. With NX or XX the keys must share a slot, a {hash tag} say: then all are
 * judged and written at their first owner, with nothing in between. Without a condition MSETEX is one SET for each key.
 * Guarded: everything is judged before anything is written.
 */
import { HearsayError } from '../base/errors.js';
import type { Args } from '../resp/args.js';
import type { Reply } from '../resp/reply.js';
import { type Errand, requirePartsFit, wordsFrom } from './apart.js';
import type { Command, CommandContext } from './command.js';
import { lastKeyOf, READ_FIRST, requireValueFits, syntaxError, WRITE, wrongArity } from './command.js';
import { KEEPTTL, NX, setExpiry, setOptions, TIMED, XX } from './set.js';

function apartRefused(name: string): HearsayError {
  return new HearsayError(
    'ERR',
    `${name} judges and writes its keys at one owner, and these live apart, with no leader over both: give them one {hash tag}`,
  );
}

function msetnx(context: CommandContext, args: Args, reply: Reply): void {
  if ((args.count & 1) === 0) throw wrongArity('msetnx');
  reply.integer(setAll(context, args, 1, args.count, NX, 0) ? 1 : 0);
}

/** Sets the pairs from `from` to `end`, all or none. */
function setAll(
  context: CommandContext,
  args: Args,
  from: number,
  end: number,
  options: number,
  expireAtMs: number,
): boolean {
  const { keyspace } = context;
  const { buffer, starts, ends } = args;
  for (let index = from; index < end; index += 2) {
    requireValueFits(args.length(index + 1));
    if ((options & (NX | XX)) === 0) continue;
    const found = keyspace.find(buffer, starts[index], ends[index]);
    if (options & NX ? found : !found) return false;
  }
  for (let index = from; index < end; index += 2) {
    const keeps = options & KEEPTTL && keyspace.find(buffer, starts[index], ends[index]);
    const atMs = keeps ? keyspace.entry.expireAtMs : expireAtMs;
    keyspace.put(buffer, starts[index], ends[index], buffer, starts[index + 1], ends[index + 1], atMs);
  }
  return true;
}

/** Where the options of an MSETEX begin. Throws what is wrong with its words. */
function optionsFrom(args: Args): number {
  const keys = args.integer(1);
  if (!(keys >= 1 && keys < Number.POSITIVE_INFINITY)) throw new HearsayError('ERR', 'invalid numkeys value');
  const from = 2 + keys * 2;
  if (from > args.count) throw new HearsayError('ERR', 'wrong number of key-value pairs');
  return from;
}

function optionsIn(args: Args, from: number): number {
  const options = setOptions(args, from);
  if (options < 0 || (options & ~(NX | XX | KEEPTTL | TIMED)) !== 0) throw syntaxError();
  return options;
}

function msetex(context: CommandContext, args: Args, reply: Reply): void {
  const from = optionsFrom(args);
  const options = optionsIn(args, from);
  const expireAtMs = options & TIMED ? setExpiry(args, options, context.keyspace.wallMs, from, 'msetex') : 0;
  reply.integer(setAll(context, args, 2, from, options, expireAtMs) ? 1 : 0);
}

function msetexApart(errand: Errand): void {
  const { args } = errand;
  const from = optionsFrom(args);
  const options = optionsIn(args, from);
  if (options & (NX | XX)) throw apartRefused('MSETEX with NX or XX');
  requirePartsFit((from - 2) / 2);
  // Judged before any part is given.
  if (options & TIMED) setExpiry(args, options, errand.wallMs, from, 'msetex');
  for (let index = 2; index < from; index += 2) requireValueFits(args.length(index + 1));
  const rest = wordsFrom(args, from);
  const parts: (string | Buffer)[][] = [];
  for (let index = 2; index < from; index += 2) parts.push(['set', args.copy(index), args.copy(index + 1), ...rest]);
  errand.step(
    parts,
    () => {},
    () => errand.answer((reply) => reply.integer(1)),
  );
}

/** Whether it writes only what it has judged: then its keys must live together. */
function msetexTogether(args: Args): boolean {
  for (let index = lastKeyOf(msetexCommand, args) + 2; index < args.count; index++) {
    if (args.equalsIgnoreCase(index, 'NX') || args.equalsIgnoreCase(index, 'XX')) return true;
  }
  return false;
}

const msetexCommand: Command = {
  name: 'msetex',
  arity: -4,
  flags: WRITE | READ_FIRST,
  firstKey: 2,
  lastKey: 2,
  step: 2,
  keysCounted: true,
  group: 'string',
  summary: 'Set multiple keys to multiple values, with one expiry and condition',
  together: msetexTogether,
  apart: msetexApart,
  run: msetex,
};

export const manyCommands: Command[] = [
  {
    name: 'msetnx',
    arity: -3,
    flags: WRITE | READ_FIRST,
    firstKey: 1,
    lastKey: -1,
    step: 2,
    group: 'string',
    summary: 'Set multiple keys to multiple values, only if none of them exists',
    together: () => true,
    apart: () => {
      throw apartRefused('MSETNX');
    },
    run: msetnx,
  },
  msetexCommand,
];
