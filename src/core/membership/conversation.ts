/**
 * What members say to each other: a probe and its answer, news of one, whole lists. Membership hands in every message that arrived;
 * answers go into the outbox, and what was learnt into the view.
 * Guarded: a message that is not well formed is counted and changes nothing; whoever speaks under a standing that we hold to be past
 * is told so; hearsay alone moves no member that speaks for itself; what this node said itself is no news to it.
 */
import type { Random } from '../base/random.js';
import type { Claims } from './claims.js';
import type { Health } from './health.js';
import { type Held, type MemberRecord, recordOf } from './member.js';
import {
  ACK,
  type Ack,
  ack,
  type Control,
  type ControlMessage,
  decodeControl,
  FORWARDED_ACK,
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
import type { Outbox } from './outbox.js';
import { isGone, judge } from './precedence.js';
import type { Prober } from './prober.js';
import type { Roster } from './roster.js';
import type { Applied, View } from './view.js';

const TELL_INTERVAL_MS = 1_000;
/** Expected number of members that probe a suspect on hearing of it, and in each interval after. */
const SECOND_OPINIONS = 4;

export interface ConversationRooms {
  view: View;
  roster: Roster;
  prober: Prober;
  claims: Claims;
  outbox: Outbox;
  health: Health;
}

export class Conversation {
  /** Whether lists were exchanged with another member since the start, or there is no contact point to ask. */
  joined: boolean;
  readonly counters = { malformed: 0, misdirected: 0, told: 0, ownEcho: 0 };
  private readonly view: View;
  private readonly roster: Roster;
  private readonly self: Held;
  private readonly prober: Prober;
  private readonly claims: Claims;
  private readonly outbox: Outbox;
  private readonly health: Health;
  private readonly random: Random;
  private readonly mutations: ReadonlySet<string>;
  private nowMs = 0;

  constructor(
    rooms: ConversationRooms,
    options: { random: Random; mutations: ReadonlySet<string>; hasContactPoints: boolean },
  ) {
    this.view = rooms.view;
    this.roster = rooms.roster;
    this.self = rooms.roster.self;
    this.prober = rooms.prober;
    this.claims = rooms.claims;
    this.outbox = rooms.outbox;
    this.health = rooms.health;
    this.random = options.random;
    this.mutations = options.mutations;
    this.joined = !options.hasContactPoints;
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

  /** Everybody known, as this node holds them now. */
  wholeList(kind: PushPull['kind'], nowMs: number): ControlMessage {
    const records = this.roster.members().map((member) => recordOf(member, nowMs));
    return pushPull(kind, recordOf(this.self, nowMs), records);
  }

  /** Whether this node is one of those that probe a suspect this time. */
  isSecondOpinion(): boolean {
    return this.random.chance(Math.min(1, SECOND_OPINIONS / this.roster.liveCount));
  }

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
    const { loopLagMs, clockJumpedMs } = this.health;
    const answer = ack(probe.sequence, wallMs, loopLagMs, recordOf(this.self, this.nowMs), clockJumpedMs);
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
      else this.outbox.send(sender.host, sender.port, this.wholeList(PUSH_PULL_REPLY, this.nowMs), true, null);
      return;
    }
    this.meet(sender, sender.host, sender.port, true);
    for (const record of list.records) {
      if (record.id === this.self.id) this.view.applyOwn(record, this.joined, this.nowMs);
      else if (record.id !== sender.id) this.learn(record, '', false);
    }
    // Streams work, then: whether datagrams do is found out at once.
    if (!this.joined) this.probeSoon(sender.id, this.nowMs);
    this.joined = true;
    if (isRequest)
      this.outbox.send(sender.host, sender.port, this.wholeList(PUSH_PULL_REPLY, this.nowMs), true, sender.id);
  }

  /** A member speaks for itself: it is heard, and told directly if we hold a later word about it. */
  private meet(record: MemberRecord, host: string, port: number, viaStream = false): void {
    if (record.id === this.self.id) return;
    if (this.learn(record, '', true) === 'ended') {
      // No more than it says itself, and only until it has heard of it.
      this.counters.told++;
      this.outbox.send(host, port, update(this.view.endOf(record), ''), viaStream, null);
      return;
    }
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
  private learn(record: MemberRecord, accuser: string, direct: boolean): Applied {
    if (!direct && !this.mutations.has('hearsay-moves-members') && this.isDoubted(record)) return 'refused';
    const verdict = this.view.apply(record, accuser, this.nowMs);
    if (verdict !== 'newer' && verdict !== 'unknown') return verdict;
    const member = this.roster.get(record.id);
    if (member === undefined || isGone(member.state)) return verdict;
    this.prober.include(member.id);
    if (member.state === 'suspect' && this.isSecondOpinion()) this.probeSoon(member.id, this.nowMs);
    return verdict;
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
}
