/**
 * One member as this node sees it, and the record of it that travels. Rooms outside read `Member`; only the rooms of
 * membership write through `Held`. Links (round trips, clock offset) are measured here and never sent.
 * Guarded: identity is id, boot and incarnation; the address is a property, and may change with a newer record.
 */
import { median } from './formulas.js';
import { MEMBER_STATES, type MemberState, rankOf } from './precedence.js';

export interface Member {
  readonly id: string;
  /** Random id of this run of the process. */
  readonly actor: number;
  /** Starts of this id, counted durably; a dismissal counts as many more as may have been missed. */
  readonly boot: number;
  /** Raised by the member itself to refute. */
  readonly incarnation: number;
  readonly state: MemberState;
  /** Gossip address: datagrams and peer streams. */
  readonly host: string;
  readonly port: number;
  readonly respPort: number;
  readonly zone: string;
  readonly weight: number;
  /** Monotonic ms of this node's clock since when the state holds; for news from others, less its age on arrival. */
  readonly stateSinceMs: number;
  /** Since when it is steadily alive; of no meaning in another state. */
  readonly aliveSinceMs: number;
  /** Smoothed round trip of direct datagram probes; 0 before the first. */
  readonly rttMs: number;
  /** A decaying upper estimate of the round trip, near its 99th percentile. */
  readonly rttP99Ms: number;
  /** The peer's wall clock minus ours, ms, the median of the latest probes but the slow ones; null before the first. */
  readonly clockOffsetMs: number | null;
  /** By how much that may be wrong: half of the longest round trip it was taken from, ms. */
  readonly clockErrorMs: number;
  /**
   * Its system's wall clock minus ours, ms, by the latest probe that was not slow: the same while it goes by that, and else what it would
   * go by if its peers agreed. Null before the first.
   */
  readonly systemOffsetMs: number | null;
  /** How late the peer's ticks came, by its own word, ms. */
  readonly loopLagMs: number;
  /** Monotonic ms of the latest authentic traffic; -Infinity if none yet. */
  readonly lastHeardMs: number;
  /** Its probes are answered, but never straight back by datagram: what is meant for it goes by stream. */
  readonly udpBlocked: boolean;
}

/** A member as the rooms of membership hold it. */
export type Held = { -readonly [Field in keyof Member]: Member[Field] } & {
  /** The latest probes: what each showed of the peer's clock. */
  clocks: { offsetMs: number; rttMs: number; jumpedMs: number }[];
  /** When it was last told directly how it is held. */
  toldMs: number;
  /** Probes in a row that were answered another way than straight back by datagram. */
  datagramMisses: number;
  /** When the address that others say it has now was last asked. */
  claimMs: number;
};

/** The part of a member that travels. `ageMs`: how long the sender has held the state. */
export interface MemberRecord {
  id: string;
  actor: number;
  boot: number;
  incarnation: number;
  state: MemberState;
  host: string;
  port: number;
  respPort: number;
  zone: string;
  weight: number;
  ageMs: number;
}

/** In bytes of UTF-8, so that every message about a member fits one datagram. */
export const ID_LENGTH_MAX = 128;
const HOST_LENGTH_MAX = 255;
/**
 * Probes in a row answered only by stream or through helpers, after which a link counts as closed to datagrams. At a loss of 30 % each way
 * a ping or its ack is lost with p = 0.51; the first probe is one ping, each that follows at once `PINGS_AGAIN` of them, so an open link
 * is taken for closed once in p^(1 + 5 x 4) = 7e-7 probes: less than 1e-4 a minute.
 */
const DATAGRAM_MISSES_MAX = 6;
const ACTOR_END = 2 ** 48;
const COUNTER_END = 2 ** 40;
const WEIGHT_MAX = 1024;
const RECORD_FIELDS = 11;
const SMOOTHING = 0.125;
const P99_DECAY = 0.02;
const CLOCKS_KEPT = 5;
/** A round trip this much longer than the shortest of them, or twice as long, says little of a clock. */
const SLOWER_MS = 20;

export function holdRecord(record: MemberRecord, nowMs: number): Held {
  const since = nowMs - record.ageMs;
  return {
    id: record.id,
    actor: record.actor,
    boot: record.boot,
    incarnation: record.incarnation,
    state: record.state,
    host: record.host,
    port: record.port,
    respPort: record.respPort,
    zone: record.zone,
    weight: record.weight,
    stateSinceMs: since,
    aliveSinceMs: since,
    rttMs: 0,
    rttP99Ms: 0,
    clockOffsetMs: null,
    clockErrorMs: 0,
    systemOffsetMs: null,
    loopLagMs: 0,
    lastHeardMs: Number.NEGATIVE_INFINITY,
    udpBlocked: false,
    clocks: [],
    toldMs: Number.NEGATIVE_INFINITY,
    datagramMisses: 0,
    claimMs: Number.NEGATIVE_INFINITY,
  };
}

/** Takes a later record over. A new run of the process starts with no measurements. */
export function adoptRecord(held: Held, record: MemberRecord, nowMs: number): void {
  if (held.actor !== record.actor) {
    Object.assign(held, holdRecord(record, nowMs));
    return;
  }
  const since = nowMs - record.ageMs;
  if (record.state === 'alive') held.aliveSinceMs = since;
  held.stateSinceMs = since;
  held.boot = record.boot;
  held.incarnation = record.incarnation;
  held.state = record.state;
  held.host = record.host;
  held.port = record.port;
  held.respPort = record.respPort;
  held.zone = record.zone;
  held.weight = record.weight;
}

export function recordOf(member: Member, nowMs: number): MemberRecord {
  const { id, actor, boot, incarnation, state, host, port, respPort, zone, weight } = member;
  const ageMs = Math.max(0, Math.round(nowMs - member.stateSinceMs));
  return { id, actor, boot, incarnation, state, host, port, respPort, zone, weight, ageMs };
}

/** `[id, actor, boot, incarnation, state, host, port, respPort, zone, weight, ageMs]`; later versions append. */
export function encodeRecord(record: MemberRecord): readonly unknown[] {
  return [
    record.id,
    record.actor,
    record.boot,
    record.incarnation,
    rankOf(record.state),
    record.host,
    record.port,
    record.respPort,
    record.zone,
    record.weight,
    record.ageMs,
  ];
}

/** A record from outside, or null if any field is not what it must be. */
export function decodeRecord(value: unknown): MemberRecord | null {
  if (!Array.isArray(value) || value.length < RECORD_FIELDS) return null;
  const [id, actor, boot, incarnation, rank, host, port, respPort, zone, weight, ageMs] = value as unknown[];
  if (!isText(id, 1, ID_LENGTH_MAX) || !isText(host, 1, HOST_LENGTH_MAX) || !isText(zone, 0, ID_LENGTH_MAX))
    return null;
  if (!isCount(actor, 1, ACTOR_END) || !isCount(boot, 0, COUNTER_END) || !isCount(incarnation, 0, COUNTER_END))
    return null;
  if (!isCount(rank, 0, MEMBER_STATES.length) || !isCount(ageMs, 0, Number.MAX_SAFE_INTEGER)) return null;
  if (!isCount(port, 1, 0x10000) || !isCount(respPort, 0, 0x10000)) return null;
  if (typeof weight !== 'number' || !(weight > 0) || weight > WEIGHT_MAX) return null;
  return { id, actor, boot, incarnation, state: MEMBER_STATES[rank], host, port, respPort, zone, weight, ageMs };
}

/**
 * Notes one direct probe answered: round trip and, from the peer's wall clock in its middle, the offset of clocks. A stall on either side
 * lengthens one way alone and shifts the middle by half of it, so of the latest probes only those count that were about as quick as the
 * quickest (the clock filter of NTP, RFC 5905 section 10). `jumpedMs`: how far the peer's system is ahead of what it goes by. What was
 * measured before its doubt began or ended is let go: it may go by another clock since.
 */
export function noteRoundTrip(held: Held, rttMs: number, peerWallMs: number, wallMs: number, jumpedMs = 0): void {
  held.rttMs = held.rttMs === 0 ? rttMs : held.rttMs + SMOOTHING * (rttMs - held.rttMs);
  held.rttP99Ms = Math.max(rttMs, held.rttP99Ms + P99_DECAY * (rttMs - held.rttP99Ms));
  if ((held.clocks.at(-1)?.jumpedMs === 0) !== (jumpedMs === 0)) held.clocks = [];
  held.clocks.push({ offsetMs: peerWallMs - (wallMs - rttMs / 2), rttMs, jumpedMs });
  if (held.clocks.length > CLOCKS_KEPT) held.clocks.shift();
  const least = Math.min(...held.clocks.map((clock) => clock.rttMs));
  const quick = held.clocks.filter((clock) => clock.rttMs <= Math.max(2 * least, least + SLOWER_MS));
  held.clockOffsetMs = median(quick.map((clock) => clock.offsetMs));
  held.clockErrorMs = Math.max(...quick.map((clock) => clock.rttMs)) / 2;
  const [latest] = quick.slice(-1);
  held.systemOffsetMs = latest.offsetMs + latest.jumpedMs;
}

/** This node goes by another clock from now on, which is so far ahead of the one before. */
export function noteOwnClockMoved(held: Held, byMs: number): void {
  for (const clock of held.clocks) clock.offsetMs -= byMs;
  if (held.clockOffsetMs !== null) held.clockOffsetMs -= byMs;
  if (held.systemOffsetMs !== null) held.systemOffsetMs -= byMs;
}

/** An answer came straight back by datagram. True if that is news. */
export function noteDatagram(held: Held): boolean {
  held.datagramMisses = 0;
  if (!held.udpBlocked) return false;
  held.udpBlocked = false;
  return true;
}

/** An answer came, but not by datagram. True if the link counts as closed to datagrams from now on. */
export function noteDatagramMiss(held: Held): boolean {
  if (held.udpBlocked || ++held.datagramMisses < DATAGRAM_MISSES_MAX) return false;
  held.udpBlocked = true;
  return true;
}

/** Text whose length in bytes of UTF-8 lies within the bounds. */
export function isText(value: unknown, lengthMin: number, lengthMax: number): value is string {
  if (typeof value !== 'string' || value.length < lengthMin || value.length > lengthMax) return false;
  return utf8Bytes(value) <= lengthMax;
}

/** Bytes of a text as UTF-8; a surrogate counts three, so that a pair is never too few. */
export function utf8Bytes(text: string): number {
  let bytes = 0;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    bytes += unit < 0x80 ? 1 : unit < 0x800 ? 2 : 3;
  }
  return bytes;
}

/** An integer in [first, end). */
export function isCount(value: unknown, first: number, end: number): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= first && value < end;
}
