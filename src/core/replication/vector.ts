/**
 * A frontier of one partition as a value: per actor the contiguous sequence seen, and above it a bounded number of ranges. Frontiers
 * keep one per partition; the same bytes travel between owners and lie in images.
 *
 *     0 u16 count   2 u16 zero   4 f64 floor   12 per actor: u48 actor, u16 ranges, u48 through, u48 settled, f64 HLC of through,
 *     then per range: u48 from, u48 to, f64 HLC of its end
 *
 * Guarded: a vector may claim less than was seen, never more. What passes a bound is left out and counted: of ranges the highest,
 * of actors the newcomer. An actor stamps its dots in the order of their sequence, so a stamp at or below that of `through` is seen too.
 * After Parker et al., "Detection of Mutual Inconsistency" (1983), with exceptions as in Malkhi and Terry, "Concise Version Vectors"
 * (2005).
 */
import { mix32 } from '../base/hash.js';

export const ACTORS_MAX = 256;
export const RANGES_MAX = 64;
const HEADER_BYTES = 12;
const ENTRY_BYTES = 28;
const RANGE_BYTES = 20;
/** Words of a range: its first and last sequence, the stamp of the last. */
const RANGE = 3;
const ACTORS_AT_FIRST = 4;
const NO_RANGES: number[] = [];

export class Vector {
  count = 0;
  actors = new Float64Array(ACTORS_AT_FIRST);
  throughs = new Float64Array(ACTORS_AT_FIRST);
  /** Stamp of the dot at `through`. */
  hlcs = new Float64Array(ACTORS_AT_FIRST);
  /** The highest sequence that had been seen a while ago: what lies above it may still be on its way to others. */
  settled = new Float64Array(ACTORS_AT_FIRST);
  /** The highest sequence seen at the last mark, which the next one makes settled. */
  private marks = new Float64Array(ACTORS_AT_FIRST);
  /** Every dot stamped at or below is seen. */
  floor = 0;
  /** Actors or ranges left out for want of room. */
  dropped = 0;
  private ranges: number[][] = [];
  private last = 0;
  hashLow = 0;
  hashHigh = 0;

  indexOf(actor: number): number {
    if (this.last < this.count && this.actors[this.last] === actor) return this.last;
    for (let index = 0; index < this.count; index++) {
      if (this.actors[index] !== actor) continue;
      this.last = index;
      return index;
    }
    return -1;
  }

  /** Ranges above `through` as triples: first and last sequence, stamp of the last. */
  rangesOf(index: number): readonly number[] {
    return this.ranges[index];
  }

  /** The highest sequence seen of an actor. */
  topOf(index: number): number {
    const ranges = this.ranges[index];
    return ranges.length === 0 ? this.throughs[index] : ranges[ranges.length - 2];
  }

  lastHlcOf(index: number): number {
    const ranges = this.ranges[index];
    return ranges.length === 0 ? this.hlcs[index] : ranges[ranges.length - 1];
  }

  covers(actor: number, sequence: number): boolean {
    const index = this.indexOf(actor);
    if (index < 0) return false;
    if (sequence <= this.throughs[index]) return true;
    const ranges = this.ranges[index];
    for (let at = 0; at < ranges.length; at += RANGE) {
      if (sequence < ranges[at]) return false;
      if (sequence <= ranges[at + 1]) return true;
    }
    return false;
  }

  /** Whether everything that an actor stamped up to `hlc` is seen. */
  coversStamp(actor: number, hlc: number): boolean {
    if (hlc <= this.floor) return true;
    const index = this.indexOf(actor);
    return index >= 0 && hlc <= this.hlcs[index];
  }

  /** Notes one dot. False if it was known. */
  add(actor: number, sequence: number, hlc: number): boolean {
    const index = this.placeOf(actor);
    if (index < 0 || sequence <= this.throughs[index]) return false;
    if (sequence === this.throughs[index] + 1) {
      this.throughs[index] = sequence;
      this.hlcs[index] = hlc;
      if (this.ranges[index].length > 0) this.absorb(index);
      return true;
    }
    return this.addRange(index, sequence, sequence, hlc);
  }

  /** Everything of an actor up to `sequence`, stamped `hlc`, is seen. */
  raise(actor: number, sequence: number, hlc: number): void {
    if (sequence === 0) return;
    const index = this.placeOf(actor);
    if (index < 0 || sequence <= this.throughs[index]) return;
    this.throughs[index] = sequence;
    this.hlcs[index] = hlc;
    this.absorb(index);
  }

  /** Everything of an actor from one sequence to another is seen. */
  addSpan(actor: number, from: number, to: number, hlc: number): void {
    if (to < from) return;
    const index = this.placeOf(actor);
    if (index < 0 || to <= this.throughs[index]) return;
    if (from <= this.throughs[index] + 1) this.raise(actor, to, hlc);
    else this.addRange(index, from, to, hlc);
  }

  /** Takes in what another has seen; entries that `floor` covers say nothing new. */
  join(other: Vector): void {
    for (let index = 0; index < other.count; index++) this.joinActor(other, index);
  }

  /** The same for one entry of `other`. */
  joinActor(other: Vector, index: number): void {
    if (other.lastHlcOf(index) <= this.floor && this.indexOf(other.actors[index]) < 0) return;
    this.raise(other.actors[index], other.throughs[index], other.hlcs[index]);
    const ranges = other.rangesOf(index);
    for (let at = 0; at < ranges.length; at += RANGE) {
      this.addSpan(other.actors[index], ranges[at], ranges[at + 1], ranges[at + 2]);
    }
    // What had settled there is not on its way to anybody.
    const mine = this.indexOf(other.actors[index]);
    if (mine >= 0) this.settled[mine] = Math.max(this.settled[mine], other.settled[index]);
  }

  /** Dots of one entry of `other`, up to `limit`, that are not seen here. */
  lackedOf(other: Vector, index: number, limit = Number.POSITIVE_INFINITY): number {
    if (other.lastHlcOf(index) <= this.floor) return 0;
    const mine = this.indexOf(other.actors[index]);
    const through = mine < 0 ? 0 : this.throughs[mine];
    const held = mine < 0 ? NO_RANGES : this.ranges[mine];
    let lacked = lackedIn(Math.max(1, through + 1), Math.min(other.throughs[index], limit), held);
    const ranges = other.rangesOf(index);
    for (let at = 0; at < ranges.length; at += RANGE) {
      lacked += lackedIn(Math.max(ranges[at], through + 1), Math.min(ranges[at + 1], limit), held);
    }
    return lacked;
  }

  /** Dots that `other` has seen and this has not, of those that have settled there as `settledOf` has it. */
  lacked(other: Vector, quietHlc = Number.POSITIVE_INFINITY): number {
    let lacked = 0;
    for (let index = 0; index < other.count; index++) {
      lacked += this.lackedOf(other, index, other.settledOf(index, quietHlc));
    }
    return lacked;
  }

  /** The highest settled sequence of an actor: all of them if its last is stamped at or below `quietHlc`, however late it came here. */
  settledOf(index: number, quietHlc: number): number {
    return this.lastHlcOf(index) <= quietHlc ? Number.POSITIVE_INFINITY : this.settled[index];
  }

  /** What was the newest at the last mark has settled by now. */
  mark(): void {
    for (let index = 0; index < this.count; index++) {
      this.settled[index] = this.marks[index];
      this.marks[index] = this.topOf(index);
    }
  }

  /** Takes an actor out. */
  removeAt(index: number): void {
    const last = --this.count;
    for (const column of [this.actors, this.throughs, this.hlcs, this.settled, this.marks])
      column[index] = column[last];
    this.ranges[index] = this.ranges[last];
    this.ranges.pop();
  }

  clear(): void {
    this.count = 0;
    this.floor = 0;
    this.ranges = [];
  }

  /** Sets `hashLow`, `hashHigh`: equal for the same dots above `floor`, in whatever order they came. */
  hash(floor: number): void {
    let low = 0;
    let high = 0;
    for (let index = 0; index < this.count; index++) {
      const ranges = this.ranges[index];
      if (this.lastHlcOf(index) <= floor || (this.throughs[index] === 0 && ranges.length === 0)) continue;
      let word = mixNumber(mixNumber(0x9e3779b9, this.actors[index]), this.throughs[index]);
      for (let at = 0; at < ranges.length; at += RANGE) word = mixNumber(mixNumber(word, ranges[at]), ranges[at + 1]);
      low = (low + word) >>> 0;
      high = (high + mixNumber(word ^ 0x51ed270b, this.actors[index])) >>> 0;
    }
    this.hashLow = low;
    this.hashHigh = high;
  }

  /** Adds an actor that was not known; -1 if there is no room. */
  private placeOf(actor: number): number {
    const known = this.indexOf(actor);
    if (known >= 0) return known;
    if (this.count === ACTORS_MAX) {
      this.dropped++;
      return -1;
    }
    if (this.count === this.actors.length) this.grow();
    const index = this.count++;
    this.actors[index] = actor;
    this.throughs[index] = 0;
    this.hlcs[index] = 0;
    this.settled[index] = 0;
    this.marks[index] = 0;
    this.ranges[index] = [];
    this.last = index;
    return index;
  }

  private grow(): void {
    const wider = (column: Float64Array): Float64Array<ArrayBuffer> => {
      const grown = new Float64Array(column.length * 2);
      grown.set(column);
      return grown;
    };
    this.actors = wider(this.actors);
    this.throughs = wider(this.throughs);
    this.hlcs = wider(this.hlcs);
    this.settled = wider(this.settled);
    this.marks = wider(this.marks);
  }

  /** Ranges that `through` has reached are part of it. */
  private absorb(index: number): void {
    const ranges = this.ranges[index];
    let at = 0;
    for (; at < ranges.length && ranges[at] <= this.throughs[index] + 1; at += RANGE) {
      if (ranges[at + 1] <= this.throughs[index]) continue;
      this.throughs[index] = ranges[at + 1];
      this.hlcs[index] = ranges[at + 2];
    }
    if (at > 0) ranges.splice(0, at);
  }

  /** Notes a range that begins above `through` + 1. False if it was known or there is no room. */
  private addRange(index: number, from: number, to: number, hlc: number): boolean {
    const ranges = this.ranges[index];
    const { length } = ranges;
    // What arrives in order behind a gap lengthens the last range.
    if (length > 0 && ranges[length - 2] === from - 1) {
      ranges[length - 2] = to;
      ranges[length - 1] = hlc;
      return true;
    }
    let first = 0;
    while (first < length && ranges[first + 1] < from - 1) first += RANGE;
    let end = first;
    let low = from;
    let high = to;
    let stamp = hlc;
    for (; end < length && ranges[end] <= to + 1; end += RANGE) {
      if (ranges[end] <= from && ranges[end + 1] >= to) return false;
      low = Math.min(low, ranges[end]);
      if (ranges[end + 1] > high) {
        high = ranges[end + 1];
        stamp = ranges[end + 2];
      }
    }
    ranges.splice(first, end - first, low, high, stamp);
    if (ranges.length > RANGES_MAX * RANGE) {
      ranges.length -= RANGE;
      this.dropped++;
      return first < ranges.length;
    }
    return true;
  }
}

/** How many of the sequences from `from` to `to` are in none of the ranges. */
function lackedIn(from: number, to: number, ranges: readonly number[]): number {
  let lacked = Math.max(0, to - from + 1);
  for (let at = 0; at < ranges.length; at += RANGE) {
    lacked -= Math.max(0, Math.min(to, ranges[at + 1]) - Math.max(from, ranges[at]) + 1);
  }
  return lacked;
}

function mixNumber(hash: number, integer: number): number {
  return mix32(hash ^ (integer >>> 0), Math.floor(integer / 0x100000000) + 0x9e37);
}

export function vectorBytes(vector: Vector): number {
  let bytes = HEADER_BYTES + vector.count * ENTRY_BYTES;
  for (let index = 0; index < vector.count; index++) bytes += (vector.rangesOf(index).length / RANGE) * RANGE_BYTES;
  return bytes;
}

/** Writes a vector at `offset`; `bytes` has room for `vectorBytes`. Returns where it ends. */
export function writeVector(bytes: Buffer, offset: number, vector: Vector): number {
  bytes.writeUInt16LE(vector.count, offset);
  bytes.writeUInt16LE(0, offset + 2);
  bytes.writeDoubleLE(vector.floor, offset + 4);
  let at = offset + HEADER_BYTES;
  for (let index = 0; index < vector.count; index++) {
    const ranges = vector.rangesOf(index);
    bytes.writeUIntLE(vector.actors[index], at, 6);
    bytes.writeUInt16LE(ranges.length / RANGE, at + 6);
    bytes.writeUIntLE(vector.throughs[index], at + 8, 6);
    bytes.writeUIntLE(vector.settled[index], at + 14, 6);
    bytes.writeDoubleLE(vector.hlcs[index], at + 20);
    at += ENTRY_BYTES;
    for (let from = 0; from < ranges.length; from += RANGE, at += RANGE_BYTES) {
      bytes.writeUIntLE(ranges[from], at, 6);
      bytes.writeUIntLE(ranges[from + 1], at + 6, 6);
      bytes.writeDoubleLE(ranges[from + 2], at + 12);
    }
  }
  return at;
}

/** The vector at `start`, which must end at `end` or before; null if the bytes are none. */
export function readVector(bytes: Buffer, start: number, end: number): Vector | null {
  if (end - start < HEADER_BYTES) return null;
  const count = bytes.readUInt16LE(start);
  const vector = new Vector();
  vector.floor = bytes.readDoubleLE(start + 4);
  if (count > ACTORS_MAX || !isStamp(vector.floor)) return null;
  let at = start + HEADER_BYTES;
  for (let entry = 0; entry < count; entry++) {
    if (end - at < ENTRY_BYTES) return null;
    const actor = bytes.readUIntLE(at, 6);
    const ranges = bytes.readUInt16LE(at + 6);
    const through = bytes.readUIntLE(at + 8, 6);
    const settled = bytes.readUIntLE(at + 14, 6);
    const hlc = bytes.readDoubleLE(at + 20);
    at += ENTRY_BYTES;
    if (ranges > RANGES_MAX || end - at < ranges * RANGE_BYTES || !isStamp(hlc)) return null;
    if (vector.indexOf(actor) >= 0) return null;
    vector.raise(actor, through, hlc);
    for (let range = 0, above = through + 1; range < ranges; range++, at += RANGE_BYTES) {
      const from = bytes.readUIntLE(at, 6);
      const to = bytes.readUIntLE(at + 6, 6);
      const stamp = bytes.readDoubleLE(at + 12);
      if (from <= above || to < from || !isStamp(stamp)) return null;
      vector.addSpan(actor, from, to, stamp);
      above = to + 1;
    }
    const index = vector.indexOf(actor);
    if (index >= 0) vector.settled[index] = settled;
  }
  return vector;
}

function isStamp(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
