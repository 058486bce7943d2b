/**
 * How long the next reply is likely to be, by those before it. A session (session/outbox.ts) asks it how many replies may be under way
 * from elsewhere at once: what another node answers can not be measured before it is there, nor sent back.
 * Guarded: a longer reply counts at once, shorter ones bit by bit, so a burst of long ones is met with few under way; constant work, no
 * allocation.
 */

import type { OutputMarks } from './output-marks.js';

const GAIN = 1 / 8;

export class ReplyEstimate {
  bytes: number;

  constructor(private readonly marks: OutputMarks) {
    this.bytes = marks.replyBytesAtFirst;
  }

  learn(length: number): void {
    if (length >= this.bytes) this.bytes = length;
    else this.bytes -= (this.bytes - length) * GAIN;
  }

  /** Whether one more may be awaited beside `count` others. */
  allows(count: number): boolean {
    return count === 0 || (count + 1) * this.bytes <= this.marks.awaitedBytesHigh;
  }
}
