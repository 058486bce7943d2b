/**
 * Brings the disk faults of a plan on a cluster, and stands for whoever looks after its disks: starts a node again that ended for
 * its disk or whose log failed for good, puts swapped directories right, empties one whose manifest is gone. nemesis.ts hands it the
 * steps; run.ts the processes that ended by themselves and every line that is logged. Guarded: a process may end for its disk only
 * where that disk has failed it in that life, in the way that it names, or where what is on the disk is rotten or another's; and what was
 * taken from a disk behind its node's back is told to the ledgers.
 */
import { HearsayError } from '../core/base/errors.js';
import { readManifest } from '../core/wal/manifest.js';
import { MANIFEST_NAME, namedFiles } from '../core/wal/names.js';
import { foldDirectory } from '../core/wal/recovery.js';
import type { CrashableDisk, Failure, LogLine, SimCluster } from './cluster.js';
import type { DiskCopy } from './disk.js';
import type { DiskStep } from './disk-faults.js';

/** What the nemesis does to nodes, with the ledgers told. */
export interface Hands {
  kill(node: number): void;
  start(node: number): void;
  damaged(node: number): void;
  /** Unless all is healed by then. */
  later(delayMs: number, action: () => void): void;
}

/** How soon a service manager starts again what has ended. */
const RESTART_MS = 500;
/** A log that failed for good refuses writes until somebody restarts the node. */
const OPERATOR_MS = 900;
/** What a start says where an error of the disk, and none of what is on it, ended it. */
const UNUSABLE = /^the data directory can not be used: (EIO|ENOSPC) /;
const ROTTEN_MANIFEST = `the file ${MANIFEST_NAME} is damaged`;

type DiskErrors = CrashableDisk['errors'];
const NO_ERRORS: DiskErrors = { EIO: 0, ENOSPC: 0 };

/** What the start of that life must say, unless power was lost since. */
interface Report {
  life: number;
  crashes: number;
  /** Records that could be read before the first damage that no start has read. */
  whole: number;
  lost: number;
}

interface Swapped {
  disk: CrashableDisk;
  own: DiskCopy;
}

export class DiskNemesis {
  /** Broken promises, as `kind: what`. */
  readonly wrong: string[] = [];
  readonly marks: Record<string, number> = {};
  /** Something was taken from a node behind its back: to find that is what the comparison of records is for. */
  hasRotted = false;
  private readonly cluster: SimCluster;
  private readonly hands: Hands;
  /** The errors that each node's disk had answered with before the node was started last. */
  private readonly errorsBefore = new Map<number, { disk: CrashableDisk | null; errors: DiskErrors }>();
  /** Nodes with rot that no start has read yet. */
  private readonly rotten = new Set<number>();
  /** Nodes whose manifest has rotted: they can not start. */
  private readonly rootless = new Set<number>();
  /** Nodes whose next start must report damage: records that could be read before it can not be read now. */
  private readonly reports = new Map<number, Report>();
  private readonly swapped = new Map<number, Swapped>();
  /** Lives of nodes whose log has failed for good. */
  private readonly failedLogs = new Map<number, number>();
  private healed = false;

  constructor(cluster: SimCluster, hands: Hands) {
    this.cluster = cluster;
    this.hands = hands;
  }

  apply(step: DiskStep): void {
    switch (step.fault) {
      case 'full':
        this.withDisk(step, (disk) => this.fill(disk, step.slackBytes, step.forMs));
        break;
      case 'slow':
        this.withDisk(step, (disk) => this.slow(disk, step.syncMs, step.forMs));
        break;
      case 'sync':
        this.withDisk(step, (disk) => disk.failNextSyncs(step.count));
        break;
      case 'write':
        this.withDisk(step, (disk) => {
          for (let left = step.count; left > 0; left--) disk.failNextWrite(step.code);
        });
        break;
      case 'rot':
        this.rot(step);
        break;
      case 'swap':
        this.swap(step.nodes, step.downMs);
        break;
      case 'stale':
        this.restoreLater(step);
        break;
    }
  }

  /** A node is about to be started: what a start reads of rot, it may lose. */
  starting(node: number): void {
    const { disk } = this.cluster.nodes[node];
    this.errorsBefore.set(node, { disk, errors: { ...(disk?.errors ?? NO_ERRORS) } });
    if (!this.rotten.delete(node)) return;
    this.dropUndone(node);
    this.hands.damaged(node);
    this.cluster.watches?.replaced(node);
  }

  /** Whether a process ended for its disk, as it should; then it is started again. */
  explains({ node, error }: Failure): boolean {
    if (!(error instanceof HearsayError)) return false;
    const code = diskErrorOf(error);
    if (code !== null) {
      if (!this.hasFailed(node, code)) return false;
      this.mark('ended for its disk');
      this.after(RESTART_MS, () => this.hands.start(node));
      return true;
    }
    if (error.code !== 'DATADIR') return false;
    if (this.swapped.has(node)) {
      this.mark('swap met');
      return true;
    }
    if (this.rootless.has(node) && error.message.startsWith(ROTTEN_MANIFEST)) {
      this.mark('rotten manifest met');
      this.after(RESTART_MS, () => this.startEmpty(node));
      return true;
    }
    return false;
  }

  /** Looks at what a node logs. */
  logged({ node, event, fields }: LogLine): void {
    switch (event) {
      case 'recovered':
        if (Number(fields?.tornTailBytes) > 0) this.mark('torn tail cut');
        if (Number(fields?.rotFrames) > 0) this.mark('rot found');
        this.checkReport(node, Number(fields?.tornTailBytes) + Number(fields?.rotFrames));
        break;
      case 'log has no room':
        this.mark('disk full met');
        break;
      case 'log has room again':
        this.mark('room again met');
        break;
      case 'sync of the log failed':
        this.mark('sync error met');
        break;
      case 'log failed':
        this.mark('log failed for good');
        this.logFailed(node);
        break;
    }
  }

  /** Every disk does well again, and every node has its own. */
  heal(): void {
    this.healed = true;
    for (const { index, disk } of this.cluster.nodes) {
      disk?.calm();
      this.putRight(index);
      if (this.failedLogs.get(index) === this.cluster.nodes[index].life) this.hands.kill(index);
    }
    this.failedLogs.clear();
  }

  private fill(disk: CrashableDisk, slackBytes: number, forMs: number): void {
    disk.options.capacityBytes = disk.bytesUsed + slackBytes;
    this.hands.later(forMs, () => {
      disk.options.capacityBytes = Number.POSITIVE_INFINITY;
    });
  }

  private slow(disk: CrashableDisk, syncMs: number, forMs: number): void {
    const { syncMsMin, syncMsMax } = disk.options;
    disk.options.syncMsMin = Math.ceil(syncMs / 2);
    disk.options.syncMsMax = syncMs;
    this.hands.later(forMs, () => {
      disk.options.syncMsMin = Math.min(syncMsMin, 1);
      disk.options.syncMsMax = Math.min(syncMsMax, 120);
    });
  }

  private rot(step: Extract<DiskStep, { fault: 'rot' }>): void {
    const { node, file, draws, downMs } = step;
    const { disk } = this.cluster.nodes[node];
    if (disk === null || this.swapped.has(node)) return;
    if (downMs > 0) this.hands.kill(node);
    const reads = downMs > 0 && file !== 'manifest' && !this.rootless.has(node);
    const before = reads ? readable(disk) : 0;
    for (const word of draws) if (turnBit(disk, file, word)) this.rotten.add(node);
    if (this.rotten.has(node)) this.mark('disk rot');
    this.hasRotted ||= this.rotten.has(node);
    if (reads) this.awaitReport(node, disk, before);
    if (file === 'manifest' && this.rotten.has(node)) this.rootless.add(node);
    if (this.rotten.has(node)) this.hands.damaged(node);
    if (downMs > 0) this.hands.later(downMs, () => this.hands.start(node));
  }

  /** Where this damage took something, the next start has to say so; what came before it and no start has read counts with it. */
  private awaitReport(node: number, disk: CrashableDisk, before: number): void {
    const life = this.cluster.nodes[node].life + 1;
    const { crashes } = disk.counts;
    const now = readable(disk);
    if (now >= before) return;
    const former = this.reports.get(node);
    const isOpen = former?.life === life && former.crashes === crashes;
    const whole = isOpen ? Math.max(former.whole, before) : before;
    this.reports.set(node, { life, crashes, whole, lost: whole - now });
  }

  /** A bit that was turned twice while the node was down is what it was: where all can be read again there is nothing to say. */
  private dropUndone(node: number): void {
    const report = this.reports.get(node);
    const { disk } = this.cluster.nodes[node];
    if (report === undefined || disk === null || this.swapped.has(node) || this.rootless.has(node)) return;
    if (readable(disk) >= report.whole) this.reports.delete(node);
  }

  /** Damage is said, never passed over. A loss of power meanwhile may have taken it away. */
  private checkReport(node: number, damage: number): void {
    const report = this.reports.get(node);
    this.reports.delete(node);
    const { life, disk } = this.cluster.nodes[node];
    if (report === undefined || report.life !== life || report.crashes !== disk?.counts.crashes) return;
    this.mark('damage reported');
    if (damage > 0) return;
    this.wrong.push(`rot: node ${node} did not say that ${report.lost} of its records can not be read any more`);
  }

  private swap(nodes: readonly [number, number], downMs: number): void {
    const disks = nodes.map((node) => this.cluster.nodes[node].disk);
    const [left, right] = disks;
    if (left === null || right === null || nodes.some((node) => this.swapped.has(node))) return;
    this.mark('disk swap');
    for (const node of nodes) this.hands.kill(node);
    const copies = [left.copy(), right.copy()];
    for (const [place, disk] of [left, right].entries()) {
      this.swapped.set(nodes[place], { disk, own: copies[place] });
      this.cluster.rollBack(nodes[place], copies[1 - place]);
    }
    this.hands.later(downMs, () => {
      for (const node of nodes) this.hands.start(node);
      this.hands.later(RESTART_MS, () => {
        for (const node of nodes) this.putRight(node);
        for (const node of nodes) this.hands.start(node);
      });
    });
  }

  /** Gives a node its own directory back, unless it was emptied or lost meanwhile. */
  private putRight(node: number): void {
    const swapped = this.swapped.get(node);
    this.swapped.delete(node);
    const { disk, up } = this.cluster.nodes[node];
    if (swapped === undefined || disk !== swapped.disk) return;
    if (up) this.wrong.push(`identity: node ${node} runs on the directory of another node`);
    else this.cluster.rollBack(node, swapped.own);
  }

  private restoreLater({ node, ageMs, downMs }: Extract<DiskStep, { fault: 'stale' }>): void {
    const { disk } = this.cluster.nodes[node];
    if (disk === null || this.swapped.has(node)) return;
    this.mark('disk stale');
    const old = disk.copy();
    this.hands.later(ageMs, () => {
      if (this.cluster.nodes[node].disk !== disk || this.swapped.has(node)) return;
      this.hands.kill(node);
      this.cluster.rollBack(node, old);
      this.rootless.delete(node);
      this.mark('stale restore met');
      this.hands.damaged(node);
      this.hands.later(downMs, () => this.hands.start(node));
    });
  }

  private logFailed(node: number): void {
    const { life } = this.cluster.nodes[node];
    this.failedLogs.set(node, life);
    this.after(OPERATOR_MS, () => {
      const { life: lifeNow, up } = this.cluster.nodes[node];
      if (!up || lifeNow !== life) return;
      this.hands.kill(node);
      this.hands.start(node);
    });
  }

  /** What can not be read is moved away: the other owners bring back what they hold. */
  private startEmpty(node: number): void {
    if (this.cluster.nodes[node].up || !this.rootless.delete(node)) return;
    this.cluster.wipe(node);
    this.hands.damaged(node);
    this.hands.start(node);
  }

  private withDisk(
    { node, fault }: Extract<DiskStep, { fault: 'full' | 'slow' | 'sync' | 'write' }>,
    change: (disk: CrashableDisk) => void,
  ): void {
    const { disk } = this.cluster.nodes[node];
    if (disk === null || this.healed) return;
    this.mark(`disk ${fault}`);
    change(disk);
  }

  /** Whether the disk has answered so since the node was started. */
  private hasFailed(node: number, code: keyof DiskErrors): boolean {
    const { disk } = this.cluster.nodes[node];
    const before = this.errorsBefore.get(node);
    return disk !== null && disk.errors[code] > (before?.disk === disk ? before.errors[code] : 0);
  }

  /** Also when all is healed: a node that ended is started again at any time. */
  private after(delayMs: number, action: () => void): void {
    this.cluster.clock.schedule(delayMs, action);
  }

  private mark(name: string): void {
    this.marks[name] = (this.marks[name] ?? 0) + 1;
  }
}

/** The error of the disk for which a process says that it ended; null if it names none. */
function diskErrorOf({ code, message }: HearsayError): keyof DiskErrors | null {
  if (code === 'NOSPACE') return 'ENOSPC';
  if (code === 'DISKFAILED') return 'EIO';
  const found = code === 'DATADIR' ? UNUSABLE.exec(message) : null;
  return found === null ? null : (found[1] as keyof DiskErrors);
}

/** How many records a start would read. */
function readable(disk: CrashableDisk): number {
  const manifest = readManifest(disk);
  return manifest === null ? 0 : foldDirectory(disk, manifest, () => {}).records;
}

/** Turns one bit over in a file of that kind, at or behind the place drawn, where something was written. False if there is none. */
function turnBit(disk: CrashableDisk, kind: 'log' | 'image' | 'manifest', word: number): boolean {
  const listed = disk.list();
  const names =
    kind === 'manifest'
      ? listed.filter((name) => name === MANIFEST_NAME)
      : namedFiles(listed)
          .filter((file) => file.kind === kind)
          .map((file) => file.name);
  if (names.length === 0) return false;
  const name = names[word % names.length];
  const bytes = disk.contents(name);
  const from = bytes.length === 0 ? 0 : Math.floor(word / names.length) % bytes.length;
  for (let step = 0; step < bytes.length; step++) {
    const at = (from + step) % bytes.length;
    if (bytes[at] === 0) continue;
    disk.flipBit(name, at, word & 7);
    return true;
  }
  return false;
}
