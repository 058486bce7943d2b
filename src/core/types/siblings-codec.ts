/**
 * The bytes of a set of siblings inside a record, and of the context that clients carry. The store's merge and the commands
 * call these. Guarded: one encoding per set, so that digests agree; bytes from outside are null unless they are that
 * encoding: sorted, within bounds, whole.
 *
 * Version data, little endian; the record's value is the siblings' values, the last writer's first:
 *
 *     0  u64 base HLC   8  u64 base actor   16 u64 folded HLC   24 u16 chains   26 u16 siblings
 *     28 ... per chain    u48 actor, u48 birth, u48 through, u64 HLC                                  26 bytes
 *        ... per sibling  u48 actor, u48 sequence, u64 HLC, u48 expiry ms, u64 expiry HLC, u32 length  38 bytes
 *
 * A context is base64url text of: u8 version, u32 check, u32 key's hash, then base, folded HLC, chains as above.
 */
import type { Hasher } from '../base/hash.js';
import type { DotVisitor } from '../record/dots.js';
import { readHlc, readWord, writeHlc, writeWord } from '../record/record.js';
import type { Chain, Cover } from './cover.js';
import type { Sibling, SiblingSet } from './siblings.js';

/** Of the version data, ahead of the chains. */
export const COVER_HEAD_BYTES = 28;
export const CHAIN_BYTES = 26;
const SIBLING_BYTES = 38;
/** Beyond what writes allow, because merges join what several nodes allowed. */
export const SIBLINGS_DECODED_MAX = 1000;
export const CHAINS_DECODED_MAX = 1000;
export const SIBLINGS_VERSION_BYTES_MAX =
  COVER_HEAD_BYTES + CHAINS_DECODED_MAX * CHAIN_BYTES + SIBLINGS_DECODED_MAX * SIBLING_BYTES;

const CONTEXT_VERSION = 1;
const CONTEXT_HEADER_BYTES = 9;
const CONTEXT_BYTES_MAX = CONTEXT_HEADER_BYTES + COVER_HEAD_BYTES + CHAINS_DECODED_MAX * CHAIN_BYTES;
/** Longest context text there is. */
export const CONTEXT_TEXT_MAX = Math.ceil((CONTEXT_BYTES_MAX * 4) / 3);

export interface EncodedSet {
  readonly version: Buffer;
  readonly value: Buffer;
}

export function encodeSet(set: SiblingSet): EncodedSet {
  const { chains, siblings } = set;
  const version = Buffer.alloc(COVER_HEAD_BYTES + chains.length * CHAIN_BYTES + siblings.length * SIBLING_BYTES);
  let at = writeCover(version, 0, set, siblings.length);
  for (const { actor, sequence, hlc, expireAtMs, expiryHlc, value } of siblings) {
    version.writeUIntLE(actor, at, 6);
    version.writeUIntLE(sequence, at + 6, 6);
    writeHlc(version, at + 12, hlc);
    version.writeUIntLE(expireAtMs, at + 20, 6);
    writeHlc(version, at + 26, expiryHlc);
    writeWord(version, at + 34, value.length);
    at += SIBLING_BYTES;
  }
  return {
    version,
    value: siblings.length === 1 ? siblings[0].value : Buffer.concat(siblings.map((one) => one.value)),
  };
}

/**
 * Reads the set whose version data is `bytes[start, end)` and whose values are `bytes[valueStart, valueEnd)`; null if it is not
 * in its one form. The values are views: they stand as long as `bytes` does.
 */
export function decodeSet(
  bytes: Buffer,
  start: number,
  end: number,
  valueStart: number,
  valueEnd: number,
): SiblingSet | null {
  const cover = readCover(bytes, start, end);
  if (cover === null) return null;
  const count = bytes.readUInt16LE(start + 26);
  let at = start + COVER_HEAD_BYTES + cover.chains.length * CHAIN_BYTES;
  if (count > SIBLINGS_DECODED_MAX || end - at !== count * SIBLING_BYTES) return null;
  const siblings: Sibling[] = [];
  let from = valueStart;
  for (let index = 0; index < count; index++, at += SIBLING_BYTES) {
    const length = readWord(bytes, at + 34);
    if (length > valueEnd - from || !isStamp(bytes, at + 12) || !isStamp(bytes, at + 26)) return null;
    const sibling = {
      actor: bytes.readUIntLE(at, 6),
      sequence: bytes.readUIntLE(at + 6, 6),
      hlc: readHlc(bytes, at + 12),
      expireAtMs: bytes.readUIntLE(at + 20, 6),
      expiryHlc: readHlc(bytes, at + 26),
      value: bytes.subarray(from, from + length),
    };
    const before = siblings.at(-1);
    if (before !== undefined && !isBefore(before, sibling)) return null;
    siblings.push(sibling);
    from += length;
  }
  return from === valueEnd ? { ...cover, siblings } : null;
}

/** Visits the last dot of each chain of version data that was decoded once: what a frontier has to know. */
export function forEachChain(bytes: Buffer, start: number, visit: DotVisitor): void {
  const count = bytes.readUInt16LE(start + 24);
  for (let index = 0, at = start + COVER_HEAD_BYTES; index < count; index++, at += CHAIN_BYTES) {
    visit(bytes.readUIntLE(at, 6), bytes.readUIntLE(at + 12, 6), readHlc(bytes, at + 18));
  }
}

/** The stamp of the latest expiry, of version data that was decoded once, that did not come with its value; 0 if there is none. */
export function latestChangedExpiry(bytes: Buffer, start: number): number {
  const count = bytes.readUInt16LE(start + 26);
  let at = start + COVER_HEAD_BYTES + bytes.readUInt16LE(start + 24) * CHAIN_BYTES;
  let latest = 0;
  for (let index = 0; index < count; index++, at += SIBLING_BYTES) {
    const expiryHlc = readHlc(bytes, at + 26);
    if (expiryHlc > latest && expiryHlc !== readHlc(bytes, at + 12)) latest = expiryHlc;
  }
  return latest;
}

/** The text of a context. `keyHash`: the key's, by the same hasher. */
export function encodeContext(hasher: Hasher, keyHash: number, cover: Cover): string {
  const bytes = Buffer.alloc(CONTEXT_HEADER_BYTES + COVER_HEAD_BYTES + cover.chains.length * CHAIN_BYTES);
  bytes[0] = CONTEXT_VERSION;
  writeWord(bytes, 5, keyHash);
  writeCover(bytes, CONTEXT_HEADER_BYTES, cover, 0);
  writeWord(bytes, 1, hasher.hash(bytes, 5, bytes.length));
  return bytes.toString('base64url');
}

/** The cover that a context's text holds; why not, if it holds none. */
export function decodeContext(
  hasher: Hasher,
  keyHash: number,
  text: Buffer,
  start: number,
  end: number,
): Cover | 'malformed' | 'otherKey' {
  if (end - start > CONTEXT_TEXT_MAX) return 'malformed';
  const bytes = Buffer.from(text.latin1Slice(start, end), 'base64url');
  if (bytes.length < CONTEXT_HEADER_BYTES + COVER_HEAD_BYTES || bytes[0] !== CONTEXT_VERSION) return 'malformed';
  if (readWord(bytes, 1) !== hasher.hash(bytes, 5, bytes.length)) return 'malformed';
  if (readWord(bytes, 5) !== keyHash) return 'otherKey';
  const cover = readCover(bytes, CONTEXT_HEADER_BYTES, bytes.length);
  const bytesOfCover = COVER_HEAD_BYTES + (cover?.chains.length ?? 0) * CHAIN_BYTES;
  return cover === null || bytes.length !== CONTEXT_HEADER_BYTES + bytesOfCover ? 'malformed' : cover;
}

export function writeCover(bytes: Buffer, start: number, cover: Cover, siblings: number): number {
  writeHlc(bytes, start, cover.baseHlc);
  writeHlc(bytes, start + 8, cover.baseActor);
  writeHlc(bytes, start + 16, cover.foldedHlc);
  bytes.writeUInt16LE(cover.chains.length, start + 24);
  bytes.writeUInt16LE(siblings, start + 26);
  let at = start + COVER_HEAD_BYTES;
  for (const { actor, birth, through, hlc } of cover.chains) {
    bytes.writeUIntLE(actor, at, 6);
    bytes.writeUIntLE(birth, at + 6, 6);
    bytes.writeUIntLE(through, at + 12, 6);
    writeHlc(bytes, at + 18, hlc);
    at += CHAIN_BYTES;
  }
  return at;
}

export function readCover(bytes: Buffer, start: number, end: number): Cover | null {
  if (
    end - start < COVER_HEAD_BYTES ||
    readWord(bytes, start + 12) > 0xffff ||
    !isStamp(bytes, start) ||
    !isStamp(bytes, start + 16)
  )
    return null;
  const count = bytes.readUInt16LE(start + 24);
  if (count > CHAINS_DECODED_MAX || end - start < COVER_HEAD_BYTES + count * CHAIN_BYTES) return null;
  const foldedHlc = readHlc(bytes, start + 16);
  const chains: Chain[] = [];
  for (let index = 0, at = start + COVER_HEAD_BYTES; index < count; index++, at += CHAIN_BYTES) {
    if (!isStamp(bytes, at + 18)) return null;
    const chain = {
      actor: bytes.readUIntLE(at, 6),
      birth: bytes.readUIntLE(at + 6, 6),
      through: bytes.readUIntLE(at + 12, 6),
      hlc: readHlc(bytes, at + 18),
    };
    const before = chains.at(-1);
    const inOrder =
      before === undefined ||
      before.actor < chain.actor ||
      (before.actor === chain.actor && before.through < chain.birth);
    if (!inOrder || chain.birth > chain.through || chain.hlc <= foldedHlc) return null;
    chains.push(chain);
  }
  return { baseHlc: readHlc(bytes, start), baseActor: readHlc(bytes, start + 8), foldedHlc, chains };
}

/** An HLC is a safe integer: its high word has 21 bits. */
function isStamp(bytes: Buffer, at: number): boolean {
  return readWord(bytes, at + 4) <= 0x1fffff;
}

function isBefore(left: Sibling, right: Sibling): boolean {
  if (left.hlc !== right.hlc) return left.hlc > right.hlc;
  return left.actor !== right.actor ? left.actor > right.actor : left.sequence > right.sequence;
}
