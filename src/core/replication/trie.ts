/**
 * The comparison of what two owners hold, for when what they have seen says nothing: their frontiers are equal and their digests are
 * not, because a disk or a fault took something, or because one was away while the other forgot deletes (floors.ts). anti-entropy.ts
 * decides when; this file speaks LEAVES, LIST and WANT.
 *
 *     asker                                          peer
 *                                              <-    LEAVES: 256 sums of the partition
 *     LIST: versions in the leaves that differ ->    sends what is newer here, and
 *                                              <-    WANT: what is newer there
 *     sends those records
 *
 * Cost: 2 KiB a partition; 44 bytes an entry of a leaf that differs; then the records. Guarded: a digest is a hint, never an order: every
 * record that arrives is merged by its version. Entries younger than the settle time are left to the links, and those about to expire
 * to time: two clocks may disagree on whether they have.
 */
import { hlcFromMs } from '../base/hlc.js';
import { FRAME_LEAVES, FRAME_LIST, FRAME_WANT } from '../gossip/frames.js';
import { recordExpireAtMs, recordHlc, recordKeyEnd, recordKeyStart } from '../record/record.js';
import type { Store } from '../store/store.js';
import {
  ENTRY_BYTES,
  encodeLeaf,
  entryName,
  FLAG_MORE,
  LEAF_HEADER_BYTES,
  LEAVES,
  LEAVES_HEADER_BYTES,
  LIST_HEADER_BYTES,
  readEntries,
  WANT_HEADER_BYTES,
} from './anti-entropy-messages.js';
import { ABSENT_DROP, ABSENT_LEAVE, ABSENT_OFFER, type FloorDesk } from './floor-desk.js';
import type { Ownership } from './ownership.js';
import type { Peer, Peers } from './peers.js';
import type { RepairQueues } from './repair-queues.js';
import { mayAdd, versionOf } from './requests.js';

/** Writes younger than this are still on their way; repair leaves them alone. */
export const SETTLE_MS = 1000;
/** A LIST is cut into frames of about this size. */
const LIST_BYTES_MAX = 512 * 1024;
/** Who lists leaves out what expires this soon. Who is asked does so for longer: its clock may be behind, and time has passed. */
const EXPIRES_SOON_MS = 2000;
const EXPIRES_SOON_THERE_MS = 8000;

/** What two made of a part of a partition. */
export interface Outcome {
  partition: number;
  /** Records that the peer adds, and that it lacks. */
  pushed: number;
  wanted: number;
  /** More parts of the same partition follow. */
  more: boolean;
}

export class Trie {
  wallMs = 0;
  readonly stats = { compared: 0, wanted: 0, pushed: 0 };

  constructor(
    private readonly store: Store,
    private readonly ownership: Ownership,
    private readonly peers: Peers,
    private readonly queues: RepairQueues,
    private readonly floorDesk: FloorDesk,
    private readonly options: { partitions: number },
  ) {}

  sendLeaves(peer: Peer, partition: number): void {
    const reply = Buffer.alloc(LEAVES_HEADER_BYTES + LEAVES * 8);
    reply.writeUInt16LE(partition, 0);
    const sums = this.store.leafSums(partition);
    for (let index = 0; index < LEAVES * 2; index++) {
      reply.writeUInt32LE(sums[index] >>> 0, LEAVES_HEADER_BYTES + index * 4);
    }
    this.peers.sendFrame(peer, FRAME_LEAVES, reply);
  }

  /** LEAVES of a partition: lists what lies in those that differ. */
  leaves(peer: Peer, partition: number, flags: number, body: Buffer): void {
    this.stats.compared++;
    const sums = this.store.leafSums(partition);
    const differing: number[] = [];
    for (let leaf = 0; leaf < LEAVES; leaf++) {
      const low = body.readUInt32LE(LEAVES_HEADER_BYTES + leaf * 8);
      const high = body.readUInt32LE(LEAVES_HEADER_BYTES + 4 + leaf * 8);
      if (low !== sums[leaf * 2] >>> 0 || high !== sums[leaf * 2 + 1] >>> 0) differing.push(leaf);
    }
    this.sendList(peer, partition, flags, differing);
  }

  /** Says what lies in the leaves that differ, in as many frames as it takes. */
  private sendList(peer: Peer, partition: number, flags: number, leaves: readonly number[]): void {
    let pieces: Buffer[] = [];
    let bytes = 0;
    const send = (more: number): void => {
      const head = Buffer.alloc(LIST_HEADER_BYTES);
      head.writeUInt16LE(partition, 0);
      head[2] = flags | more;
      this.peers.sendFrame(peer, FRAME_LIST, Buffer.concat([head, ...pieces]));
      pieces = [];
      bytes = 0;
    };
    for (const leaf of leaves) {
      const entries = encodeLeaf(this.store, partition, leaf, this.wallMs + EXPIRES_SOON_MS);
      if (bytes + entries.length > LIST_BYTES_MAX) send(FLAG_MORE);
      pieces.push(entries);
      bytes += entries.length;
    }
    send(0);
  }

  /** LIST from an asker: sends it what is newer here, and names what is newer there. */
  listed(peer: Peer, body: Buffer): void {
    if (body.length < LIST_HEADER_BYTES) return;
    const partition = body.readUInt16LE(0);
    if (partition >= this.options.partitions) return;
    const settled = hlcFromMs(this.wallMs - SETTLE_MS);
    const mayWant = this.ownership.owns(partition) && !this.store.isLossy(partition);
    const wanted: number[] = [];
    const goneThere: number[] = [];
    const goneHere: Buffer[] = [];
    // An owner has everything up to its floor, ready or not: what it lacks there was deleted.
    const theyProve = this.ownership.otherOwners(partition).includes(peer);
    let pushed = 0;
    let lastLeaf = -1;
    for (let at = LIST_HEADER_BYTES; at + LEAF_HEADER_BYTES <= body.length; ) {
      const leaf = body.readUInt16LE(at);
      const count = body.readUInt32LE(at + 4);
      at += LEAF_HEADER_BYTES;
      if (leaf >= LEAVES || leaf <= lastLeaf || count > (body.length - at) / ENTRY_BYTES) return;
      lastLeaf = leaf;
      const theirs = readEntries(body, at, count);
      at += count * ENTRY_BYTES;
      this.store.visitLeaf(partition, leaf, (bytes, offset) => {
        const keyStart = recordKeyStart(bytes, offset);
        const keyEnd = recordKeyEnd(bytes, offset);
        this.store.hasher.hash(bytes, keyStart, keyEnd);
        const name = entryName(this.store.hasher.low, this.store.hasher.high);
        const their = theirs.get(name);
        const mine = versionOf(bytes, offset);
        const adds = their === undefined || mayAdd(mine, their.version);
        if (their !== undefined) {
          their.absent = false;
          if (!mayAdd(their.version, mine)) theirs.delete(name);
        } else {
          const verdict = this.floorDesk.absentThere(peer, partition, bytes, offset, theyProve);
          if (verdict === ABSENT_DROP) goneHere.push(Buffer.from(bytes.subarray(keyStart, keyEnd)));
          if (verdict !== ABSENT_OFFER) return;
        }
        if (!adds || recordHlc(bytes, offset) > settled) return;
        const expireAtMs = recordExpireAtMs(bytes, offset);
        if (expireAtMs !== 0 && expireAtMs <= this.wallMs + EXPIRES_SOON_THERE_MS) return;
        // What the queue has no room for is missing there all the same.
        pushed++;
        this.queues.add(peer, partition, Buffer.from(bytes.subarray(keyStart, keyEnd)));
      });
      for (const entry of theirs.values()) {
        const verdict = entry.absent ? this.floorDesk.absentHere(peer, partition, entry.version.hlc) : ABSENT_OFFER;
        if (verdict === ABSENT_DROP) goneThere.push(entry.low, entry.high);
        if (!mayWant || verdict === ABSENT_DROP || verdict === ABSENT_LEAVE) continue;
        if (entry.version.hlc <= settled) wanted.push(entry.low, entry.high);
      }
    }
    for (const key of goneHere) this.floorDesk.drop(partition, key, peer.floors[partition]);
    // Before WANT, so that the asker is done with it when it concludes.
    if (goneThere.length > 0) this.floorDesk.sayGone(peer, partition, goneThere);
    this.stats.wanted += wanted.length / 2;
    this.stats.pushed += pushed;
    const reply = Buffer.alloc(WANT_HEADER_BYTES + wanted.length * 4);
    reply.writeUInt16LE(partition, 0);
    reply[2] = body[2] & FLAG_MORE;
    reply.writeUInt32LE(pushed, 4);
    for (let index = 0; index < wanted.length; index++) {
      reply.writeUInt32LE(wanted[index], WANT_HEADER_BYTES + index * 4);
    }
    this.peers.sendFrame(peer, FRAME_WANT, reply);
  }

  /** WANT: what the peer lacks of a partition is sent to it. Null if the bytes are no WANT. */
  wanted(peer: Peer, body: Buffer): Outcome | null {
    if (body.length < WANT_HEADER_BYTES) return null;
    const partition = body.readUInt16LE(0);
    if (partition >= this.options.partitions) return null;
    const byLeaf = new Map<number, Set<string>>();
    let wanted = 0;
    for (let at = WANT_HEADER_BYTES; at + 8 <= body.length; at += 8) {
      const low = body.readUInt32LE(at);
      const leaf = low >>> 24;
      let names = byLeaf.get(leaf);
      if (names === undefined) {
        names = new Set();
        byLeaf.set(leaf, names);
      }
      names.add(entryName(low, body.readUInt32LE(at + 4)));
      wanted++;
    }
    for (const [leaf, names] of byLeaf) {
      this.store.visitLeaf(partition, leaf, (bytes, offset) => {
        const keyStart = recordKeyStart(bytes, offset);
        const keyEnd = recordKeyEnd(bytes, offset);
        this.store.hasher.hash(bytes, keyStart, keyEnd);
        if (names.has(entryName(this.store.hasher.low, this.store.hasher.high))) {
          this.queues.add(peer, partition, Buffer.from(bytes.subarray(keyStart, keyEnd)));
        }
      });
    }
    return { partition, pushed: body.readUInt32LE(4), wanted, more: (body[2] & FLAG_MORE) !== 0 };
  }
}
