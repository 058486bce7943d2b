/**
 * Requests between nodes and their answers, as bytes in REQUEST and RESPONSE frames: a command forwarded to an owner, a read of
 * a version, a wait for acknowledgements. The coordinator writes and reads them; nothing else knows the offsets.
 *
 * Request:  0 u32 id   4 u8 what   5 u8 protocol   6 u8 read level   7 u8 write level   8 u8 hops   9 u8[3] zero
 *           12 f64 the sender's clock (HLC)   20 u16 partition   22 u16 zero   24 f64 wall ms when it was sent   32 body by kind
 * Response: 0 u32 id   4 u8 status   5 u8[3] zero   8 f64 the sender's clock (HLC)   16 body by kind
 */

import type { Level } from '../commands/host.js';
import { recordActor, recordBytes, recordExpiryActor, recordExpiryHlc, recordHlc } from '../record/record.js';
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
/** READ: the answering node has none and cannot say that there is none: it evicted, or is catching up. */
export const STATUS_UNKNOWN = 3;
/** The request could not be carried out there. */
export const STATUS_REFUSED = 4;

const REQUEST_HEADER_BYTES = 32;
const RESPONSE_HEADER_BYTES = 16;
const LEVELS: readonly Level[] = ['one', 'quorum', 'all'];
/** Arguments that one forwarded command may have: more than the parser lets through is no command. */
const ARGS_MAX = 1_048_576;

/** A version of a record: that of its value and that of its expiry. All 0: no record. */
export interface Version {
  hlc: number;
  actor: number;
  expiryHlc: number;
  expiryActor: number;
}

export const NO_VERSION: Version = { hlc: 0, actor: 0, expiryHlc: 0, expiryActor: 0 };

export function versionOf(bytes: Buffer, offset: number): Version {
  return {
    hlc: recordHlc(bytes, offset),
    actor: recordActor(bytes, offset),
    expiryHlc: recordExpiryHlc(bytes, offset),
    expiryActor: recordExpiryActor(bytes, offset),
  };
}

/** In the order of merge: negative, 0 or positive. */
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
  bytes.writeDoubleLE(head.hlc, 12);
  bytes.writeUInt16LE(head.partition, 20);
  bytes.writeDoubleLE(head.sentMs, 24);
  return bytes;
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
    hops: body[8],
    hlc,
    sentMs: body.readDoubleLE(24),
    partition: body.readUInt16LE(20),
  };
}

/** FORWARD: u32 count, then each argument as u32 length and bytes. */
export function encodeForward(head: RequestHead, args: Args): Buffer {
  let size = 4;
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
  return bytes;
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

/** READ, VERSION and WANT: the version held by the asker (four f64), then the key. */
export function encodeKeyRequest(
  head: RequestHead,
  version: Version,
  key: Uint8Array,
  start: number,
  end: number,
): Buffer {
  const bytes = requestHead(head, 32 + end - start);
  writeVersion(bytes, REQUEST_HEADER_BYTES, version);
  bytes.set(key.subarray(start, end), REQUEST_HEADER_BYTES + 32);
  return bytes;
}

export interface KeyRequest {
  version: Version;
  keyStart: number;
}

export function readKeyRequest(body: Buffer): KeyRequest | null {
  if (body.length < REQUEST_HEADER_BYTES + 32) return null;
  const version = readVersion(body, REQUEST_HEADER_BYTES);
  return version === null ? null : { version, keyStart: REQUEST_HEADER_BYTES + 32 };
}

/** WAIT: u32 how many, u32 timeout in ms, f64 the coordinator's count of writes. */
export function encodeWait(head: RequestHead, count: number, timeoutMs: number, writes: number): Buffer {
  const bytes = requestHead(head, 16);
  bytes.writeUInt32LE(Math.min(count, 0xffffffff), REQUEST_HEADER_BYTES);
  bytes.writeUInt32LE(Math.min(timeoutMs, 0xffffffff), REQUEST_HEADER_BYTES + 4);
  bytes.writeDoubleLE(writes, REQUEST_HEADER_BYTES + 8);
  return bytes;
}

export function readWait(body: Buffer): { count: number; timeoutMs: number; writes: number } | null {
  if (body.length < REQUEST_HEADER_BYTES + 16) return null;
  return {
    count: body.readUInt32LE(REQUEST_HEADER_BYTES),
    timeoutMs: body.readUInt32LE(REQUEST_HEADER_BYTES + 4),
    writes: body.readDoubleLE(REQUEST_HEADER_BYTES + 8),
  };
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

/** Answer to FORWARD and WAIT: f64 coordinator's actor, f64 its count of writes, then the reply as RESP bytes. */
export function encodeReplyResponse(
  head: ResponseHead,
  coordinator: number,
  writes: number,
  reply: Uint8Array,
): Buffer {
  const bytes = responseHead(head, 16 + reply.length);
  bytes.writeDoubleLE(coordinator, RESPONSE_HEADER_BYTES);
  bytes.writeDoubleLE(writes, RESPONSE_HEADER_BYTES + 8);
  bytes.set(reply, RESPONSE_HEADER_BYTES + 16);
  return bytes;
}

export function readReplyResponse(body: Buffer): { coordinator: number; writes: number; replyStart: number } | null {
  if (body.length < RESPONSE_HEADER_BYTES + 16) return null;
  return {
    coordinator: body.readDoubleLE(RESPONSE_HEADER_BYTES),
    writes: body.readDoubleLE(RESPONSE_HEADER_BYTES + 8),
    replyStart: RESPONSE_HEADER_BYTES + 16,
  };
}

/** Answer to READ and VERSION: the version held there (four f64), u8 type (0: none), then the record when it is newer. */
export function encodeVersionResponse(
  head: ResponseHead,
  version: Version,
  type: number,
  record: Buffer | null,
  offset: number,
): Buffer {
  const length = record === null ? 0 : recordBytes(record, offset);
  const bytes = responseHead(head, 40 + length);
  writeVersion(bytes, RESPONSE_HEADER_BYTES, version);
  bytes[RESPONSE_HEADER_BYTES + 32] = type;
  if (record !== null) record.copy(bytes, RESPONSE_HEADER_BYTES + 40, offset, offset + length);
  return bytes;
}

export function readVersionResponse(body: Buffer): { version: Version; type: number; recordStart: number } | null {
  if (body.length < RESPONSE_HEADER_BYTES + 40) return null;
  const version = readVersion(body, RESPONSE_HEADER_BYTES);
  if (version === null) return null;
  return { version, type: body[RESPONSE_HEADER_BYTES + 32], recordStart: RESPONSE_HEADER_BYTES + 40 };
}

function writeVersion(bytes: Buffer, at: number, version: Version): void {
  bytes.writeDoubleLE(version.hlc, at);
  bytes.writeDoubleLE(version.actor, at + 8);
  bytes.writeDoubleLE(version.expiryHlc, at + 16);
  bytes.writeDoubleLE(version.expiryActor, at + 24);
}

function readVersion(bytes: Buffer, at: number): Version | null {
  const version = {
    hlc: bytes.readDoubleLE(at),
    actor: bytes.readDoubleLE(at + 8),
    expiryHlc: bytes.readDoubleLE(at + 16),
    expiryActor: bytes.readDoubleLE(at + 24),
  };
  const sound =
    Number.isSafeInteger(version.hlc) &&
    Number.isSafeInteger(version.actor) &&
    Number.isSafeInteger(version.expiryHlc) &&
    Number.isSafeInteger(version.expiryActor);
  return sound ? version : null;
}
