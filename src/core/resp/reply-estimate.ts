/**
 * How long the next reply is likely to be, by those before it. A session (session/outbox.ts) asks it how many replies may be under way
 * from elsewhere at once: what another node answers can not be measured before it is there, nor sent back.
 * Guarded: a longer reply counts at once, shorter ones bit by bit, so a burst of long ones is met with few under way; constant work, no
 * allocation.
 */

/** Before anything is known: sixteen of them are `AWAITED_BYTES_HIGH`. */
export const REPLY_BYTES_AT_FIRST = 256 * 1024;
/** Replies that are likely to be longer together are not awaited at once; one alone always is. */
export const AWAITED_BYTES_HIGH = 4 * 1024 * 1024;
const GAIN = 1 / 8;

export class ReplyEstimate {
  bytes = REPLY_BYTES_AT_FIRST;

  learn(length: number): void {
    if (length >= this.bytes) this.bytes = length;
    else this.bytes -= (this.bytes - length) * GAIN;
  }

  /** Whether one more may be awaited beside `count` others. */
  allows(count: number): boolean {
    return count === 0 || (count + 1) * this.bytes <= AWAITED_BYTES_HIGH;
  }
}
