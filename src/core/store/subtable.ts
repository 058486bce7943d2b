/**
 * One sub-table of the index: slots of [hash, location] in a Uint32Array, for one range of the hash. The directory holds
 * them; entries search and change them. A table is
 *
 *     [count, depth, bits, first]  [hash, location] x (2^bits + tail)
 *
 * and covers the hashes that share their top `depth` bits with `first`. The home slot is the next `bits` bits of the
 * hash, so homes follow the order of hashes; probing is linear and keeps slots sorted by hash. A miss therefore ends at
 * the first greater hash, a hash range is a run of slots, and a deletion shifts back without reordering: no entry ever
 * passes a cursor. Location 0 is an empty slot; the last slot is always empty and ends every probe, nothing wraps.
 * Forerunner: ordered hash tables (Amble and Knuth, 1974); robin hood hashing (Celis, 1986).
 */

export const COUNT = 0;
export const DEPTH = 1;
export const BITS = 2;
export const FIRST = 3;
/** Word of the first slot. */
export const SLOTS_AT = 4;

export const BITS_MIN = 3;
/** Tables of 1,024 slots split rather than double, so that growth touches at most 8 KiB at once. */
export const BITS_SPLIT = 10;

/** Slots behind the home slots, for what the last homes overflow: enough for any likely run of neighbours. */
export function usualTail(bits: number): number {
  return Math.min(2 ** bits, 32);
}

export function tailOf(table: Uint32Array): number {
  return (table.length - SLOTS_AT) / 2 - 2 ** table[BITS] - 1;
}

/** Words of a table, its last empty slot included. */
export function tableWords(bits: number, tail: number): number {
  return SLOTS_AT + 2 * (2 ** bits + tail + 1);
}

export function createTable(bits: number, depth: number, first: number, tail: number): Uint32Array {
  const table = new Uint32Array(tableWords(bits, tail));
  table[DEPTH] = depth;
  table[BITS] = bits;
  table[FIRST] = first;
  return table;
}

/** Word of the home slot of a hash. */
export function homeOf(table: Uint32Array, hash: number): number {
  return SLOTS_AT + (((hash << table[DEPTH]) >>> (32 - table[BITS])) << 1);
}

/** Word of the slot that holds this location, or 0. */
export function findLocation(table: Uint32Array, hash: number, location: number): number {
  let at = homeOf(table, hash);
  for (; table[at + 1] !== 0 && table[at] <= hash; at += 2) {
    if (table[at + 1] === location) return at;
  }
  return 0;
}

/** Word of the first slot whose hash is `hash` or greater; an empty slot when there is none in the cluster. */
export function seek(table: Uint32Array, hash: number): number {
  let at = homeOf(table, hash);
  while (table[at + 1] !== 0 && table[at] < hash) at += 2;
  return at;
}

/** True below three quarters full. */
export function hasRoom(table: Uint32Array): boolean {
  return table[COUNT] * 4 < 3 * 2 ** table[BITS];
}

/** Puts a slot in its order; false, with nothing changed, when the tail is full. */
export function insertSlot(table: Uint32Array, hash: number, location: number): boolean {
  let at = homeOf(table, hash);
  while (table[at + 1] !== 0 && table[at] <= hash) at += 2;
  let end = at;
  while (table[end + 1] !== 0) end += 2;
  if (end + 2 >= table.length) return false;
  for (; end > at; end -= 2) {
    table[end] = table[end - 2];
    table[end + 1] = table[end - 1];
  }
  table[at] = hash;
  table[at + 1] = location;
  table[COUNT]++;
  return true;
}

/** Takes a slot out; those behind it that are not at home move up by one. */
export function removeSlot(table: Uint32Array, at: number): void {
  let hole = at;
  for (let next = at + 2; table[next + 1] !== 0 && homeOf(table, table[next]) < next; next += 2) {
    table[hole] = table[next];
    table[hole + 1] = table[next + 1];
    hole = next;
  }
  table[hole] = 0;
  table[hole + 1] = 0;
  table[COUNT]--;
}

/** The fewest bits at which `count` entries fill at most half. */
export function bitsFor(count: number): number {
  let bits = BITS_MIN;
  while (count * 2 > 2 ** bits) bits++;
  return bits;
}

/** The fewest bits at which a table has room for one more than `count` entries. */
export function bitsHolding(count: number): number {
  let bits = BITS_MIN;
  while (count * 4 >= 3 * 2 ** bits) bits++;
  return bits;
}

/** The entries of a table and the sorted `slots[from, to)`, as one list in the order of hashes. */
export function mergeSlots(table: Uint32Array, slots: Uint32Array, from: number, to: number): Uint32Array {
  const list = new Uint32Array((table[COUNT] + to - from) << 1);
  let filled = 0;
  let next = from << 1;
  const put = (hash: number, location: number) => {
    list[filled++] = hash;
    list[filled++] = location;
  };
  for (let at = SLOTS_AT; table[COUNT] > 0 && at < table.length; at += 2) {
    if (table[at + 1] === 0) continue;
    for (; next < to << 1 && slots[next] < table[at]; next += 2) put(slots[next], slots[next + 1]);
    put(table[at], table[at + 1]);
  }
  for (; next < to << 1; next += 2) put(slots[next], slots[next + 1]);
  return list;
}

/** A table of 2^bits slots with the entries `list[from, to)`, sorted by hash, and a tail of `tail` or as much more as they take. */
export function fillTable(
  list: Uint32Array,
  from: number,
  to: number,
  bits: number,
  depth: number,
  first: number,
  tail: number,
): Uint32Array {
  const table = createTable(bits, depth, first, tail);
  let free = SLOTS_AT;
  for (let at = from << 1; at < to << 1; at += 2) {
    const home = Math.max(free, homeOf(table, list[at]));
    if (home + 2 >= table.length) return fillTable(list, from, to, bits, depth, first, tail * 2);
    table[home] = list[at];
    table[home + 1] = list[at + 1];
    free = home + 2;
  }
  table[COUNT] = to - from;
  return table;
}

/**
 * A table of 2^bits slots with those entries of `source` whose hash lies in [first, last], and a tail of `tail` or as much more
 * as they take.
 */
export function rebuild(
  source: Uint32Array,
  bits: number,
  depth: number,
  first: number,
  last: number,
  tail: number,
): Uint32Array {
  const table = createTable(bits, depth, first, tail);
  let free = SLOTS_AT;
  for (let at = SLOTS_AT; at < source.length; at += 2) {
    const hash = source[at];
    if (source[at + 1] === 0 || hash < first || hash > last) continue;
    const to = Math.max(free, homeOf(table, hash));
    if (to + 2 >= table.length) return rebuild(source, bits, depth, first, last, tail * 2);
    table[to] = hash;
    table[to + 1] = source[at + 1];
    table[COUNT]++;
    free = to + 2;
  }
  return table;
}
