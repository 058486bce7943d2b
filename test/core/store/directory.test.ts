/** The index of a partition against a sorted array, through the slabs that it lies in. */
import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/core/base/random.js';
import { Directory, walkSlots } from '../../../src/core/store/directory.js';
import { Slabs } from '../../../src/core/store/slabs.js';

const HASHES = 0x100000000;
type Slot = readonly [hash: number, location: number];

class Index {
  readonly slabs: Slabs;
  readonly directory: Directory;
  /** In the order of hashes; equal ones in the order they came, whatever order that is. */
  slots: Slot[] = [];

  constructor(slabs = new Slabs(64 * 1024 * 1024)) {
    this.slabs = slabs;
    this.directory = new Directory(slabs);
  }

  insert(hash: number, location: number): void {
    this.directory.insert(hash, location);
    let at = this.slots.length;
    while (at > 0 && this.slots[at - 1][0] > hash) at--;
    this.slots.splice(at, 0, [hash, location]);
  }

  /** As `Store.load` does: sorted, of any length. */
  insertSorted(slots: Slot[]): void {
    const words = new Uint32Array(slots.length * 2 + 6).fill(0xdeadbeef);
    for (const [index, slot] of slots.entries()) words.set(slot, index * 2);
    this.directory.insertSorted(words, slots.length);
    this.slots = [...this.slots, ...slots].sort(([left], [right]) => left - right);
  }

  remove(at: number): void {
    const [[hash, location]] = this.slots.splice(at, 1);
    const slot = this.directory.findLocation(hash, location);
    expect(slot).toBeGreaterThan(0);
    this.directory.remove(hash, slot);
  }

  seen(from = 0, end = HASHES): Slot[] {
    const seen: Slot[] = [];
    walkSlots(this.directory, from, end, (hash, location) => {
      seen.push([hash, location]);
      return true;
    });
    return seen;
  }

  /** It holds what the array holds, in order, and finds each; a look-up of what is not there finds nothing. */
  check(): void {
    const seen = this.seen();
    expect(seen.map(([hash]) => hash)).toEqual(this.slots.map(([hash]) => hash));
    expect(canonical(seen)).toEqual(canonical(this.slots));
    const { directory } = this;
    let wrong = 0;
    for (const [hash, location] of this.slots) {
      const slot = directory.findLocation(hash, location);
      if (slot === 0 || directory.words[slot] !== hash || directory.words[slot + 1] !== location) wrong++;
      if (directory.findLocation(hash, 0xfffffffe) !== 0) wrong++;
      const first = directory.seek(hash);
      if (directory.words[first] !== hash || directory.words[first + 1] === 0) wrong++;
    }
    expect(wrong).toBe(0);
    expect(directory.greatestHash()).toBe(this.slots.at(-1)?.[0] ?? -1);
  }
}

function canonical(slots: readonly Slot[]): Slot[] {
  return [...slots].sort((left, right) => left[0] - right[0] || left[1] - right[1]);
}

/** Hashes as they come: spread evenly, near one another, or equal. */
const KINDS: Record<string, (random: Random) => number> = {
  'spread over all': (random) => random.uint32(),
  'near the top': (random) => 0xffffffff - random.below(3000),
  'near the bottom': (random) => random.below(3000),
  'in a few clusters': (random) => (random.below(5) * 0x33333333 + random.below(200_000)) >>> 0,
  'often equal': (random) => (random.below(40) * 0x06666666) >>> 0,
};

describe('a directory', () => {
  for (const [kind, hashOf] of Object.entries(KINDS)) {
    it(`holds what a sorted array holds, with hashes ${kind}`, () => {
      const random = new Random(7);
      const index = new Index();
      let location = 1;
      for (let round = 0; round < 12; round++) {
        const growing = round % 4 !== 3;
        for (let step = 0; step < 500; step++) {
          if (index.slots.length === 0 || random.below(10) < (growing ? 8 : 1)) {
            index.insert(hashOf(random), location++);
          } else index.remove(random.below(index.slots.length));
        }
        if (round % 3 === 1) {
          const run = Array.from({ length: random.below(1500) }, (): Slot => [hashOf(random), location++]);
          index.insertSorted(run.sort(([left], [right]) => left - right));
        }
        if (!growing) for (const [hash] of index.slots.slice(0, 200)) index.directory.shrink(hash);
        index.check();
      }
      while (index.slots.length > 0) index.remove(random.below(index.slots.length));
      index.check();
      index.directory.release();
      expect(index.slabs.bytes).toBe(0);
    });
  }

  it('walks any range of hashes, and stops when it is told', () => {
    const random = new Random(3);
    const index = new Index();
    for (let location = 1; location <= 5000; location++) index.insert(random.uint32(), location);
    for (let round = 0; round < 50; round++) {
      const [from, end] = [random.uint32(), random.uint32()].sort((left, right) => left - right);
      expect(canonical(index.seen(from, end))).toEqual(
        canonical(index.slots.filter(([hash]) => hash >= from && hash < end)),
      );
    }
    let visited = 0;
    walkSlots(index.directory, 0, HASHES, () => ++visited < 17);
    expect(visited).toBe(17);
  });

  it('takes any sorted run at once, into nothing or among what is there', () => {
    for (const count of [1, 13, 800, 20_000]) {
      const random = new Random(count);
      const index = new Index();
      for (let round = 0; round < 3; round++) {
        const run = Array.from({ length: count }, (_, at): Slot => [random.uint32(), round * count + at + 1]);
        index.insertSorted(run.sort(([left], [right]) => left - right));
        index.check();
      }
      index.directory.release();
      expect(index.slabs.bytes).toBe(0);
    }
  });

  it('shares slabs with others, each with its own tables', () => {
    const random = new Random(5);
    const slabs = new Slabs(1024 * 1024);
    const indexes = Array.from({ length: 16 }, () => new Index(slabs));
    for (let step = 1; step < 20_000; step++) {
      const index = indexes[random.below(16)];
      if (random.below(3) > 0 || index.slots.length === 0) index.insert(random.uint32(), step);
      else index.remove(random.below(index.slots.length));
    }
    for (const index of indexes) index.check();
    for (const index of indexes.splice(0, 15)) index.directory.release();
    indexes[0].check();
    indexes[0].directory.release();
    expect(slabs.bytes).toBe(0);
  });

  it('gives most of its memory back when a table is nearly empty, and keeps what is left', () => {
    const random = new Random(11);
    const index = new Index(new Slabs(1024 * 1024));
    for (let location = 1; location <= 10_000; location++) index.insert(random.uint32(), location);
    const full = index.slabs.bytes;
    while (index.slots.length > 100) index.remove(random.below(index.slots.length));
    for (let from = 0; from < HASHES; from = index.directory.lastHash + 1) index.directory.shrink(from);
    index.check();
    expect(index.slabs.bytes).toBeLessThan(full / 4);
  });

  it('leaves no slot behind a hole when it removes within a cluster', () => {
    const random = new Random(13);
    const index = new Index();
    for (let location = 1; location <= 700; location++) index.insert(random.below(1_000_000), location);
    while (index.slots.length > 0) {
      index.remove(random.below(index.slots.length));
      if (index.slots.length % 20 === 0) index.check();
    }
    index.check();
  });

  it('finds everything in a table that can split no further, however large it is', () => {
    const random = new Random(17);
    const index = new Index(new Slabs(512 * 1024 * 1024));
    const run = Array.from({ length: 60_000 }, (_, at): Slot => [0xabcde000 + random.below(4096), at + 1]);
    index.insertSorted(run.sort(([left], [right]) => left - right));
    index.check();
    index.directory.release();
    expect(index.slabs.bytes).toBe(0);
  });
});
