/**
 * `hearsay backup FILE`: the records of a running cluster, as they stand, into one file; and `--verify`, which reads such a file.
 *
 * The backup is online and fuzzy. A first pass reads every partition in order of hash from the node that answers for it; a second
 * pass reads again what was written, deleted or given another expiry since the start (less a margin for writes on their way and
 * for clocks), and leaves out what the first has copied as it still is. So, of every key that the answering nodes held, the file has a version no older than the one they held when the
 * second pass came by it; a key deleted meanwhile has its tombstone, which deletes on restore too. There is no one moment that
 * the file is of: keys written during the second pass may be in it or not, each for itself. Not in it: what had expired, what was
 * evicted, tombstones already forgotten, and writes that had not reached the node asked within the margin. A FLUSHALL known at
 * the end stands in the footer, and what it covers is not restored. A key deleted after the backup stays deleted while its
 * tombstone is kept.
 *
 * A run that was broken off goes on where FILE.part ends, with the clock of its start, unless deletes since then may have been
 * forgotten. A node that dies is replaced by whoever answers next. Throttled in bytes, and rests as long as a node worked.
 * Guarded: FILE is whole or as it was before; one backup at a time writes it; every record was verified when it came, and the file is read through before it is named.
 */
import { randomInt } from 'node:crypto';
import { statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Reply } from '../client/reply-parser.js';
import { HearsayError } from '../core/base/errors.js';
import { HLC_TICKS, hlcToMs } from '../core/base/hlc.js';
import { BACKUP_PASSES, type BackupHeader, type BackupTally } from '../core/wal/backup-file.js';
import { BackupReader, BackupWriter, partOf } from './backup-files.js';
import type { ClusterDoor, ClusterFacts } from './cluster-door.js';
import { DONE, FAILED, isSystemError, UNWELL } from './exit-codes.js';
import { lockFile } from './file-lock.js';
import { fileProblem } from './places.js';
import { countText, durationText, sizeText } from './progress.js';
import { RecentRecords } from './recent-records.js';
import { type Terminal, UsageError } from './terminal.js';
import { doorTo, type Flags, progressFor, rateIn } from './transfer.js';

/** Nodes are told this often that a backup reads: they keep deletes for ten minutes at a time. */
const KEEP_EVERY_MS = 60_000;
/** Writes younger than this at the start may not have reached the node that is asked: the second pass goes back so far. */
const MARGIN_MS = 10_000;
/** Entries that a node looks at for one reply. */
const ENTRIES_PER_REQUEST = 10_000;
/** How long nobody may answer for a partition before the run is broken off. */
const PATIENCE_MS = 60_000;
const RETRY_MS = 250;

export async function runBackup(path: string, flags: Flags, terminal: Terminal): Promise<number> {
  if (flags.verify === true) return verifyBackup(path, flags, terminal);
  const rate = rateIn(flags);
  if (path === '') throw new UsageError(['the name of the file is empty']);
  for (const each of [path, partOf(path)]) {
    const problem = fileProblem(each) ?? otherProblem(each);
    if (problem !== null) throw new UsageError([problem]);
  }
  const unlock = await lockFile(path).catch((error) => {
    throw new HearsayError('ERR', `${path}: ${(error as Error).message}`);
  });
  return copyInto(path, rate, flags, terminal).finally(unlock);
}

/** What stands there and is no file is not replaced by one. */
function otherProblem(path: string): string | null {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === false ? `${path} is no file` : null;
}

async function copyInto(path: string, rate: number, flags: Flags, terminal: Terminal): Promise<number> {
  const door = await doorTo(flags, terminal);
  let stopping = false;
  terminal.onStopSignal(() => {
    stopping = true;
  });
  try {
    const { writer, recent } = await writerFor(path, flags, door.facts, terminal);
    const copy = new BackupCopy(door, writer, recent, rate, () => stopping);
    const progress = progressFor(terminal, () => copy.moment());
    const done = await copy.run().finally(() => progress.end());
    if (!done) {
      await writer.close();
      terminal.error(`hearsay: stopped; the same command goes on from ${partOf(path)}\n`);
      return UNWELL;
    }
    report(path, writer.tally, progress.elapsedMs, flags, terminal);
    return 0;
  } catch (error) {
    terminal.error(`hearsay: ${path}: ${(error as Error).message}\n`);
    return 1;
  } finally {
    await door.close();
  }
}

/** The copying itself: two passes over all partitions, then the footer. */
class BackupCopy {
  private readonly startedMs = performance.now();
  private readonly bytesBefore: number;
  private keptUntilMs = 0;

  constructor(
    private readonly door: ClusterDoor,
    private readonly writer: BackupWriter,
    private readonly recent: RecentRecords,
    private readonly rate: number,
    private readonly stopping: () => boolean,
  ) {
    this.bytesBefore = writer.tally.position;
  }

  /** False if it was asked to stop; the file is whole then as far as it goes. */
  async run(): Promise<boolean> {
    const { tally } = this.writer;
    while (!tally.complete) {
      if (this.stopping()) return false;
      await this.keepDeletes();
      const askedMs = performance.now();
      const { next, records } = await this.read();
      const workedMs = performance.now() - askedMs;
      await this.append(records, next);
      await this.rest(workedMs);
    }
    const facts = await this.door.askAll();
    const [latest] = facts.sort(
      (left, right) => right.flushedHlc - left.flushedHlc || right.flushedActor - left.flushedActor,
    );
    await this.writer.finish({
      endHlc: Math.max(...facts.map(({ hlc }) => hlc)),
      flushedHlc: latest.flushedHlc,
      flushedActor: latest.flushedActor,
      finishedMs: Date.now(),
    });
    return true;
  }

  /** Has every node keep what is deleted from now on until the second pass has been there. */
  private async keepDeletes(): Promise<void> {
    if (performance.now() < this.keptUntilMs) return;
    await this.door.askAll().catch(() => {});
    this.keptUntilMs = performance.now() + KEEP_EVERY_MS;
  }

  private async append(records: Buffer, next: number): Promise<void> {
    const first = this.writer.tally.cursor.pass === 1;
    await this.writer.append(first ? records : this.recent.without(records), next);
    if (first) this.recent.note(records, 0, records.length);
  }

  moment() {
    const { tally } = this.writer;
    const { cursor, header } = tally;
    const within = (cursor.partition + cursor.hash / 2 ** 32) / header.partitions;
    const where = tally.complete
      ? 'verifying'
      : `pass ${cursor.pass}, partition ${cursor.partition}/${header.partitions}`;
    return {
      part: (cursor.pass - 1 + within) / BACKUP_PASSES,
      bytes: tally.position - this.bytesBefore,
      facts: [countText(tally.keys, 'key'), where],
    };
  }

  /** What follows the cursor, from whoever answers for its partition. Throws when nobody does for long. */
  private async read(): Promise<{ next: number; records: Buffer }> {
    const { cursor, header } = this.writer.tally;
    const since = cursor.pass === 1 ? [] : ['SINCE', `${header.sinceHlc}`];
    const words = ['HEARSAY.DUMP', `${cursor.partition}`, `${cursor.hash}`, `${ENTRIES_PER_REQUEST}`, ...since];
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      let failure: unknown = new HearsayError('UNAVAILABLE', 'no node is there');
      for (const node of this.door.candidates(cursor.partition)) {
        try {
          return pageIn(await (await this.door.linkTo(node)).request(...words));
        } catch (error) {
          failure = error;
          await this.door.refresh().catch(() => {});
        }
      }
      if (performance.now() > deadline || this.stopping()) {
        throw new HearsayError('UNAVAILABLE', `partition ${cursor.partition}: ${(failure as Error).message}`);
      }
      await sleep(RETRY_MS);
      await this.door.refresh().catch(() => {});
    }
  }

  /** Keeps to the rate, and leaves a node as much time as it has worked. */
  private async rest(workedMs: number): Promise<void> {
    if (this.rate === 0) return;
    const bytes = this.writer.tally.position - this.bytesBefore;
    const dueMs = (bytes * 1000) / this.rate - (performance.now() - this.startedMs);
    await sleep(Math.max(dueMs, workedMs));
  }
}

/** Goes on with FILE.part if it is of this cluster and young enough; else begins a new one. */
async function writerFor(
  path: string,
  flags: Flags,
  facts: ClusterFacts,
  terminal: Terminal,
): Promise<{ writer: BackupWriter; recent: RecentRecords }> {
  let copied: RecentRecords | null = null;
  const note: Parameters<typeof BackupWriter.resume>[1] = ({ kind, pass, start, end }, bytes, { sinceHlc }) => {
    copied ??= new RecentRecords(sinceHlc);
    if (kind === 'records' && pass === 1) copied.note(bytes, start, end);
  };
  const kept = flags.fresh === true ? null : await BackupWriter.resume(path, note);
  if (kept !== null) {
    const { header, position, complete } = kept.tally;
    if (header.clusterId !== facts.clusterId) {
      await kept.close();
      throw new HearsayError('ERR', `${partOf(path)} is of cluster ${header.cluster}; --fresh starts over`);
    }
    // A tombstone that was forgotten since would leave its key in the file.
    const tooOld = facts.hlc - header.sinceHlc > (facts.tombstoneGraceMs / 2) * HLC_TICKS;
    if (!tooOld && !complete) {
      terminal.error(`hearsay: going on with ${partOf(path)} from ${sizeText(position)}\n`);
      return { writer: kept, recent: copied ?? new RecentRecords(header.sinceHlc) };
    }
    await kept.close();
    terminal.error(`hearsay: ${partOf(path)} ${tooOld ? 'is too old to go on with' : 'was complete'}: starting over\n`);
  }
  const backMs = MARGIN_MS + 2 * facts.maxClockDriftMs;
  const sinceHlc = Math.max(0, facts.hlc - backMs * HLC_TICKS);
  const writer = await BackupWriter.begin(path, headerFrom(facts, sinceHlc));
  return { writer, recent: new RecentRecords(sinceHlc) };
}

function headerFrom(facts: ClusterFacts, sinceHlc: number): BackupHeader {
  const { cluster, clusterId, version, partitions, replicas } = facts;
  const salt = randomInt(0x1_0000_0000);
  return {
    salt,
    startHlc: facts.hlc,
    sinceHlc,
    createdMs: Date.now(),
    partitions,
    replicas,
    clusterId,
    cluster,
    version,
  };
}

function pageIn(reply: Reply): { next: number; records: Buffer } {
  const [next, records] = Array.isArray(reply) ? reply : [];
  if (typeof next !== 'number' || !Buffer.isBuffer(records)) throw new HearsayError('ERR', 'DUMP answered no records');
  return { next, records };
}

/** `hearsay backup --verify FILE`: every checksum and every count. */
async function verifyBackup(path: string, flags: Flags, terminal: Terminal): Promise<number> {
  let isOpen = false;
  try {
    const reader = await BackupReader.open(path);
    isOpen = true;
    const progress = progressFor(terminal, () => ({
      part: reader.tally.position / reader.fileBytes,
      bytes: reader.tally.position,
      facts: [countText(reader.tally.keys, 'key')],
    }));
    await reader.run(() => {}).finally(() => progress.end());
    await reader.close();
    report(path, reader.tally, progress.elapsedMs, flags, terminal);
    return DONE;
  } catch (error) {
    terminal.error(`hearsay: ${path}: ${(error as Error).message}\n`);
    return isOpen && !isSystemError(error) ? UNWELL : FAILED;
  }
}

function report(path: string, tally: BackupTally, elapsedMs: number, flags: Flags, terminal: Terminal): void {
  const { header, footer, keys, tombstones, changes, frames, position } = tally;
  const summary = {
    file: path,
    cluster: header.cluster,
    partitions: header.partitions,
    replicas: header.replicas,
    startedAt: new Date(hlcToMs(header.startHlc)).toISOString(),
    finishedAt: new Date(footer?.finishedMs ?? 0).toISOString(),
    keys,
    tombstones,
    changes,
    frames,
    bytes: position,
    elapsedMs: Math.round(elapsedMs),
  };
  if (flags.json === true) {
    terminal.out(`${JSON.stringify(summary)}\n`);
    return;
  }
  const counts = [countText(keys, 'key'), countText(tombstones, 'tombstone'), countText(changes, 'later change')].join(
    ', ',
  );
  terminal.out(`${path}: whole, cluster ${header.cluster}, ${summary.startedAt} to ${summary.finishedAt}\n`);
  terminal.out(`  ${counts}; ${sizeText(position)} in ${durationText(elapsedMs)}\n`);
}
