/**
 * What a session has seen and written, as a value that a client carries from node to node: at most 64 dots (partition, actor, sequence
 * with its stamp), then a watermark. A read under it is answered only from an owner that has seen all of them in the key's partition
 * (Terry et al., "Session Guarantees for Weakly Consistent Replicated Data", 1994: read your writes, monotonic reads).
 *
 *     text: base64url of  0 u8 version   1 u8 dots   2 u16 zero   4 cluster (8 bytes)   12 f64 latest stamp   20 f64 watermark
 *     28 per dot: u16 partition, u48 actor, u48 sequence, f64 stamp; then u32 CRC-32 of all before
 *
 * Guarded: bounded in size; a dot stands for its actor's earlier ones in the partition; one that is left out for want of room raises
 * the watermark, so the token may ask for more than was seen, never for less. Text that was cut, changed or is another cluster's is
 * refused.
 */
import { crc32 } from '../base/crc32.js';

export const TOKEN_DOTS_MAX = 64;
const VERSION = 1;
const HEADER_BYTES = 28;
const DOT_BYTES = 22;
const CHECKSUM_BYTES = 4;
const CLUSTER_END = 12;
/** Text that holds the cluster. */
const CLUSTER_CHARACTERS = (CLUSTER_END * 4) / 3;
const PARTITIONS_MAX = 0x10000;
/** What concerns one partition takes at most so many. */
export const SEEN_BYTES_MAX = 9 + TOKEN_DOTS_MAX * (DOT_BYTES - 2);
const TOKEN_BYTES_MAX = HEADER_BYTES + TOKEN_DOTS_MAX * DOT_BYTES + CHECKSUM_BYTES;
/** Base64 takes four characters for three bytes. */
export const TOKEN_CHARACTERS_MAX = Math.ceil((TOKEN_BYTES_MAX * 4) / 3);

export interface TokenDot {
  readonly partition: number;
  readonly actor: number;
  sequence: number;
  hlc: number;
}

export class SessionToken {
  readonly dots: TokenDot[] = [];
  /** The latest stamp seen: later writes of the session are stamped above it. */
  hlc = 0;
  /** Something stamped at or below was seen and is not among the dots; 0: nothing. */
  watermark = 0;

  /** The session wrote or read this. A sequence of 0 is no write's. */
  note(partition: number, actor: number, sequence: number, hlc: number): void {
    if (hlc > this.hlc) this.hlc = hlc;
    if (sequence <= 0 || partition < 0) return;
    for (const dot of this.dots) {
      if (dot.actor !== actor || dot.partition !== partition) continue;
      if (sequence > dot.sequence) {
        dot.sequence = sequence;
        dot.hlc = Math.max(dot.hlc, hlc);
      }
      return;
    }
    if (this.dots.length >= TOKEN_DOTS_MAX) this.forgetOldest();
    this.dots.push({ partition, actor, sequence, hlc });
  }

  /** The session has seen what another node saw for it: dots as they are, and all below its watermark. */
  noteAll(seen: SessionToken): void {
    for (const dot of seen.dots) this.note(dot.partition, dot.actor, dot.sequence, dot.hlc);
    this.watermark = Math.max(this.watermark, seen.watermark);
  }

  /** The oldest dot is the likeliest to have reached every owner: its stamp becomes part of the watermark. */
  private forgetOldest(): void {
    let oldest = 0;
    for (let at = 1; at < this.dots.length; at++) if (this.dots[at].hlc < this.dots[oldest].hlc) oldest = at;
    this.watermark = Math.max(this.watermark, this.dots[oldest].hlc);
    this.dots.splice(oldest, 1);
  }

  /** `cluster`: 16 hexadecimal digits. */
  encode(cluster: string): string {
    const bytes = Buffer.alloc(HEADER_BYTES + this.dots.length * DOT_BYTES + CHECKSUM_BYTES);
    bytes[0] = VERSION;
    bytes[1] = this.dots.length;
    bytes.set(Buffer.from(cluster, 'hex').subarray(0, 8), 4);
    bytes.writeDoubleLE(this.hlc, 12);
    bytes.writeDoubleLE(this.watermark, 20);
    let at = HEADER_BYTES;
    for (const dot of this.dots) {
      at = bytes.writeUInt16LE(dot.partition, at);
      at = writeDot(bytes, at, dot);
    }
    bytes.writeUInt32LE(crc32(bytes, 0, at), at);
    return bytes.toString('base64url');
  }

  /** Null for what is no token of this cluster. */
  static parse(text: string, cluster: string, partitions: number): SessionToken | null {
    if (text.length > TOKEN_CHARACTERS_MAX || !/^[\w-]+$/.test(text)) return null;
    const bytes = Buffer.from(text, 'base64url');
    if (bytes.length < HEADER_BYTES + CHECKSUM_BYTES || bytes[0] !== VERSION || bytes[1] > TOKEN_DOTS_MAX) return null;
    const end = HEADER_BYTES + bytes[1] * DOT_BYTES;
    if (bytes.length !== end + CHECKSUM_BYTES || bytes.readUInt32LE(end) !== crc32(bytes, 0, end)) return null;
    if (bytes.toString('hex', 4, 12) !== cluster.toLowerCase()) return null;
    const token = new SessionToken();
    token.hlc = bytes.readDoubleLE(12);
    token.watermark = bytes.readDoubleLE(20);
    if (!isStamp(token.hlc) || !isStamp(token.watermark)) return null;
    for (let at = HEADER_BYTES; at < end; at += DOT_BYTES) {
      const dot = readDot(bytes, at + 2, bytes.readUInt16LE(at));
      if (dot === null || dot.partition >= partitions) return null;
      token.note(dot.partition, dot.actor, dot.sequence, dot.hlc);
    }
    return token;
  }

  /** What concerns one partition, for the node that is asked about it: f64 watermark, u8 dots, then each as in the token. */
  encodeFor(partition: number): Buffer {
    const dots = this.dots.filter((dot) => dot.partition === partition);
    const bytes = Buffer.alloc(9 + dots.length * (DOT_BYTES - 2));
    bytes.writeDoubleLE(this.watermark, 0);
    bytes[8] = dots.length;
    let at = 9;
    for (const dot of dots) at = writeDot(bytes, at, dot);
    return bytes;
  }

  /** What `encodeFor` wrote at `bytes[start, end)`; null when that is not what is there. */
  static parseFor(bytes: Buffer, start: number, end: number, partition: number): SessionToken | null {
    if (end - start < 9 || end - start !== 9 + bytes[start + 8] * (DOT_BYTES - 2)) return null;
    const token = new SessionToken();
    token.watermark = bytes.readDoubleLE(start);
    if (!isStamp(token.watermark) || bytes[start + 8] > TOKEN_DOTS_MAX) return null;
    for (let at = start + 9; at < end; at += DOT_BYTES - 2) {
      const dot = readDot(bytes, at, partition);
      if (dot === null) return null;
      token.note(partition, dot.actor, dot.sequence, dot.hlc);
    }
    return token;
  }
}

/** A token that has seen what both have; null unless both are tokens of one cluster. */
export function joinTokens(left: string, right: string): string | null {
  const cluster = clusterOf(left);
  const joined = SessionToken.parse(left, cluster, PARTITIONS_MAX);
  const other = SessionToken.parse(right, cluster, PARTITIONS_MAX);
  if (joined === null || other === null) return null;
  joined.noteAll(other);
  joined.hlc = Math.max(joined.hlc, other.hlc);
  return joined.encode(cluster);
}

function clusterOf(text: string): string {
  const bytes = Buffer.from(text.slice(0, CLUSTER_CHARACTERS), 'base64url');
  return bytes.length < CLUSTER_END ? '' : bytes.toString('hex', CLUSTER_END - 8, CLUSTER_END);
}

function writeDot(bytes: Buffer, at: number, dot: TokenDot): number {
  bytes.writeUIntLE(dot.actor, at, 6);
  bytes.writeUIntLE(dot.sequence, at + 6, 6);
  return bytes.writeDoubleLE(dot.hlc, at + 12);
}

function readDot(bytes: Buffer, at: number, partition: number): TokenDot | null {
  const hlc = bytes.readDoubleLE(at + 12);
  const sequence = bytes.readUIntLE(at + 6, 6);
  if (!isStamp(hlc) || sequence === 0) return null;
  return { partition, actor: bytes.readUIntLE(at, 6), sequence, hlc };
}

function isStamp(hlc: number): boolean {
  return Number.isSafeInteger(hlc) && hlc >= 0;
}
