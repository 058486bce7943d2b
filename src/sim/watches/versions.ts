/**
 * Watches what stands for each key at each node: a key's version never falls while it is held, whoever brings the record, and a version
 * has one value and one end of life wherever it stands, for ever. So no hint, repair or late datagram takes a node back, and no hop
 * lengthens or shortens a time to live. Guarded: a key that was evicted, forgotten or lost with a log's tail begins anew; of a value
 * that is merged only its version counts, for its bytes are made where they stand, and that only upon one base: what a later flush,
 * SET or end leaves of it may have lost its latest write.
 */
import { compareRecords, compareVersions } from '../../core/record/merge.js';
import {
  FLAG_MERGE,
  readWord,
  recordActor,
  recordBaseActor,
  recordBaseHlc,
  recordExpireAtMs,
  recordExpiryActor,
  recordExpiryHlc,
  recordFlags,
  recordHlc,
  recordKeyEnd,
  recordKeyStart,
  recordType,
  TYPE_PUT,
  TYPE_TOMBSTONE,
} from '../../core/record/record.js';
import type { Store } from '../../core/store/store.js';
import type { Complain, Watch } from './watches.js';

/** Versions kept to be compared; a run has some thousands. */
const VERSIONS_MAX = 100_000;

interface State {
  hash: number;
  actor: number;
  expiryHlc: number;
  expiryActor: number;
  expireAtMs: number;
  checksum: number;
  /** Where it was met first. */
  node: number;
}

export class VersionWatch implements Watch {
  /** What versions stand for, by their stamp, which few share. */
  private readonly states = new Map<number, State[]>();
  private count = 0;

  constructor(private readonly complain: Complain) {}

  linking(node: number, store: Store, partition: number, hash: number): void {
    const { buffer, offset, entries } = store;
    const type = recordType(buffer, offset);
    const merges = (recordFlags(buffer, offset) & FLAG_MERGE) !== 0;
    if (!merges && (type === TYPE_PUT || type === TYPE_TOMBSTONE)) this.compareState(node, hash, buffer, offset);
    const home = entries.partitions[partition];
    if (home === null) return;
    const slot = entries.findSlot(
      home.directory,
      hash,
      buffer,
      recordKeyStart(buffer, offset),
      recordKeyEnd(buffer, offset),
    );
    if (slot === 0) return;
    const location = home.directory.words[slot + 1];
    if (entries.isCovered(home, location)) return;
    const { segments } = entries;
    const former = segments.buffers[location >>> segments.shift];
    const at = (location & segments.mask) << 3;
    if (recordType(former, at) === TYPE_TOMBSTONE && recordHlc(former, at) <= entries.floorHlc[partition]) return;
    this.compareOrder(node, former, at, buffer, offset);
  }

  /** Whether what comes may take the place of what stands. */
  compareOrder(node: number, former: Buffer, formerAt: number, next: Buffer, nextAt: number): void {
    const merges = ((recordFlags(former, formerAt) | recordFlags(next, nextAt)) & FLAG_MERGE) !== 0;
    if (merges && isUponLater(next, nextAt, former, formerAt)) return;
    const order = merges
      ? compareVersions(
          recordHlc(next, nextAt),
          recordActor(next, nextAt),
          recordHlc(former, formerAt),
          recordActor(former, formerAt),
        )
      : compareRecords(next, nextAt, former, formerAt);
    if (order >= 0) return;
    const key = next.latin1Slice(recordKeyStart(next, nextAt), recordKeyEnd(next, nextAt));
    const was = versionText(former, formerAt);
    this.complain(`regressed: node ${node} lets ${versionText(next, nextAt)} of ${key} stand in place of ${was}`);
  }

  /** Whether a version is what it was wherever it was met; `hash` is its key's. */
  compareState(node: number, hash: number, bytes: Buffer, at: number): void {
    const hlc = recordHlc(bytes, at);
    const actor = recordActor(bytes, at);
    const expiryHlc = recordExpiryHlc(bytes, at);
    const expiryActor = recordExpiryActor(bytes, at);
    const expireAtMs = recordExpireAtMs(bytes, at);
    const checksum = readWord(bytes, at);
    let states = this.states.get(hlc);
    if (states === undefined) {
      states = [];
      this.states.set(hlc, states);
    }
    for (const met of states) {
      if (met.hash !== hash || met.actor !== actor || met.expiryHlc !== expiryHlc || met.expiryActor !== expiryActor) {
        continue;
      }
      if (met.expireAtMs === expireAtMs && met.checksum === checksum) return;
      const key = bytes.latin1Slice(recordKeyStart(bytes, at), recordKeyEnd(bytes, at));
      const what = `${versionText(bytes, at)} of ${key}`;
      if (met.expireAtMs !== expireAtMs) {
        this.complain(
          `life: ${what} ends at ${expireAtMs} at node ${node}, and at ${met.expireAtMs} at node ${met.node}`,
        );
      } else this.complain(`version: ${what} is not the same at node ${node} as it was at node ${met.node}`);
      return;
    }
    if (this.count === VERSIONS_MAX) return;
    this.count++;
    states.push({ hash, actor, expiryHlc, expiryActor, expireAtMs, checksum, node });
  }
}

/** Whether a value stands upon a later flush, SET or end than the other. */
function isUponLater(left: Buffer, leftAt: number, right: Buffer, rightAt: number): boolean {
  const [leftHlc, leftActor] = [recordBaseHlc(left, leftAt), recordBaseActor(left, leftAt)];
  return compareVersions(leftHlc, leftActor, recordBaseHlc(right, rightAt), recordBaseActor(right, rightAt)) > 0;
}

function versionText(bytes: Buffer, at: number): string {
  const value = `${recordHlc(bytes, at)}@${recordActor(bytes, at).toString(16)}`;
  const expiryHlc = recordExpiryHlc(bytes, at);
  const expiryActor = recordExpiryActor(bytes, at);
  return `${value}/${expiryHlc}@${expiryActor.toString(16)}`;
}
