/** Frontiers as values: what they claim is what was added, whatever the order, and less rather than more when room is short. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ACTORS_MAX,
  RANGES_MAX,
  readVector,
  Vector,
  vectorBytes,
  writeVector,
} from '../../../src/core/replication/vector.js';

type Dot = [actor: number, sequence: number];

const dots = fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 40 })), { maxLength: 60 });

/** An actor stamps in the order of its sequence. */
const stampOf = (sequence: number): number => sequence * 10;

function vectorOf(list: readonly Dot[]): Vector {
  const vector = new Vector();
  for (const [actor, sequence] of list) vector.add(actor, sequence, stampOf(sequence));
  return vector;
}

function claims(vector: Vector): string[] {
  const claimed: string[] = [];
  for (let actor = 1; actor <= 3; actor++) {
    for (let sequence = 1; sequence <= 40; sequence++)
      if (vector.covers(actor, sequence)) claimed.push(`${actor}/${sequence}`);
  }
  return claimed;
}

function setOf(list: readonly Dot[]): string[] {
  const order = (text: string): number => Number(text.split('/')[0]) * 1000 + Number(text.split('/')[1]);
  return [...new Set(list.map(([actor, sequence]) => `${actor}/${sequence}`))].sort((a, b) => order(a) - order(b));
}

function hashOf(vector: Vector, floor = 0): string {
  vector.hash(floor);
  return `${vector.hashLow}.${vector.hashHigh}`;
}

describe('a vector', () => {
  it('claims exactly the dots that were added, in whatever order they came', () => {
    fc.assert(
      fc.property(dots, (list) => {
        expect(claims(vectorOf(list))).toEqual(setOf(list));
      }),
    );
  });

  it('joined with another claims what either does; join is commutative, associative and idempotent', () => {
    fc.assert(
      fc.property(dots, dots, dots, (first, second, third) => {
        const left = vectorOf(first);
        left.join(vectorOf(second));
        expect(claims(left)).toEqual(setOf([...first, ...second]));
        const right = vectorOf(second);
        right.join(vectorOf(first));
        expect(hashOf(right)).toBe(hashOf(left));
        left.join(vectorOf(third));
        const grouped = vectorOf(second);
        grouped.join(vectorOf(third));
        grouped.join(vectorOf(first));
        expect(hashOf(grouped)).toBe(hashOf(left));
        grouped.join(left);
        expect(hashOf(grouped)).toBe(hashOf(left));
      }),
    );
  });

  it('counts what it lacks of another, and knows a stamp as seen only up to its contiguous part', () => {
    fc.assert(
      fc.property(dots, dots, (first, second) => {
        const vector = vectorOf(first);
        const mine = new Set(setOf(first));
        expect(vector.lacked(vectorOf(second))).toBe(setOf(second).filter((dot) => !mine.has(dot)).length);
        for (let sequence = 1; sequence <= 40; sequence++) {
          if (!vector.coversStamp(1, stampOf(sequence))) continue;
          for (let below = 1; below <= sequence; below++) expect(mine.has(`1/${below}`)).toBe(true);
        }
      }),
    );
  });

  it('has the same hash as another exactly when both claim the same', () => {
    fc.assert(
      fc.property(dots, dots, (first, second) => {
        const same = claims(vectorOf(first)).join() === claims(vectorOf(second)).join();
        expect(hashOf(vectorOf(first)) === hashOf(vectorOf(second))).toBe(same);
      }),
    );
  });

  it('comes back from its bytes as it was', () => {
    fc.assert(
      fc.property(dots, (list) => {
        const vector = vectorOf(list);
        vector.floor = 77;
        vector.mark();
        vector.mark();
        const bytes = Buffer.alloc(vectorBytes(vector));
        expect(writeVector(bytes, 0, vector)).toBe(bytes.length);
        const back = readVector(bytes, 0, bytes.length) as Vector;
        expect(claims(back)).toEqual(claims(vector));
        expect(back.floor).toBe(77);
        expect(vector.lacked(back, 0) + back.lacked(vector, 0)).toBe(0);
        expect(back.settled.slice(0, back.count)).toEqual(vector.settled.slice(0, vector.count));
      }),
    );
  });

  it('is read only from bytes that are one, and whatever the bytes, nothing is thrown', () => {
    const bytes = Buffer.alloc(200);
    const end = writeVector(
      bytes,
      0,
      vectorOf([
        [1, 1],
        [1, 5],
        [2, 9],
      ]),
    );
    for (let short = 0; short < end; short++) expect(readVector(bytes, 0, short)).toBeNull();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), fc.nat(end - 1), fc.nat(255), (noise, at, byte) => {
        readVector(Buffer.from(noise), 0, noise.length);
        const damaged = Buffer.from(bytes.subarray(0, end));
        damaged[at] = byte;
        const vector = readVector(damaged, 0, end);
        if (vector !== null) expect(vector.count).toBeLessThanOrEqual(2);
      }),
    );
  });

  it('leaves out the highest ranges past its bound, so that two who saw the same agree, and counts them', () => {
    const up = new Vector();
    const down = new Vector();
    for (let range = 1; range <= RANGES_MAX + 20; range++) up.add(1, range * 3, range * 3);
    for (let range = RANGES_MAX + 20; range >= 1; range--) down.add(1, range * 3, range * 3);
    expect(up.dropped).toBe(20);
    expect(up.covers(1, RANGES_MAX * 3)).toBe(true);
    expect(up.covers(1, RANGES_MAX * 3 + 3)).toBe(false);
    expect(hashOf(up)).toBe(hashOf(down));
    up.raise(1, 1000, 1000);
    expect(up.rangesOf(0)).toEqual([]);
    expect(up.covers(1, 1000)).toBe(true);
  });

  it('takes in no more than its bound of actors, and counts the others', () => {
    const vector = new Vector();
    for (let actor = 1; actor <= ACTORS_MAX + 3; actor++) vector.add(actor, 1, 1);
    expect(vector.count).toBe(ACTORS_MAX);
    expect(vector.dropped).toBe(3);
    expect(vector.covers(ACTORS_MAX + 1, 1)).toBe(false);
  });

  it('does not let what the floor covers count, in its hash, in what it lacks, or when joined', () => {
    const vector = new Vector();
    vector.floor = 100;
    const other = vectorOf([
      [7, 1],
      [7, 2],
    ]);
    expect(vector.lacked(other)).toBe(0);
    vector.join(other);
    expect(vector.count).toBe(0);
    expect(hashOf(other, 100)).toBe(hashOf(vector, 100));
    const later = vectorOf([
      [7, 1],
      [7, 50],
    ]);
    expect(vector.lacked(later)).toBe(2);
  });

  it('calls settled what had been seen before the last mark', () => {
    const vector = vectorOf([
      [1, 1],
      [1, 2],
    ]);
    vector.mark();
    vector.add(1, 3, 30);
    vector.mark();
    expect(new Vector().lacked(vector, 0)).toBe(2);
    vector.mark();
    expect(new Vector().lacked(vector, 0)).toBe(3);
  });
});
