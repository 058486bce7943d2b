/**
 * The datagram: one encoder owns its budget of 1,200 bytes of payload, and one reader trusts none of it.
 * A packet is a header and sections:
 *
 *     0  u8 0x48   1 u8 version   2 u16 zero   4 u32 CRC-32 of the rest   8 cluster id (8 bytes)   16 sender's actor (6 bytes)
 *     22 u16 zero  24 sections: u8 kind, u8 zero, u16 length, body
 *
 * CONTROL: one control message. RECORDS: u32 message number of the link, u32 hash of the sender's ring, records end to end.
 * ACKS: what `replication/acks.ts` says.
 */
import { crc32 } from '../base/crc32.js';
import { readWord, writeWord } from '../record/record.js';

export const PACKET_BYTES_MAX = 1200;
export const PACKET_HEADER_BYTES = 24;
const SECTION_HEADER_BYTES = 4;
const MAGIC = 0x48;
export const WIRE_VERSION = 1;

export const SECTION_CONTROL = 1;
export const SECTION_RECORDS = 2;
export const SECTION_ACKS = 3;

/** The most that one section's body may hold. */
export const SECTION_BYTES_MAX = PACKET_BYTES_MAX - PACKET_HEADER_BYTES - SECTION_HEADER_BYTES;

/** Eight bytes that name the cluster and its fixed settings, as two words. */
export type ClusterId = readonly [number, number];

/** A packet being filled. Take its bytes once; then start another. */
export class PacketWriter {
  readonly bytes: Buffer = Buffer.allocUnsafe(PACKET_BYTES_MAX);
  length = PACKET_HEADER_BYTES;

  constructor(clusterId: ClusterId, actor: number) {
    this.bytes.fill(0, 0, PACKET_HEADER_BYTES);
    this.bytes[0] = MAGIC;
    this.bytes[1] = WIRE_VERSION;
    writeWord(this.bytes, 8, clusterId[0]);
    writeWord(this.bytes, 12, clusterId[1]);
    this.bytes.writeUIntLE(actor, 16, 6);
  }

  get empty(): boolean {
    return this.length === PACKET_HEADER_BYTES;
  }

  /** Bytes of body that still fit in one more section. */
  get room(): number {
    return PACKET_BYTES_MAX - this.length - SECTION_HEADER_BYTES;
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

  /** Seals the packet and gives its bytes away. */
  take(): Buffer {
    writeWord(this.bytes, 4, crc32(this.bytes, 8, this.length));
    return this.bytes.subarray(0, this.length);
  }
}

/** Why a packet was not read. */
export type PacketRefusal = 'malformed' | 'foreign' | 'checksum' | 'version';

/** Walks the sections of a received packet without allocating. */
export class PacketReader {
  private bytes: Buffer = Buffer.alloc(0);
  private at = 0;
  /** The sender's actor. */
  actor = 0;
  kind = 0;
  bodyStart = 0;
  bodyEnd = 0;

  /** Checks the header and every section's length; null when the packet may be walked by `next`. */
  open(bytes: Buffer, clusterId: ClusterId): PacketRefusal | null {
    if (bytes.length < PACKET_HEADER_BYTES || bytes.length > PACKET_BYTES_MAX || bytes[0] !== MAGIC) return 'malformed';
    if (bytes[1] !== WIRE_VERSION) return 'version';
    if (readWord(bytes, 8) !== clusterId[0] || readWord(bytes, 12) !== clusterId[1]) return 'foreign';
    if (crc32(bytes, 8, bytes.length) !== readWord(bytes, 4)) return 'checksum';
    for (let at = PACKET_HEADER_BYTES; at !== bytes.length; ) {
      if (at + SECTION_HEADER_BYTES > bytes.length) return 'malformed';
      at += SECTION_HEADER_BYTES + bytes.readUInt16LE(at + 2);
      if (at > bytes.length) return 'malformed';
    }
    this.bytes = bytes;
    this.at = PACKET_HEADER_BYTES;
    this.actor = bytes.readUIntLE(16, 6);
    return null;
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
