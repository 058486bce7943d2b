/**
 * SCAN, KEYS and DBSIZE over the partitions this node answers for. Those it does not hold are asked of an owner, by the
 * internal command of partition.ts.
 *
 * A cursor is partition x 2^32 + hash: stateless, and the same on every node, for all hash keys alike. So an entry that is
 * there from the first call to the last is given at least once, whatever else is written, evicted or moved meanwhile.
 * Guarded: one call looks at no more than about `KEYS_VISITED_MAX` keys, whatever COUNT says.
 */
import { HearsayError } from '../base/errors.js';
import { Args } from '../resp/args.js';
import { Reply } from '../resp/reply.js';
import type { Command, CommandContext } from './command.js';
import { BARRIER, FAST, READ, SCANS } from './command.js';
import { requirePatternFits } from './glob.js';
import type { ScanOptions } from './page.js';
import {
  HASHES,
  isSpent,
  KEYS_LISTED_MAX,
  keysHere,
  LIST_STEPS_MAX,
  listStepsMax,
  replyPage,
  scanHere,
  scanOptions,
  tooManyKeys,
} from './page.js';
import { partitionCommand } from './partition.js';
import { Gathering } from './split.js';

function scan(context: CommandContext, args: Args, reply: Reply): void {
  const { host, caller } = context;
  const { partitions } = host.settings;
  const cursor = args.integer(1);
  if (!(cursor >= 0 && cursor <= Number.MAX_SAFE_INTEGER)) throw new HearsayError('ERR', 'invalid cursor');
  const options = scanOptions(args, 2);
  let partition = Math.floor(cursor / HASHES);
  let hash = cursor % HASHES;
  const found = new Reply(caller.protocol, null);
  const page = { visited: 0, found: 0, steps: 0 };
  while (partition < partitions && !isSpent(page, options)) {
    if (!host.answersFor(partition)) {
      partition++;
      hash = 0;
      continue;
    }
    if (!host.holds(partition)) {
      if (page.visited > 0) break;
      host.submitToPartition(partition, partitionCommand, remoteScan(partition, hash, args, options), caller);
      return;
    }
    const next = scanHere(context, args, options, partition, hash, page, found);
    if (next < 0) partition++;
    hash = Math.max(0, next);
  }
  replyPage(reply, partition < partitions ? partition * HASHES + hash : 0, page.found, found);
}

function remoteScan(partition: number, hash: number, args: Args, options: ScanOptions): Args {
  const words: (string | Buffer)[] = ['hearsay.partition', 'SCAN', `${partition}`, `${hash}`];
  words.push('COUNT', `${options.count}`);
  if (options.pattern >= 0) words.push('MATCH', args.copy(options.pattern));
  if (options.type >= 0) words.push('TYPE', args.copy(options.type));
  return Args.of(...words);
}

function keys(context: CommandContext, args: Args, reply: Reply): void {
  const { host, caller } = context;
  requirePatternFits(args, 1);
  if (countHere(context) > KEYS_LISTED_MAX) throw tooManyKeys();
  const away = partitionsAway(context);
  if (away.length === 0) {
    keysHere(context, args, 1, partitionsHere(context), LIST_STEPS_MAX, reply);
    return;
  }
  const gathering = new Gathering(caller, deferredOf(context), 'concat', 0);
  const stepsMax = listStepsMax(away.length + 1);
  gathering.run((part) => keysHere(context, args, 1, partitionsHere(context), stepsMax, part.reply));
  for (const partition of away) {
    const words = Args.of('hearsay.partition', 'KEYS', `${partition}`, args.copy(1), `${stepsMax}`);
    gathering.run((part) => host.submitToPartition(partition, partitionCommand, words, part));
  }
  gathering.allGiven();
}

function dbsize(context: CommandContext, _args: Args, reply: Reply): void {
  const { host, caller } = context;
  const away = partitionsAway(context);
  if (away.length === 0) {
    reply.integer(countHere(context));
    return;
  }
  const gathering = new Gathering(caller, deferredOf(context), 'sum', 0);
  gathering.run((part) => part.reply.integer(countHere(context)));
  for (const partition of away) {
    const words = Args.of('hearsay.partition', 'COUNT', `${partition}`);
    gathering.run((part) => host.submitToPartition(partition, partitionCommand, words, part));
  }
  gathering.allGiven();
}

/** A place for a reply of many parts. They only read, so there is nothing to hold for. */
function deferredOf(context: CommandContext): { reply: Reply; done(): void; holdUntilDurable(batch: number): void } {
  const deferred = context.caller.defer();
  return { reply: deferred.reply, done: () => deferred.done(), holdUntilDurable: () => undefined };
}

function countHere(context: CommandContext): number {
  let count = 0;
  for (const partition of partitionsHere(context)) count += context.host.countKeys(partition);
  return count;
}

function partitionsHere(context: CommandContext): number[] {
  const { host } = context;
  const here: number[] = [];
  for (let partition = 0; partition < host.settings.partitions; partition++) {
    if (host.answersFor(partition) && host.holds(partition)) here.push(partition);
  }
  return here;
}

function partitionsAway(context: CommandContext): number[] {
  const { host } = context;
  const away: number[] = [];
  for (let partition = 0; partition < host.settings.partitions; partition++) {
    if (host.answersFor(partition) && !host.holds(partition)) away.push(partition);
  }
  return away;
}

/** One at a time of each connection: what it asks of other nodes is their work, and no turn of this one counts it. */
const scans = READ | SCANS | BARRIER;
const noKeys = { firstKey: 0, lastKey: 0, step: 0 } as const;

export const scanCommands: Command[] = [
  { name: 'scan', arity: -2, flags: scans, ...noKeys, group: 'generic', summary: 'Go through the keys', run: scan },
  { name: 'keys', arity: 2, flags: scans, ...noKeys, group: 'generic', summary: 'List keys by pattern', run: keys },
  {
    name: 'dbsize',
    arity: 1,
    flags: READ | FAST | BARRIER,
    ...noKeys,
    group: 'server',
    summary: 'Count the keys',
    run: dbsize,
  },
];
