/**
 * Who is there: SWIM with Lifeguard as one machine with time as an argument. The spine ticks it, hands it what arrived, and
 * drains what it wants to send, to resolve and to report; nothing here waits or calls out. Beliefs live in view.ts, probes in
 * prober.ts, the way back from solitude in contacts.ts; this file holds the rhythm and the conversation.
 * Guarded: silence is never inferred from time in which this node did not run; whoever speaks under a standing that we hold
 * to be past is told so; a message that is not well formed is counted and changes nothing.
 * SWIM (Das, Gupta, Motivala, DSN 2002); Lifeguard (arXiv:1707.00788).
 */
import type { Log } from '../../ports/log.js';
import { Claims } from './claims.js';
import { Contacts } from './contacts.js';
import { Flaps } from './flaps.js';
import { deathHoldMs, pushPullPeriodMs, retransmitLimit, suspicionMinMs } from './formulas.js';
import { Health } from './health.js';
import { Journal } from './journal.js';
import { type Held, holdRecord, type Member, type MemberRecord, recordOf } from './member.js';
import {
  ACK,
  type Ack,
  ack,
  type Control,
  type ControlMessage,
  decodeControl,
  FORWARDED_ACK,
  GOSSIP_BYTES,
  NACK,
  PING,
  PING_REQUEST,
  type Ping,
  PUSH_PULL_REPLY,
  PUSH_PULL_REQUEST,
  type PushPull,
  pushPull,
  UPDATE,
  type Update,
  update,
} from './messages.js';
import type { MembershipOptions } from './options.js';
import { Outbox, type Outgoing } from './outbox.js';
import { isGone, judge } from './precedence.js';
import { Prober } from './prober.js';
import { Roster } from './roster.js';
import { Rumors } from './rumors.js';
import { Suspicions } from './suspicions.js';
import { type MemberChange, View } from './view.js';

const RUMORS_MAX = 4_096;
const OUTGOING_MAX = 8_192;
const GOSSIP_TO_DEAD_MS = 30_000;
const EXPIRY_INTERVAL_MS = 10_000;
const TELL_INTERVAL_MS = 1_000;
/** Expected number of members that probe a suspect on hearing of it, and in each interval after. */
const SECOND_OPINIONS = 4;
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
  private readonly counters = {
    malformed: 0,
    misdirected: 0,
    told: 0,
    probesFailed: 0,
    pushPulls: 0,
    ownEcho: 0,
  };
  private readonly view: View;
  private readonly journal: Journal;
  private joined: boolean;
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
    const rooms = { roster: this.roster, suspicions: this.suspicions, rumors: this.rumors };
    this.view = new View(rooms, options.tombstoneMs);
    this.journal = new Journal({ log: this.log, flaps: this.flaps }, own);
    this.joined = this.contacts.points.length === 0;
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
    return this.joined;
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
    if (this.contacts.tick(nowMs, this.roster.aliveCount === 1 || !this.joined)) this.retryOneDead();
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
    const control = decodeControl(message);
    if (control === null) {
      this.counters.malformed++;
      return;
    }
    if (this.isOwnEcho(control)) {
      this.counters.ownEcho++;
      return;
    }
    switch (control.kind) {
      case PING:
        this.pinged(control, fromHost, fromPort, viaStream, wallMs);
        break;
      case ACK:
      case FORWARDED_ACK:
        this.acked(control, viaStream, wallMs);
        break;
      case PING_REQUEST:
        this.meet(control.sender, control.sender.host, control.sender.port);
        this.prober.help(control, fromHost, fromPort, nowMs);
        break;
      case NACK:
        this.heard(control.helperId, nowMs);
        this.prober.nacked(control);
        break;
      case UPDATE:
        this.updated(control);
        break;
      case PUSH_PULL_REQUEST:
      case PUSH_PULL_REPLY:
        this.exchanged(control);
        break;
    }
  }

  /** Any authentic traffic came from a member itself. */
  heard(id: string, nowMs: number): void {
    const member = this.roster.get(id);
    if (member !== undefined) member.lastHeardMs = nowMs;
  }

  /** A member's stream was reset or refused: it is probed at once, with a short deadline. */
  probeSoon(id: string, nowMs: number): void {
    this.nowMs = nowMs;
    const member = this.roster.get(id);
    if (member === undefined || member === this.self || isGone(member.state) || this.self.state === 'left') return;
    this.prober.probeSoon(member, nowMs, this.health.score);
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

  /** The addresses that a drained name stands for; empty if it does not resolve. */
  contactResolved(name: string, hosts: readonly string[]): void {
    const request = this.wholeList(PUSH_PULL_REQUEST);
    for (const { host, port } of this.contacts.resolved(name, hosts)) {
      const known = this.roster
        .members()
        .some(
          (member) =>
            !isGone(member.state) && member.host === host && (member.port === port || member.respPort === port),
        );
      // A node that came back is probed by the others before it has asked: to know them is not yet to have joined.
      if (!known || !this.joined) this.outbox.send(host, port, request, true, null);
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

  /** Updates to ride on a datagram with `budgetBytes` to spare; each counts as transmitted once. */
  takeUpdates(budgetBytes: number): ControlMessage[] {
    return this.rumors.take(budgetBytes, retransmitLimit(this.roster.liveCount));
  }

  stats(): Record<string, number> {
    return {
      ...this.counters,
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
      if (suspect !== undefined && this.isSecondOpinion()) this.prober.appeal(suspect, this.nowMs, this.health.score);
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

  private isSecondOpinion(): boolean {
    return this.options.random.chance(Math.min(1, SECOND_OPINIONS / this.roster.liveCount));
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
      this.send(peer, this.wholeList(PUSH_PULL_REQUEST), true);
    }
  }

  /** The dead are asked too, one at a time: a healed partition looks like a resurrection from both sides. */
  private retryOneDead(): void {
    for (const dead of this.roster.sample(1, this.options.random, (member) => member.state === 'dead')) {
      this.send(dead, this.wholeList(PUSH_PULL_REQUEST), true);
    }
  }

  // The conversation

  private pinged(probe: Ping, fromHost: string, fromPort: number, viaStream: boolean, wallMs: number): void {
    this.meet(probe.sender, viaStream ? probe.sender.host : fromHost, viaStream ? probe.sender.port : fromPort);
    if (probe.targetId !== this.self.id) {
      this.counters.misdirected++;
      return;
    }
    const accused = probe.heldState !== 'alive' && probe.targetActor === this.self.actor;
    if (accused && probe.heldIncarnation >= this.self.incarnation && this.self.state !== 'left') {
      this.view.refute(probe.heldIncarnation, this.nowMs);
      this.health.worse(1);
    }
    const answer = ack(probe.sequence, wallMs, this.health.loopLagMs, recordOf(this.self, this.nowMs));
    const { host, port } = probe.sender;
    this.outbox.send(viaStream ? host : fromHost, viaStream ? port : fromPort, answer, viaStream, probe.sender.id);
    // Behind a translation of addresses one of the two gets there: where it came from, or where it says it is.
    if (!viaStream && (host !== fromHost || port !== fromPort)) this.outbox.send(host, port, answer, false, null);
  }

  private acked(answer: Ack, viaStream: boolean, wallMs: number): void {
    if (answer.kind === FORWARDED_ACK) this.learn(answer.sender, '', false);
    else this.meet(answer.sender, answer.sender.host, answer.sender.port);
    const { ours, linkChanged } = this.prober.answered(answer, viaStream, this.nowMs, wallMs, this.health.score);
    if (ours) this.health.better();
    if (linkChanged !== null) this.view.linkChanged(linkChanged);
  }

  private updated({ record, accuser }: Update): void {
    if (record.id === this.self.id) this.view.applyOwn(record, this.joined, this.nowMs);
    else this.learn(record, accuser, false);
  }

  private exchanged(list: PushPull): void {
    const { sender } = list;
    const isRequest = list.kind === PUSH_PULL_REQUEST;
    if (sender.id === this.self.id) {
      // A newcomer of our name asks: it learns from the answer that we were here first.
      if (!isRequest) this.view.applyOwn(sender, this.joined, this.nowMs);
      else this.outbox.send(sender.host, sender.port, this.wholeList(PUSH_PULL_REPLY), true, null);
      return;
    }
    this.meet(sender, sender.host, sender.port);
    for (const record of list.records) {
      if (record.id === this.self.id) this.view.applyOwn(record, this.joined, this.nowMs);
      else if (record.id !== sender.id) this.learn(record, '', false);
    }
    // Streams work, then: whether datagrams do is found out at once.
    if (!this.joined) this.probeSoon(sender.id, this.nowMs);
    this.joined = true;
    if (isRequest) this.outbox.send(sender.host, sender.port, this.wholeList(PUSH_PULL_REPLY), true, sender.id);
  }

  /** A member speaks for itself: it is heard, and told directly if we hold a later word about it. */
  private meet(record: MemberRecord, host: string, port: number): void {
    if (record.id === this.self.id) return;
    this.learn(record, '', true);
    const held = this.roster.get(record.id);
    if (held === undefined) return;
    if (held.actor === record.actor) held.lastHeardMs = this.nowMs;
    const verdict = judge(held, record);
    if (verdict !== 'older' && verdict !== 'duplicate') return;
    if (this.nowMs - held.toldMs < TELL_INTERVAL_MS) return;
    held.toldMs = this.nowMs;
    this.counters.told++;
    this.outbox.send(host, port, update(recordOf(held, this.nowMs), ''), false, held.id);
  }

  /** `direct`: the member said it itself. */
  private learn(record: MemberRecord, accuser: string, direct: boolean): void {
    if (!direct && !this.mutations.has('hearsay-moves-members') && this.isDoubted(record)) return;
    const verdict = this.view.apply(record, accuser, this.nowMs);
    if (verdict !== 'newer' && verdict !== 'unknown') return;
    const member = this.roster.get(record.id);
    if (member === undefined || isGone(member.state)) return;
    this.prober.include(member.id);
    if (member.state === 'suspect' && this.isSecondOpinion()) this.probeSoon(member.id, this.nowMs);
  }

  private isDoubted(record: MemberRecord): boolean {
    return this.claims.doubts(this.roster.get(record.id), record, this.nowMs);
  }

  /**
   * What we sent ourselves, through a contact point that stands for this node too; and our own ack, passed on to us: nobody has reason
   * to, but a packet that was recorded on its way to another node says so.
   */
  private isOwnEcho(control: Control): boolean {
    if (!('sender' in control)) return false;
    const { sender } = control;
    return control.kind === FORWARDED_ACK ? sender.id === this.self.id : sender.actor === this.self.actor;
  }

  private wholeList(kind: PushPull['kind']): ControlMessage {
    const records = this.roster.members().map((member) => recordOf(member, this.nowMs));
    return pushPull(kind, recordOf(this.self, this.nowMs), records);
  }

  private send(member: Held, message: ControlMessage, viaStream: boolean): void {
    this.outbox.send(member.host, member.port, message, viaStream || member.udpBlocked, member.id);
  }
}
