/**
 * Whether bytes are one reply and nothing else. What another node answered for a client goes into that client's stream as it came: were
 * it half a reply, or one and a half, every later answer would be taken for another question's. Forwarding (core/replication) asks; an outbox asks where
 * a reply ends that it takes back.
 * Guarded: linear in the bytes, nothing is allocated, and nothing declared is believed beyond them.
 */
import { readInteger } from './integer.js';

const CR = 0x0d;
const LF = 0x0a;
/** No reply is shorter: `_`, or a simple string without text. */
const REPLY_BYTES_MIN = 3;

/** Whether `bytes[start, end)` is exactly one reply of RESP2 or RESP3. */
export function isOneReply(bytes: Buffer, start: number, end: number): boolean {
  return replyEnd(bytes, start, end) === end;
}

/** Where the first reply of `bytes[start, end)` ends, -1 if it does not. */
export function replyEnd(bytes: Buffer, start: number, end: number): number {
  let at = start;
  for (let missing = 1; missing > 0; missing--) {
    const line = lineEnd(bytes, at, end);
    if (line < 0) return -1;
    const kind = bytes[at];
    const count = declares(kind) ? readInteger(bytes, at + 1, line) : 0;
    if (!(count >= -1)) return -1;
    at = line + 2;
    if (isBulk(kind)) {
      if (count < 0) continue;
      if (count > end - at - 2 || bytes[at + count] !== CR || bytes[at + count + 1] !== LF) return -1;
      at += count + 2;
    } else if (count > 0) {
      missing += isPairs(kind) ? count * 2 : count;
      if ((missing - 1) * REPLY_BYTES_MIN > end - at) return -1;
    }
  }
  return at;
}

/** Where the line that begins at `at` ends, behind one byte at least; -1 if it is none. */
function lineEnd(bytes: Buffer, at: number, end: number): number {
  if (at >= end || !begins(bytes[at])) return -1;
  for (let position = at + 1; position + 1 < end; position++) {
    if (bytes[position] === LF) return -1;
    if (bytes[position] === CR) return bytes[position + 1] === LF ? position : -1;
  }
  return -1;
}

function begins(kind: number): boolean {
  return declares(kind) || kind === 0x2b || kind === 0x2d || kind === 0x3a || isRareScalar(kind);
}

/** Null, boolean, double, big number. */
function isRareScalar(kind: number): boolean {
  return kind === 0x5f || kind === 0x23 || kind === 0x2c || kind === 0x28;
}

function declares(kind: number): boolean {
  return isBulk(kind) || kind === 0x2a || kind === 0x7e || isPairs(kind);
}

/** `$`, `=` and `!`. */
function isBulk(kind: number): boolean {
  return kind === 0x24 || kind === 0x3d || kind === 0x21;
}

function isPairs(kind: number): boolean {
  return kind === 0x25;
}
