/**
 * What this node believes of every member: records arrive by any way, precedence.ts judges them, and what is news changes the
 * roster, the suspicions, the rumors and the list of changes, all at once and nowhere else. Membership calls it and sends.
 * Guarded: only news is spread, so no update echoes; an expired tombstone is neither applied nor spread; nobody is met on a word of a
 * life that is known for good to have ended, whether or not its tombstone is held here; the first of two
 * processes of one name stays; this node's own standing is changed by itself alone.
 */
import { assert } from '../base/assert.js';
import { adoptRecord, type Held, holdRecord, type Member, type MemberRecord, recordOf } from './member.js';
import {
  dismissedBoot,
  isGone,
  judge,
  type MemberState,
  RAISED_BOOT_MAX,
  refutingIncarnation,
  type Verdict,
} from './precedence.js';
import type { Roster } from './roster.js';
import type { Rumors } from './rumors.js';
import type { Suspicions } from './suspicions.js';

/** One step of a member as this node saw it. */
export interface MemberChange {
  member: Member;
  /** null: it was not known. */
  from: MemberState | null;
  /** null: its tombstone expired or made room, and it is forgotten. */
  to: MemberState | null;
  /** A later run of the process under the same id; `priorActor` has ended. */
  restarted: boolean;
  priorActor: number;
  /** Its gossip or RESP address is another one than before. */
  moved: boolean;
}

/** `unknown`: not held before; `refused`: expired, or no room; `ended`: of a life that is over, though not held as such here. */
export type Applied = Verdict | 'unknown' | 'refused' | 'ended';

const CHANGES_MAX = 16_384;
/** How long after its start a node takes a record of its own address for its past life. */
const PAST_LIFE_MS = 60_000;

export class View {
  readonly counters = { stale: 0, expired: 0, duplicates: 0, ended: 0, refutations: 0, changesDropped: 0 };
  /** Another process with our id that was first; null as long as there is none. */
  duplicate: MemberRecord | null = null;
  private readonly roster: Roster;
  private readonly suspicions: Suspicions;
  private readonly rumors: Rumors;
  private readonly tombstoneMs: number;
  private readonly endedBootOf: (id: string) => number;
  private readonly mutations: ReadonlySet<string>;
  private startMs = 0;
  private changes: MemberChange[] = [];

  constructor(
    rooms: { roster: Roster; suspicions: Suspicions; rumors: Rumors },
    options: { tombstoneMs: number; endedBootOf: (id: string) => number; mutations: ReadonlySet<string> },
  ) {
    this.roster = rooms.roster;
    this.suspicions = rooms.suspicions;
    this.rumors = rooms.rumors;
    this.tombstoneMs = options.tombstoneMs;
    this.endedBootOf = options.endedBootOf;
    this.mutations = options.mutations;
  }

  /** This node is alive from now on, on the clock that all later calls use. */
  begin(nowMs: number): void {
    this.startMs = nowMs;
    this.roster.self.stateSinceMs = nowMs;
    this.roster.self.aliveSinceMs = nowMs;
  }

  /** Takes in a record about another member; `accuser` for a suspicion whose accuser is known. */
  apply(record: MemberRecord, accuser: string, nowMs: number): Applied {
    assert(record.id !== this.roster.self.id, 'records about this node go to `applyOwn`');
    const held = this.roster.get(record.id);
    if (isGone(record.state) && record.ageMs >= this.tombstoneMs) {
      this.counters.expired++;
      return 'refused';
    }
    const verdict = held === undefined ? 'unknown' : this.judge(held, record);
    const isMet = held === undefined || (verdict === 'newer' && isGone(held.state));
    if (isMet && !isGone(record.state) && this.hasEnded(record)) {
      this.counters.ended++;
      return 'ended';
    }
    if (held === undefined) return this.admit(record, accuser, nowMs);
    if (verdict === 'newer') this.adopt(held, record, accuser, nowMs);
    else if (verdict === 'older') this.counters.stale++;
    else if (verdict === 'duplicate') this.counters.duplicates++;
    else if (held.state === 'suspect' && this.suspicions.confirm(held.id, accuser)) {
      this.rumors.add(recordOf(held, nowMs), accuser);
    }
    return verdict;
  }

  /**
   * Takes in what others hold about this node's id. An accusation is refuted by a higher incarnation; an earlier life of
   * this node, and a dismissal while it was away, are overtaken by a higher boot; another live process of the name is a
   * duplicate, and one of the two yields: the one of the lower boot, the one not yet joined, the one of the greater actor.
   */
  applyOwn(record: MemberRecord, joined: boolean, nowMs: number): void {
    const { self } = this.roster;
    if (self.state === 'left') return;
    if (record.actor === self.actor && record.boot > self.boot) {
      this.startAgain(record.boot, nowMs);
      return;
    }
    if (record.actor === self.actor) {
      if (record.boot < self.boot) return;
      const accused = record.incarnation === self.incarnation && record.state !== 'alive';
      if (accused || record.incarnation > self.incarnation) this.refute(record.incarnation, nowMs);
      return;
    }
    if (record.boot < self.boot) {
      if (!isGone(record.state)) this.rumors.add(recordOf(self, nowMs), '');
      return;
    }
    const ownAddress = record.host === self.host && record.port === self.port;
    if (isGone(record.state) || (ownAddress && nowMs - this.startMs < PAST_LIFE_MS)) {
      this.startAgain(record.boot, nowMs);
      return;
    }
    this.counters.duplicates++;
    if (record.boot > self.boot || !joined || self.actor > record.actor) this.duplicate ??= record;
  }

  /** What ended before this life of the id may have had its boot, or a higher one: it goes on above that. */
  outlive(endedBoot: number, nowMs: number): void {
    const { self } = this.roster;
    if (self.state !== 'left' && self.boot <= endedBoot) this.startAgain(endedBoot, nowMs);
  }

  /** What a member is told that speaks for itself as a life that has ended: its next one begins above this. */
  endOf(record: MemberRecord): MemberRecord {
    return { ...record, boot: this.endedBootOf(record.id), state: 'left', ageMs: 0 };
  }

  /** What others hold of this id is gone, and above all that this life has said: it goes on above that, unless that was made up. */
  private startAgain(boot: number, nowMs: number): void {
    const { self } = this.roster;
    if (boot >= RAISED_BOOT_MAX) return;
    self.boot = boot + 1;
    this.refute(self.incarnation, nowMs);
  }

  /** Raises this node's incarnation above `accusedIncarnation`, and says so. */
  refute(accusedIncarnation: number, nowMs: number): void {
    const { self } = this.roster;
    self.incarnation = refutingIncarnation(self.incarnation, accusedIncarnation);
    self.stateSinceMs = nowMs;
    self.aliveSinceMs = nowMs;
    this.counters.refutations++;
    this.rumors.add(recordOf(self, nowMs), '');
  }

  /** This node's own probe of a member failed. True if that is news. */
  accuse(member: Held, nowMs: number): boolean {
    const { self } = this.roster;
    if (member.state === 'alive') {
      this.adopt(member, { ...recordOf(member, nowMs), state: 'suspect', ageMs: 0 }, self.id, nowMs);
      return true;
    }
    if (member.state !== 'suspect' || !this.suspicions.confirm(member.id, self.id)) return false;
    this.rumors.add(recordOf(member, nowMs), self.id);
    return true;
  }

  /** A member's link opened or closed to datagrams: a step without a change of state. */
  linkChanged(member: Held): void {
    this.note(member, member.state, member.actor, false);
  }

  /** Declares the suspects dead that are overdue. */
  declareDeaths(nowMs: number, healthScore: number): void {
    for (const id of this.suspicions.candidates(nowMs, this.roster.liveCount)) {
      const member = this.roster.get(id);
      if (member === undefined) continue;
      const { aliveCount, liveCount } = this.roster;
      const bench = { aliveCount, liveCount, healthScore };
      if (nowMs < this.suspicions.deadlineMs(id, member.lastHeardMs, bench)) continue;
      this.adopt(member, { ...recordOf(member, nowMs), state: 'dead', ageMs: 0 }, '', nowMs);
    }
  }

  /** Graceful departure of this node itself. */
  leave(nowMs: number): void {
    const { self } = this.roster;
    if (self.state === 'left') return;
    self.state = 'left';
    self.incarnation++;
    self.stateSinceMs = nowMs;
    this.roster.changed(self, self.actor);
    this.rumors.add(recordOf(self, nowMs), '');
  }

  /** A dead member counts as one that left, whatever of its words is still on its way: it comes back once it has heard of this. */
  dismiss(member: Held, nowMs: number): void {
    const boot = this.mutations.has('dismissed-as-heard') ? member.boot : dismissedBoot(member.boot);
    this.adopt(member, { ...recordOf(member, nowMs), boot, state: 'left', ageMs: 0 }, '', nowMs);
  }

  forgetExpired(nowMs: number): void {
    for (const gone of this.roster.expire(nowMs, this.tombstoneMs)) this.noteForgotten(gone);
  }

  drainChanges(): MemberChange[] {
    if (this.changes.length === 0) return [];
    const drained = this.changes;
    this.changes = [];
    return drained;
  }

  private judge(held: Held, record: MemberRecord): Verdict {
    const isFormer = held.actor !== record.actor && held.boot === record.boot && isGone(held.state);
    if (isFormer && !isGone(record.state) && this.mutations.has('former-life-returns')) return 'newer';
    return judge(held, record);
  }

  private hasEnded({ id, boot }: MemberRecord): boolean {
    const endedBoot = this.endedBootOf(id);
    return endedBoot > 0 && boot <= endedBoot && !this.mutations.has('ended-met-again');
  }

  private admit(record: MemberRecord, accuser: string, nowMs: number): Applied {
    const member = holdRecord(record, nowMs);
    const evicted = this.roster.add(member);
    if (evicted === false) return 'refused';
    if (evicted !== null) this.noteForgotten(evicted);
    if (member.state === 'suspect') this.suspicions.open(member.id, accuser, nowMs);
    // A tombstone of someone we never knew is remembered, but it is no news to spread.
    if (!isGone(member.state)) this.rumors.add(record, accuser);
    this.note(member, null, member.actor, false);
    return 'unknown';
  }

  private adopt(member: Held, record: MemberRecord, accuser: string, nowMs: number): void {
    const { state: from, actor: priorActor, host, port, respPort } = member;
    adoptRecord(member, record, nowMs);
    this.roster.changed(member, priorActor);
    if (member.state === 'suspect') this.suspicions.open(member.id, accuser, nowMs);
    else this.suspicions.close(member.id);
    this.rumors.add(record, member.state === 'suspect' ? accuser : '');
    const moved = member.host !== host || member.port !== port || member.respPort !== respPort;
    if (from !== member.state || moved || priorActor !== member.actor) this.note(member, from, priorActor, moved);
  }

  private note(member: Held, from: MemberState | null, priorActor: number, moved: boolean): void {
    this.push({ member, from, to: member.state, restarted: priorActor !== member.actor, priorActor, moved });
  }

  private noteForgotten(gone: Held): void {
    this.suspicions.close(gone.id);
    this.push({ member: gone, from: gone.state, to: null, restarted: false, priorActor: gone.actor, moved: false });
  }

  private push(change: MemberChange): void {
    if (this.changes.length < CHANGES_MAX) this.changes.push(change);
    else this.counters.changesDropped++;
  }
}
