/** What of a stream's frames are replies: counted until the system has taken them, whatever stands beside them. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { StreamReplies } from '../../../src/core/replication/stream-replies.js';

it('counts a reply until it has left, and nothing of what a catch-up sends', () => {
  const replies = new StreamReplies();
  replies.wrote(4_000_000);
  expect(replies.waitingBytes(4_000_000)).toBe(0);
  replies.queued(1_000);
  expect(replies.waitingBytes(4_000_000)).toBe(1_000);
  replies.wrote(1_000);
  expect(replies.waitingBytes(3_000_000)).toBe(1_000);
  expect(replies.waitingBytes(1)).toBe(1_000);
  expect(replies.waitingBytes(0)).toBe(0);
});

it('never says less than what waits, and nothing once all has left', () => {
  const turn = fc.record({
    replies: fc.nat(9_999),
    others: fc.nat(9_999),
    taken: fc.double({ min: 0, max: 1, noNaN: true }),
  });
  fc.assert(
    fc.property(fc.array(turn, { maxLength: 200 }), (turns) => {
      const book = new StreamReplies();
      /** Replies and others in turn, as they stand on the stream. */
      let waiting: number[] = [];
      const sum = (of: readonly number[]): number => of.reduce((total, bytes) => total + bytes, 0);
      for (const { replies, others, taken } of turns) {
        book.queued(replies);
        book.wrote(replies + others);
        waiting.push(replies, others);
        let left = Math.floor(sum(waiting) * taken);
        waiting = waiting.map((bytes) => {
          const taking = Math.min(bytes, left);
          left -= taking;
          return bytes - taking;
        });
        const waits = sum(waiting.filter((_, at) => at % 2 === 0));
        expect(book.waitingBytes(sum(waiting))).toBeGreaterThanOrEqual(waits);
      }
      expect(book.waitingBytes(0)).toBe(0);
    }),
  );
});
