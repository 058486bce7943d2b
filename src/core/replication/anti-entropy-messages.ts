/**
 * The bytes of anti-entropy's frames: ROOTS, LEAVES and its end, LIST, WANT. anti-entropy.ts and trie.ts speak them; nothing else
 * knows the offsets. All little endian.
 *
 *     ROOTS   0 u32 ring hash   4 f64 HLC, 12 f64 actor of the flush   20 u16 count   22 u16 zero
 *             24 per partition: u16 partition, u8 flags, u8 zero, u32 low, u32 high of its root, u32 low, u32 high of its frontier,
 *             f64 floor
 *     LEAVES  0 u16 partition   2 u8[6] zero   8 256 x (u32 low, u32 high)
 *     its end 0 u16 0xffff   2 u16 zero   4 u32 1 if busy   8 u32, 12 u32, 16 u32, 20 u32, 24 u32, 28 u32 counts of the first six lists
 *             32 f64 HLC, 40 f64 actor of the flush   48 f64 the sender's log batch that holds everything so far   56 f64 its last durable one
 *             64 u16 each: partitions that the sender owns and is not ready for; that it hands over; that it is not ready for and holds, but
 *             for their newest writes; that wait for another round; that it did not
 *             compare; whose frontiers are equal and whose records are not; whose frontiers differ, so that a VECTOR of each follows
 *     LIST    0 u16 partition   2 u8 flags   3 u8 zero   4 per leaf: u16 leaf, u16 zero, u32 count, entries of 44 bytes:
 *             u32 low, u32 high of the key's hash, f64 HLC, u48 actor, f64 HLC and u48 actor of the expiry, u32 checksum,
 *             u8 1 if of a merge type, three zero
 *     WANT    0 u16 partition   2 u8 flags   3 u8 zero   4 u32 records that the sender adds   8 hashes: u32 low, u32 high
 */
import { recordExpireAtMs, recordKeyEnd, recordKeyStart } from '../record/record.js';
import type { Store } from '../store/store.js';
import { FLUSH_MARK_BYTES, type FlushMark, readFlushMark, writeFlushMark } from './flush-mark.js';
import { type Version, versionOf } from './requests.js';

export const LEAVES = 256;
export const ROOTS_HEADER_BYTES = 24;
export const ROOTS_FLUSH_AT = 4;
export const ROOT_BYTES = 28;
export const LIST_HEADER_BYTES = 4;
export const LEAF_HEADER_BYTES = 8;
export const ENTRY_BYTES = 44;
export const WANT_HEADER_BYTES = 8;
export const LEAVES_HEADER_BYTES = 8;
/** It has evicted: what is absent may be elsewhere. */
export const FLAG_LOSSY = 1;
/** The sender owns the partition and is not ready for it. */
export const FLAG_SYNCING = 2;
/** The asker holds the partition and does not own it. */
export const FLAG_FOREIGN = 4;
/** More of the same partition follows in another frame. */
export const FLAG_MORE = 8;
/** In ROOTS: the asker has compared its records of the partition with this peer's in the present lives of both. */
export const FLAG_COMPARED = 16;
/** In place of a partition in LEAVES: the end. */
export const END = 0xffff;
/** Lists of partitions that an end counts; one more takes what is left. */
const END_LISTS = 6;
const END_FLUSH_AT = 8 + END_LISTS * 4;
const END_BATCHES_AT = END_FLUSH_AT + FLUSH_MARK_BYTES;
const END_HEADER_BYTES = END_BATCHES_AT + 16;

/** One leaf of a LIST: its head, then an entry for each record that does not expire by `untilMs`. */
export function encodeLeaf(store: Store, partition: number, leaf: number, untilMs: number): Buffer {
  const head = Buffer.alloc(LEAF_HEADER_BYTES);
  const entries: Buffer[] = [head];
  store.visitLeaf(partition, leaf, (bytes, offset) => {
    const expireAtMs = recordExpireAtMs(bytes, offset);
    if (expireAtMs !== 0 && expireAtMs <= untilMs) return;
    const entry = Buffer.alloc(ENTRY_BYTES);
    store.hasher.hash(bytes, recordKeyStart(bytes, offset), recordKeyEnd(bytes, offset));
    entry.writeUInt32LE(store.hasher.low, 0);
    entry.writeUInt32LE(store.hasher.high, 4);
    const version = versionOf(bytes, offset);
    entry.writeDoubleLE(version.hlc, 8);
    entry.writeUIntLE(version.actor, 16, 6);
    entry.writeDoubleLE(version.expiryHlc, 22);
    entry.writeUIntLE(version.expiryActor, 30, 6);
    entry.writeUInt32LE(version.crc, 36);
    entry[40] = version.merges ? 1 : 0;
    entries.push(entry);
  });
  head.writeUInt16LE(leaf, 0);
  head.writeUInt32LE(entries.length - 1, 4);
  return Buffer.concat(entries);
}

/** What one says of its partitions at the end of what it compared, in the order of the lists. */
export interface RoundEnd {
  busy: boolean;
  /** The last flush that it knows. */
  flushed: FlushMark;
  /** The batch of its log that holds everything so far, and the last one that is durable. */
  lastBatch: number;
  durableBatch: number;
  unready: ReadonlySet<number>;
  handing: ReadonlySet<number>;
  holding: ReadonlySet<number>;
  remaining: ReadonlySet<number>;
  skipped: ReadonlySet<number>;
  doubted: ReadonlySet<number>;
  differing: ReadonlySet<number>;
}

/** What ends LEAVES. */
export function encodeEnd(said: RoundEnd): Buffer {
  const lists = [said.unready, said.handing, said.holding, said.remaining, said.skipped, said.doubted, said.differing];
  const partitions = lists.flatMap((list) => [...list]);
  const end = Buffer.alloc(END_HEADER_BYTES + partitions.length * 2);
  end.writeUInt16LE(END, 0);
  end.writeUInt32LE(said.busy ? 1 : 0, 4);
  for (let list = 0; list < END_LISTS; list++) end.writeUInt32LE(lists[list].size, 8 + list * 4);
  writeFlushMark(end, END_FLUSH_AT, said.flushed);
  end.writeDoubleLE(said.lastBatch, END_BATCHES_AT);
  end.writeDoubleLE(said.durableBatch, END_BATCHES_AT + 8);
  for (const [index, partition] of partitions.entries()) end.writeUInt16LE(partition, END_HEADER_BYTES + index * 2);
  return end;
}

/** Null when the bytes are no end of a round over `partitions` partitions. */
export function readEnd(body: Buffer, partitions: number): RoundEnd | null {
  if (body.length < END_HEADER_BYTES || body.length % 2 !== 0) return null;
  const flushed = readFlushMark(body, END_FLUSH_AT);
  if (flushed === null) return null;
  const lists = Array.from({ length: END_LISTS + 1 }, () => new Set<number>());
  let list = 0;
  let left = body.readUInt32LE(8);
  for (let at = END_HEADER_BYTES; at + 2 <= body.length; at += 2) {
    while (left === 0 && list < END_LISTS) {
      list++;
      left = list < END_LISTS ? body.readUInt32LE(8 + list * 4) : Number.POSITIVE_INFINITY;
    }
    const partition = body.readUInt16LE(at);
    if (partition >= partitions) return null;
    lists[list].add(partition);
    left--;
  }
  const lastBatch = body.readDoubleLE(END_BATCHES_AT);
  const durableBatch = body.readDoubleLE(END_BATCHES_AT + 8);
  if (!Number.isSafeInteger(lastBatch) || !Number.isSafeInteger(durableBatch)) return null;
  if (durableBatch < 0 || lastBatch < 0) return null;
  const busy = body.readUInt32LE(4) !== 0;
  const [unready, handing, holding, remaining, skipped, doubted, differing] = lists;
  return { busy, flushed, lastBatch, durableBatch, unready, handing, holding, remaining, skipped, doubted, differing };
}

export interface ListedEntry {
  low: number;
  high: number;
  version: Version;
  /** The reader has nothing of the key; it says otherwise when it has looked. */
  absent: boolean;
}

/** A 64-bit hash of a key as a map's key. */
export function entryName(low: number, high: number): string {
  return `${low}.${high}`;
}

/** Entries of one leaf by name; the caller has looked that they are all there. */
export function readEntries(body: Buffer, at: number, count: number): Map<string, ListedEntry> {
  const entries = new Map<string, ListedEntry>();
  for (let index = 0; index < count; index++) {
    const from = at + index * ENTRY_BYTES;
    const low = body.readUInt32LE(from);
    const high = body.readUInt32LE(from + 4);
    const version = {
      hlc: body.readDoubleLE(from + 8),
      actor: body.readUIntLE(from + 16, 6),
      expiryHlc: body.readDoubleLE(from + 22),
      expiryActor: body.readUIntLE(from + 30, 6),
      crc: body.readUInt32LE(from + 36),
      merges: body[from + 40] === 1,
    };
    entries.set(entryName(low, high), { low, high, version, absent: true });
  }
  return entries;
}
