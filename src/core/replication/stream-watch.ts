/**
 * Whether what this node writes on its stream to a peer still gets there. Between the two a firewall may forget a stream without a word,
 * and the system goes on for a quarter of an hour before it says so. So after frames have left, one more asks for a sign of life, again
 * each second until the peer answers by whatever way is open to it; peers.ts asks `judge` at each tick.
 * Guarded: a stream is given up only after this node has run, asked and seen the stream's queue stand still for all of that time; an idle
 * stream is never asked about.
 */

/** At most one question in this time. */
const ASK_INTERVAL_MS = 1000;
/** So long an answer is waited for, from the first question or the last byte that left. */
const PATIENCE_MS = 5000;
/** A tick later than this tells of a stall here: silence in it says nothing. */
const STALL_MS = 500;

export type StreamVerdict = 'well' | 'ask' | 'lost';

export class StreamWatch {
  /** The mark of the last question. */
  mark = 0;
  private hasWritten = false;
  /** The first question without an answer had this mark; 0: there is none. */
  private openMark = 0;
  private askedAtMs = Number.NEGATIVE_INFINITY;
  private progressAtMs = 0;
  private queuedBytes = 0;
  private judgedAtMs = 0;

  /** Another stream takes the place of the one that was watched. */
  begin(nowMs: number): void {
    this.hasWritten = false;
    this.openMark = 0;
    this.judgedAtMs = nowMs;
  }

  /** Frames have left. */
  wrote(): void {
    this.hasWritten = true;
  }

  /** The peer has read as far as the question of this mark. */
  answered(mark: number): void {
    if (this.openMark !== 0 && mark >= this.openMark && mark <= this.mark) this.openMark = 0;
  }

  /** `queuedBytes`: what the system has yet to take. On `ask`, `mark` is to be sent. */
  judge(nowMs: number, queuedBytes: number): StreamVerdict {
    const stalled = nowMs - this.judgedAtMs > STALL_MS;
    this.judgedAtMs = nowMs;
    if (stalled || queuedBytes < this.queuedBytes) this.progressAtMs = nowMs;
    this.queuedBytes = queuedBytes;
    if (this.openMark !== 0 && nowMs - this.progressAtMs > PATIENCE_MS) return 'lost';
    if (nowMs - this.askedAtMs < ASK_INTERVAL_MS || (this.openMark === 0 && !this.hasWritten)) return 'well';
    this.askedAtMs = nowMs;
    this.mark++;
    if (this.openMark === 0) {
      this.openMark = this.mark;
      this.progressAtMs = nowMs;
      this.hasWritten = false;
    }
    return 'ask';
  }
}
