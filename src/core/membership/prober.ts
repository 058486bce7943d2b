/**
 * The failure detector's probes: each period one live member, in a shuffled round; a ping, then after silence up to three
 * helpers and a ping by stream side by side, then the verdict. It also helps others: probes in their stead, passes the ack
 * on, or sends a nack in time. Membership ticks it and acts on the failures it returns; suspicions.ts holds what follows.
 * Guarded: one probe of a member at a time; helping is bounded; a member heard since its probe began has not failed.
 * SWIM, section 4.3 (round-robin); Lifeguard, section IV.A (nacks, health).
 */
import type { Random } from '../base/random.js';
import type { Flaps } from './flaps.js';
import { directTimeoutMs, nackAfterMs, scaledByHealth } from './formulas.js';
import { type Held, type MemberRecord, noteDatagram, noteDatagramMiss, noteRoundTrip, recordOf } from './member.js';
import { ACK, type Ack, forwardedAck, type Nack, nack, type PingRequest, ping, pingRequest } from './messages.js';
import type { Outbox } from './outbox.js';
import { isGone } from './precedence.js';
import type { Roster } from './roster.js';

export interface ProberOptions {
  probeIntervalMs: number;
  probeTimeoutMs: number;
  indirectProbes: number;
  random: Random;
}

/** What an ack said. */
export interface Answered {
  /** It answers a probe of ours. */
  ours: boolean;
  /** The member whose link opened or closed to datagrams by it; null if none did. */
  linkChanged: Held | null;
}

/** A probe that nobody answered. */
export interface FailedProbe {
  member: Held;
  /** Helpers that were asked and sent neither ack nor nack: a hint that it is we who do not hear. */
  silentHelpers: number;
}

interface Probe {
  member: Held;
  sequence: number;
  startMs: number;
  directDeadlineMs: number;
  deadlineMs: number;
  urgent: boolean;
  /** Pinged more than once, so an answer tells no round trip. */
  repeated: boolean;
  /** When it pings again, and how often from then on until helpers are asked; infinite for once. */
  nextPingMs: number;
  readonly pingEveryMs: number;
  askedHelpers: boolean;
  helpers: Set<string>;
}

interface Relay {
  host: string;
  port: number;
  requesterSequence: number;
  targetId: string;
  nackMs: number;
  deadlineMs: number;
  nacked: boolean;
}

const RELAYS_MAX = 256;
/** Pings of a probe that asks again whether datagrams get through, spread over the time for a direct answer. */
const PINGS_AGAIN = 4;
const NO_FAILURES: FailedProbe[] = [];

export class Prober {
  sent = 0;
  answeredLate = 0;
  relaysDropped = 0;
  private readonly outbox: Outbox;
  private readonly roster: Roster;
  private readonly flaps: Flaps;
  private readonly options: ProberOptions;
  private readonly probes = new Map<number, Probe>();
  private readonly probeOf = new Map<string, Probe>();
  private readonly relays = new Map<number, Relay>();
  private round: string[] = [];
  private nextProbeMs: number | null = null;
  private sequence: number;

  constructor(outbox: Outbox, roster: Roster, flaps: Flaps, options: ProberOptions) {
    this.outbox = outbox;
    this.roster = roster;
    this.flaps = flaps;
    this.options = options;
    this.sequence = options.random.uint32();
  }

  /** A newcomer takes a random place in the round under way. */
  include(id: string): void {
    if (this.round.includes(id)) return;
    this.round.splice(this.options.random.below(this.round.length + 1), 0, id);
  }

  /** Probes a member at once, with a short deadline, in place of a slower probe under way. */
  probeSoon(member: Held, nowMs: number, healthScore: number): void {
    this.launch(member, nowMs, healthScore, true);
  }

  /** Pings a suspect once more, within the probe under way if there is one: the ping tells it of the suspicion. */
  appeal(member: Held, nowMs: number, healthScore: number): void {
    const running = this.probeOf.get(member.id);
    if (running === undefined) this.launch(member, nowMs, healthScore, true);
    else {
      running.repeated = true;
      this.sendPing(running, nowMs, false);
    }
  }

  /** Starts the probe that is due, asks helpers where it is time, and returns the probes that failed. */
  tick(nowMs: number, healthScore: number): FailedProbe[] {
    // Verdicts first: of two members, the next probe of the only peer is due when the one before it ends.
    const failures = this.probes.size > 0 ? this.tickProbes(nowMs) : NO_FAILURES;
    if (this.relays.size > 0) this.tickRelays(nowMs);
    const intervalMs = scaledByHealth(this.options.probeIntervalMs, healthScore);
    this.nextProbeMs ??= nowMs + this.options.random.below(this.options.probeIntervalMs);
    this.nextProbeMs = Math.min(this.nextProbeMs, nowMs + intervalMs);
    if (nowMs >= this.nextProbeMs) {
      this.nextProbeMs = nowMs + intervalMs;
      const target = this.nextTarget();
      if (target !== null) this.launch(target, nowMs, healthScore, false);
    }
    return failures;
  }

  /**
   * An ack arrived; one that answers a relay is passed on. The round trip counts only if it came straight back by datagram.
   * Where none did, the member is asked again at once, until it is known whether datagrams get there.
   */
  answered(answer: Ack, viaStream: boolean, nowMs: number, wallMs: number, healthScore: number): Answered {
    const direct = answer.kind === ACK && !viaStream;
    const asked = direct ? this.roster.byActor(answer.sender.actor) : undefined;
    const opened = asked !== undefined && noteDatagram(asked) ? asked : null;
    const relay = this.relays.get(answer.sequence);
    if (relay !== undefined && answer.kind === ACK && relay.targetId === answer.sender.id) {
      this.relays.delete(answer.sequence);
      this.outbox.send(relay.host, relay.port, forwardedAck(relay.requesterSequence, answer), false, null);
      return { ours: false, linkChanged: opened };
    }
    const probe = this.probes.get(answer.sequence);
    if (probe === undefined || probe.member.actor !== answer.sender.actor) {
      this.answeredLate++;
      return { ours: false, linkChanged: opened };
    }
    const { member } = probe;
    this.end(probe);
    if (answer.kind === ACK) member.loopLagMs = answer.loopLagMs;
    if (direct && !probe.repeated) {
      noteRoundTrip(member, Math.max(0, nowMs - probe.startMs), answer.wallMs, wallMs, answer.jumpedMs);
    }
    if (direct || member.udpBlocked) return { ours: true, linkChanged: opened };
    const closed = noteDatagramMiss(member);
    if (!closed) this.launch(member, nowMs, healthScore, true, PINGS_AGAIN);
    return { ours: true, linkChanged: closed ? member : null };
  }

  /** Pings an address that a member is said to have moved to; if it answers, it speaks for itself. */
  verify(claim: MemberRecord, nowMs: number): void {
    const message = ping(this.nextSequence(), claim, recordOf(this.roster.self, nowMs));
    this.outbox.send(claim.host, claim.port, message, false, null);
    this.outbox.send(claim.host, claim.port, message, true, null);
  }

  nacked(refusal: Nack): void {
    this.probes.get(refusal.sequence)?.helpers.delete(refusal.helperId);
  }

  /** Probes in the stead of `host:port`; a target we do not know is refused at once. */
  help(request: PingRequest, host: string, port: number, nowMs: number): void {
    const target = this.roster.get(request.targetId);
    const { self } = this.roster;
    if (target === undefined || target === self || this.relays.size >= RELAYS_MAX) {
      if (this.relays.size >= RELAYS_MAX) this.relaysDropped++;
      this.outbox.send(host, port, nack(request.sequence, self.id), false, request.sender.id);
      return;
    }
    const sequence = this.nextSequence();
    this.relays.set(sequence, {
      host,
      port,
      requesterSequence: request.sequence,
      targetId: target.id,
      nackMs: nowMs + nackAfterMs(request.budgetMs),
      deadlineMs: nowMs + request.budgetMs,
      nacked: false,
    });
    const message = ping(sequence, recordOf(target, nowMs), recordOf(self, nowMs));
    this.outbox.send(target.host, target.port, message, false, target.id);
  }

  /** The loop stood still: nothing under way says anything any more. Urgent probes start anew. */
  voidInFlight(nowMs: number, healthScore: number): void {
    const urgent = [...this.probes.values()].filter((probe) => probe.urgent);
    this.probes.clear();
    this.probeOf.clear();
    this.relays.clear();
    for (const { member } of urgent) this.launch(member, nowMs, healthScore, true);
  }

  private launch(member: Held, nowMs: number, healthScore: number, urgent: boolean, pings = 1): void {
    const { probeTimeoutMs, probeIntervalMs } = this.options;
    const running = this.probeOf.get(member.id);
    if (running !== undefined) {
      if (running.urgent || !urgent) return;
      this.end(running);
    }
    const directMs = scaledByHealth(directTimeoutMs(probeTimeoutMs, member.rttP99Ms, probeIntervalMs), healthScore);
    const wholeMs = urgent ? 2 * directMs : Math.max(scaledByHealth(probeIntervalMs, healthScore), 2 * directMs);
    const probe: Probe = {
      member,
      sequence: this.nextSequence(),
      startMs: nowMs,
      directDeadlineMs: nowMs + directMs,
      deadlineMs: nowMs + wholeMs,
      urgent,
      repeated: false,
      nextPingMs: pings > 1 ? nowMs + directMs / pings : Number.POSITIVE_INFINITY,
      pingEveryMs: directMs / pings,
      askedHelpers: false,
      helpers: new Set(),
    };
    this.probes.set(probe.sequence, probe);
    this.probeOf.set(member.id, probe);
    this.sendPing(probe, nowMs, false);
    // The datagram is a question about the link; the member answers by stream.
    if (member.udpBlocked) this.sendPing(probe, nowMs, true);
    this.sent++;
  }

  private tickProbes(nowMs: number): FailedProbe[] {
    let failures = NO_FAILURES;
    for (const probe of this.probes.values()) {
      if (isGone(probe.member.state)) this.end(probe);
      else if (nowMs >= probe.deadlineMs) {
        this.end(probe);
        if (probe.member.lastHeardMs > probe.startMs) continue;
        if (failures === NO_FAILURES) failures = [];
        failures.push({ member: probe.member, silentHelpers: this.silentHelpers(probe) });
      } else if (nowMs >= probe.directDeadlineMs) {
        if (!probe.askedHelpers) this.askHelpers(probe, nowMs);
      } else if (nowMs >= probe.nextPingMs) {
        probe.nextPingMs += probe.pingEveryMs;
        probe.repeated = true;
        this.sendPing(probe, nowMs, false);
      }
    }
    return failures;
  }

  /** A helper that is suspected by now was silent for a reason of its own. */
  private silentHelpers(probe: Probe): number {
    let silent = 0;
    for (const id of probe.helpers) if (this.roster.get(id)?.state === 'alive') silent++;
    return silent;
  }

  private askHelpers(probe: Probe, nowMs: number): void {
    probe.askedHelpers = true;
    const { indirectProbes, random } = this.options;
    const mayHelp = (member: Held) => member.state === 'alive' && member !== probe.member && !member.udpBlocked;
    const steady = this.roster.sample(indirectProbes, random, (other) => mayHelp(other) && !this.flaps.isOut(other.id));
    const helpers = steady.length > 0 ? steady : this.roster.sample(indirectProbes, random, mayHelp);
    const { self } = this.roster;
    const request = pingRequest(probe.sequence, probe.member.id, probe.deadlineMs - nowMs, recordOf(self, nowMs));
    for (const helper of helpers) {
      probe.helpers.add(helper.id);
      this.outbox.send(helper.host, helper.port, request, false, helper.id);
    }
    this.sendPing(probe, nowMs, true);
  }

  private sendPing(probe: Probe, nowMs: number, viaStream: boolean): void {
    const { member, sequence } = probe;
    const message = ping(sequence, recordOf(member, nowMs), recordOf(this.roster.self, nowMs));
    this.outbox.send(member.host, member.port, message, viaStream, member.id);
  }

  private tickRelays(nowMs: number): void {
    for (const [sequence, relay] of this.relays) {
      if (nowMs >= relay.deadlineMs) this.relays.delete(sequence);
      else if (nowMs >= relay.nackMs && !relay.nacked) {
        relay.nacked = true;
        const message = nack(relay.requesterSequence, this.roster.self.id);
        this.outbox.send(relay.host, relay.port, message, false, null);
      }
    }
  }

  /** The next live member of the round; a new round is shuffled when one ends. */
  private nextTarget(): Held | null {
    for (let rounds = 0; rounds < 2; rounds++) {
      for (let id = this.round.pop(); id !== undefined; id = this.round.pop()) {
        const member = this.roster.get(id);
        if (member !== undefined && this.isTarget(member)) return member;
      }
      const targets = this.roster.members().filter((member) => this.isTarget(member));
      this.round = this.options.random.shuffle(targets.map((member) => member.id));
    }
    return null;
  }

  private isTarget(member: Held): boolean {
    return member !== this.roster.self && !isGone(member.state);
  }

  private end(probe: Probe): void {
    this.probes.delete(probe.sequence);
    if (this.probeOf.get(probe.member.id) === probe) this.probeOf.delete(probe.member.id);
  }

  private nextSequence(): number {
    this.sequence = (this.sequence + 1) >>> 0;
    return this.sequence;
  }
}
