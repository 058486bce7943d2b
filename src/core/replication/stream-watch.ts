/**
 * Whether what this node writes on its stream to a peer still gets there. Between the two a firewall may forget a stream without a word,
 * and the system goes on for a quarter of an hour before it says so. So after frames have left, one more asks for a sign of life, again
 * each second until the peer answers by whatever way is open to it; peers.ts asks `judge` at each tick.
 *
 * A question stands behind what the system has taken and not delivered, which nobody can see. So it is waited for longer the more was
 * written since the last answer, as if the way were narrow; and twice as long after each stream in a row that was given up, so that a way
 * narrower than that is found out instead of being torn down for ever.
 * Guarded: a stream is given up only after this node has run, asked and seen the stream's queue stand still for all of that time; an idle
 * stream is never asked about.
 */

/** At most one question in this time. */
const ASK_INTERVAL_MS = 1000;
/** So long an answer is waited for, from the first question or the last byte that left. */
const PATIENCE_MS = 5000;
/** A way that carries this much is waited for: 128 kbit/s. */
const SLOWEST_BYTES_PER_MS = 16;
/** What lies in the buffers of systems: with it a dead stream is given up after a minute. */
const UNDER_WAY_BYTES_MAX = 880_000;
const DOUBLINGS_MAX = 4;
/** A tick later than this tells of a stall here: silence in it says nothing. */
const STALL_MS = 500;

export type StreamVerdict = 'well' | 'ask' | 'lost';

export class StreamWatch {
  /** The mark of the last question. */
  mark = 0;
  private hasWritten = false;
  /** The first question without an answer had this mark; 0: there is none. */
  private openMark = 0;
  /** What had been written on the stream when that was asked, by now, and as far as the peer has read for certain. */
  private openBytes = 0;
  private writtenBytes = 0;
  private readBytes = 0;
  /** Streams given up since the last answer. */
  private lostInRow = 0;
  private askedAtMs = Number.NEGATIVE_INFINITY;
  private progressAtMs = 0;
  private queuedBytes = 0;
  private judgedAtMs = 0;

  /** Another stream takes the place of the one that was watched. */
  begin(nowMs: number): void {
    this.hasWritten = false;
    this.openMark = 0;
    this.writtenBytes = 0;
    this.readBytes = 0;
    this.queuedBytes = 0;
    this.judgedAtMs = nowMs;
  }

  /** Frames of so many bytes have left. */
  wrote(bytes: number): void {
    this.hasWritten = true;
    this.writtenBytes += bytes;
  }

  /** The peer has read as far as the question of this mark. */
  answered(mark: number): void {
    if (this.openMark === 0 || mark < this.openMark || mark > this.mark) return;
    this.openMark = 0;
    this.readBytes = this.openBytes;
    this.lostInRow = 0;
  }

  /** `queuedBytes`: what the system has yet to take. On `ask`, `mark` is to be sent. */
  judge(nowMs: number, queuedBytes: number): StreamVerdict {
    const stalled = nowMs - this.judgedAtMs > STALL_MS;
    this.judgedAtMs = nowMs;
    if (stalled || queuedBytes < this.queuedBytes) this.progressAtMs = nowMs;
    this.queuedBytes = queuedBytes;
    if (this.openMark !== 0 && nowMs - this.progressAtMs > this.patienceMs) {
      this.lostInRow = Math.min(this.lostInRow + 1, DOUBLINGS_MAX);
      return 'lost';
    }
    if (nowMs - this.askedAtMs < ASK_INTERVAL_MS || (this.openMark === 0 && !this.hasWritten)) return 'well';
    this.askedAtMs = nowMs;
    this.mark++;
    if (this.openMark === 0) {
      this.openMark = this.mark;
      this.openBytes = this.writtenBytes;
      this.progressAtMs = nowMs;
      this.hasWritten = false;
    }
    return 'ask';
  }

  private get patienceMs(): number {
    const underWay = this.writtenBytes - this.readBytes - this.queuedBytes;
    const bytes = Math.min(UNDER_WAY_BYTES_MAX, Math.max(0, underWay));
    return (PATIENCE_MS + bytes / SLOWEST_BYTES_PER_MS) * 2 ** this.lostInRow;
  }
}
