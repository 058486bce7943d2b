/**
 * HEARSAY.DUMP and HEARSAY.LOAD: records out of a node and into one, as they stand, for `hearsay backup` and `hearsay restore`.
 *
 *     DUMP START                                    what a backup begins with: clock, last flush, settings, who answers for what
 *     DUMP partition fromHash count [SINCE hlc]     [next hash or -1, records]: about `count` entries looked at, in order of hash;
 *                                                   with SINCE only what was written, deleted or given another expiry after it
 *     LOAD records                                  what became of each, and how many bytes were taken
 *
 * Records travel in one bulk, each at an 8-aligned offset, padded with zeros. Values and tombstones are dumped; what has expired
 * or was flushed is not. DUMP has the node keep deletes from a while before it on, until none has come for ten minutes; SINCE is
 * refused where they were not kept. A LOAD that finds no room takes what it can and says how far it came and why it stopped.
 * Guarded: a DUMP gives at most `DUMP_BYTES_MAX`, or the entries of one hash; a LOAD changes nothing unless all of its bytes are
 * whole records; a record goes where its key belongs or nowhere.
 */
import { HearsayError } from '../base/errors.js';
import { align8, isMergeType, recordBytes, recordExpiryHlc, recordHlc, recordType } from '../record/record.js';
import type { Args } from '../resp/args.js';
import { Reply } from '../resp/reply.js';
import type { Command, CommandContext } from './command.js';
import { ADMIN, READ, syntaxError, WRITE, wrongArity } from './command.js';
import { HASHES } from './page.js';

/** Bytes of records in one reply, unless the entries of one hash alone pass it. */
export const DUMP_BYTES_MAX = 1024 * 1024;
/** Entries that one DUMP looks at: some milliseconds. */
export const DUMP_ENTRIES_MAX = 10_000;
const PADDING = Buffer.alloc(8);
/** What the answer to a LOAD counts, in order. */
const LOADED = [
  'bytes',
  'applied',
  'stale',
  'expired',
  'elsewhere',
  'drifted',
  'flushed',
  'belowFloor',
  'unusable',
] as const;

function dump(context: CommandContext, args: Args, reply: Reply): void {
  if (args.equalsIgnoreCase(1, 'START')) {
    if (args.count !== 2) throw wrongArity('hearsay.dump|start');
    start(context, reply);
    return;
  }
  if (args.count !== 4 && args.count !== 6) throw syntaxError();
  const { host } = context;
  const partition = args.integer(1);
  const fromHash = args.integer(2);
  const count = args.integer(3);
  if (!(partition >= 0 && partition < host.settings.partitions)) throw new HearsayError('ERR', 'no such partition');
  if (!(fromHash >= 0 && fromHash < HASHES)) throw new HearsayError('ERR', 'invalid cursor');
  if (!(count >= 1)) throw syntaxError();
  if (!host.holds(partition)) throw new HearsayError('UNAVAILABLE', 'this node holds no whole copy of the partition');
  const since = sinceIn(args);
  if (since >= 0 && !host.keepsDeletesSince(partition, since)) {
    throw new HearsayError('UNAVAILABLE', 'deletes since then are forgotten: --fresh starts over');
  }
  const page = new Page(since, reply.protocol);
  const next = host.dumpPartition(partition, fromHash, Math.min(count, DUMP_ENTRIES_MAX), page.visit);
  if (page.records.overflowed) throw new HearsayError('ERR', 'the entries of one hash are too large for a reply');
  reply.array(2);
  reply.integer(page.next >= 0 ? page.next : next);
  reply.bulk(page.records.buffer, 0, page.records.length);
}

/** The HLC after SINCE; -1 without it. */
function sinceIn(args: Args): number {
  if (args.count === 4) return -1;
  const since = args.integer(5);
  if (!args.equalsIgnoreCase(4, 'SINCE') || !(since >= 0 && since <= Number.MAX_SAFE_INTEGER)) throw syntaxError();
  return since;
}

/** Collects the records of one reply. The entries of one hash are taken together or left to the next reply together. */
class Page {
  readonly records: Reply;
  /** The first hash that did not fit; -1 while all do. */
  next = -1;
  private hash = -1;
  private readonly since: number;

  constructor(since: number, protocol: 2 | 3) {
    this.since = since;
    this.records = new Reply(protocol, null);
  }

  readonly visit = (bytes: Buffer, offset: number, hash: number): void => {
    if (this.next >= 0) return;
    // Of what merges, an older part may have come since.
    const isLater = isMergeType(recordType(bytes, offset)) || recordHlc(bytes, offset) > this.since;
    if (!isLater && recordExpiryHlc(bytes, offset) <= this.since) return;
    const length = recordBytes(bytes, offset);
    const padded = align8(length);
    const { records } = this;
    if (hash !== this.hash && records.length > 0 && records.length + padded > DUMP_BYTES_MAX) {
      this.next = hash;
      return;
    }
    this.hash = hash;
    records.raw(bytes, offset, offset + length);
    records.raw(PADDING, 0, padded - length);
  };
}

function start({ host }: CommandContext, reply: Reply): void {
  const mark = host.backupMark();
  const { settings } = host;
  const nodes = host.cluster();
  reply.map(11);
  reply.bulkString('hlc');
  reply.integer(mark.hlc);
  reply.bulkString('flushed_hlc');
  reply.integer(mark.flushedHlc);
  reply.bulkString('flushed_actor');
  reply.integer(mark.flushedActor);
  reply.bulkString('cluster');
  reply.bulkString(settings.clusterName);
  reply.bulkString('cluster_id');
  reply.bulkString(mark.clusterId);
  reply.bulkString('version');
  reply.bulkString(settings.version);
  reply.bulkString('partitions');
  reply.integer(settings.partitions);
  reply.bulkString('replicas');
  reply.integer(settings.replicas);
  reply.bulkString('tombstone_grace_ms');
  reply.integer(mark.tombstoneGraceMs);
  reply.bulkString('max_clock_drift_ms');
  reply.integer(mark.maxClockDriftMs);
  reply.bulkString('nodes');
  reply.array(nodes.length);
  for (const node of nodes) {
    reply.array(4 + node.slots.length * 2);
    reply.bulkString(node.name);
    reply.bulkString(node.host);
    reply.integer(node.port);
    reply.bulkString(node.state);
    for (const { first, last } of node.slots) {
      reply.integer(first);
      reply.integer(last);
    }
  }
}

function load({ host, caller }: CommandContext, args: Args, reply: Reply): void {
  const loaded = host.load(args.buffer, args.starts[1], args.ends[1]);
  const { refusal } = loaded;
  if (refusal !== null && loaded.bytes === 0) throw refusal;
  reply.map(LOADED.length + 1);
  for (const name of LOADED) {
    reply.bulkString(name);
    reply.integer(loaded[name]);
  }
  reply.bulkString('stopped');
  reply.bulkString(refusal === null ? '' : `${refusal.code} ${refusal.message}`);
  // What stood here already may be of a batch that is not durable yet, too.
  if (loaded.applied + loaded.stale > 0) host.noteLoaded(caller);
}

const row = { firstKey: 0, lastKey: 0, step: 0, group: 'hearsay' } as const;

export const backupCommands: Command[] = [
  { name: 'hearsay.dump', arity: -2, flags: READ | ADMIN, ...row, summary: 'Read records for a backup', run: dump },
  { name: 'hearsay.load', arity: 2, flags: WRITE | ADMIN, ...row, summary: 'Take in records of a backup', run: load },
];
