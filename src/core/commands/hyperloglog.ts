/**
 * PFADD, PFCOUNT and PFMERGE: distinct elements, estimated within 0.81 % in 12 KiB (types/hyperloglog.ts). Keys may live anywhere: where
 * they live apart, the sketches come together at the node that was asked (split.ts).
 * Guarded: an element that raises no register writes nothing and copies nothing.
 */
import { HearsayError } from '../base/errors.js';
import { recordType, TYPE_HLL } from '../record/record.js';
import type { Args } from '../resp/args.js';
import type { Reply } from '../resp/reply.js';
import { entryOf, estimate, includes, isSketch, rankAt, SketchUnion, sketchOf } from '../types/hyperloglog.js';
import { SketchChange } from '../types/hyperloglog-record.js';
import type { Command, CommandContext } from './command.js';
import { FAST, INTERNAL, READ, READ_FIRST, WRITE } from './command.js';

/** Used up before the call returns. */
const change = new SketchChange();

function pfadd(context: CommandContext, args: Args, reply: Reply): void {
  const { keyspace } = context;
  const { buffer, starts, ends } = args;
  const found = findSketch(context, args, 1);
  const { entry } = keyspace;
  const raised: number[] = [];
  for (let index = 2; index < args.count; index++) {
    const place = entryOf(buffer, starts[index], ends[index]);
    const rank = found ? rankAt(entry.buffer, entry.valueStart, entry.valueEnd, place >>> 6) : 0;
    if ((place & 63) > rank) raised.push(place);
  }
  const changes = !found || raised.length > 0;
  if (changes) keyspace.change(buffer, starts[1], ends[1], change.add(sketchOf(raised)));
  reply.integer(changes ? 1 : 0);
}

function pfcount(context: CommandContext, args: Args, reply: Reply): void {
  const { entry } = context.keyspace;
  if (args.count === 2) {
    const found = countSketch(context, args, 1);
    reply.integer(found ? estimate(entry.buffer, entry.valueStart, entry.valueEnd) : 0);
    return;
  }
  const union = new SketchUnion();
  for (let index = 1; index < args.count; index++) {
    if (countSketch(context, args, index)) union.add(entry.buffer, entry.valueStart, entry.valueEnd);
  }
  const united = union.toSketch();
  reply.integer(estimate(united, 0, united.length));
}

function pfmerge(context: CommandContext, args: Args, reply: Reply): void {
  const { entry } = context.keyspace;
  const union = new SketchUnion();
  for (let index = 2; index < args.count; index++) {
    if (findSketch(context, args, index)) union.add(entry.buffer, entry.valueStart, entry.valueEnd);
  }
  mergeInto(context, args, union.toSketch());
  reply.ok();
}

/** Internal, `key sketch`: the second half of a PFMERGE whose keys live apart. */
function absorb(context: CommandContext, args: Args, reply: Reply): void {
  const { buffer, starts, ends } = args;
  if (!isSketch(buffer, starts[2], ends[2])) throw new HearsayError('ERR', 'not a sketch');
  mergeInto(context, args, buffer.subarray(starts[2], ends[2]));
  reply.ok();
}

/** Internal, `key`: its sketch, or null. */
function sketch(context: CommandContext, args: Args, reply: Reply): void {
  const { entry } = context.keyspace;
  if (countSketch(context, args, 1)) reply.bulk(entry.buffer, entry.valueStart, entry.valueEnd);
  else reply.null();
}

/** Writes only what is new: a key that is not there is made, as Redis does. */
function mergeInto(context: CommandContext, args: Args, united: Buffer): void {
  const { keyspace } = context;
  const { entry } = keyspace;
  const { buffer, starts, ends } = args;
  const found = findSketch(context, args, 1);
  if (found && includes(entry.buffer, entry.valueStart, entry.valueEnd, united, 0, united.length)) return;
  keyspace.change(buffer, starts[1], ends[1], change.add(united));
}

/** Whether there is a sketch at `args[index]`; then `entry` shows it. */
function findSketch({ keyspace }: CommandContext, args: Args, index: number): boolean {
  if (!keyspace.find(args.buffer, args.starts[index], args.ends[index])) return false;
  if (recordType(keyspace.entry.buffer, keyspace.entry.offset) !== TYPE_HLL) throw notASketch();
  return true;
}

/** In the words of Redis. */
function notASketch(): HearsayError {
  return new HearsayError('WRONGTYPE', 'Key is not a valid HyperLogLog string value.');
}

/** The same, counted as a read. */
function countSketch(context: CommandContext, args: Args, index: number): boolean {
  const found = findSketch(context, args, index);
  if (found) context.stats.keyspaceHits++;
  else context.stats.keyspaceMisses++;
  return found;
}

const group = 'hyperloglog' as const;
const oneKey = { firstKey: 1, lastKey: 1, step: 1, group } as const;

export const hyperLogLogCommands: Command[] = [
  {
    name: 'pfadd',
    arity: -2,
    flags: WRITE | READ_FIRST | FAST,
    ...oneKey,
    summary: 'Count elements into a HyperLogLog; 1 if it changed',
    run: pfadd,
  },
  {
    name: 'pfcount',
    arity: -2,
    flags: READ,
    firstKey: 1,
    lastKey: -1,
    step: 1,
    group,
    summary: 'Estimate the distinct elements of HyperLogLogs together',
    split: { as: 'hearsay.sketch', stride: 1, combine: 'count' },
    run: pfcount,
  },
  {
    name: 'pfmerge',
    arity: -2,
    flags: WRITE | READ_FIRST,
    firstKey: 1,
    lastKey: -1,
    step: 1,
    group,
    summary: 'Merge HyperLogLogs into the first',
    split: { as: 'hearsay.sketch', stride: 1, combine: 'absorb', last: 'hearsay.absorb' },
    run: pfmerge,
  },
  { name: 'hearsay.sketch', arity: 2, flags: READ | INTERNAL, ...oneKey, summary: 'Sketch of a key', run: sketch },
  {
    name: 'hearsay.absorb',
    arity: 3,
    flags: WRITE | READ_FIRST | INTERNAL,
    ...oneKey,
    summary: 'Merge a sketch into a HyperLogLog',
    run: absorb,
  },
];
