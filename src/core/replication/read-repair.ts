/**
 * What a read above level one does about owners that differ: what is deleted elsewhere goes here, and owners found behind are sent
 * the newest record afterwards. The quorum reads call it once votes are in.
 * Guarded: nothing that was forgotten on purpose is offered, or waited for; a repair goes over the peer's link, which is bounded, and
 * is counted.
 */
import { recordType, TYPE_TOMBSTONE } from '../record/record.js';
import type { Store } from '../store/store.js';
import type { FloorDesk } from './floor-desk.js';
import type { Floors } from './floors.js';
import { isLaterFlush } from './flush-mark.js';
import type { Gathering, Held, Vote } from './gathering.js';
import type { Replicator } from './replicator.js';
import { mayAdd, type Version, versionOf } from './requests.js';

export class ReadRepair {
  /** Owners that were sent a newer record. */
  repaired = 0;

  constructor(
    private readonly store: Store,
    private readonly replicator: Replicator,
    private readonly floorDesk: FloorDesk,
    private readonly floors: Floors,
  ) {}

  /** This node's record of a key: the store's cursor stands on it. */
  held(partition: number, key: Buffer): Held | null {
    const hash = this.store.hasher.hash(key, 0, key.length);
    if (!this.store.find(partition, hash, key, 0, key.length)) return null;
    return {
      version: versionOf(this.store.buffer, this.store.offset),
      type: recordType(this.store.buffer, this.store.offset),
    };
  }

  /** An owner with a higher floor has nothing of the key: what is here at or below that was deleted, and goes. */
  heedAbsence({ partition, key, command, asked }: Gathering): void {
    if (command === null) return;
    for (const { vote } of asked.values()) {
      if (vote === null || vote.absentBelow <= this.floors.floor[partition]) continue;
      this.floorDesk.drop(partition, key, vote.absentBelow);
    }
  }

  /** An owner named a newer record, or a flush, that was not taken in here: the log or memory is full, or its stamp is too far ahead. */
  isBehind(gathering: Gathering, mine: Version): boolean {
    for (const { vote } of gathering.asked.values()) {
      if (vote === null) continue;
      if (this.mayBeFlushed(mine, vote)) return true;
      if (vote.adopted || !mayAdd(vote.version, mine)) continue;
      // A value that merges, and was not sent, had nothing that this node lacked when it asked.
      if (vote.version.merges && !vote.newer) continue;
      const forgotten = vote.version.hlc <= this.forgottenBelow(gathering, vote);
      if (!forgotten && vote.version.hlc > this.store.flushedHlc) return true;
    }
    return false;
  }

  /** Whether what stands here may be covered by a flush that an owner knows and this node could not take in. */
  private mayBeFlushed(mine: Version, { flushed }: Vote): boolean {
    return mine.hlc > 0 && isLaterFlush(flushed, this.store) && (mine.merges || mine.hlc <= flushed.flushedHlc);
  }

  /** Up to which stamp an owner's record may be one that this node, or another that was asked, has forgotten on purpose. */
  private forgottenBelow({ partition, asked }: Gathering, vote: Vote): number {
    let hlc = vote.type === TYPE_TOMBSTONE ? this.floors.forgottenBelow(partition) : this.floors.floor[partition];
    for (const other of asked.values()) {
      if (other.vote !== null && other.vote.absentBelow > hlc) hlc = other.vote.absentBelow;
    }
    return hlc;
  }

  /** Owners that answered with an older version than is known now get the newest. */
  mend(gathering: Gathering): void {
    const mine = this.held(gathering.partition, gathering.key);
    if (mine === null) return;
    for (const [peer, { vote }] of gathering.asked) {
      if (vote === null || !mayAdd(mine.version, vote.version)) continue;
      // It has forgotten that, and would not take it; anti-entropy finds out who is right.
      if (mine.version.hlc <= vote.absentBelow) continue;
      this.repaired++;
      this.replicator.offer(peer, this.store.buffer, this.store.offset);
    }
  }
}
