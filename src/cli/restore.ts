/**
 * `hearsay restore FILE`: the records of a backup into a cluster, fresh or running, of any size, replicas and partitions. The file
 * is read through first; then each record goes to the node that answers for its partition in that cluster.
 *
 * Records keep their versions: what the cluster has newer stays, so the same file can be restored again at any time, and a run
 * that was broken off is simply run again. A key deleted after the backup stays deleted, its tombstone kept or forgotten, and a
 * FLUSHALL given after it holds: to go back in time, restore into a fresh cluster. Nodes say when they are busy, and are asked again; records whose partition has moved follow it.
 * Guarded: what was not verified is not sent; bytes under way are bounded; every record is counted once, and a run in which any
 * was refused ends with exit code 3.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Reply } from '../client/reply-parser.js';
import { HearsayError } from '../core/base/errors.js';
import { partitionOf } from '../core/partitions/slots.js';
import { compareVersions } from '../core/record/merge.js';
import { align8, recordActor, recordBytes, recordHlc, recordKeyEnd, recordKeyStart } from '../core/record/record.js';
import type { BackupFooter, BackupTally } from '../core/wal/backup-file.js';
import { BackupReader } from './backup-files.js';
import type { ClusterDoor } from './cluster-door.js';
import { DONE, FAILED, UNWELL } from './exit-codes.js';
import { countText, durationText, type Progress } from './progress.js';
import type { Terminal } from './terminal.js';
import { doorTo, type Flags, progressFor, rateIn } from './transfer.js';

/** Records of one LOAD: some milliseconds of a node's time. */
const BATCH_BYTES = 128 * 1024;
/** Batches under way at once. */
const BATCHES_MAX = 8;
/** How long a batch may find no taker before the run is broken off. */
const PATIENCE_MS = 60_000;
const RETRY_MS = 50;
const RETRY_MS_MAX = 1000;

/** What became of the records. */
interface Counts {
  records: number;
  applied: number;
  /** Past their time by now. */
  expired: number;
  /** Covered by the FLUSHALL that the backup knew of at its end. */
  flushedBefore: number;
  /** Refused, by reason. */
  drifted: number;
  flushed: number;
  belowFloor: number;
  unusable: number;
}

export async function runRestore(path: string, flags: Flags, terminal: Terminal): Promise<number> {
  const rate = rateIn(flags);
  const problem = await problemOf(path);
  if (problem !== null) {
    terminal.error(`hearsay: ${path}: ${problem}\n`);
    return 1;
  }
  const door = await doorTo(flags, terminal);
  let stopping = false;
  terminal.onStopSignal(() => {
    stopping = true;
  });
  try {
    if (flags.verifyFirst !== false) await readThrough(path, terminal);
    const reader = await BackupReader.open(path);
    const loading = new Loading(door, await reader.footer(), rate, () => stopping);
    const progress = progressFor(terminal, () => ({
      part: reader.tally.position / reader.fileBytes,
      bytes: loading.bytesSent,
      facts: [countText(loading.counts.applied, 'record')],
    }));
    await restoreAll(reader, loading, () => stopping).finally(() => progress.end());
    await reader.close();
    return report(path, reader.tally, loading.counts, progress, flags, terminal);
  } catch (error) {
    terminal.error(`hearsay: ${path}: ${(error as Error).message}\n`);
    return stopping ? UNWELL : FAILED;
  } finally {
    await door.close();
  }
}

/** What already the first bytes say: asked before any node is. */
async function problemOf(path: string): Promise<string | null> {
  try {
    await (await BackupReader.open(path)).close();
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

async function readThrough(path: string, terminal: Terminal): Promise<void> {
  const reader = await BackupReader.open(path);
  const progress = progressFor(terminal, () => ({
    part: reader.tally.position / reader.fileBytes,
    bytes: reader.tally.position,
    facts: ['verifying'],
  }));
  await reader.run(() => {}).finally(() => progress.end());
  await reader.close();
}

async function restoreAll(reader: BackupReader, loading: Loading, stopping: () => boolean): Promise<void> {
  await reader.run(async ({ start, end }, bytes) => {
    if (stopping()) throw new HearsayError('ERR', 'stopped; the same command goes on, what is there already is left');
    for (let at = start; at < end; at += align8(recordBytes(bytes, at))) await loading.add(bytes, at);
  });
  await loading.finish();
}

/** Records on their way into a cluster: gathered per node, a bounded number of batches under way. */
class Loading {
  readonly counts: Counts = {
    records: 0,
    applied: 0,
    expired: 0,
    flushedBefore: 0,
    drifted: 0,
    flushed: 0,
    belowFloor: 0,
    unusable: 0,
  };
  bytesSent = 0;
  private readonly startedMs = performance.now();
  /** What is gathered for each node, by its name. */
  private readonly gathered = new Map<string, { records: Buffer[]; bytes: number }>();
  private readonly underWay = new Set<Promise<void>>();
  private failure: unknown = null;

  constructor(
    private readonly door: ClusterDoor,
    private readonly footer: BackupFooter,
    private readonly rate: number,
    private readonly stopping: () => boolean,
  ) {}

  /** Takes a copy of one verified record. Throws what a batch has failed with. */
  async add(bytes: Buffer, at: number): Promise<void> {
    this.counts.records++;
    const { flushedHlc, flushedActor } = this.footer;
    if (compareVersions(recordHlc(bytes, at), recordActor(bytes, at), flushedHlc, flushedActor) <= 0) {
      this.counts.flushedBefore++;
      return;
    }
    const record = padded(bytes, at);
    const name = this.takerOf(record);
    const batch = this.gathered.get(name) ?? { records: [], bytes: 0 };
    this.gathered.set(name, batch);
    if (batch.bytes > 0 && batch.bytes + record.length > BATCH_BYTES) {
      await this.begin(batch.records);
      batch.records = [];
      batch.bytes = 0;
    }
    batch.records.push(record);
    batch.bytes += record.length;
  }

  /** Everything gathered is sent and answered. */
  async finish(): Promise<void> {
    for (const { records } of this.gathered.values()) if (records.length > 0) await this.begin(records);
    await Promise.all(this.underWay);
    if (this.failure !== null) throw this.failure;
  }

  private async begin(records: Buffer[]): Promise<void> {
    while (this.underWay.size >= BATCHES_MAX) await Promise.race(this.underWay);
    if (this.failure !== null) throw this.failure;
    const delivery = this.deliver(records).catch((error) => {
      this.failure ??= error;
    });
    this.underWay.add(delivery);
    void delivery.then(() => this.underWay.delete(delivery));
    await this.rest();
  }

  /** Sends records until each is taken or refused for good; those whose partition has moved go where it is now. */
  private async deliver(records: Buffer[]): Promise<void> {
    let left = records;
    let retryMs = RETRY_MS;
    let deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      const still: Buffer[] = [];
      let why = '';
      for (const group of this.byTaker(left)) {
        const outcome = await this.send(group);
        still.push(...outcome.left);
        if (outcome.left.length > 0) why = outcome.why;
      }
      if (still.length === 0) return;
      if (still.length < left.length) {
        deadline = performance.now() + PATIENCE_MS;
        retryMs = RETRY_MS;
      }
      left = still;
      if (performance.now() > deadline || this.failure !== null || this.stopping()) {
        throw new HearsayError('UNAVAILABLE', `${why}; run it again to go on`);
      }
      await sleep(retryMs);
      retryMs = Math.min(retryMs * 2, RETRY_MS_MAX);
      await this.door.refresh().catch(() => {});
    }
  }

  /** One LOAD: counts what became of the records, and gives back those to be sent again, with the reason. */
  private async send(group: Buffer[]): Promise<{ left: Buffer[]; why: string }> {
    const { partitions } = this.door.facts;
    const [node] = this.door.candidates(partitionIn(group[0], partitions));
    if (node === undefined) return { left: group, why: 'no node is there' };
    try {
      const link = await this.door.linkTo(node);
      const loaded = loadedIn(await link.request('HEARSAY.LOAD', Buffer.concat(group)));
      this.counts.applied += loaded.count('applied');
      this.bytesSent += loaded.count('bytes');
      // Sent again, those that were taken count as being there already; the others are judged anew.
      if (loaded.count('elsewhere') > 0) return { left: group, why: `${node.name} does not own the partition` };
      for (const name of ['expired', 'drifted', 'flushed', 'belowFloor', 'unusable'] as const)
        this.counts[name] += loaded.count(name);
      return { left: behind(group, loaded.count('bytes')), why: loaded.stopped };
    } catch (error) {
      if (error instanceof HearsayError && FINAL.has(error.code)) throw error;
      return { left: group, why: (error as Error).message };
    }
  }

  private byTaker(records: readonly Buffer[]): Buffer[][] {
    const groups = new Map<string, Buffer[]>();
    for (const record of records) {
      const name = this.takerOf(record);
      const group = groups.get(name);
      if (group === undefined) groups.set(name, [record]);
      else group.push(record);
    }
    return [...groups.values()];
  }

  /** Name of the node that answers for a record's partition. */
  private takerOf(record: Buffer): string {
    const { nodes, partitions, answers } = this.door.facts;
    return nodes[answers[partitionIn(record, partitions)]]?.name ?? '';
  }

  private async rest(): Promise<void> {
    if (this.rate === 0) return;
    const dueMs = (this.bytesSent * 1000) / this.rate - (performance.now() - this.startedMs);
    if (dueMs > 1) await sleep(dueMs);
  }
}

/** Answers that another try does not change: the request itself, or the password, is wrong. */
const FINAL: ReadonlySet<string> = new Set(['ERR', 'NOAUTH', 'WRONGPASS', 'DISKFAILED']);

/** A copy of a record, padded with zeros to a multiple of 8. */
function padded(bytes: Buffer, at: number): Buffer {
  const length = recordBytes(bytes, at);
  const copy = Buffer.alloc(align8(length));
  bytes.copy(copy, 0, at, at + length);
  return copy;
}

function partitionIn(record: Buffer, partitions: number): number {
  return partitionOf(record, recordKeyStart(record, 0), recordKeyEnd(record, 0), partitions);
}

/** The records behind the first `bytes` of them. */
function behind(records: readonly Buffer[], bytes: number): Buffer[] {
  let before = 0;
  return records.filter((record) => {
    before += record.length;
    return before > bytes;
  });
}

function loadedIn(reply: Reply): { count(name: string): number; stopped: string } {
  const fields = new Map<string, Reply>();
  if (Array.isArray(reply))
    for (let at = 0; at + 1 < reply.length; at += 2) fields.set(String(reply[at]), reply[at + 1]);
  const count = (name: string): number => {
    const value = fields.get(name);
    if (typeof value !== 'number') throw new HearsayError('ERR', `LOAD answered no ${name}`);
    return value;
  };
  return { count, stopped: String(fields.get('stopped')) };
}

function report(
  path: string,
  tally: BackupTally,
  counts: Counts,
  progress: Progress,
  flags: Flags,
  terminal: Terminal,
): number {
  const { records, applied, expired, flushedBefore, drifted, flushed, belowFloor, unusable } = counts;
  const refused = drifted + flushed + belowFloor + unusable;
  const present = records - applied - expired - flushedBefore - refused;
  const { keys, tombstones, changes } = tally;
  if (flags.json === true) {
    const reasons = { drifted, flushed, belowFloor, unusable };
    const facts = { file: path, keys, tombstones, changes, records, applied, present, expired, flushedBefore, refused };
    terminal.out(`${JSON.stringify({ ...facts, reasons, elapsedMs: Math.round(progress.elapsedMs) })}\n`);
  } else {
    const held = [countText(keys, 'key'), countText(tombstones, 'tombstone'), countText(changes, 'later change')];
    terminal.out(`${path}: ${held.join(', ')} in ${durationText(progress.elapsedMs)}\n`);
    const became = [
      `${countText(applied, 'record')} applied`,
      `${present.toLocaleString('en')} there already or newer`,
    ];
    if (expired > 0) became.push(`${expired.toLocaleString('en')} expired meanwhile`);
    if (flushedBefore > 0) became.push(`${flushedBefore.toLocaleString('en')} flushed during the backup`);
    terminal.out(`  ${became.join(', ')}\n`);
  }
  const why = [
    drifted > 0 ? `${drifted} stamped in the future: a clock is wrong, here or where the backup was made` : '',
    flushed > 0 ? `${flushed} older than a FLUSHALL of this cluster: restore into a fresh one` : '',
    belowFloor > 0
      ? `${belowFloor} of keys that are not there, from before deletes that this cluster has forgotten: restore into a fresh one`
      : '',
    unusable > 0 ? `${unusable} that no node can use` : '',
  ].filter((line) => line !== '');
  for (const line of why) terminal.error(`hearsay: refused: ${line}\n`);
  return refused > 0 ? UNWELL : DONE;
}
