/**
 * Who is there: SWIM with Lifeguard as one machine with time as an argument. The spine ticks it, hands it what arrived, and
 * drains what it wants to send, to resolve and to report; nothing here waits or calls out. Beliefs live in view.ts, probes in
 * prober.ts, what is said in conversation.ts, the way back from solitude in contacts.ts; this file holds the rhythm.
 * Guarded: silence is never inferred from time in which this node did not run.
 * SWIM (Das, Gupta, Motivala, DSN 2002); Lifeguard (arXiv:1707.00788).
 */
import type { Log } from '../../ports/log.js';
import { Claims } from './claims.js';
import { type Address, Contacts } from './contacts.js';
import { Conversation } from './conversation.js';
import { Flaps } from './flaps.js';
import { deathHoldMs, pushPullPeriodMs, retransmitLimit, suspicionMinMs } from './formulas.js';
import { Health } from './health.js';
import { Journal } from './journal.js';
import { type Held, holdRecord, type Member, type MemberRecord, recordOf } from './member.js';
import { type ControlMessage, GOSSIP_BYTES, PUSH_PULL_REQUEST, update } from './messages.js';
import type { MembershipOptions } from './options.js';
import { Outbox, type Outgoing } from './outbox.js';
import { isGone } from './precedence.js';
import { Prober } from './prober.js';
import { Roster } from './roster.js';
import { Rumors } from './rumors.js';
import { Suspicions } from './suspicions.js';
import { type MemberChange, View } from './view.js';

export const RUMORS_MAX = 4_096;
const OUTGOING_MAX = 8_192;
const GOSSIP_TO_DEAD_MS = 30_000;
const EXPIRY_INTERVAL_MS = 10_000;
/** Members whose link is closed to datagrams that are asked again in each interval. */
const CLOSED_LINKS_TRIED = 8;

export class Membership {
  readonly self: Member;
  /** Who is held back after having been away. */
  readonly flaps = new Flaps();
  private readonly log: Log;
  private readonly options: MembershipOptions;
  private readonly mutations: ReadonlySet<string>;
  private readonly health: Health;
  private readonly outbox = new Outbox(OUTGOING_MAX);
  private readonly rumors = new Rumors(RUMORS_MAX);
  private readonly roster: Roster;
  private readonly suspicions: Suspicions;
  private readonly prober: Prober;
  private readonly contacts: Contacts;
  private readonly claims: Claims;
  private readonly conversation: Conversation;
  private readonly counters = { probesFailed: 0, pushPulls: 0 };
  private readonly view: View;
  private readonly journal: Journal;
  private nowMs = 0;
  private started = false;
  private deathsHeldUntilMs = Number.NEGATIVE_INFINITY;
  private nextGossipMs = 0;
  private nextPushPullMs = 0;
  private nextExpiryMs = 0;
  private nextAppealMs = 0;
  private nextLinkTrialMs = 0;

  constructor(ports: { log: Log }, options: MembershipOptions) {
    this.log = ports.log;
    this.options = options;
    this.mutations = options.mutations ?? new Set();
    const { self, actor, boot, incarnation, random } = options;
    const own = holdRecord({ ...self, actor, boot, incarnation, state: 'alive', ageMs: 0 }, 0);
    this.self = own;
    this.health = new Health(options.tickIntervalMs);
    this.roster = new Roster(own, options.membersMax);
    this.suspicions = new Suspicions(options);
    this.prober = new Prober(this.outbox, this.roster, this.flaps, options);
    this.claims = new Claims({ prober: this.prober }, { heardWithinMs: options.probeIntervalMs });
    this.contacts = new Contacts(options.contactPoints, options.seedRetryMs, random);
    const { endedBootOf = () => 0 } = options;
    const rooms = { roster: this.roster, suspicions: this.suspicions, rumors: this.rumors };
    this.view = new View(rooms, { tombstoneMs: options.tombstoneMs, endedBootOf, mutations: this.mutations });
    const { view, roster, prober, claims, outbox, health } = this;
    this.conversation = new Conversation(
      { view, roster, prober, claims, outbox, health },
      { random, mutations: this.mutations, hasContactPoints: this.contacts.points.length > 0 },
    );
    this.journal = new Journal({ log: this.log, flaps: this.flaps }, own);
  }

  // Who is there

  get(id: string): Member | undefined {
    return this.roster.get(id);
  }

  byActor(actor: number): Member | undefined {
    return this.roster.byActor(actor);
  }

  /** Everybody known, this node and tombstones included, sorted by id; the same array until something changes. */
  members(): readonly Member[] {
    return this.roster.members();
  }

  /** Members that are alive, this node included. */
  get aliveCount(): number {
    return this.roster.aliveCount;
  }

  /** Whether lists were exchanged with another member since the start, or there is no contact point to ask. */
  get hasJoined(): boolean {
    return this.conversation.joined;
  }

  /** Whom this node asks first: `host:port` each, IPv6 in brackets. */
  get contactPoints(): string[] {
    return this.contacts.points.map(({ host, port }) => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`));
  }

  /** 0 is healthy, 7 the worst. */
  get healthScore(): number {
    return this.health.score;
  }

  /** Live members that datagrams do not get to, or not back from. */
  get udpBlockedCount(): number {
    return this.roster.udpBlockedCount;
  }

  /** No datagram of ours comes to anything, though there are others: it is this node that is cut off from UDP, or two are. */
  get isUdpBlocked(): boolean {
    return this.udpBlockedCount > 0 && this.udpBlockedCount === this.roster.liveCount - 1;
  }

  /** Another process runs under our id and was first: this one has to end. null otherwise. */
  get duplicateId(): Readonly<MemberRecord> | null {
    return this.view.duplicate;
  }

  /** Median over live peers of their wall clock minus ours; null with fewer than two measured. */
  clockOffsetMedianMs(): number | null {
    return this.roster.clockOffsetMedianMs();
  }

  /** The same, as near to nothing as what it was measured by leaves possible. */
  clockOffsetCertainMs(): number | null {
    return this.roster.clockOffsetCertainMs();
  }

  /** Median over live peers of their systems' wall clocks minus ours; null with fewer than two measured. */
  systemOffsetMedianMs(): number | null {
    return this.roster.systemOffsetMedianMs();
  }

  /** How far the system's clock is ahead of what this node goes by; 0 while that is not in doubt. Peers are told. */
  get clockJumpedMs(): number {
    return this.health.clockJumpedMs;
  }

  set clockJumpedMs(jumpedMs: number) {
    this.health.clockJumpedMs = jumpedMs;
  }

  /** What this node goes by was moved by so much. */
  ownClockMoved(byMs: number): void {
    this.roster.ownClockMoved(byMs);
  }

  // What happens

  /** Time passed. Call every `tickIntervalMs`; a late call says so by the clocks. */
  tick(nowMs: number, wallMs: number): void {
    this.nowMs = nowMs;
    if (!this.started) this.start(nowMs);
    const stalledMs = this.health.ticked(nowMs, wallMs);
    if (stalledMs > 0 && !this.mutations.has('stall-ignored')) this.stalled(stalledMs);
    this.flaps.tick(nowMs);
    if (nowMs >= this.nextGossipMs) this.gossip();
    if (this.self.state === 'left') return;
    for (const { member, silentHelpers } of this.prober.tick(nowMs, this.health.score)) {
      this.probeFailed(member, silentHelpers);
    }
    if (this.suspicions.size > 0 && nowMs >= this.deathsHeldUntilMs) {
      this.view.declareDeaths(nowMs, this.mutations.has('doubt-ignored') ? 0 : this.health.score);
    }
    if (this.suspicions.size > 0 && nowMs >= this.nextAppealMs) this.appeal();
    if (nowMs >= this.nextLinkTrialMs) this.tryClosedLinks();
    if (nowMs >= this.nextPushPullMs) this.exchange();
    if (this.contacts.tick(nowMs, this.roster.aliveCount === 1 || !this.conversation.joined)) this.retryOneDead();
    if (nowMs >= this.nextExpiryMs) {
      this.nextExpiryMs = nowMs + EXPIRY_INTERVAL_MS;
      this.view.forgetExpired(nowMs);
    }
  }

  /** A control message arrived, its cluster and its bytes already authenticated. `from` is where an answer goes. */
  handle(
    message: unknown,
    fromHost: string,
    fromPort: number,
    viaStream: boolean,
    nowMs: number,
    wallMs: number,
  ): void {
    this.nowMs = nowMs;
    if (!this.started) this.start(nowMs);
    this.conversation.handle(message, fromHost, fromPort, viaStream, nowMs, wallMs);
  }

  /** Any authentic traffic came from a member itself. */
  heard(id: string, nowMs: number): void {
    this.conversation.heard(id, nowMs);
  }

  /** A member's stream was reset or refused: it is probed at once, with a short deadline. */
  probeSoon(id: string, nowMs: number): void {
    this.nowMs = nowMs;
    this.conversation.probeSoon(id, nowMs);
  }

  /** Leaves gracefully: everybody is told directly. The node goes on answering until its process ends. */
  leave(nowMs: number): void {
    this.nowMs = nowMs;
    this.view.leave(nowMs);
    const message = update(recordOf(this.self, nowMs), '');
    for (const member of this.roster.members()) {
      if (member !== this.self && !isGone(member.state)) this.send(member, message, false);
    }
  }

  /** A dead member is not waited for any more: its tombstone says that it left. A live one is let be. */
  forget(id: string, nowMs: number): void {
    this.nowMs = nowMs;
    const member = this.roster.get(id);
    if (member?.state === 'dead') this.view.dismiss(member, nowMs);
  }

  /** Lives of this node's own id up to this boot have ended: what it says now is above that. */
  outlive(endedBoot: number, nowMs: number): void {
    this.nowMs = nowMs;
    this.view.outlive(endedBoot, nowMs);
  }

  /** The addresses that a drained name stands for; empty if it does not resolve. */
  contactResolved(name: string, hosts: readonly string[]): void {
    const request = this.conversation.wholeList(PUSH_PULL_REQUEST, this.nowMs);
    const members = this.roster.members();
    const isGossip = ({ host, port }: Address) => members.some((each) => each.host === host && each.port === port);
    for (const { host, port } of this.contacts.resolved(name, hosts, isGossip)) {
      const known = members.some(
        (member) => !isGone(member.state) && member.host === host && (member.port === port || member.respPort === port),
      );
      // A node that came back is probed by the others before it has asked: to know them is not yet to have joined.
      if (!known || !this.conversation.joined) this.outbox.send(host, port, request, true, null);
    }
  }

  // What is to be done

  /** Messages to send now, in order. */
  drainOutgoing(): readonly Outgoing[] {
    return this.outbox.drain();
  }

  /** Steps of members since the last call, in order. */
  drainChanges(): MemberChange[] {
    const changes = this.view.drainChanges();
    for (const change of changes) this.journal.step(change, this.nowMs);
    return changes;
  }

  /** Names to resolve now; each is asked for again at every try. */
  drainResolve(): string[] {
    return this.contacts.drainResolve();
  }

  /** Whether `takeUpdates` would have something. */
  get hasRumors(): boolean {
    return this.rumors.size > 0;
  }

  /** Updates to ride on a datagram with `budgetBytes` to spare and `riding` on it; each counts as transmitted once. */
  takeUpdates(budgetBytes: number, riding?: readonly ControlMessage[]): ControlMessage[] {
    return this.rumors.take(budgetBytes, retransmitLimit(this.roster.liveCount), riding);
  }

  stats(): Record<string, number> {
    return {
      ...this.counters,
      ...this.conversation.counters,
      ...this.view.counters,
      members: this.roster.size,
      alive: this.roster.aliveCount,
      suspects: this.suspicions.size,
      rumors: this.rumors.size,
      rumorsDropped: this.rumors.dropped,
      outgoingDropped: this.outbox.dropped,
      membersRefused: this.roster.refused,
      contactsRefused: this.contacts.refused,
      probesSent: this.prober.sent,
      acksLate: this.prober.answeredLate,
      relaysDropped: this.prober.relaysDropped,
      healthScore: this.health.score,
      claimsAsked: this.claims.asked,
      heldBack: this.flaps.heldBack,
      udpBlocked: this.udpBlockedCount,
      loopLagMs: Math.round(this.health.loopLagMs),
      stalls: this.health.stalls,
    };
  }

  // The rhythm

  private start(nowMs: number): void {
    this.started = true;
    this.view.begin(nowMs);
    const { gossipIntervalMs, pushPullIntervalMs, random } = this.options;
    this.nextGossipMs = nowMs + random.below(gossipIntervalMs);
    this.nextPushPullMs = nowMs + random.below(pushPullIntervalMs);
    this.nextExpiryMs = nowMs + EXPIRY_INTERVAL_MS;
  }

  /** The loop stood still for `gapMs`: what was under way says nothing about others, only about us. */
  private stalled(gapMs: number): void {
    const { probeIntervalMs, suspicionMultiplier, suspicionFloorMs } = this.options;
    const { liveCount } = this.roster;
    if (!this.health.onlyByWallClock) this.health.worse(Math.ceil(gapMs / probeIntervalMs));
    this.suspicions.postpone(gapMs);
    this.prober.voidInFlight(this.nowMs, this.health.score);
    const minMs = suspicionMinMs(suspicionMultiplier, liveCount, probeIntervalMs, suspicionFloorMs);
    this.deathsHeldUntilMs = this.nowMs + deathHoldMs(liveCount, probeIntervalMs, this.health.score, minMs);
    // Others may have given us up meanwhile: we say that we are there, and hear what became of them.
    if (this.health.pausedMs >= suspicionFloorMs) this.nextPushPullMs = this.nowMs;
    if (this.health.onlyByWallClock) {
      const aheadMs = Math.round(this.health.pausedMs);
      this.log.info('the clock ran ahead: it was set, or this machine slept', { aheadMs });
    } else this.log.warn('event loop stalled', { gapMs: Math.round(gapMs), healthScore: this.health.score });
  }

  private probeFailed(member: Held, silentHelpers: number): void {
    this.counters.probesFailed++;
    // Once per suspect: that helpers stay silent in every appeal to it is no more news about us.
    if (silentHelpers > 0 && member.state === 'alive') this.health.worse(1);
    // The suspect is told first: it alone can refute.
    if (this.view.accuse(member, this.nowMs)) {
      this.send(member, update(recordOf(member, this.nowMs), this.self.id), false);
    }
  }

  /**
   * Suspects are probed again every interval, whatever our health: each ping tells them of the suspicion, and its ack brings
   * the refutation. About `SECOND_OPINIONS` of all members do so, so that a suspect in a large cluster is not flooded.
   */
  private appeal(): void {
    this.nextAppealMs = this.nowMs + this.options.probeIntervalMs;
    for (const id of this.suspicions.ids()) {
      const suspect = this.roster.get(id);
      if (suspect !== undefined && this.conversation.isSecondOpinion())
        this.prober.appeal(suspect, this.nowMs, this.health.score);
    }
  }

  /** Links closed to datagrams are tried again and again: one answer opens them. */
  private tryClosedLinks(): void {
    this.nextLinkTrialMs = this.nowMs + this.options.probeIntervalMs;
    const closed = (member: Held) => member.udpBlocked && !isGone(member.state);
    for (const member of this.roster.sample(CLOSED_LINKS_TRIED, this.options.random, closed)) {
      this.prober.appeal(member, this.nowMs, this.health.score);
    }
  }

  private gossip(): void {
    const { gossipIntervalMs, gossipFanout, random } = this.options;
    this.nextGossipMs = this.nowMs + gossipIntervalMs;
    if (this.rumors.size === 0) return;
    const listens = (member: Held) =>
      !isGone(member.state) || (member.state === 'dead' && this.nowMs - member.stateSinceMs < GOSSIP_TO_DEAD_MS);
    for (const target of this.roster.sample(gossipFanout, random, listens)) {
      for (const message of this.takeUpdates(GOSSIP_BYTES)) this.send(target, message, false);
    }
  }

  private exchange(): void {
    const { pushPullIntervalMs, random } = this.options;
    this.nextPushPullMs = this.nowMs + pushPullPeriodMs(pushPullIntervalMs, this.roster.liveCount);
    for (const peer of this.roster.sample(1, random, (member) => member.state === 'alive')) {
      this.counters.pushPulls++;
      this.send(peer, this.conversation.wholeList(PUSH_PULL_REQUEST, this.nowMs), true);
    }
  }

  /** The dead are asked too, one at a time: a healed partition looks like a resurrection from both sides. */
  private retryOneDead(): void {
    for (const dead of this.roster.sample(1, this.options.random, (member) => member.state === 'dead')) {
      this.send(dead, this.conversation.wholeList(PUSH_PULL_REQUEST, this.nowMs), true);
    }
  }

  private send(member: Held, message: ControlMessage, viaStream: boolean): void {
    this.outbox.send(member.host, member.port, message, viaStream || member.udpBlocked, member.id);
  }
}
