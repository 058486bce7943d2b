/**
 * The index of one partition: sorted tables of slots, found through a directory by hash prefix, as in extendible hashing (Fagin et al.,
 * 1979). Entries and overlays search, insert and remove through it; walks go from table to table in the order of hashes.
 * A table is a block of a slab (slabs.ts):
 *
 *     [count, depth and order, homes, first]  [hash, location] x slots
 *
 * and covers the hashes that share their top `depth` bits with `first`. Homes spread over all slots but the tail in the order of hashes;
 * probing is linear and keeps slots sorted by hash. A miss therefore ends at the first greater hash, a range of hashes is a run of
 * slots, and a removal shifts back without reordering: no entry ever passes a cursor. Location 0 is an empty slot; the last slot is
 * always empty and ends every probe, nothing wraps. Tables double up to 1,022 slots, then split by the next bit of the hash.
 * Guarded: every hash is covered by exactly one table; `slots` counts what all hold. What a lookup needs of a table stands in its
 * place in the directory, so that it touches the directory, one run of slots and nothing else.
 * Forerunners: ordered hash tables (Amble and Knuth, 1974), robin hood hashing (Celis, 1986).
 */
import { type Slabs, UNIT_WORDS } from './slabs.js';

const COUNT = 0;
const SHAPE = 1;
const HOMES = 2;
const FIRST = 3;
const HEADER_WORDS = 4;
/** Tables of this order, 8 KiB, split rather than double: growth touches no more at once. */
const ORDER_SPLIT = 6;
/** The directory has at most 2^20 places; past it tables double instead of splitting. */
const DEPTH_MAX = 20;
/** Words of a place: the table's address; its depth and its homes. */
const PLACE_WORDS = 2;
const HOMES_SHIFT = 5;
const DEPTH_MASK = 31;
const ORDER_SHIFT = 5;
/** Slots behind the homes, the empty one at the end among them: enough for any likely run of neighbours. */
const TAIL_MAX = 33;
const NOTHING = new Uint32Array(0);

/** By order, up to that of the largest slab. */
const SLOTS = Int32Array.from({ length: 20 }, (_, order) => (UNIT_WORDS * 2 ** order - HEADER_WORDS) / 2);
const ROOM = SLOTS.map((slots) => slots - Math.min(TAIL_MAX, Math.floor(slots * 0.4)));
/** No more than sixteen bits of a hash can tell apart. */
const HOMES_USUAL = ROOM.map((homes) => Math.min(homes, 0x10000));
/** Entries a table takes before it grows: four fifths of what is not tail. */
const ENTRIES_MAX = ROOM.map((room) => Math.floor(room * 0.8));

/** Which of `homes` slots a hash has its home at: its sixteen bits below the prefix, scaled. */
function homeIn(hash: number, depth: number, homes: number): number {
  return (((hash << depth) >>> 16) * homes) >>> 16;
}

/** Slots from the first home on that the entries of a sorted list take. */
function slotsTaken(list: Uint32Array, from: number, to: number, depth: number, homes: number): number {
  let free = 0;
  for (let at = from << 1; at < to << 1; at += 2) free = Math.max(free, homeIn(list[at], depth, homes)) + 1;
  return free;
}

/** The least order that takes `count` entries and one more. */
function orderFor(count: number): number {
  let order = 0;
  while (ENTRIES_MAX[order] <= count) order++;
  return order;
}

export class Directory {
  /** The slab of the table located last, and the first word of that table in it. Slots are words of the slab, never 0. */
  words: Uint32Array;
  private base = 0;
  private readonly slabs: Slabs;
  /** A table of depth d stands in 2^(depth - d) consecutive places. */
  private places = new Uint32Array(PLACE_WORDS);
  private depth = 0;
  private readonly single = new Uint32Array(2);

  constructor(slabs: Slabs) {
    this.slabs = slabs;
    this.words = this.create(0, 0, 0, HOMES_USUAL[0]);
  }

  /** Memory of the places; that of the tables is the slabs'. */
  get bytes(): number {
    return this.places.byteLength;
  }

  /** Memory that one insertion may add here and in the slabs. */
  get growthBytes(): number {
    return this.places.byteLength + this.slabs.growthBytes;
  }

  /** Home slot of a hash in its table, which `words` then holds. */
  homeOf(hash: number): number {
    const place = ((hash >>> 1) >>> (31 - this.depth)) * PLACE_WORDS;
    const address = this.places[place];
    const shape = this.places[place + 1];
    this.words = this.slabs.words[address >>> this.slabs.shift];
    this.base = (address & this.slabs.mask) * UNIT_WORDS;
    return this.base + HEADER_WORDS + homeIn(hash, shape & DEPTH_MASK, shape >>> HOMES_SHIFT) * 2;
  }

  /** The slot that holds this location, or 0. */
  findLocation(hash: number, location: number): number {
    let at = this.homeOf(hash);
    const { words } = this;
    for (; words[at + 1] !== 0 && words[at] <= hash; at += 2) if (words[at + 1] === location) return at;
    return 0;
  }

  /** The first slot of the hash's table with that hash or a greater one; an empty slot when there is none in the cluster. */
  seek(hash: number): number {
    let at = this.homeOf(hash);
    const { words } = this;
    while (words[at + 1] !== 0 && words[at] < hash) at += 2;
    return at;
  }

  /** Behind the last slot of the table located last. */
  get end(): number {
    return this.base + HEADER_WORDS + SLOTS[this.order] * 2;
  }

  /** The greatest hash that the table located last covers. */
  get lastHash(): number {
    return this.words[this.base + FIRST] + 2 ** (32 - (this.words[this.base + SHAPE] & DEPTH_MASK)) - 1;
  }

  /** The greatest hash that has a slot; -1 if none has. */
  greatestHash(): number {
    for (let last = 0xffffffff; last >= 0; last = this.words[this.base + FIRST] - 1) {
      this.homeOf(last);
      const { words, base } = this;
      if (words[base + COUNT] === 0) continue;
      let at = this.end - 2;
      while (words[at + 1] === 0) at -= 2;
      return words[at];
    }
    return -1;
  }

  /** Puts a slot in its order. */
  insert(hash: number, location: number): void {
    let at = this.homeOf(hash);
    const { words, base } = this;
    if (words[base + COUNT] < ENTRIES_MAX[this.order]) {
      while (words[at + 1] !== 0 && words[at] <= hash) at += 2;
      let free = at;
      while (words[free + 1] !== 0) free += 2;
      if (free + 2 < this.end) {
        for (; free > at; free -= 2) {
          words[free] = words[free - 2];
          words[free + 1] = words[free - 1];
        }
        words[at] = hash;
        words[at + 1] = location;
        words[base + COUNT]++;
        return;
      }
    }
    this.single[0] = hash;
    this.single[1] = location;
    this.replace(this.mergedWith(this.single, 0, 1), 0);
  }

  /**
   * Inserts `count` slots of [hash, location] in the order of hashes, whole tables at a time: one by one, in this order, they
   * would pile up at the low end of each table they go through.
   */
  insertSorted(slots: Uint32Array, count: number): void {
    for (let from = 0; from < count; ) {
      this.homeOf(slots[from << 1]);
      const last = this.lastHash;
      let to = from + 1;
      while (to < count && slots[to << 1] <= last) to++;
      this.replace(this.mergedWith(slots, from, to), 0);
      from = to;
    }
  }

  /** Takes a slot out; those behind it that are not at home move up by one. */
  remove(hash: number, slot: number): void {
    this.homeOf(hash);
    const { words, base } = this;
    const depth = words[base + SHAPE] & DEPTH_MASK;
    const homes = words[base + HOMES];
    let hole = slot;
    for (let next = slot + 2; words[next + 1] !== 0; next += 2) {
      const home = base + HEADER_WORDS + homeIn(words[next], depth, homes) * 2;
      if (home >= next) break;
      words[hole] = words[next];
      words[hole + 1] = words[next + 1];
      hole = next;
    }
    words[hole] = 0;
    words[hole + 1] = 0;
    words[base + COUNT]--;
  }

  /** Gives back memory of a hash's table that is less than an eighth full. Its slots move: positions held are void. */
  shrink(hash: number): void {
    this.homeOf(hash);
    const count = this.words[this.base + COUNT];
    const { order } = this;
    if (order === 0 || count * 8 >= HOMES_USUAL[order] || orderFor(count * 2) >= order) return;
    this.replace(this.mergedWith(NOTHING, 0, 0), orderFor(count * 2));
  }

  /** Gives all blocks back; of no use any more. */
  release(): void {
    for (let first = 0; first <= 0xffffffff; ) {
      this.homeOf(first);
      const next = this.lastHash + 1;
      this.slabs.give(this.addressOf(first), this.order);
      first = next;
    }
  }

  private get order(): number {
    return this.words[this.base + SHAPE] >>> ORDER_SHIFT;
  }

  /** The slots of the table located last and the sorted `slots[from, to)`, as one list in the order of hashes. */
  private mergedWith(slots: Uint32Array, from: number, to: number): Uint32Array {
    const { words, base, end } = this;
    const list = new Uint32Array((words[base + COUNT] + to - from) * 2);
    let filled = 0;
    let next = from << 1;
    for (let at = base + HEADER_WORDS; at < end; at += 2) {
      if (words[at + 1] === 0) continue;
      for (; next < to << 1 && slots[next] < words[at]; next += 2) {
        list[filled++] = slots[next];
        list[filled++] = slots[next + 1];
      }
      list[filled++] = words[at];
      list[filled++] = words[at + 1];
    }
    while (next < to << 1) list[filled++] = slots[next++];
    return list;
  }

  /** Puts the tables of a list in the place of the one located last. */
  private replace(list: Uint32Array, orderMin: number): void {
    const first = this.words[this.base + FIRST];
    const depth = this.words[this.base + SHAPE] & DEPTH_MASK;
    const { order } = this;
    const address = this.addressOf(first);
    this.build(list, 0, list.length / 2, first, depth, orderMin);
    this.slabs.give(address, order);
  }

  /** Makes the table, or the tables, of `list[from, to)`, which lies within one prefix of `depth` bits. */
  private build(list: Uint32Array, from: number, to: number, first: number, depth: number, orderMin: number): void {
    const order = Math.max(orderFor(to - from), orderMin);
    if (order <= ORDER_SPLIT || depth === DEPTH_MAX) {
      this.fill(list, from, to, first, depth, order);
      return;
    }
    if (depth === this.depth) this.doublePlaces();
    const middle = first + 2 ** (31 - depth);
    let cut = from;
    while (cut < to && list[cut << 1] < middle) cut++;
    this.build(list, from, cut, first, depth + 1, 0);
    this.build(list, cut, to, middle, depth + 1, 0);
  }

  /** Makes one table. When what the last homes overflow is more than its tail, it has fewer homes and a longer tail. */
  private fill(list: Uint32Array, from: number, to: number, first: number, depth: number, order: number): void {
    let homes = HOMES_USUAL[order];
    while (slotsTaken(list, from, to, depth, homes) >= SLOTS[order]) homes = homes >>> 1;
    const words = this.create(order, depth, first, homes);
    const start = this.base + HEADER_WORDS;
    let free = 0;
    for (let at = from << 1; at < to << 1; at += 2) {
      free = Math.max(free, homeIn(list[at], depth, homes));
      words[start + free * 2] = list[at];
      words[start + free * 2 + 1] = list[at + 1];
      free++;
    }
    words[this.base + COUNT] = to - from;
  }

  /** An empty table in its places, located. */
  private create(order: number, depth: number, first: number, homes: number): Uint32Array {
    const { slabs, places } = this;
    const address = slabs.take(order);
    const words = slabs.words[address >>> slabs.shift];
    this.words = words;
    this.base = (address & slabs.mask) * UNIT_WORDS;
    words[this.base + SHAPE] = depth | (order << ORDER_SHIFT);
    words[this.base + HOMES] = homes;
    words[this.base + FIRST] = first;
    const place = (first >>> 1) >>> (31 - this.depth);
    for (let at = place; at < place + 2 ** (this.depth - depth); at++) {
      places[at * PLACE_WORDS] = address;
      places[at * PLACE_WORDS + 1] = depth | (homes << HOMES_SHIFT);
    }
    return words;
  }

  private addressOf(hash: number): number {
    return this.places[((hash >>> 1) >>> (31 - this.depth)) * PLACE_WORDS];
  }

  private doublePlaces(): void {
    const { places } = this;
    const doubled = new Uint32Array(places.length * 2);
    for (let at = 0; at < places.length; at += PLACE_WORDS) {
      doubled[at * 2] = doubled[at * 2 + 2] = places[at];
      doubled[at * 2 + 1] = doubled[at * 2 + 3] = places[at + 1];
    }
    this.places = doubled;
    this.depth++;
  }
}

/** Goes over the slots of an index with a hash in [from, end) in the order of hashes, until `visit` says false. */
export function walkSlots(
  directory: Directory,
  from: number,
  end: number,
  visit: (hash: number, location: number) => boolean,
): void {
  for (let next = from; next < end; ) {
    let slot = directory.seek(next);
    const { words, end: tableEnd, lastHash } = directory;
    for (; slot < tableEnd; slot += 2) {
      if (words[slot + 1] === 0) continue;
      if (words[slot] >= end || !visit(words[slot], words[slot + 1])) return;
    }
    next = lastHash + 1;
  }
}
