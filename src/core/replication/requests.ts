/**
 * Requests between nodes and their answers, as bytes in REQUEST and RESPONSE frames: a command forwarded to an owner, a read of
 * a version, a wait for acknowledgements. The coordinator writes and reads them; nothing else knows the offsets.
 *
 * Request:  0 u32 id   4 u8 what   5 u8 protocol   6 u8 read level   7 u8 write level   8 u8 hops   9 u8 flags (1 strict, 2 session)   10 u8[2] zero
 *           12 f64 the sender's clock (HLC)   20 u16 partition   22 u16 zero   24 f64 wall ms when it was sent   32 u32 the sender's ring
 *           36 u32 zero   40 body by kind
 * Response: 0 u32 id   4 u8 status   5 u8[3] zero   8 f64 the sender's clock (HLC)   16 body by kind
 */

import type { Level, WaitWish } from '../commands/host.js';
import type { ReceiptFields } from '../commands/receipt.js';
import { SessionToken } from '../commands/session-token.js';
import { ALL_PARTITIONS, WriteMark } from '../commands/write-marks.js';
import {
  isMergeType,
  readWord,
  recordActor,
  recordBytes,
  recordExpiryActor,
  recordExpiryHlc,
  recordHlc,
  recordType,
} from '../record/record.js';
import { Args } from '../resp/args.js';

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
/** READ: the answering node has none and is catching up: it may lack what it should have. */
export const STATUS_BEHIND = 6;

/** Whether an owner has seen what a session has: not, its dots only, or all that is below the watermark as well. */
export const COVERS_NOTHING = 0;
export const COVERS_DOTS = 1;
export const COVERS_ALL = 2;
export type Cover = 0 | 1 | 2;

const REQUEST_HEADER_BYTES = 40;
const RING_HASH_AT = 32;
const RESPONSE_HEADER_BYTES = 16;
/** Bytes of a version on the wire: four f64, u32 checksum, u8 1 if it is of a merge type, three zero. */
const VERSION_BYTES = 40;
/** Of an answer about a version, before the record. */
const VERSION_ANSWER_BYTES = VERSION_BYTES + 16;
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

function requestHead(head: RequestHead, bodyBytes: number): Buffer {
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

/** READ, VERSION and WANT: the version held by the asker, for a session u16 and what it has seen, then the key. */
export function encodeKeyRequest(
  head: RequestHead,
  version: Version,
  key: Uint8Array,
  start: number,
  end: number,
  session: SessionToken | null = null,
): Buffer {
  const seen = session === null ? null : session.encodeFor(head.partition);
  const seenBytes = seen === null ? 0 : 2 + seen.length;
  const bytes = requestHead(head, VERSION_BYTES + seenBytes + end - start);
  writeVersion(bytes, REQUEST_HEADER_BYTES, version);
  if (seen !== null) {
    bytes.writeUInt16LE(seen.length, REQUEST_HEADER_BYTES + VERSION_BYTES);
    bytes.set(seen, REQUEST_HEADER_BYTES + VERSION_BYTES + 2);
  }
  bytes.set(key.subarray(start, end), REQUEST_HEADER_BYTES + VERSION_BYTES + seenBytes);
  return bytes;
}

export interface KeyRequest {
  version: Version;
  session: SessionToken | null;
  keyStart: number;
}

export function readKeyRequest(body: Buffer, head: RequestHead): KeyRequest | null {
  const start = REQUEST_HEADER_BYTES + VERSION_BYTES;
  if (body.length < start) return null;
  const version = readVersion(body, REQUEST_HEADER_BYTES);
  if (version === null) return null;
  if (!head.session) return { version, session: null, keyStart: start };
  if (body.length < start + 2) return null;
  const keyStart = start + 2 + body.readUInt16LE(start);
  if (keyStart > body.length) return null;
  const session = SessionToken.parseFor(body, start + 2, keyStart, head.partition);
  return session === null ? null : { version, session, keyStart };
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

function responseHead(head: ResponseHead, bodyBytes: number): Buffer {
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

const REPLY_HEAD_BYTES = 48;

/**
 * Answer to FORWARD and WAIT: f64 coordinator's actor, f64 its count of writes; what the reply rests on: u8 owners, u8 stand-ins,
 * u8 copies on disk, u8 1 if the level was met, u32 partition, f64 HLC, f64 actor, f64 sequence; then the reply as RESP bytes.
 */
export function encodeReplyResponse(
  head: ResponseHead,
  coordinator: number,
  writes: number,
  receipt: ReceiptFields,
  reply: Uint8Array,
): Buffer {
  const bytes = responseHead(head, REPLY_HEAD_BYTES + reply.length);
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
  bytes.set(reply, at);
  return bytes;
}

export interface ReplyResponse {
  coordinator: number;
  writes: number;
  receipt: ReceiptFields;
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
  return { coordinator, writes, receipt, replyStart: at + REPLY_HEAD_BYTES };
}

/**
 * Answer to READ and VERSION: the version held there, u8 type (0: none), u8 cover, f64 floor, then the record when it is newer.
 */
export function encodeVersionResponse(
  head: ResponseHead,
  version: Version,
  type: number,
  floor: number,
  record: Buffer | null,
  offset: number,
  covers: Cover = COVERS_NOTHING,
): Buffer {
  const length = record === null ? 0 : recordBytes(record, offset);
  const bytes = responseHead(head, VERSION_ANSWER_BYTES + length);
  writeVersion(bytes, RESPONSE_HEADER_BYTES, version);
  bytes[RESPONSE_HEADER_BYTES + VERSION_BYTES] = type;
  bytes[RESPONSE_HEADER_BYTES + VERSION_BYTES + 1] = covers;
  bytes.writeDoubleLE(floor, RESPONSE_HEADER_BYTES + VERSION_BYTES + 8);
  if (record !== null) record.copy(bytes, RESPONSE_HEADER_BYTES + VERSION_ANSWER_BYTES, offset, offset + length);
  return bytes;
}

export interface VersionAnswer {
  version: Version;
  type: number;
  /** The answering node's floor of the partition, if it has nothing of the key and has evicted nothing; 0 of what it does not hold. */
  floor: number;
  /** Whether it has seen what the session that asks has. */
  covers: Cover;
  recordStart: number;
}

export function readVersionResponse(body: Buffer): VersionAnswer | null {
  if (body.length < RESPONSE_HEADER_BYTES + VERSION_ANSWER_BYTES) return null;
  const version = readVersion(body, RESPONSE_HEADER_BYTES);
  const floor = body.readDoubleLE(RESPONSE_HEADER_BYTES + VERSION_BYTES + 8);
  if (version === null || !Number.isSafeInteger(floor) || floor < 0) return null;
  const type = body[RESPONSE_HEADER_BYTES + VERSION_BYTES];
  const covers = body[RESPONSE_HEADER_BYTES + VERSION_BYTES + 1];
  if (covers > COVERS_ALL) return null;
  return { version, type, floor, covers: covers as Cover, recordStart: RESPONSE_HEADER_BYTES + VERSION_ANSWER_BYTES };
}

function writeVersion(bytes: Buffer, at: number, version: Version): void {
  bytes.writeDoubleLE(version.hlc, at);
  bytes.writeDoubleLE(version.actor, at + 8);
  bytes.writeDoubleLE(version.expiryHlc, at + 16);
  bytes.writeDoubleLE(version.expiryActor, at + 24);
  bytes.writeUInt32LE(version.crc, at + 32);
  bytes[at + 36] = version.merges ? 1 : 0;
}

function readVersion(bytes: Buffer, at: number): Version | null {
  const version = {
    hlc: bytes.readDoubleLE(at),
    actor: bytes.readDoubleLE(at + 8),
    expiryHlc: bytes.readDoubleLE(at + 16),
    expiryActor: bytes.readDoubleLE(at + 24),
    crc: bytes.readUInt32LE(at + 32),
    merges: bytes[at + 36] === 1,
  };
  const sound =
    Number.isSafeInteger(version.hlc) &&
    Number.isSafeInteger(version.actor) &&
    Number.isSafeInteger(version.expiryHlc) &&
    Number.isSafeInteger(version.expiryActor);
  return sound ? version : null;
}
