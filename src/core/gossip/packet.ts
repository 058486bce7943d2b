/**
 * The datagram: one encoder owns its budget of 1,200 bytes of payload, and one reader trusts none of it.
 * A packet is a header and sections, in the clear or sealed with the cluster's key:
 *
 *     0  u8 'H' in the clear, 'h' sealed   1 u8 version   2 u8 oldest, 3 u8 newest version that the sender speaks
 *     4  u32 CRC-32 of what follows it, xor the first word; sealed: the id of the key   8 cluster id (8 bytes)
 *     16 sender's actor (6 bytes)   22 counter (6 bytes; 0 in the clear)   28 actor it is meant for (6 bytes; 0: not known)
 *     34 u16 zero   36 sections: u8 kind, u8 zero, u16 length, body; sealed: their AES-256-GCM and its tag of 16 bytes
 *
 * CONTROL: one control message. RECORDS: u32 message number of the link, u32 hash of the sender's ring, records end to end.
 * ACKS: what `replication/acks.ts` says. PADDING: nothing.
 *
 * The nonce is bytes 16 to 28, actor and counter. An actor is drawn anew at every start and counts up by one with each packet it
 * seals, to whomever it goes, so no nonce is used twice with a key; the count begins at a random number, so that even two starts
 * that drew the same actor would hardly share one. The header is authenticated with the sections, the actor it is meant for too: what
 * was recorded on its way to one node counts for no other, nor for a later start of the same.
 */
import { assert } from '../base/assert.js';
import { crc32 } from '../base/crc32.js';
import type { Random } from '../base/random.js';
import { readWord, writeWord } from '../record/record.js';
import { type KeyRing, NONCE_BYTES, TAG_BYTES } from './key-ring.js';
import type { Refusal } from './refusals.js';
import { ReplayWindows } from './replay.js';

export const PACKET_BYTES_MAX = 1200;
export const PACKET_HEADER_BYTES = 36;
const SECTION_HEADER_BYTES = 4;
const MAGIC_CLEAR = 0x48;
const MAGIC_SEALED = 0x68;
/** Versions of the wire that a node speaks: it writes the newest. */
export interface WireRange {
  readonly oldest: number;
  readonly newest: number;
}
/** Those of this build. A word of the wire that is added, renumbered or read otherwise makes another version. */
export const WIRE: WireRange = { oldest: 4, newest: 4 };

/** Whether each of two nodes reads what the other writes, which is its newest, whatever else it could read: half an acquaintance is none. */
export function understands(own: WireRange, theirs: number): boolean {
  return theirs === own.newest;
}

const FIRST_COUNTER_MAX = 2 ** 47;
const ACTOR_AT = 16;
const COUNTER_AT = 22;
const TARGET_AT = 28;

export const SECTION_PADDING = 0;
export const SECTION_CONTROL = 1;
export const SECTION_RECORDS = 2;
export const SECTION_ACKS = 3;
/** The reader of a stream has come to FRAME_HEAR: its mark, u32. */
export const SECTION_HEARD = 4;

/** Sections end here, so that a seal has room behind them. */
const SECTIONS_END = PACKET_BYTES_MAX - TAG_BYTES;
/** The most that one section's body may hold. */
export const SECTION_BYTES_MAX = SECTIONS_END - PACKET_HEADER_BYTES - SECTION_HEADER_BYTES;

/** Eight bytes that name the cluster and its fixed settings, as two words. */
export type ClusterId = readonly [number, number];

/** Who sends: what all packets of one start of a node have in common. */
export class PacketSender {
  private counter: number;

  constructor(
    readonly clusterId: ClusterId,
    readonly actor: number,
    readonly ring: KeyRing | null,
    random: Random,
    readonly wire: WireRange = WIRE,
  ) {
    this.counter = ring === null ? 0 : 1 + Math.floor((random.actor() / 2 ** 48) * FIRST_COUNTER_MAX);
  }

  nextCounter(): number {
    return ++this.counter;
  }
}

/** A packet being filled. Take its bytes once; then start another. */
export class PacketWriter {
  readonly bytes: Buffer = Buffer.allocUnsafe(PACKET_BYTES_MAX);
  length = PACKET_HEADER_BYTES;
  /** Least bytes of the whole packet: it is padded up to these. */
  bytesMin = 0;

  /** `target`: the actor it is meant for, 0 if that is not known. */
  constructor(
    private readonly sender: PacketSender,
    target: number,
  ) {
    const { bytes } = this;
    bytes.fill(0, 0, PACKET_HEADER_BYTES);
    bytes[1] = sender.wire.newest;
    bytes[2] = sender.wire.oldest;
    bytes[3] = sender.wire.newest;
    writeWord(bytes, 8, sender.clusterId[0]);
    writeWord(bytes, 12, sender.clusterId[1]);
    bytes.writeUIntLE(sender.actor, ACTOR_AT, 6);
    bytes.writeUIntLE(target, TARGET_AT, 6);
  }

  get empty(): boolean {
    return this.length === PACKET_HEADER_BYTES;
  }

  /** Bytes of body that still fit in one more section. */
  get room(): number {
    return SECTIONS_END - this.length - SECTION_HEADER_BYTES;
  }

  /** Bytes that `take` will give. */
  get packetBytes(): number {
    return Math.max(this.length, this.bytesMin) + (this.sender.ring === null ? 0 : TAG_BYTES);
  }

  /** Adds a section whose body is `body[start, end)`; the caller has looked at `room`. */
  add(kind: number, body: Uint8Array, start: number, end: number): void {
    const at = this.length;
    const size = end - start;
    this.bytes[at] = kind;
    this.bytes[at + 1] = 0;
    this.bytes.writeUInt16LE(size, at + 2);
    this.bytes.set(body.subarray(start, end), at + SECTION_HEADER_BYTES);
    this.length = at + SECTION_HEADER_BYTES + size;
  }

  /** Seals the packet, or sums it up, and gives its bytes away. */
  take(): Buffer {
    if (this.length + SECTION_HEADER_BYTES <= this.bytesMin) this.pad();
    const { bytes, length, sender } = this;
    assert(length + (sender.ring === null ? 0 : TAG_BYTES) <= PACKET_BYTES_MAX, 'a sealed packet keeps its budget');
    if (sender.ring === null) {
      bytes[0] = MAGIC_CLEAR;
      writeWord(bytes, 4, crc32(bytes, 8, length) ^ readWord(bytes, 0));
      return bytes.subarray(0, length);
    }
    const key = sender.ring.sealing;
    bytes[0] = MAGIC_SEALED;
    writeWord(bytes, 4, key.secret.id);
    bytes.writeUIntLE(sender.nextCounter(), COUNTER_AT, 6);
    const nonce = bytes.subarray(ACTOR_AT, ACTOR_AT + NONCE_BYTES);
    key.datagrams.seal(nonce, bytes, 0, PACKET_HEADER_BYTES, length);
    return bytes.subarray(0, length + TAG_BYTES);
  }

  private pad(): void {
    const { bytes, length } = this;
    const size = Math.min(this.bytesMin, SECTIONS_END) - length - SECTION_HEADER_BYTES;
    bytes.fill(0, length, length + SECTION_HEADER_BYTES + size);
    bytes[length] = SECTION_PADDING;
    bytes.writeUInt16LE(size, length + 2);
    this.length = length + SECTION_HEADER_BYTES + size;
  }
}

/** Checks received packets and walks their sections; in the clear without allocating. */
export class PacketReader {
  /** Off only as a planted bug: a packet met before is read again. */
  checksReplay = true;
  /** Off only as a planted bug: a packet of any version is read. */
  checksVersion = true;
  readonly windows = new ReplayWindows();
  /** What the sections lie in: the packet itself, or its plain text. Lent until the next `open`. */
  bytes: Buffer = Buffer.alloc(0);
  /** The sender's actor, and the one that the packet is meant for: 0 if its sender did not know. */
  actor = 0;
  target = 0;
  /** Id of the key that sealed it; 0 in the clear. */
  keyId = 0;
  kind = 0;
  bodyStart = 0;
  bodyEnd = 0;
  private at = 0;

  constructor(
    private readonly clusterId: ClusterId,
    /** The actor that reads. */
    private readonly self: number,
    private readonly ring: KeyRing | null,
    private readonly wire: WireRange = WIRE,
  ) {}

  /** Checks header, seal or sum, and every section's length; null when the packet may be walked by `next`. */
  open(bytes: Buffer): Refusal | null {
    const sealed = bytes[0] === MAGIC_SEALED;
    if (bytes.length < PACKET_HEADER_BYTES || bytes.length > PACKET_BYTES_MAX) return 'malformed';
    if (!sealed && bytes[0] !== MAGIC_CLEAR) return 'malformed';
    if (this.checksVersion && !understands(this.wire, bytes[1])) return 'version';
    if (readWord(bytes, 8) !== this.clusterId[0] || readWord(bytes, 12) !== this.clusterId[1]) return 'foreign';
    const refusal = sealed ? this.unseal(bytes) : this.sum(bytes);
    if (refusal !== null) return refusal;
    this.actor = bytes.readUIntLE(ACTOR_AT, 6);
    this.target = bytes.readUIntLE(TARGET_AT, 6);
    return this.sectionsFit() ? null : 'malformed';
  }

  private sum(bytes: Buffer): Refusal | null {
    if (this.ring !== null) return 'unsealed';
    if ((crc32(bytes, 8, bytes.length) ^ readWord(bytes, 0)) >>> 0 !== readWord(bytes, 4)) return 'checksum';
    this.bytes = bytes;
    this.at = PACKET_HEADER_BYTES;
    this.keyId = 0;
    return null;
  }

  private unseal(bytes: Buffer): Refusal | null {
    if (this.ring === null) return 'sealed';
    if (bytes.length < PACKET_HEADER_BYTES + TAG_BYTES) return 'malformed';
    const keyId = readWord(bytes, 4);
    const key = this.ring.find(keyId);
    if (key === undefined) return 'wrong-key';
    const actor = bytes.readUIntLE(ACTOR_AT, 6);
    const counter = bytes.readUIntLE(COUNTER_AT, 6);
    if (this.checksReplay && (actor === this.self || !this.windows.isFresh(actor, counter))) return 'replayed';
    const nonce = bytes.subarray(ACTOR_AT, ACTOR_AT + NONCE_BYTES);
    const plain = key.datagrams.open(nonce, bytes, 0, PACKET_HEADER_BYTES, bytes.length);
    if (plain === null) return 'forged';
    this.windows.note(actor, counter);
    this.bytes = plain;
    this.at = 0;
    this.keyId = keyId;
    return null;
  }

  private sectionsFit(): boolean {
    const { bytes } = this;
    for (let at = this.at; at !== bytes.length; ) {
      if (at + SECTION_HEADER_BYTES > bytes.length) return false;
      at += SECTION_HEADER_BYTES + bytes.readUInt16LE(at + 2);
      if (at > bytes.length) return false;
    }
    return true;
  }

  /** Steps to the next section; false after the last. */
  next(): boolean {
    if (this.at >= this.bytes.length) return false;
    this.kind = this.bytes[this.at];
    this.bodyStart = this.at + SECTION_HEADER_BYTES;
    this.bodyEnd = this.bodyStart + this.bytes.readUInt16LE(this.at + 2);
    this.at = this.bodyEnd;
    return true;
  }
}
