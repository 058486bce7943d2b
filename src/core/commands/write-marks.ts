/**
 * What one connection has written since WAIT last found all of it at every other owner: per coordinator the counts of its first
 * and last write and the partitions they fell into. The coordinator and the forwarding room note each write; WAIT and WAITAOF
 * ask. Guarded: a write through the same coordinator into the same partition as the one before costs three comparisons and
 * allocates nothing; coordinators are bounded, and forgetting one is never taken for an acknowledgement.
 */

/** Coordinators that one connection may have written through before WAIT; past it the oldest is forgotten, and WAIT says 0. */
const COORDINATORS_MAX = 32;
/** A partition that stands for all of them. */
export const ALL_PARTITIONS = -1;

/** The writes of a connection through one coordinator. */
export class WriteMark {
  first: number;
  last: number;
  private partition: number;
  private all: boolean;
  private bits: Uint32Array | null = null;

  constructor(
    readonly coordinator: number,
    count: number,
    partition: number,
  ) {
    this.first = count;
    this.last = count;
    this.partition = partition;
    this.all = partition === ALL_PARTITIONS;
  }

  note(count: number, partition: number): void {
    if (count > this.last) this.last = count;
    if (partition !== this.partition) this.add(partition);
  }

  /** Whether a write concerned every partition. */
  get coversAll(): boolean {
    return this.all;
  }

  /** Whether there is any write: a mark without one asks how many peers there are. */
  get isEmpty(): boolean {
    return this.last === 0;
  }

  /** The first partition written into at `from` or after it; -1 if there is none. `ALL_PARTITIONS` is none. */
  next(from: number): number {
    const { bits } = this;
    if (bits === null) return this.partition >= from ? this.partition : -1;
    let bitsLeft = -1 << (from & 31);
    for (let word = from >>> 5; word < bits.length; word++) {
      bitsLeft &= bits[word];
      if (bitsLeft !== 0) return word * 32 + 31 - Math.clz32(bitsLeft & -bitsLeft);
      bitsLeft = -1;
    }
    return -1;
  }

  /** The partitions written into, `ALL_PARTITIONS` left out. */
  partitions(): number[] {
    const list: number[] = [];
    for (let partition = this.next(0); partition >= 0; partition = this.next(partition + 1)) list.push(partition);
    return list;
  }

  copy(): WriteMark {
    const copy = new WriteMark(this.coordinator, this.first, this.partition);
    copy.last = this.last;
    copy.all = this.all;
    copy.bits = this.bits === null ? null : this.bits.slice();
    return copy;
  }

  private add(partition: number): void {
    if (partition === ALL_PARTITIONS) {
      this.all = true;
      return;
    }
    const known = this.partition;
    this.partition = partition;
    if (known === ALL_PARTITIONS && this.bits === null) return;
    const words = (Math.max(partition, known) >>> 5) + 1;
    if (this.bits === null || this.bits.length < words) {
      const grown = new Uint32Array(words);
      if (this.bits !== null) grown.set(this.bits);
      this.bits = grown;
    }
    if (known !== ALL_PARTITIONS) this.bits[known >>> 5] |= 1 << (known & 31);
    this.bits[partition >>> 5] |= 1 << (partition & 31);
  }
}

export class WriteMarks {
  private marks: WriteMark[] = [];
  private latest: WriteMark | null = null;
  /** WAIT found everything so far with every other owner: the next write begins anew. */
  private settled = false;
  /** A coordinator's mark was forgotten for want of room. */
  forgotten = false;

  /** A write was coordinated by `coordinator`, whose count of writes stood at `count` then. */
  note(coordinator: number, count: number, partition: number): void {
    const { latest } = this;
    if (latest !== null && latest.coordinator === coordinator && !this.settled) latest.note(count, partition);
    else this.noteElsewhere(coordinator, count, partition);
  }

  /** The coordinator of the last write and its count then; 0 before the first. */
  get coordinator(): number {
    return this.latest?.coordinator ?? 0;
  }

  get count(): number {
    return this.latest?.last ?? 0;
  }

  all(): readonly WriteMark[] {
    return this.marks;
  }

  /** A WAIT was answered. `everything`: every other owner has all of it, and the coordinator's log where that was asked. `gone`: coordinators that nobody can ask any more. */
  answered(everything: boolean, gone: ReadonlySet<number>): void {
    if (everything) this.settled = true;
    this.forgotten = false;
    if (gone.size === 0) return;
    this.marks = this.marks.filter((mark) => !gone.has(mark.coordinator));
    if (this.latest !== null && gone.has(this.latest.coordinator)) this.latest = this.marks.at(-1) ?? null;
  }

  private noteElsewhere(coordinator: number, count: number, partition: number): void {
    if (this.settled) {
      this.settled = false;
      this.marks = [];
    }
    let mark = this.marks.find((known) => known.coordinator === coordinator);
    if (mark !== undefined) mark.note(count, partition);
    else {
      mark = new WriteMark(coordinator, count, partition);
      if (this.marks.length >= COORDINATORS_MAX) {
        this.marks.shift();
        this.forgotten = true;
      }
      this.marks.push(mark);
    }
    this.latest = mark;
  }
}
