import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Hasher } from '../../../src/core/base/hash.js';
import { CHAINS_MAX, type Cover, covers, type Stamp } from '../../../src/core/types/cover.js';
import {
  alive,
  EMPTY_SET,
  endsAtMs,
  expire,
  fold,
  join,
  lift,
  refusal,
  remove,
  SIBLINGS_MAX,
  type SiblingSet,
  trim,
  write,
} from '../../../src/core/types/siblings.js';
import {
  CONTEXT_TEXT_MAX,
  decodeContext,
  decodeSet,
  encodeContext,
  encodeSet,
  forEachChain,
} from '../../../src/core/types/siblings-codec.js';
import { Replicas } from './sibling-replicas.js';

const always = (): boolean => true;
const BLIND: Cover = EMPTY_SET;

function stamp(actor: number, sequence: number, hlc = sequence): Stamp {
  return { actor, sequence, hlc };
}

function put(set: SiblingSet, seen: Cover, at: Stamp, text: string): SiblingSet {
  return write(set, seen, at, Buffer.from(text), 0, 0, always);
}

function texts(set: SiblingSet): string[] {
  return set.siblings.map(({ value }) => value.toString());
}

function bytesOf(set: SiblingSet): string {
  const { version, value } = encodeSet(set);
  return `${version.toString('hex')}/${value.toString('hex')}`;
}

describe('siblings', () => {
  it('keeps both of two values written without seeing each other, the last writer first', () => {
    const left = put(EMPTY_SET, BLIND, stamp(1, 1, 10), 'left');
    const right = put(EMPTY_SET, BLIND, stamp(2, 1, 11), 'right');
    expect(texts(join(left, right))).toEqual(['right', 'left']);
  });

  it('replaces with a context exactly what the context has seen', () => {
    const one = put(EMPTY_SET, BLIND, stamp(1, 1), 'one');
    const two = put(one, BLIND, stamp(1, 2), 'two');
    expect(texts(put(two, one, stamp(1, 3), 'three'))).toEqual(['three', 'two']);
    expect(texts(put(two, two, stamp(1, 3), 'three'))).toEqual(['three']);
  });

  it('replaces at a node that never held what the context has seen', () => {
    const seen = put(EMPTY_SET, BLIND, stamp(1, 1), 'old');
    const elsewhere = put(EMPTY_SET, seen, stamp(2, 7, 20), 'new');
    expect(texts(join(elsewhere, seen))).toEqual(['new']);
  });

  it('does not let clients that read and write in turn, each unseen by the other, grow beyond one value each', () => {
    let set = EMPTY_SET;
    for (let round = 0; round < 50; round++) {
      const seen = set;
      set = put(set, seen, stamp(1, round * 2 + 1), `mine ${round}`);
      set = put(set, seen, stamp(1, round * 2 + 2), `yours ${round}`);
      expect(texts(set)).toEqual([`yours ${round}`, `mine ${round}`]);
    }
    expect(set.chains.length).toBe(1);
  });

  it('takes the same bytes given blindly again for one value', () => {
    let set = EMPTY_SET;
    for (let retry = 1; retry <= 200; retry++) set = put(set, BLIND, stamp(1, retry), 'same');
    expect(texts(set)).toEqual(['same']);
    const seen = put(EMPTY_SET, BLIND, stamp(1, 1), 'same');
    expect(texts(remove(set, seen, stamp(1, 900), 0, always)), 'a delete that saw the first attempt only').toEqual([
      'same',
    ]);
  });

  it('deletes what a context has seen and leaves what is beside it', () => {
    const one = put(EMPTY_SET, BLIND, stamp(1, 1), 'one');
    const two = put(one, BLIND, stamp(1, 2), 'two');
    expect(texts(remove(two, one, stamp(1, 3), 0, always))).toEqual(['two']);
    const gone = remove(two, two, stamp(1, 3), 0, always);
    expect(gone.siblings).toEqual([]);
    expect(texts(join(gone, two)), 'what was deleted does not come back').toEqual([]);
    expect(texts(join(gone, put(two, BLIND, stamp(2, 9, 30), 'beside')))).toEqual(['beside']);
  });

  it('does not let an actor that has lost its copy cover what it wrote before', () => {
    const first = put(EMPTY_SET, BLIND, stamp(1, 1), 'first');
    const again = put(EMPTY_SET, BLIND, stamp(1, 5), 'again');
    expect(texts(join(first, again))).toEqual(['again', 'first']);
  });

  it('does not let an actor go on upon an older copy that came back, past what it wrote since', () => {
    const first = put(EMPTY_SET, BLIND, stamp(1, 1), 'first');
    const between = put(EMPTY_SET, BLIND, stamp(1, 5), 'between');
    const forgot = (): boolean => false;
    const third = write(first, first, stamp(1, 9), Buffer.from('third'), 0, 0, forgot);
    expect(texts(join(third, between))).toEqual(['third', 'between']);
    const remembered = write(first, first, stamp(1, 9), Buffer.from('third'), 0, 0, always);
    expect(remembered.chains.length).toBe(1);
    expect(third.chains.length).toBe(2);
  });

  it('lets a SET or DEL of a later version win over all siblings that did not see it, and over those only', () => {
    const before = put(EMPTY_SET, BLIND, stamp(1, 1, 49), 'before');
    const set = lift(stamp(2, 4, 50), Buffer.from('set'), 0, 50);
    expect(texts(join(before, set))).toEqual(['set']);
    const after = put(EMPTY_SET, set, stamp(3, 1, 60), 'after');
    expect(texts(join(after, set))).toEqual(['after']);
    expect(texts(join(after, before))).toEqual(['after']);
    expect(texts(put(after, before, stamp(3, 2, 61), 'of an older context'))).toEqual(['of an older context', 'after']);
    const beside = put(EMPTY_SET, BLIND, stamp(1, 2, 99), 'beside');
    expect(texts(join(beside, set)), 'a writer that knew of no SET and came after it').toEqual(['beside', 'set']);
  });

  it('ends each value for itself, and a value that has ended stands beside nothing', () => {
    const mortal = write(EMPTY_SET, BLIND, stamp(1, 1), Buffer.from('mortal'), 500, 0, always);
    const other = write(mortal, BLIND, stamp(1, 2), Buffer.from('other'), 900, 0, always);
    expect(endsAtMs(other)).toBe(900);
    expect(alive(other, 500).map(({ value }) => value.toString())).toEqual(['other']);
    const endless = put(EMPTY_SET, BLIND, stamp(2, 1), 'endless');
    expect(endsAtMs(join(other, endless))).toBe(0);
    expect(texts(write(other, BLIND, stamp(1, 3), Buffer.from('new'), 0, 700, always))).toEqual(['new', 'other']);
  });

  it('gives a new expiry to the values that are here, and to none beside them', () => {
    const one = put(EMPTY_SET, BLIND, stamp(1, 1), 'one');
    const touched = expire(one, 500, 7);
    const beside = put(one, one, stamp(2, 1, 8), 'two');
    expect(endsAtMs(join(touched, one))).toBe(500);
    expect(endsAtMs(join(touched, beside))).toBe(0);
    expect(endsAtMs(join(touched, expire(one, 0, 9)))).toBe(0);
  });

  it('drops chains that the floor has passed, and nothing comes back for it', () => {
    let set = EMPTY_SET;
    const stale: SiblingSet[] = [];
    for (let life = 1; life <= 200; life++) {
      set = put(fold(set, (life - 10) * 10), set, stamp(life, 1, life * 10), `life ${life}`);
      stale.push(set);
      expect(set.chains.length).toBeLessThanOrEqual(11);
    }
    for (const old of stale) expect(texts(join(set, old))).toEqual(['life 200']);
  });

  it('is refused by name past so many values, and past so many chains', () => {
    let set = EMPTY_SET;
    for (let count = 1; count <= SIBLINGS_MAX; count++) set = put(set, BLIND, stamp(1, count), `${count}`);
    expect(refusal(set)).toBe(null);
    expect(refusal(put(set, BLIND, stamp(1, 1000), 'one more'))).toBe('siblings');
    let lives = EMPTY_SET;
    for (let life = 1; life <= CHAINS_MAX + 1; life++) lives = put(lives, lives, stamp(life, 1, life), 'x');
    expect(refusal(lives)).toBe('chains');
  });

  it('joins in any order, any number of times, to the same bytes', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 60 }), (seed, steps) => {
        const world = new Replicas(seed, 3);
        for (let step = 0; step < steps; step++) world.step();
        const [a, b, c] = world.replicas.map(({ set }) => set);
        expect(bytesOf(join(a, b))).toBe(bytesOf(join(b, a)));
        expect(bytesOf(join(join(a, b), c))).toBe(bytesOf(join(a, join(b, c))));
        expect(bytesOf(join(a, a))).toBe(bytesOf(a));
        expect(bytesOf(join(join(a, b), b))).toBe(bytesOf(join(a, b)));
      }),
      { numRuns: 400 },
    );
  });

  it('comes to the same on every owner, whoever met whom first, where values go because no record could hold them all', () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 2, max: 9 }),
        (seed, steps, bytesMax) => {
          const world = new Replicas(seed, 3);
          for (let step = 0; step < steps; step++) world.step();
          const [a, b, c] = world.replicas.map(({ set }) => trim(set, bytesMax, 3));
          const meet = (left: SiblingSet, right: SiblingSet): SiblingSet => trim(join(left, right), bytesMax, 3);
          expect(bytesOf(meet(a, b))).toBe(bytesOf(meet(b, a)));
          const [one, other] = [meet(meet(a, b), c), meet(a, meet(b, c))];
          const all = meet(one, other);
          expect(bytesOf(meet(all, one))).toBe(bytesOf(all));
          expect(bytesOf(meet(other, all))).toBe(bytesOf(all));
          for (const each of [a, b, c])
            expect(bytesOf(meet(all, each)), 'nothing that went comes back').toBe(bytesOf(all));
        },
      ),
      { numRuns: 400 },
    );
  });

  it('loses no value that no later write has seen, while nobody forgets anything', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 60 }), (seed, steps) => {
        const world = new Replicas(seed, 3, { lossy: false });
        const written: { stamp: Stamp; value: string }[] = [];
        for (let step = 0; step < steps; step++) {
          const before = world.replicas.map(({ set }) => set);
          world.step();
          for (const [index, { set }] of world.replicas.entries()) {
            for (const sibling of set.siblings) {
              if (!before[index].siblings.includes(sibling) && sibling.hlc === world.hlc) {
                written.push({ stamp: sibling, value: sibling.value.toString() });
              }
            }
          }
        }
        const all = world.replicas.reduce((sum, { set }) => join(sum, set), EMPTY_SET);
        for (const { stamp: dot, value } of written) {
          const covered = world.seen.some((cover) => covers(cover, dot.actor, dot.sequence, dot.hlc));
          if (!covered) expect(texts(all)).toContain(value);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('the bytes of siblings', () => {
  it('come back as they were', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 0, max: 60 }), (seed, steps) => {
        const world = new Replicas(seed, 3);
        for (let step = 0; step < steps; step++) world.step();
        for (const { set } of world.replicas) {
          const { version, value } = encodeSet(set);
          const bytes = Buffer.concat([Buffer.alloc(3), version, value, Buffer.alloc(2)]);
          const end = 3 + version.length;
          const back = decodeSet(bytes, 3, end, end, end + value.length);
          expect(back === null ? null : bytesOf(back)).toBe(bytesOf(set));
        }
      }),
      { numRuns: 100 },
    );
  });

  it('are refused when cut, lengthened, out of order or out of range', () => {
    const set = put(put(EMPTY_SET, BLIND, stamp(1, 1, 3), 'one'), BLIND, stamp(2, 2, 4), 'two');
    const { version, value } = encodeSet(set);
    const decode = (head: Buffer, tail: Buffer): SiblingSet | null => {
      const bytes = Buffer.concat([head, tail]);
      return decodeSet(bytes, 0, head.length, head.length, bytes.length);
    };
    expect(decode(version, value)).not.toBeNull();
    for (let length = 0; length < version.length; length++)
      expect(decode(version.subarray(0, length), value)).toBeNull();
    expect(decode(Buffer.concat([version, Buffer.alloc(1)]), value)).toBeNull();
    expect(decode(version, value.subarray(1))).toBeNull();
    expect(decode(version, Buffer.concat([value, value]))).toBeNull();
    const first = 28 + 2 * 26;
    const swapped = Buffer.concat([
      version.subarray(0, first),
      version.subarray(first + 38),
      version.subarray(first, first + 38),
    ]);
    expect(decode(swapped, value)).toBeNull();
    for (const at of [7, 15, 23, 28 + 25, first + 19]) {
      const broken = Buffer.from(version);
      broken[at] = 0xff;
      expect(decode(broken, value), `byte ${at}`).toBeNull();
    }
  });

  it('name the last dot of each chain', () => {
    const set = put(put(EMPTY_SET, BLIND, stamp(1, 1, 3), 'one'), BLIND, stamp(1, 2, 4), 'two');
    const both = put(set, BLIND, stamp(9, 5, 6), 'three');
    const dots: number[][] = [];
    forEachChain(encodeSet(both).version, 0, (actor, sequence) => dots.push([actor, sequence]));
    expect(dots).toEqual([
      [1, 2],
      [9, 5],
    ]);
  });
});

describe('a context', () => {
  const hasher = new Hasher([1, 2]);
  const key = 77;
  const set = put(put(EMPTY_SET, BLIND, stamp(1, 1, 3), 'one'), BLIND, stamp(2, 2, 4), 'two');

  function read(text: string, keyHash = key, by = hasher): Cover | 'malformed' | 'otherKey' {
    const bytes = Buffer.from(text);
    return decodeContext(by, keyHash, bytes, 0, bytes.length);
  }

  it('comes back as the cover it was made of, and is text that any client can carry', () => {
    const text = encodeContext(hasher, key, set);
    const cover = read(text);
    expect(text).toMatch(/^[A-Za-z0-9_-]+$/);
    expect(cover).toEqual({ baseHlc: 0, baseActor: 0, foldedHlc: 0, chains: set.chains });
  });

  it('is refused for another key, and in another cluster', () => {
    const text = encodeContext(hasher, key, set);
    expect(read(text, 78)).toBe('otherKey');
    expect(read(text, key, new Hasher([1, 3]))).toBe('malformed');
  });

  it('is refused when any of its characters was changed, cut or made up', () => {
    const text = encodeContext(hasher, key, set);
    for (let at = 0; at < text.length; at++) {
      const other = text[at] === 'A' ? 'B' : 'A';
      const changed = text.slice(0, at) + other + text.slice(at + 1);
      if (Buffer.from(changed, 'base64url').equals(Buffer.from(text, 'base64url'))) continue;
      expect(read(changed)).toBe('malformed');
      expect(read(text.slice(0, at))).toBe('malformed');
    }
    expect(read('not a context')).toBe('malformed');
    expect(read('A'.repeat(CONTEXT_TEXT_MAX + 1))).toBe('malformed');
  });
});
