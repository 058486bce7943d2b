import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { forEachDot } from '../../../src/core/record/dots.js';
import {
  recordBytes,
  recordSequence,
  recordType,
  sealRecord,
  TYPE_COUNTER,
  TYPE_PUT,
  TYPE_TOMBSTONE,
  verifyRecord,
} from '../../../src/core/record/record.js';
import { isCovered, isMergeable } from '../../../src/core/types/types.js';
import { record } from '../record/records.js';
import { at, KEY, merged, Replica, textOf, UNFLUSHED } from './counted.js';

const INT64_MAX = 9223372036854775807n;
/** No life of a key ends in these histories, but where a test says so. */
const NOW_MS = 1000;

type Step =
  | { kind: 'add'; node: number; amount: number }
  | { kind: 'set'; node: number; value: string }
  | { kind: 'remove'; node: number }
  | { kind: 'meet'; node: number; other: number }
  | { kind: 'forget'; node: number };

const node = fc.integer({ min: 0, max: 2 });
const add = fc.record({ kind: fc.constant('add' as const), node, amount: fc.integer({ min: -50, max: 50 }) });
const meet = fc.record({ kind: fc.constant('meet' as const), node, other: node });
const set = fc.record({ kind: fc.constant('set' as const), node, value: fc.constantFrom('7', '-3', 'text', '') });
const remove = fc.record({ kind: fc.constant('remove' as const), node });
const forget = fc.record({ kind: fc.constant('forget' as const), node });

/** Plays steps on three replicas, one stamp after another; gives back every state that a replica has held. */
function play(steps: readonly Step[]): { replicas: Replica[]; states: Buffer[]; added: number } {
  const replicas = [new Replica(11), new Replica(12), new Replica(13)];
  const states: Buffer[] = [];
  let hlc = at(1);
  let added = 0;
  for (const step of steps) {
    const replica = replicas[step.node];
    hlc++;
    if (step.kind === 'add') {
      if (replica.add(hlc, step.amount) !== null) added += step.amount;
    } else if (step.kind === 'set') replica.set(hlc, step.value);
    else if (step.kind === 'remove') replica.remove(hlc);
    else if (step.kind === 'meet') replica.receive(replicas[step.other].stored);
    else replica.forget();
    if (replica.stored !== null) states.push(replica.stored);
  }
  return { replicas, states, added };
}

function meetAll(replicas: readonly Replica[]): void {
  for (const replica of replicas) for (const other of replicas) replica.receive(other.stored);
  for (const replica of replicas) for (const other of replicas) replica.receive(other.stored);
}

function must(bytes: Buffer | null): Buffer {
  if (bytes === null) throw new Error('nothing is left');
  return bytes;
}

describe('counters that meet', () => {
  const history = fc.array(fc.oneof({ arbitrary: add, weight: 4 }, { arbitrary: meet, weight: 2 }, set, remove), {
    minLength: 3,
    maxLength: 25,
  });

  it('are one whatever the order: merge is commutative, associative and idempotent, byte for byte', () => {
    fc.assert(
      fc.property(history, fc.nat(), fc.nat(), fc.nat(), (steps, first, second, third) => {
        const { states } = play(steps);
        if (states.length === 0) return;
        const [one, other, another] = [first, second, third].map((pick) => states[pick % states.length]);
        const both = must(merged(one, other));
        const left = must(merged(both, another));
        const right = must(merged(one, must(merged(other, another))));
        expect(merged(one, one)?.equals(one)).toBe(true);
        expect(merged(both, one)?.equals(both)).toBe(true);
        expect(merged(both, other)?.equals(both)).toBe(true);
        expect(left.toString('hex')).toBe(right.toString('hex'));
      }),
      { numRuns: 500 },
    );
  });

  it('lose no increment and count none twice, whoever adds and whoever forgets', () => {
    const steps = fc.array(fc.oneof({ arbitrary: add, weight: 4 }, { arbitrary: meet, weight: 2 }), { maxLength: 40 });
    fc.assert(
      fc.property(steps, (drawn) => {
        const { replicas, added } = play(drawn);
        meetAll(replicas);
        const texts = new Set(replicas.map((replica) => replica.textAt(NOW_MS)));
        expect(texts.size).toBe(1);
        const adds = drawn.some((step) => step.kind === 'add');
        expect(replicas[0].textAt(NOW_MS)).toBe(adds ? `${added}` : null);
      }),
      { numRuns: 1000 },
    );
  });

  it('lose nothing to a node that gave its copy up and counts again: it begins a part of its own', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(add, meet, forget), { maxLength: 30 }), (drawn) => {
        // The first replica keeps all that any of them ever held.
        const keeper = new Replica(1);
        const replicas = [new Replica(11), new Replica(12), new Replica(13)];
        let hlc = at(1);
        let added = 0;
        for (const step of drawn) {
          const replica = replicas[step.node];
          if (step.kind === 'add' && replica.add(++hlc, step.amount) !== null) added += step.amount;
          if (step.kind === 'meet') replica.receive(replicas[step.other].stored);
          keeper.receive(replica.stored);
          if (step.kind === 'forget') replica.forget();
        }
        if (keeper.stored !== null) expect(keeper.textAt(NOW_MS)).toBe(`${added}`);
      }),
      { numRuns: 1000 },
    );
  });

  it('are not gone on with upon an older copy of a part that came back', () => {
    const [keeper, one, other] = [new Replica(1), new Replica(11), new Replica(12)];
    one.add(at(1), 1);
    other.receive(one.stored);
    one.add(at(2), 2);
    keeper.receive(one.stored);
    one.forget();
    one.receive(other.stored);
    one.add(at(3), 4);
    keeper.receive(one.stored);
    expect(keeper.textAt(NOW_MS)).toBe('7');
  });

  it('leave every replica with the same bytes once all have met, deletions and SETs among them', () => {
    fc.assert(
      fc.property(history, (steps) => {
        const { replicas } = play(steps);
        meetAll(replicas);
        const bytes = new Set(replicas.map((replica) => replica.stored?.toString('hex')));
        expect(bytes.size).toBe(1);
      }),
      { numRuns: 1000 },
    );
  });

  it('name every dot that is in them, and those of derived states no other', () => {
    const one = new Replica(11);
    const other = new Replica(12);
    one.set(at(1), '5');
    one.add(at(2), 1);
    other.add(at(3), 1);
    const both = must(merged(must(one.stored), must(other.stored)));
    const dots: string[] = [];
    forEachDot(both, 0, (actor, sequence, hlc) => dots.push(`${actor}/${sequence}@${hlc}`));
    expect(dots).toEqual([`11/1@${at(1)}`, `11/2@${at(2)}`, `12/1@${at(3)}`]);
    expect(recordSequence(both, 0)).toBe(0);
    expect(textOf(both, NOW_MS)).toBe('7');
  });
});

describe('a base', () => {
  it('takes with it what was begun before it, and leaves what was begun after', () => {
    const one = new Replica(11);
    const other = new Replica(12);
    one.add(at(1), 10);
    other.receive(one.stored);
    other.add(at(3), 100);
    one.set(at(2), '5');
    one.receive(other.stored);
    expect(one.textAt(NOW_MS)).toBe('105');
    other.set(at(4), '7');
    one.add(at(5), 1);
    other.receive(one.stored);
    expect(other.textAt(NOW_MS)).toBe('8');
  });

  it('that is a deletion or text lets what was counted before it go whole', () => {
    const one = new Replica(11);
    one.add(at(1), 10);
    const counted = must(one.stored);
    one.remove(at(2));
    one.receive(counted);
    expect(recordType(must(one.stored), 0)).toBe(TYPE_TOMBSTONE);
    one.set(at(3), 'text');
    one.receive(counted);
    expect([recordType(must(one.stored), 0), one.textAt(NOW_MS)]).toEqual([TYPE_PUT, 'text']);
  });

  it('that is no number is shown as it is, refuses INCR, and gives way to the next', () => {
    const one = new Replica(11);
    const other = new Replica(12);
    one.set(at(2), 'text');
    other.add(at(3), 4);
    one.receive(other.stored);
    expect([recordType(must(one.stored), 0), one.textAt(NOW_MS)]).toEqual([TYPE_COUNTER, 'text']);
    expect(one.add(at(4), 1)).toBe(null);
    expect(one.refusal).toBe('value is not an integer or out of range');
    other.set(at(2) + 1, '10');
    one.receive(other.stored);
    expect(one.textAt(NOW_MS)).toBe('14');
  });

  it('is the end of the former life: what counts after it is not mixed with what counted before', () => {
    const one = new Replica(11);
    const other = new Replica(12);
    one.add(at(1), 5);
    one.expire(at(2), 20);
    other.receive(one.stored);
    expect([one.textAt(19), one.textAt(20)]).toEqual(['5', null]);
    // This one still holds what ended; that one has forgotten it.
    expect(one.add(at(30), 1)).toBe(1n);
    other.forget();
    expect(other.add(at(31), 2)).toBe(2n);
    meetAll([one, other]);
    expect([one.textAt(40), other.textAt(40)]).toEqual(['3', '3']);
    expect(one.stored).toEqual(other.stored);
  });

  it('that expires with its SET ends the counter made of it too', () => {
    const one = new Replica(11);
    one.set(at(1), '5', 20);
    expect(one.add(at(2), 1)).toBe(6n);
    expect([one.textAt(19), one.textAt(20)]).toEqual(['6', null]);
    expect(one.add(at(25), 1)).toBe(1n);
    expect(one.textAt(1000)).toBe('1');
  });

  it('that is a flush leaves only what was begun after it', () => {
    const one = new Replica(11);
    const other = new Replica(12);
    one.add(at(1), 5);
    other.receive(one.stored);
    other.add(at(3), 2);
    expect(isCovered(must(one.stored), 0, at(2), 9)).toBe(true);
    expect(isCovered(must(other.stored), 0, at(2), 9)).toBe(false);
    const flushed = { flushedHlc: at(2), flushedActor: 9 };
    expect(textOf(must(merged(must(one.stored), must(other.stored), flushed)), NOW_MS)).toBe('2');
    other.flushed = flushed;
    expect(other.add(at(4), 1)).toBe(3n);
    one.flushed = flushed;
    expect(one.add(at(5), 1)).toBe(1n);
  });
});

describe('a counter and a flush', () => {
  const flushed = { flushedHlc: at(2), flushedActor: 9 };

  it('that some hear of late end as the same bytes everywhere, whoever counted before, after or without it', () => {
    const [aware, late, away] = [new Replica(11), new Replica(12), new Replica(13)];
    away.add(at(1), 5);
    late.receive(away.stored);
    aware.flushed = flushed;
    aware.add(at(3), 1);
    late.add(at(4), 2);
    away.receive(aware.stored);
    away.receive(late.stored);
    for (const replica of [late, away]) {
      replica.flushed = flushed;
      replica.receive(replica.stored);
    }
    meetAll([aware, late, away]);
    expect([aware.textAt(NOW_MS), late.textAt(NOW_MS), away.textAt(NOW_MS)]).toEqual(['3', '3', '3']);
    expect(late.stored).toEqual(aware.stored);
    expect(away.stored).toEqual(aware.stored);
  });

  it('stands with its own bytes where the flush is known, whatever the other held from before it', () => {
    const [aware, late] = [new Replica(11), new Replica(12)];
    late.add(at(1), 5);
    aware.flushed = flushed;
    aware.add(at(3), 1);
    late.receive(aware.stored);
    expect(late.stored).toEqual(aware.stored);
    expect(late.textAt(NOW_MS)).toBe('1');
  });

  it('keeps what ended nodes counted after it, folded or not', () => {
    const one = new Replica(11);
    one.flushed = flushed;
    one.add(at(3), 5);
    const next = new Replica(21);
    next.flushed = flushed;
    next.receive(one.stored);
    next.floorHlc = at(10);
    next.ended.set(11, at(9));
    expect(next.add(at(12), 1)).toBe(6n);
    expect(next.add(at(13), 1)).toBe(7n);
  });
});

describe('an expiry of a counter', () => {
  it('stands by its own version, the latest over all, and keeps nobody from counting', () => {
    const one = new Replica(11);
    const other = new Replica(12);
    one.add(at(1), 1);
    other.receive(one.stored);
    one.expire(at(2), 5000);
    other.expire(at(3), 9000);
    one.add(at(4), 1);
    other.add(at(5), 1);
    meetAll([one, other]);
    expect(one.stored).toEqual(other.stored);
    expect([one.textAt(8999), one.textAt(9000)]).toEqual(['3', null]);
    other.expire(at(6), 0);
    one.receive(other.stored);
    expect(one.textAt(10_000)).toBe('3');
  });

  it('from before a SET does not count for it', () => {
    const one = new Replica(11);
    const other = new Replica(12);
    one.add(at(1), 1);
    one.expire(at(2), 5000);
    other.set(at(3), '9');
    one.receive(other.stored);
    expect(one.textAt(6000)).toBe('9');
  });
});

describe('the range of a counter', () => {
  it('is 64 bits, exact, with the error that Redis has', () => {
    fc.assert(
      fc.property(fc.array(fc.bigInt({ min: -INT64_MAX, max: INT64_MAX }), { maxLength: 8 }), (amounts) => {
        const one = new Replica(11);
        let total = 0n;
        for (const [index, amount] of amounts.entries()) {
          const next = total + amount;
          const fits = next <= INT64_MAX && next >= -INT64_MAX - 1n;
          expect(one.add(at(index + 1), amount)).toBe(fits ? next : null);
          if (fits) total = next;
          else expect(one.refusal).toBe('increment or decrement would overflow');
        }
        if (one.stored !== null) expect(one.textAt(NOW_MS)).toBe(`${total}`);
      }),
    );
  });

  it('holds what concurrent nodes pushed past it at its end, and counts on from the true sum', () => {
    const one = new Replica(11);
    const other = new Replica(12);
    one.add(at(1), INT64_MAX - 1n);
    other.receive(one.stored);
    one.add(at(2), 1);
    other.add(at(3), 1);
    meetAll([one, other]);
    expect(one.textAt(NOW_MS)).toBe(`${INT64_MAX}`);
    expect(one.add(at(4), 1)).toBe(null);
    expect(one.add(at(5), -2)).toBe(INT64_MAX - 1n);
  });
});

describe('what has ended', () => {
  it('becomes part of the base once every owner has it, and is never counted twice', () => {
    const one = new Replica(11);
    const other = new Replica(12);
    one.add(at(1), 5);
    other.receive(one.stored);
    // The first starts anew, as another actor.
    one.actor = 21;
    one.ended.set(11, at(2));
    one.floorHlc = at(3);
    expect(one.add(at(4), 1)).toBe(6n);
    expect(other.add(at(5), 2)).toBe(7n);
    meetAll([one, other]);
    expect([one.textAt(NOW_MS), other.textAt(NOW_MS)]).toEqual(['8', '8']);
    expect(one.stored).toEqual(other.stored);
    const dots: number[] = [];
    forEachDot(must(one.stored), 0, (actor) => dots.push(actor));
    expect(dots).toEqual([12, 21]);
  });

  it('leaves a counter of the same size after 200 starts', () => {
    const replicas = [new Replica(1), new Replica(2), new Replica(3)];
    let now = 1;
    let largest = 0;
    for (let start = 0; start < 200; start++) {
      const one = replicas[start % 3];
      for (const replica of replicas) replica.ended.set(one.actor, at(now));
      one.actor = 100 + start;
      for (const replica of replicas) expect(replica.add(at(now++), 1)).not.toBe(null);
      meetAll(replicas);
      for (const replica of replicas) replica.floorHlc = at(now);
      now++;
      if (start > 10) largest = Math.max(largest, recordBytes(must(one.stored), 0));
    }
    expect(replicas.map((replica) => replica.textAt(1e6))).toEqual(['600', '600', '600']);
    expect(largest).toBeLessThan(400);
  });

  it('is refused by name where nobody can fold it: a counter has so many parts and no more', () => {
    const one = new Replica(1);
    let refused = 0;
    for (let start = 0; start < 300; start++) {
      one.ended.set(one.actor, at(start));
      one.actor = 100 + start;
      if (one.add(at(start + 1), 1) === null) refused++;
    }
    expect([one.textAt(1e6), refused]).toEqual(['256', 44]);
    expect(one.refusal).toMatch(/too many parts/);
  });

  it('folded by two nodes at once counts once', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 5, maxLength: 60 }), (turns) => {
        const replicas = [new Replica(1), new Replica(2), new Replica(3)];
        let now = 1;
        let added = 0;
        for (const [index, turn] of turns.entries()) {
          const one = replicas[turn];
          if (index % 3 === 0) {
            for (const replica of replicas)
              if (replica !== one || index % 2 === 0) replica.ended.set(one.actor, at(now));
            one.actor = 100 + index;
          }
          if (one.add(at(now++), index + 1) !== null) added += index + 1;
          if (index % 2 === 0) replicas[(turn + 1) % 3].receive(one.stored);
          if (index % 4 === 3) {
            meetAll(replicas);
            for (const replica of replicas) replica.floorHlc = at(now) - 1;
          }
        }
        meetAll(replicas);
        expect(new Set(replicas.map((replica) => replica.textAt(1e6)))).toEqual(new Set([`${added}`]));
      }),
      { numRuns: 500 },
    );
  });
});

describe('the bytes of a counter', () => {
  it('are fixed', () => {
    const one = new Replica(0x0a0b_0c0d_0e0f);
    one.set(at(1), '5', 20_000);
    one.add(at(2), -7);
    expect(must(one.stored).toString('hex').slice(8)).toBe(GOLDEN.replaceAll(/\s/g, ''));
  });

  it('are the same whether the counter began by the straight path or by the long one', () => {
    const amounts = fc.integer({ min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER });
    const stamps = fc.nat({ max: 30 });
    fc.assert(
      fc.property(amounts, stamps, stamps, stamps, (amount, stamp, floor, flush) => {
        const [short, long] = [amount, BigInt(amount)].map((added) => {
          const replica = new Replica(11);
          replica.floorHlc = floor;
          replica.flushed = { flushedHlc: flush, flushedActor: flush === 0 ? 0 : 7 };
          expect(replica.add(stamp + 10, added)).toBe(BigInt(amount));
          return must(replica.stored).toString('hex');
        });
        expect(short).toBe(long);
      }),
    );
  });

  it('are refused in any other form', () => {
    const one = new Replica(11);
    one.add(at(1), 1);
    one.actor = 12;
    one.add(at(2), 1);
    const plain = must(one.stored);
    const versionAt = 40;
    const spoil = (whole: Buffer, change: (bytes: Buffer) => void) => {
      const bytes = Buffer.from(whole);
      change(bytes);
      sealRecord(bytes, 0, bytes.length);
      return verifyRecord(bytes, 0, bytes.length) !== 0 && isMergeable(bytes, 0);
    };
    const partAt = versionAt + 20;
    const spoilt: ((bytes: Buffer) => void)[] = [
      (bytes) => bytes.writeUInt16LE(1, versionAt + 16),
      (bytes) => bytes.writeUInt16LE(0, versionAt + 16),
      (bytes) => bytes.writeUInt8(1, versionAt + 19),
      (bytes) => bytes.writeUInt32LE(0x200000, versionAt + 4),
      (bytes) => bytes.writeUInt16LE(1, versionAt + 14),
      (bytes) => bytes.writeUInt32LE(0x200000, partAt + 20),
      (bytes) => bytes.writeUInt32LE(13, partAt),
      (bytes) => bytes.writeUInt32LE(0, partAt + 4),
      (bytes) => bytes.fill(0, partAt + 24, partAt + 32),
      (bytes) => bytes.writeUInt32LE(8, versionAt - 8),
      (bytes) => bytes.writeUInt32LE(0xffffffff, versionAt - 8),
      (bytes) => bytes.writeUInt32LE(1, versionAt - 4),
      (bytes) => bytes.writeUInt8(1, 9),
      (bytes) => bytes.writeUInt8(TYPE_PUT, 8),
    ];
    expect(spoil(plain, () => undefined)).toBe(true);
    for (const change of spoilt) expect([spoil(plain, change), change.toString()]).toEqual([false, change.toString()]);

    // A base that a SET gave, and a part of an actor that has ended folded into it.
    one.set(at(1), '5');
    one.actor = 13;
    one.add(at(2), 1);
    one.ended.set(13, at(3));
    one.floorHlc = at(3);
    one.actor = 14;
    one.add(at(4), 1);
    const full = must(one.stored);
    expect(full[versionAt + 18]).toBe(2 | 4 | 8);
    const spoiltHeads: ((bytes: Buffer) => void)[] = [
      (bytes) => bytes.fill(0, versionAt + 20, versionAt + 32),
      (bytes) => bytes.fill(0, versionAt + 32, versionAt + 40),
      (bytes) => bytes.writeUInt16LE(1, versionAt + 38),
      (bytes) => bytes.fill(0, versionAt + 40, versionAt + 48),
      (bytes) => bytes.writeUInt32LE(0x200000, versionAt + 44),
      (bytes) => bytes.writeUInt16LE(1, versionAt + 54),
    ];
    expect(spoil(full, () => undefined)).toBe(true);
    for (const change of spoiltHeads)
      expect([spoil(full, change), change.toString()]).toEqual([false, change.toString()]);
    for (let bits = 0; bits < 256; bits++) {
      // Whether the base is a number does not show in its bytes.
      const isKnown = (bits | 1) === (full[versionAt + 18] | 1);
      expect([bits, spoil(full, (bytes) => bytes.writeUInt8(bits, versionAt + 18))]).toEqual([bits, isKnown]);
    }
    expect(verifyRecord(record({ type: TYPE_COUNTER }, KEY, '5'), 0, 100)).toBe(0);
    expect(UNFLUSHED.flushedHlc).toBe(0);
  });
});

/** Behind the checksum. */
const GOLDEN = `
    95000000 050b0300 0010000000000000 0f0e0d0c 02000000 0b0a0000
    204e000000000000 0008000000000000 0f0e0d0c0b0a0000
    50000000 00000000
    0008000000000000 0f0e0d0c0b0a0000 0100 06 00
    0500000000000000 00000000
    010000000000 0000
    0f0e0d0c 02000000 0b0a 0000 ffffffff
    0010000000000000 0010000000000000 f9ffffffffffffff
    6b6579 2d32
`;
