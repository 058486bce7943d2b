/**
 * Everybody this node knows of, itself included, by id and by actor: live members and the tombstones of those dead or left.
 * Membership decides what a record means; the roster only holds, counts, sorts and draws from it.
 * Guarded: at most `membersMax`; a newcomer may take the place of the oldest tombstone, never of a live member.
 */
import type { Random } from '../base/random.js';
import { medianBesideOwn } from './formulas.js';
import { type Held, noteOwnClockMoved } from './member.js';
import { isGone } from './precedence.js';

export class Roster {
  readonly self: Held;
  /** Newcomers refused because every place was taken by a live member. */
  refused = 0;
  private readonly membersMax: number;
  private readonly held = new Map<string, Held>();
  private readonly actors = new Map<number, Held>();
  /** All of them by id, kept so: one insertion a newcomer instead of a sort at every step of a member. */
  private readonly ordered: Held[];
  /** What was handed out of it; null when something has changed since. */
  private sorted: readonly Held[] | null = null;
  private alive = 0;
  private suspects = 0;

  constructor(self: Held, membersMax: number) {
    this.self = self;
    this.membersMax = membersMax;
    this.held.set(self.id, self);
    this.actors.set(self.actor, self);
    this.ordered = [self];
  }

  get size(): number {
    return this.held.size;
  }

  /** Members that are alive, this node included. */
  get aliveCount(): number {
    this.refresh();
    return this.alive;
  }

  /** Members alive or suspected, this node included. */
  get liveCount(): number {
    this.refresh();
    return this.alive + this.suspects;
  }

  /** Live members that datagrams do not get to, or not back from. */
  get udpBlockedCount(): number {
    let count = 0;
    for (const member of this.members()) if (member.udpBlocked && !isGone(member.state)) count++;
    return count;
  }

  /** Median over live members of their wall clock minus ours, ms, as `medianBesideOwn` has it; null with fewer than two measured. */
  clockOffsetMedianMs(): number | null {
    return this.medianOfClocks(({ clockOffsetMs }) => clockOffsetMs);
  }

  /** The same, each as near to nothing as the time that its measurement took leaves possible: what is wrong beyond doubt. */
  clockOffsetCertainMs(): number | null {
    return this.medianOfClocks(({ clockOffsetMs, clockErrorMs }) =>
      clockOffsetMs === null ? null : Math.sign(clockOffsetMs) * Math.max(0, Math.abs(clockOffsetMs) - clockErrorMs),
    );
  }

  /** The same of their systems' clocks, also of those that they do not go by because they jumped. */
  systemOffsetMedianMs(): number | null {
    return this.medianOfClocks(({ systemOffsetMs }) => systemOffsetMs);
  }

  /** This node's own clock was moved by so much: what was measured against it is moved, too. */
  ownClockMoved(byMs: number): void {
    for (const member of this.members()) noteOwnClockMoved(member, byMs);
  }

  private medianOfClocks(offsetOf: (member: Held) => number | null): number | null {
    const offsets: number[] = [];
    for (const member of this.members()) {
      const offsetMs = member.state === 'alive' ? offsetOf(member) : null;
      if (offsetMs !== null) offsets.push(offsetMs);
    }
    return offsets.length < 2 ? null : medianBesideOwn(offsets);
  }

  get(id: string): Held | undefined {
    return this.held.get(id);
  }

  byActor(actor: number): Held | undefined {
    return this.actors.get(actor);
  }

  /** Sorted by id; the same array until something changes. */
  members(): readonly Held[] {
    return this.refresh();
  }

  /** Adds a newcomer. Returns the tombstone that made room for it, null if none had to, false if it was refused. */
  add(member: Held): Held | null | false {
    let gone: Held | null = null;
    if (this.held.size >= this.membersMax) {
      gone = this.oldestTombstone();
      if (gone === null) {
        this.refused++;
        return false;
      }
      this.remove(gone);
    }
    this.held.set(member.id, member);
    this.actors.set(member.actor, member);
    this.ordered.splice(this.placeOf(member.id), 0, member);
    this.sorted = null;
    return gone;
  }

  /** A member was changed in place; `priorActor` is the actor it had before. */
  changed(member: Held, priorActor: number): void {
    if (priorActor !== member.actor) {
      this.actors.delete(priorActor);
      this.actors.set(member.actor, member);
    }
    this.sorted = null;
  }

  /** Removes and returns the tombstones that are `tombstoneMs` old. */
  expire(nowMs: number, tombstoneMs: number): Held[] {
    const expired = this.members().filter(
      (member) => isGone(member.state) && nowMs - member.stateSinceMs >= tombstoneMs,
    );
    for (const member of expired) if (member !== this.self) this.remove(member);
    return expired.filter((member) => member !== this.self);
  }

  /** Up to `count` distinct others that `accept` takes, uniformly drawn. */
  sample(count: number, random: Random, accept: (member: Held) => boolean): Held[] {
    const drawn: Held[] = [];
    let seen = 0;
    for (const member of this.members()) {
      if (member === this.self || !accept(member)) continue;
      seen++;
      if (drawn.length < count) drawn.push(member);
      else {
        const at = random.below(seen);
        if (at < count) drawn[at] = member;
      }
    }
    return drawn;
  }

  private remove(member: Held): void {
    this.held.delete(member.id);
    this.ordered.splice(this.placeOf(member.id), 1);
    if (this.actors.get(member.actor) === member) this.actors.delete(member.actor);
    this.sorted = null;
  }

  private oldestTombstone(): Held | null {
    let oldest: Held | null = null;
    for (const member of this.held.values()) {
      if (member === this.self || !isGone(member.state)) continue;
      if (oldest === null || member.stateSinceMs < oldest.stateSinceMs) oldest = member;
    }
    return oldest;
  }

  /** Where a member of this id stands in the order, or would stand. */
  private placeOf(id: string): number {
    let low = 0;
    let high = this.ordered.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.ordered[middle].id < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private refresh(): readonly Held[] {
    if (this.sorted !== null) return this.sorted;
    this.sorted = this.ordered.slice();
    this.alive = 0;
    this.suspects = 0;
    for (const member of this.sorted) {
      if (member.state === 'alive') this.alive++;
      else if (member.state === 'suspect') this.suspects++;
    }
    return this.sorted;
  }
}
