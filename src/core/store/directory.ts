/**
 * The index of one partition: a directory of sub-tables by hash prefix, as in extendible hashing (Fagin et al., 1979).
 * Entries ask it for the table of a hash and insert through it; walks go from table to table in the order of hashes.
 * A table doubles up to 1,024 slots and then splits by the next bit of the hash; growth touches one table, and now and then
 * doubles the list of references. Guarded: every hash is covered by exactly one table, and `bytes` is what all take.
 */
import {
  BITS,
  BITS_MIN,
  BITS_SPLIT,
  bitsFor,
  bitsHolding,
  COUNT,
  createTable,
  DEPTH,
  FIRST,
  fillTable,
  hasRoom,
  insertSlot,
  mergeSlots,
  rebuild,
  tableWords,
  tailOf,
  usualTail,
} from './subtable.js';

/** References in a directory: 2^20. Past it tables double instead of splitting. */
const DEPTH_MAX = 20;
const REFERENCE_BYTES = 8;

/** Memory that one insertion may add: two tables for one, beside the doubling of a directory of `references`. */
export function growthBytes(references: number): number {
  return tableWords(BITS_SPLIT, usualTail(BITS_SPLIT)) * 4 + references * REFERENCE_BYTES;
}

export class Directory {
  /** A table of local depth d stands in 2^(depth - d) consecutive places. */
  tables: Uint32Array[] = [createTable(BITS_MIN, 0, 0, usualTail(BITS_MIN))];
  depth = 0;
  bytes = tableWords(BITS_MIN, usualTail(BITS_MIN)) * 4 + REFERENCE_BYTES;

  tableOf(hash: number): Uint32Array {
    return this.tables[(hash >>> 1) >>> (31 - this.depth)];
  }

  insert(hash: number, location: number): void {
    for (;;) {
      const table = this.tableOf(hash);
      if (!hasRoom(table)) this.enlarge(table);
      else if (insertSlot(table, hash, location)) return;
      else this.resize(table, table[BITS], tailOf(table) * 2);
    }
  }

  /**
   * Inserts `count` slots of `[hash, location]` in the order of hashes, whole tables at a time: one by one, in this order, they would pile
   * up at the low end of each table they go through.
   */
  insertSorted(slots: Uint32Array, count: number): void {
    for (let from = 0; from < count; ) {
      const table = this.tableOf(slots[from << 1]);
      const last = lastHash(table);
      let to = from + 1;
      while (to < count && slots[to << 1] <= last) to++;
      const list = mergeSlots(table, slots, from, to);
      this.bytes -= table.byteLength;
      this.build(list, 0, list.length >>> 1, table[FIRST], table[DEPTH]);
      from = to;
    }
  }

  /** Gives back memory of a table that is less than an eighth full. Its slots move: positions held are void. */
  shrink(table: Uint32Array): void {
    if (table[BITS] === BITS_MIN || table[COUNT] * 8 >= 2 ** table[BITS]) return;
    const bits = bitsFor(table[COUNT]);
    this.resize(table, bits, usualTail(bits));
  }

  /** Puts the tables of a sorted list in the place of the one that covered its range. */
  private build(list: Uint32Array, from: number, to: number, first: number, depth: number): void {
    const bits = bitsHolding(to - from);
    if (bits <= BITS_SPLIT || depth === DEPTH_MAX) {
      const table = fillTable(list, from, to, bits, depth, first, usualTail(bits));
      this.place(table);
      this.bytes += table.byteLength;
      return;
    }
    if (depth === this.depth) this.doubleReferences();
    const middle = first + 2 ** (31 - depth);
    let cut = from;
    while (cut < to && list[cut << 1] < middle) cut++;
    this.build(list, from, cut, first, depth + 1);
    this.build(list, cut, to, middle, depth + 1);
  }

  private enlarge(table: Uint32Array): void {
    if (table[BITS] < BITS_SPLIT || table[DEPTH] === DEPTH_MAX) {
      this.resize(table, table[BITS] + 1, usualTail(table[BITS] + 1));
      return;
    }
    const list = mergeSlots(table, table, 0, 0);
    this.bytes -= table.byteLength;
    this.build(list, 0, table[COUNT], table[FIRST], table[DEPTH]);
  }

  private resize(table: Uint32Array, bits: number, tail: number): void {
    const replacement = rebuild(table, bits, table[DEPTH], table[FIRST], lastHash(table), tail);
    this.place(replacement);
    this.bytes += replacement.byteLength - table.byteLength;
  }

  private place(table: Uint32Array): void {
    const from = (table[FIRST] >>> 1) >>> (31 - this.depth);
    this.tables.fill(table, from, from + 2 ** (this.depth - table[DEPTH]));
  }

  private doubleReferences(): void {
    const doubled: Uint32Array[] = [];
    for (const table of this.tables) doubled.push(table, table);
    this.bytes += this.tables.length * REFERENCE_BYTES;
    this.tables = doubled;
    this.depth++;
  }
}

/** The greatest hash a table covers. */
export function lastHash(table: Uint32Array): number {
  return table[FIRST] + 2 ** (32 - table[DEPTH]) - 1;
}
