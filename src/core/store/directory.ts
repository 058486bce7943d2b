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
  COUNT,
  createTable,
  DEPTH,
  FIRST,
  hasRoom,
  insertSlot,
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

  /** Gives back memory of a table that is less than an eighth full. Its slots move: positions held are void. */
  shrink(table: Uint32Array): void {
    if (table[BITS] === BITS_MIN || table[COUNT] * 8 >= 2 ** table[BITS]) return;
    const bits = bitsFor(table[COUNT]);
    this.resize(table, bits, usualTail(bits));
  }

  private enlarge(table: Uint32Array): void {
    const depth = table[DEPTH];
    const first = table[FIRST];
    const last = lastHash(table);
    if (table[BITS] < BITS_SPLIT || depth === DEPTH_MAX) {
      this.resize(table, table[BITS] + 1, usualTail(table[BITS] + 1));
      return;
    }
    if (depth === this.depth) this.doubleReferences();
    const tail = usualTail(BITS_SPLIT);
    const middle = first + 2 ** (31 - depth);
    const left = rebuild(table, BITS_SPLIT, depth + 1, first, middle - 1, tail);
    const right = rebuild(table, BITS_SPLIT, depth + 1, middle, last, tail);
    this.place(left);
    this.place(right);
    this.bytes += left.byteLength + right.byteLength - table.byteLength;
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
