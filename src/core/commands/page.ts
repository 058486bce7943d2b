/**
 * A page of keys: what SCAN, KEYS and the internal HEARSAY.PARTITION have in common, over partitions held here.
 * Guarded: one page looks at no more than about `KEYS_VISITED_MAX` keys, and no list is longer than a reply may be.
 */
import { HearsayError } from '../base/errors.js';
import type { Args } from '../resp/args.js';
import { Reply } from '../resp/reply.js';
import type { CommandContext } from './command.js';
import { notAnInteger, syntaxError } from './command.js';
import { GLOB_STEPS_MAX, globMatches, globWork, keysPerLook, requirePatternFits, STEPS_PER_KEY } from './glob.js';
import type { KeyVisitor } from './host.js';
import { typeName } from './keys.js';

/** Keys that one SCAN looks at, at most. */
export const KEYS_VISITED_MAX = 10_000;
/** Keys past which KEYS is refused: it would stall the node. */
export const KEYS_LISTED_MAX = 200_000;
/** Steps past which KEYS is refused, for the same reason: of all its parts together. */
export const LIST_STEPS_MAX = 16 * GLOB_STEPS_MAX;
/** However many parts it has, each may take so many. */
const PART_STEPS_MIN = 64 * 1024;
/** Hashes of keys: a cursor is partition x HASHES + hash. */
export const HASHES = 0x100000000;
const COUNT_BY_DEFAULT = 10;

/** Steps that each of the parts of a KEYS may take. */
export function listStepsMax(parts: number): number {
  return Math.max(PART_STEPS_MIN, Math.floor(LIST_STEPS_MAX / parts));
}

/** What SCAN asks for. `pattern` -1: any key. */
export interface ScanOptions {
  count: number;
  pattern: number;
  /** Where the word stands that TYPE gives; -1: any type. */
  type: number;
}

/** Options from `args[from]` on. */
export function scanOptions(args: Args, from: number): ScanOptions {
  const options = { count: COUNT_BY_DEFAULT, pattern: -1, type: -1 };
  for (let index = from; index < args.count; index += 2) {
    if (index + 1 === args.count) throw syntaxError();
    if (args.equalsIgnoreCase(index, 'COUNT')) {
      const count = args.integer(index + 1);
      if (Number.isNaN(count)) throw notAnInteger();
      if (count < 1) throw syntaxError();
      options.count = Math.min(count, KEYS_VISITED_MAX);
    } else if (args.equalsIgnoreCase(index, 'MATCH')) {
      requirePatternFits(args, index + 1);
      options.pattern = index + 1;
    } else if (args.equalsIgnoreCase(index, 'TYPE')) {
      options.type = index + 1;
    } else {
      throw syntaxError();
    }
  }
  return options;
}

/** What one page came to. `steps`: of the pattern and the keys; a page ends when they are used up, however few keys it has. */
export interface PageCount {
  visited: number;
  found: number;
  steps: number;
}

export function isSpent(page: PageCount, options: ScanOptions): boolean {
  return page.visited >= options.count || page.steps >= GLOB_STEPS_MAX;
}

/** Goes through one partition held here; returns the hash to go on from, or -1 at its end. */
export function scanHere(
  context: CommandContext,
  args: Args,
  options: ScanOptions,
  partition: number,
  fromHash: number,
  page: PageCount,
  found: Reply,
): number {
  const { buffer, starts, ends } = args;
  const { pattern, type } = options;
  const visit: KeyVisitor = (bytes, start, end, recordType) => {
    page.visited++;
    globWork.steps += STEPS_PER_KEY;
    if (type >= 0 && !args.equalsIgnoreCase(type, typeName(recordType).toUpperCase())) return;
    if (pattern >= 0 && !globMatches(buffer, starts[pattern], ends[pattern], bytes, start, end)) return;
    page.found++;
    found.bulk(bytes, start, end);
  };
  const wanted = options.count - page.visited;
  const slice = pattern < 0 ? wanted : Math.min(wanted, keysPerLook(args.length(pattern)));
  let hash = fromHash;
  for (let looked = 0; looked < wanted && hash >= 0 && page.steps < GLOB_STEPS_MAX; looked += slice) {
    const before = globWork.steps;
    hash = context.host.scanPartition(partition, hash, Math.min(slice, wanted - looked), visit);
    page.steps += globWork.steps - before;
  }
  return hash;
}

/** A page as SCAN answers it. */
export function replyPage(reply: Reply, cursor: number, count: number, found: Reply): void {
  reply.array(2);
  reply.bulkString(`${cursor}`);
  reply.array(count);
  reply.raw(found.buffer, 0, found.length);
  if (found.overflowed) reply.overflowed = true;
}

/** All keys of some partitions held here that match the pattern at `args[index]`, as an array; refused past `stepsMax`. */
export function keysHere(
  context: CommandContext,
  args: Args,
  index: number,
  partitions: readonly number[],
  stepsMax: number,
  reply: Reply,
): void {
  const { buffer, starts, ends } = args;
  const found = new Reply(reply.protocol, null);
  let count = 0;
  const lastStep = globWork.steps + stepsMax;
  for (const partition of partitions) {
    let hash = 0;
    while (hash >= 0 && globWork.steps <= lastStep) {
      hash = context.host.scanPartition(partition, hash, KEYS_VISITED_MAX, (bytes, start, end) => {
        if (globWork.steps > lastStep) return;
        globWork.steps += STEPS_PER_KEY;
        if (!globMatches(buffer, starts[index], ends[index], bytes, start, end)) return;
        count++;
        found.bulk(bytes, start, end);
      });
    }
  }
  if (globWork.steps > lastStep) throw new HearsayError('ERR', 'the pattern takes too long for KEYS, use SCAN');
  if (found.overflowed) throw tooManyKeys();
  reply.array(count);
  reply.raw(found.buffer, 0, found.length);
}

export function tooManyKeys(): HearsayError {
  return new HearsayError('ERR', 'too many keys for KEYS, use SCAN');
}
