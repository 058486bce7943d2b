import { describe, expect, it } from 'vitest';
import { AckBook, DurableMarks, readAcks } from '../../../src/core/replication/acks.js';

const ACTOR = 2 ** 47 + 3;

function numbersIn(bodies: readonly Buffer[]): number[] {
  return bodies.flatMap((body) => {
    const acks = readAcks(body, 0, body.length);
    if (acks === null) throw new Error('no acks');
    return Array.from({ length: acks.count }, (_, index) => body.readUInt32LE(acks.numbersStart + index * 4));
  });
}

describe('the acknowledgements of a turn', () => {
  it('leave once their batch is released, by the way their messages came', () => {
    const book = new AckBook();
    book.note(1, 5, null, false);
    book.note(2, 6, null, true);
    book.note(3, 7, null, false);
    book.release(6);
    expect(numbersIn(book.takeDatagrams(ACTOR, 4))).toEqual([1]);
    expect(numbersIn(book.takeStream(ACTOR, 4))).toEqual([2]);
    book.release(7);
    expect(numbersIn(book.takeDatagrams(ACTOR, 4))).toEqual([3]);
    expect(book.takeDatagrams(ACTOR, 4)).toEqual([]);
  });

  it('name the actor, a batch that holds them all, and what is durable', () => {
    const book = new AckBook();
    book.note(1, 5, null, false);
    book.note(2, 9, null, false);
    book.release(9);
    const [body] = book.takeDatagrams(ACTOR, 4);
    expect(readAcks(body, 0, body.length)).toMatchObject({ actor: ACTOR, batch: 9, durableBatch: 4, count: 2 });
  });

  it('are followed by one empty section when their batch is durable, and by none after that', () => {
    const book = new AckBook();
    book.note(1, 5, null, false);
    book.release(5);
    book.takeDatagrams(ACTOR, 4);
    const [told] = book.takeDatagrams(ACTOR, 5);
    expect(readAcks(told, 0, told.length)).toMatchObject({ count: 0, durableBatch: 5 });
    expect(book.takeDatagrams(ACTOR, 8)).toEqual([]);
  });

  it('fit into a datagram each, however many there are, and name refused records by position', () => {
    const book = new AckBook();
    for (let number = 1; number <= 1000; number++) book.note(number, 1, number % 300 === 0 ? [0, 3] : null, false);
    book.release(1);
    const bodies = book.takeDatagrams(ACTOR, 0);
    for (const body of bodies) expect(body.length).toBeLessThanOrEqual(1172);
    expect(numbersIn(bodies)).toHaveLength(997);
    const refused = bodies.flatMap((body) => readAcks(body, 0, body.length)?.refused ?? []);
    expect(refused).toEqual([300, 600, 900].map((number) => ({ number, records: [0, 3] })));
  });

  it('are refused when they are cut short anywhere or their batches are no numbers', () => {
    const book = new AckBook();
    book.note(1, 1, null, false);
    book.note(2, 1, [1], false);
    book.release(1);
    for (const body of book.takeDatagrams(ACTOR, 0)) {
      for (let end = 0; end < body.length; end++) expect(readAcks(body, 0, end)).toBeNull();
      const wrong = Buffer.from(body);
      wrong.writeDoubleLE(Number.NaN, 8);
      expect(readAcks(wrong, 0, wrong.length)).toBeNull();
    }
  });
});

describe('what of the acknowledged is durable at a peer', () => {
  it('is known when a batch at least as late as the one named is', () => {
    const marks = new DurableMarks();
    marks.acknowledged(10, 5);
    marks.acknowledged(20, 6);
    expect(marks.through(20)).toBe(0);
    marks.durable(5);
    expect(marks.through(20)).toBe(10);
    marks.durable(6);
    expect(marks.through(25)).toBe(25);
  });

  it('waits for what a late hint delivered of writes that the peer was taken to have on disk', () => {
    const marks = new DurableMarks();
    marks.acknowledged(10, 5);
    marks.durable(5);
    expect(marks.through(10)).toBe(10);
    marks.acknowledged(11, 6);
    marks.acknowledged(12, 7, 3);
    expect(marks.through(12)).toBe(3);
    marks.durable(6);
    expect(marks.through(12)).toBe(3);
    marks.durable(7);
    expect(marks.through(12)).toBe(12);
  });

  it('is never more than what is acknowledged', () => {
    const marks = new DurableMarks();
    marks.acknowledged(10, 5);
    marks.durable(9);
    expect(marks.through(7)).toBe(7);
  });

  it('takes an earlier message to lie in the latest batch named so far', () => {
    const marks = new DurableMarks();
    marks.acknowledged(4, 9);
    marks.acknowledged(6, 8);
    marks.durable(8);
    expect(marks.through(6)).toBe(0);
    marks.durable(9);
    expect(marks.through(6)).toBe(6);
  });

  it('stays bounded where nothing ever becomes durable, and errs towards later', () => {
    const marks = new DurableMarks();
    for (let batch = 1; batch <= 5000; batch++) marks.acknowledged(batch, batch);
    marks.durable(1023);
    expect(marks.through(5000)).toBe(1023);
    marks.durable(4999);
    expect(marks.through(5000)).toBe(1023);
    marks.durable(5000);
    expect(marks.through(5000)).toBe(5000);
  });
});
