/**
 * The control messages of membership: positional arrays `[kind, ...]`, which the gossip room packs into datagrams or sends by
 * stream. Builders here are the only writers and `decodeControl` the only reader; Membership handles what it returns.
 * Guarded: nothing from outside is used before its type and range were checked; what does not fit is null, and counted by
 * the caller. Elements past those known here are ignored, so that later versions may append.
 */
import { decodeRecord, encodeRecord, ID_LENGTH_MAX, isCount, isText, type MemberRecord, utf8Bytes } from './member.js';
import { MEMBER_STATES, type MemberState, rankOf } from './precedence.js';

export type ControlMessage = readonly unknown[];

/** Kinds of message. Append only. */
export const PING = 1;
export const ACK = 2;
export const PING_REQUEST = 3;
export const NACK = 4;
export const FORWARDED_ACK = 5;
export const UPDATE = 6;
export const PUSH_PULL_REQUEST = 7;
export const PUSH_PULL_REPLY = 8;

/** A probe. It names whom it is meant for, since an address may have found a new tenant, and how that one is held. */
export interface Ping {
  kind: typeof PING;
  sequence: number;
  targetId: string;
  targetActor: number;
  heldIncarnation: number;
  heldState: MemberState;
  sender: MemberRecord;
}

/** The answer to a ping, or one passed on by a helper. */
export interface Ack {
  kind: typeof ACK | typeof FORWARDED_ACK;
  sequence: number;
  /** What its sender goes by, and how far its system's clock is ahead of that while it is in doubt: 0 while it is not. */
  wallMs: number;
  jumpedMs: number;
  loopLagMs: number;
  sender: MemberRecord;
}

/** Asks a helper to probe in our stead; what is left of our time goes with it. */
export interface PingRequest {
  kind: typeof PING_REQUEST;
  sequence: number;
  targetId: string;
  budgetMs: number;
  sender: MemberRecord;
}

/** A helper lives, but has not heard from the target. */
export interface Nack {
  kind: typeof NACK;
  sequence: number;
  helperId: string;
}

/** News of one member. `accuser`: whose own probe failed, for a suspicion; else empty. */
export interface Update {
  kind: typeof UPDATE;
  accuser: string;
  record: MemberRecord;
}

/** The whole member list, by stream. */
export interface PushPull {
  kind: typeof PUSH_PULL_REQUEST | typeof PUSH_PULL_REPLY;
  sender: MemberRecord;
  records: MemberRecord[];
}

export type Control = Ping | Ack | PingRequest | Nack | Update | PushPull;

/** No message about one member is longer, in bytes as msgpack: it fits a datagram with whatever frames and seals it. */
export const GOSSIP_BYTES = 1_000;

const SEQUENCE_END = 2 ** 32;
const BUDGET_MS_MAX = 60_000;
const LIST_MAX = 4096;

export function ping(sequence: number, target: MemberRecord, sender: MemberRecord): ControlMessage {
  const { id, actor, incarnation, state } = target;
  return [PING, sequence, id, actor, incarnation, rankOf(state), encodeRecord(sender)];
}

export function ack(
  sequence: number,
  wallMs: number,
  loopLagMs: number,
  sender: MemberRecord,
  jumpedMs = 0,
): ControlMessage {
  return [ACK, sequence, wallMs, Math.round(loopLagMs), encodeRecord(sender), Math.round(jumpedMs)];
}

export function forwardedAck(sequence: number, answer: Ack): ControlMessage {
  const { wallMs, loopLagMs, sender, jumpedMs } = answer;
  return [FORWARDED_ACK, sequence, wallMs, loopLagMs, encodeRecord(sender), jumpedMs];
}

export function pingRequest(
  sequence: number,
  targetId: string,
  budgetMs: number,
  sender: MemberRecord,
): ControlMessage {
  return [PING_REQUEST, sequence, targetId, Math.max(1, Math.round(budgetMs)), encodeRecord(sender)];
}

export function nack(sequence: number, helperId: string): ControlMessage {
  return [NACK, sequence, helperId];
}

export function update(record: MemberRecord, accuser: string): ControlMessage {
  return [UPDATE, accuser, encodeRecord(record)];
}

export function pushPull(
  kind: PushPull['kind'],
  sender: MemberRecord,
  records: readonly MemberRecord[],
): ControlMessage {
  return [kind, encodeRecord(sender), records.map(encodeRecord)];
}

/** At most this many bytes as msgpack: strings as UTF-8, numbers as nine. */
export function messageBytesMax(message: ControlMessage): number {
  let bytes = 5;
  for (const element of message) {
    if (typeof element === 'string') bytes += 5 + utf8Bytes(element);
    else if (Array.isArray(element)) bytes += messageBytesMax(element);
    else bytes += 9;
  }
  return bytes;
}

/** A message from outside, or null if it is not one of ours. */
export function decodeControl(message: unknown): Control | null {
  if (!Array.isArray(message)) return null;
  const fields = message as unknown[];
  switch (fields[0]) {
    case PING:
      return decodePing(fields);
    case ACK:
    case FORWARDED_ACK:
      return decodeAck(fields[0], fields);
    case PING_REQUEST:
      return decodePingRequest(fields);
    case NACK:
      return decodeNack(fields);
    case UPDATE:
      return decodeUpdate(fields);
    case PUSH_PULL_REQUEST:
    case PUSH_PULL_REPLY:
      return decodePushPull(fields[0], fields);
    default:
      return null;
  }
}

function decodePing(fields: unknown[]): Ping | null {
  const [, sequence, targetId, targetActor, heldIncarnation, rank, from] = fields;
  const sender = decodeRecord(from);
  if (sender === null || !isCount(sequence, 0, SEQUENCE_END) || !isText(targetId, 1, ID_LENGTH_MAX)) return null;
  if (!isCount(targetActor, 1, 2 ** 48) || !isCount(heldIncarnation, 0, 2 ** 40)) return null;
  if (!isCount(rank, 0, MEMBER_STATES.length)) return null;
  return { kind: PING, sequence, targetId, targetActor, heldIncarnation, heldState: MEMBER_STATES[rank], sender };
}

function decodeAck(kind: Ack['kind'], fields: unknown[]): Ack | null {
  const [, sequence, wallMs, loopLagMs, from, jumpedMs] = fields;
  const sender = decodeRecord(from);
  if (sender === null || !isCount(sequence, 0, SEQUENCE_END)) return null;
  if (typeof wallMs !== 'number' || !Number.isFinite(wallMs)) return null;
  if (typeof jumpedMs !== 'number' || !Number.isFinite(jumpedMs)) return null;
  if (!isCount(loopLagMs, 0, 2 ** 40)) return null;
  return { kind, sequence, wallMs, jumpedMs, loopLagMs, sender };
}

function decodePingRequest(fields: unknown[]): PingRequest | null {
  const [, sequence, targetId, budgetMs, from] = fields;
  const sender = decodeRecord(from);
  if (sender === null || !isCount(sequence, 0, SEQUENCE_END) || !isText(targetId, 1, ID_LENGTH_MAX)) return null;
  if (!isCount(budgetMs, 1, BUDGET_MS_MAX + 1)) return null;
  return { kind: PING_REQUEST, sequence, targetId, budgetMs, sender };
}

function decodeNack(fields: unknown[]): Nack | null {
  const [, sequence, helperId] = fields;
  if (!isCount(sequence, 0, SEQUENCE_END) || !isText(helperId, 1, ID_LENGTH_MAX)) return null;
  return { kind: NACK, sequence, helperId };
}

function decodeUpdate(fields: unknown[]): Update | null {
  const [, accuser, about] = fields;
  const record = decodeRecord(about);
  if (record === null || !isText(accuser, 0, ID_LENGTH_MAX)) return null;
  return { kind: UPDATE, accuser, record };
}

function decodePushPull(kind: PushPull['kind'], fields: unknown[]): PushPull | null {
  const [, from, list] = fields;
  const sender = decodeRecord(from);
  if (sender === null || !Array.isArray(list) || list.length > LIST_MAX) return null;
  const records: MemberRecord[] = [];
  for (const element of list as unknown[]) {
    const record = decodeRecord(element);
    if (record === null) return null;
    records.push(record);
  }
  return { kind, sender, records };
}
