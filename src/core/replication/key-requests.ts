/**
 * Questions about one key and their answers, as bytes in REQUEST and RESPONSE frames: which version is held, and the record where it is
 * newer. The reads ask, the request desk answers; nothing else knows the offsets. Both sides say which flush they know, so that neither
 * takes for standing what the other knows to be flushed. Guarded: what is no question or no answer is read as null.
 *
 * Body of a request (READ, VERSION, WANT):  0 version held by the asker   40 its flush   56 for a session u16 length and what it has
 *                                           seen; then the key
 * Body of an answer (READ, VERSION):        0 version held there   40 u8 type (0: none)   41 u8 cover   42 u8 1 if it may lack its tail
 *                                           43 u8[5] zero   48 f64 floor
 *                                           56 its flush   72 the record where it is newer
 * Version: f64 HLC, f64 actor, f64 HLC and f64 actor of the expiry, u32 checksum, u8 1 if it is of a merge type, u8[3] zero
 */
import { SessionToken } from '../commands/session-token.js';
import { recordBytes } from '../record/record.js';
import { FLUSH_MARK_BYTES, type FlushMark, readFlushMark, writeFlushMark } from './flush-mark.js';
import {
  COVERS_ALL,
  type Cover,
  REQUEST_HEADER_BYTES,
  RESPONSE_HEADER_BYTES,
  type RequestHead,
  type ResponseHead,
  requestHead,
  responseHead,
  type Version,
} from './requests.js';

const VERSION_BYTES = 40;
const ASKED_FLUSH_AT = REQUEST_HEADER_BYTES + VERSION_BYTES;
const ASKED_BYTES = VERSION_BYTES + FLUSH_MARK_BYTES;
const ANSWER_AT = RESPONSE_HEADER_BYTES;
const ANSWER_BYTES = VERSION_BYTES + 16 + FLUSH_MARK_BYTES;

/** The version held by the asker, the flush it knows, for a session what it has seen, then the key. */
export function encodeKeyRequest(
  head: RequestHead,
  version: Version,
  flushed: FlushMark,
  key: Uint8Array,
  session: SessionToken | null = null,
): Buffer {
  const seen = session === null ? null : session.encodeFor(head.partition);
  const bytes = requestHead(head, ASKED_BYTES + (seen === null ? 0 : 2 + seen.length) + key.length);
  writeVersion(bytes, REQUEST_HEADER_BYTES, version);
  let at = writeFlushMark(bytes, ASKED_FLUSH_AT, flushed);
  if (seen !== null) {
    at = bytes.writeUInt16LE(seen.length, at);
    at += seen.copy(bytes, at);
  }
  bytes.set(key, at);
  return bytes;
}

export interface KeyRequest {
  version: Version;
  flushed: FlushMark;
  session: SessionToken | null;
  keyStart: number;
}

export function readKeyRequest(body: Buffer, head: RequestHead): KeyRequest | null {
  const start = REQUEST_HEADER_BYTES + ASKED_BYTES;
  if (body.length < start) return null;
  const version = readVersion(body, REQUEST_HEADER_BYTES);
  const flushed = readFlushMark(body, ASKED_FLUSH_AT);
  if (version === null || flushed === null) return null;
  if (!head.session) return { version, flushed, session: null, keyStart: start };
  if (body.length < start + 2) return null;
  const keyStart = start + 2 + body.readUInt16LE(start);
  if (keyStart > body.length) return null;
  const session = SessionToken.parseFor(body, start + 2, keyStart, head.partition);
  return session === null ? null : { version, flushed, session, keyStart };
}

export interface VersionAnswer {
  version: Version;
  type: number;
  /** The answering node's floor of the partition, if it has nothing of the key and has evicted nothing; 0 of what it does not hold. */
  floor: number;
  /** The last flush known there. */
  flushed: FlushMark;
  /** Whether it has seen what the session that asks has. */
  covers: Cover;
  /** Whether the copy there may have lost its newest writes: what is said of the key, or that there is none, counts for nothing. */
  isTorn: boolean;
}

/** `record`, at `offset`: where it is newer than what the asker has. */
export function encodeVersionResponse(
  head: ResponseHead,
  answer: VersionAnswer,
  record: Buffer | null,
  offset: number,
): Buffer {
  const length = record === null ? 0 : recordBytes(record, offset);
  const bytes = responseHead(head, ANSWER_BYTES + length);
  writeVersion(bytes, ANSWER_AT, answer.version);
  bytes[ANSWER_AT + 40] = answer.type;
  bytes[ANSWER_AT + 41] = answer.covers;
  bytes[ANSWER_AT + 42] = answer.isTorn ? 1 : 0;
  bytes.writeDoubleLE(answer.floor, ANSWER_AT + 48);
  writeFlushMark(bytes, ANSWER_AT + 56, answer.flushed);
  if (record !== null) record.copy(bytes, ANSWER_AT + ANSWER_BYTES, offset, offset + length);
  return bytes;
}

export interface VersionRead extends VersionAnswer {
  recordStart: number;
}

export function readVersionResponse(body: Buffer): VersionRead | null {
  if (body.length < ANSWER_AT + ANSWER_BYTES) return null;
  const version = readVersion(body, ANSWER_AT);
  const floor = body.readDoubleLE(ANSWER_AT + 48);
  const flushed = readFlushMark(body, ANSWER_AT + 56);
  if (version === null || flushed === null || !Number.isSafeInteger(floor) || floor < 0) return null;
  const covers = body[ANSWER_AT + 41];
  if (covers > COVERS_ALL) return null;
  const type = body[ANSWER_AT + 40];
  const isTorn = body[ANSWER_AT + 42] === 1;
  return { version, type, floor, flushed, covers: covers as Cover, isTorn, recordStart: ANSWER_AT + ANSWER_BYTES };
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
