/**
 * Requests between nodes and their answers, as bytes in REQUEST and RESPONSE frames: a command forwarded to an owner, a wait for
 * acknowledgements. The coordinator writes and reads them; nothing else knows the offsets. Questions about one key: key-requests.ts.
 *
 * Request:  0 u32 id   4 u8 what   5 u8 protocol   6 u8 read level   7 u8 write level   8 u8 hops   9 u8 flags (1 strict, 2 session)   10 u8[2] zero
 *           12 f64 the sender's clock (HLC)   20 u16 partition   22 u16 zero   24 f64 wall ms when it was sent   32 u32 the sender's ring
 *           36 u32 zero   40 body by kind
 * Response: 0 u32 id   4 u8 status   5 u8[3] zero   8 f64 the sender's clock (HLC)   16 body by kind
 */

import type { Level, WaitWish } from '../commands/host.js';
import type { ReceiptFields } from '../commands/receipt.js';
import { SEEN_BYTES_MAX, SessionToken } from '../commands/session-token.js';
import { ALL_PARTITIONS, WriteMark } from '../commands/write-marks.js';
import {
  isMergeType,
  readWord,
  recordActor,
  recordExpiryActor,
  recordExpiryHlc,
  recordHlc,
  recordType,
} from '../record/record.js';
import { Args } from '../resp/args.js';
import { isOneReply } from '../resp/whole.js';

export const REQUEST_FORWARD = 1;
export const REQUEST_READ = 2;
export const REQUEST_VERSION = 3;
export const REQUEST_WAIT = 4;
export const REQUEST_WANT = 5;

export const STATUS_OK = 0;
/** READ: the answering node's record is newer and follows. */
export const STATUS_NEWER = 1;
/** READ: the answering node's record is older, or it has none and would know (definite). */
export const STATUS_OLDER = 2;
/** READ: the answering node has none and cannot say that there is none: it evicted, or owns the partition no more. */
export const STATUS_UNKNOWN = 3;
/** The request could not be carried out there. */
export const STATUS_REFUSED = 4;
/** The answering node goes by another ring, and has done nothing. */
export const STATUS_RING_DIFFERS = 5;
/**
 * READ: the answering node is catching up and may lack what it should have. It has none, or one that may be older than it should be; that
 * follows if it is newer.
 */
export const STATUS_BEHIND = 6;

/** Whether an owner has seen what a session has: not, its dots only, or all that is below the watermark as well. */
export const COVERS_NOTHING = 0;
export const COVERS_DOTS = 1;
export const COVERS_ALL = 2;
export type Cover = 0 | 1 | 2;

export const REQUEST_HEADER_BYTES = 40;
const RING_HASH_AT = 32;
export const RESPONSE_HEADER_BYTES = 16;
const LEVELS: readonly Level[] = ['one', 'quorum', 'all'];
/** Arguments that one forwarded command may have: more than the parser lets through is no command. */
const ARGS_MAX = 1_048_576;

/** A version of a record: that of its value and that of its expiry. All 0: no record. */
export interface Version {
  hlc: number;
  actor: number;
  expiryHlc: number;
  expiryActor: number;
  /** The record's checksum: two states of a merge type may differ and have one version. */
  crc: number;
  merges: boolean;
}

export const NO_VERSION: Version = { hlc: 0, actor: 0, expiryHlc: 0, expiryActor: 0, crc: 0, merges: false };

export function versionOf(bytes: Buffer, offset: number): Version {
  return {
    hlc: recordHlc(bytes, offset),
    actor: recordActor(bytes, offset),
    expiryHlc: recordExpiryHlc(bytes, offset),
    expiryActor: recordExpiryActor(bytes, offset),
    crc: readWord(bytes, offset),
    merges: isMergeType(recordType(bytes, offset)),
  };
}

/**
 * Whether a record of the left version may have something that one of the right version lacks. Where either merges by a rule of its
 * own, neither version need be the newer: each side may then add to the other.
 */
export function mayAdd(left: Version, right: Version): boolean {
  if (left.merges || right.merges) return left.hlc !== 0 && left.crc !== right.crc;
  return compareFullVersions(left, right) > 0;
}

/** In the order of merge of values that do not merge: negative, 0 or positive. */
export function compareFullVersions(left: Version, right: Version): number {
  return (
    left.hlc - right.hlc ||
    left.actor - right.actor ||
    left.expiryHlc - right.expiryHlc ||
    left.expiryActor - right.expiryActor
  );
}

export interface RequestHead {
  id: number;
  what: number;
  protocol: 2 | 3;
  readLevel: Level;
  writeLevel: Level;
  /** Stand-ins do not count. */
  strict: boolean;
  /** What a session has seen of the partition is in the body. */
  session: boolean;
  hops: number;
  hlc: number;
  /** The sender's wall clock, ms: a write that comes too late is not carried out. */
  sentMs: number;
  partition: number;
}

/** Zeros for the body. */
export function requestHead(head: RequestHead, bodyBytes: number): Buffer {
  const bytes = Buffer.alloc(REQUEST_HEADER_BYTES + bodyBytes);
  bytes.writeUInt32LE(head.id, 0);
  bytes[4] = head.what;
  bytes[5] = head.protocol;
  bytes[6] = LEVELS.indexOf(head.readLevel);
  bytes[7] = LEVELS.indexOf(head.writeLevel);
  bytes[8] = head.hops;
  bytes[9] = (head.strict ? 1 : 0) | (head.session ? 2 : 0);
  bytes.writeDoubleLE(head.hlc, 12);
  bytes.writeUInt16LE(head.partition, 20);
  bytes.writeDoubleLE(head.sentMs, 24);
  return bytes;
}

/** The ring that a request was routed by; written when it is sent, and again when it is sent once more. */
export function stampRing(body: Buffer, ringHash: number): void {
  body.writeUInt32LE(ringHash, RING_HASH_AT);
}

/** Of a request that has a head. */
export function requestRingHash(body: Buffer): number {
  return body.readUInt32LE(RING_HASH_AT);
}

/** Null when the bytes are no request. */
export function readRequestHead(body: Buffer): RequestHead | null {
  if (body.length < REQUEST_HEADER_BYTES) return null;
  const hlc = body.readDoubleLE(12);
  const readLevel = LEVELS[body[6]];
  const writeLevel = LEVELS[body[7]];
  if (!Number.isFinite(body.readDoubleLE(24))) return null;
  if (!Number.isSafeInteger(hlc) || hlc < 0 || readLevel === undefined || writeLevel === undefined) return null;
  return {
    id: body.readUInt32LE(0),
    what: body[4],
    protocol: body[5] === 3 ? 3 : 2,
    readLevel,
    writeLevel,
    strict: (body[9] & 1) !== 0,
    session: (body[9] & 2) !== 0,
    hops: body[8],
    hlc,
    sentMs: body.readDoubleLE(24),
    partition: body.readUInt16LE(20),
  };
}

/** FORWARD: u32 count, then each argument as u32 length and bytes, then what a session has seen, if there is one. */
export function encodeForward(head: RequestHead, args: Args, session: SessionToken | null = null): Buffer {
  const seen = session === null ? null : session.encodeFor(head.partition);
  let size = 4 + (seen === null ? 0 : seen.length);
  for (let index = 0; index < args.count; index++) size += 4 + args.length(index);
  const bytes = requestHead(head, size);
  let at = REQUEST_HEADER_BYTES;
  bytes.writeUInt32LE(args.count, at);
  at += 4;
  for (let index = 0; index < args.count; index++) {
    bytes.writeUInt32LE(args.length(index), at);
    at += 4;
    at += args.buffer.copy(bytes, at, args.starts[index], args.ends[index]);
  }
  if (seen !== null) seen.copy(bytes, at);
  return bytes;
}

/** What a session has seen, behind the arguments that were read; null if it is malformed. */
export function readForwardSession(args: Args, partition: number): SessionToken | null {
  return SessionToken.parseFor(args.buffer, args.ends[args.count - 1], args.buffer.length, partition);
}

/** The arguments, over a copy of the bytes; null when they are malformed. */
export function readForwardArgs(body: Buffer): Args | null {
  if (body.length < REQUEST_HEADER_BYTES + 4) return null;
  const count = body.readUInt32LE(REQUEST_HEADER_BYTES);
  if (count === 0 || count > ARGS_MAX) return null;
  const args = new Args();
  args.buffer = Buffer.from(body);
  let at = REQUEST_HEADER_BYTES + 4;
  for (let index = 0; index < count; index++) {
    if (at + 4 > body.length) return null;
    const length = body.readUInt32LE(at);
    at += 4;
    if (length > body.length - at) return null;
    args.push(at, at + length);
    at += length;
  }
  return args;
}

/** Partitions in a WAIT: this many stand for all of them. */
const EVERY_PARTITION = 0xffff;
const WAIT_BYTES = 28;

/**
 * WAIT: u32 peers wanted, u32 timeout in ms, f64 and f64 the coordinator's counts at the first and the last write, u8 1 for copies on
 * disk, u8 1 for its own log too, u16 how many partitions, then each (u16).
 */
export function encodeWait(head: RequestHead, mark: WriteMark, wish: WaitWish): Buffer {
  const partitions = mark.coversAll ? [] : mark.partitions();
  const bytes = requestHead(head, WAIT_BYTES + partitions.length * 2);
  let at = bytes.writeUInt32LE(Math.min(wish.peers, 0xffffffff), REQUEST_HEADER_BYTES);
  at = bytes.writeUInt32LE(Math.min(wish.timeoutMs, 0xffffffff), at);
  at = bytes.writeDoubleLE(mark.first, at);
  at = bytes.writeDoubleLE(mark.last, at);
  bytes[at] = wish.durable ? 1 : 0;
  bytes[at + 1] = wish.local;
  at = bytes.writeUInt16LE(mark.coversAll ? EVERY_PARTITION : partitions.length, at + 2);
  for (const partition of partitions) at = bytes.writeUInt16LE(partition, at);
  return bytes;
}

/** `actor`: of this node, who is asked; `partitions`: how many there are. Null when the bytes are no WAIT. */
export function readWait(body: Buffer, actor: number, partitions: number): { mark: WriteMark; wish: WaitWish } | null {
  if (body.length < REQUEST_HEADER_BYTES + WAIT_BYTES) return null;
  const at = REQUEST_HEADER_BYTES;
  const first = body.readDoubleLE(at + 8);
  const last = body.readDoubleLE(at + 16);
  const count = body.readUInt16LE(at + 26);
  if (!Number.isSafeInteger(first) || !Number.isSafeInteger(last) || first < 0 || last < first) return null;
  const named: number[] = [];
  if (count === EVERY_PARTITION) named.push(ALL_PARTITIONS);
  else {
    if (count === 0 || count > partitions || body.length < at + WAIT_BYTES + count * 2) return null;
    for (let index = 0; index < count; index++) named.push(body.readUInt16LE(at + WAIT_BYTES + index * 2));
    if (named.some((partition) => partition >= partitions)) return null;
  }
  const mark = new WriteMark(actor, first, named[0]);
  for (const partition of named) mark.note(last, partition);
  const wish = {
    durable: body[at + 24] === 1,
    local: body[at + 25] === 1 ? 1 : 0,
    peers: body.readUInt32LE(at),
    timeoutMs: body.readUInt32LE(at + 4),
  };
  return { mark, wish };
}

export interface ResponseHead {
  id: number;
  status: number;
  hlc: number;
}

/** Zeros for the body. */
export function responseHead(head: ResponseHead, bodyBytes: number): Buffer {
  const bytes = Buffer.alloc(RESPONSE_HEADER_BYTES + bodyBytes);
  bytes.writeUInt32LE(head.id, 0);
  bytes[4] = head.status;
  bytes.writeDoubleLE(head.hlc, 8);
  return bytes;
}

export function readResponseHead(body: Buffer): ResponseHead | null {
  if (body.length < RESPONSE_HEADER_BYTES) return null;
  const hlc = body.readDoubleLE(8);
  if (!Number.isSafeInteger(hlc) || hlc < 0) return null;
  return { id: body.readUInt32LE(0), status: body[4], hlc };
}

/** Answer to a request for which nothing was done: it was routed by another ring, or refused. */
export function encodeNothingDone(
  id: number,
  status: typeof STATUS_RING_DIFFERS | typeof STATUS_REFUSED,
  hlc: number,
): Buffer {
  return responseHead({ id, status, hlc }, 0);
}

const REPLY_HEAD_BYTES = 50;
const NOTHING_SEEN = Buffer.alloc(0);
/** Of an answer to FORWARD, beside the reply. */
export const REPLY_OVERHEAD_BYTES_MAX = RESPONSE_HEADER_BYTES + REPLY_HEAD_BYTES + SEEN_BYTES_MAX;

/**
 * Answer to FORWARD and WAIT: f64 coordinator's actor, f64 its count of writes; what the reply rests on: u8 owners, u8 stand-ins,
 * u8 copies on disk, u8 1 if the level was met, u32 partition, f64 HLC, f64 actor, f64 sequence, u16 length of what a session has seen of
 * the partition by now; that, if there is one; then the reply as RESP bytes.
 */
export function encodeReplyResponse(
  head: ResponseHead,
  coordinator: number,
  writes: number,
  receipt: ReceiptFields,
  reply: Uint8Array,
  session: SessionToken | null = null,
): Buffer {
  const seen = session === null ? NOTHING_SEEN : session.encodeFor(receipt.partition);
  const bytes = responseHead(head, REPLY_HEAD_BYTES + seen.length + reply.length);
  let at = bytes.writeDoubleLE(coordinator, RESPONSE_HEADER_BYTES);
  at = bytes.writeDoubleLE(writes, at);
  bytes[at] = receipt.owners;
  bytes[at + 1] = receipt.fallbacks;
  bytes[at + 2] = receipt.synced;
  bytes[at + 3] = receipt.met ? 1 : 0;
  at = bytes.writeInt32LE(receipt.partition, at + 4);
  at = bytes.writeDoubleLE(receipt.hlc, at);
  at = bytes.writeDoubleLE(receipt.actor, at);
  at = bytes.writeDoubleLE(receipt.sequence, at);
  at = bytes.writeUInt16LE(seen.length, at);
  at += seen.copy(bytes, at);
  bytes.set(reply, at);
  return bytes;
}

export interface ReplyResponse {
  coordinator: number;
  writes: number;
  receipt: ReceiptFields;
  /** What the session that asked has seen of the partition, by this reply too; null without one. */
  session: SessionToken | null;
  replyStart: number;
}

export function readReplyResponse(body: Buffer): ReplyResponse | null {
  if (body.length < RESPONSE_HEADER_BYTES + REPLY_HEAD_BYTES) return null;
  const at = RESPONSE_HEADER_BYTES;
  const numbers = [0, 8, 24, 32, 40].map((offset) => body.readDoubleLE(at + offset));
  if (numbers.some((number) => !Number.isSafeInteger(number) || number < 0)) return null;
  const [coordinator, writes, hlc, actor, sequence] = numbers;
  const receipt = {
    owners: body[at + 16],
    fallbacks: body[at + 17],
    synced: body[at + 18],
    met: body[at + 19] === 1,
    partition: body.readInt32LE(at + 20),
    hlc,
    actor,
    sequence,
  };
  const seenStart = at + REPLY_HEAD_BYTES;
  const replyStart = seenStart + body.readUInt16LE(seenStart - 2);
  if (replyStart > body.length || !isOneReply(body, replyStart, body.length)) return null;
  if (replyStart === seenStart) return { coordinator, writes, receipt, session: null, replyStart };
  const session = SessionToken.parseFor(body, seenStart, replyStart, receipt.partition);
  return session === null ? null : { coordinator, writes, receipt, session, replyStart };
}
