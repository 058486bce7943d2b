/**
 * How much of what waits for a peer's stream are replies to its commands: beside them the stream carries records, comparisons and what a
 * catch-up sends, which say nothing of how fast the peer takes replies. peers.ts tells it what is queued and written; the request desk asks.
 * Guarded: never less than what waits; what has left is taken off a turn's frames at a time, so it may be late by one; bounded entries.
 */

/** Past it the latest are counted as one. */
const BATCHES_MAX = 64;

/** The frames of one turn: where their last byte stands in what was written on the stream, and bytes of replies among them. */
interface Batch {
  end: number;
  replyBytes: number;
}

export class StreamReplies {
  /** Of replies that wait for the end of the turn, or for the stream. */
  private queuedBytes = 0;
  private writtenBytes = 0;
  /** Of replies among the batches. */
  private batchedBytes = 0;
  private batches: Batch[] = [];

  /** A reply waits to be written. */
  queued(bytes: number): void {
    this.queuedBytes += bytes;
  }

  /** All that waited was written: so many bytes, the replies among them. */
  wrote(bytes: number): void {
    this.writtenBytes += bytes;
    const replyBytes = this.queuedBytes;
    if (replyBytes === 0) return;
    this.queuedBytes = 0;
    this.batchedBytes += replyBytes;
    if (this.batches.length < BATCHES_MAX) {
      this.batches.push({ end: this.writtenBytes, replyBytes });
      return;
    }
    const last = this.batches[BATCHES_MAX - 1];
    last.end = this.writtenBytes;
    last.replyBytes += replyBytes;
  }

  /** Bytes of replies that wait, while so many bytes of anything are written and not taken. */
  waitingBytes(untakenBytes: number): number {
    if (this.batches.length > 0) this.drop(untakenBytes);
    return this.queuedBytes + this.batchedBytes;
  }

  /** The stream has ended, with all that waited. */
  clear(): void {
    this.queuedBytes = 0;
    this.writtenBytes = 0;
    this.batchedBytes = 0;
    this.batches = [];
  }

  private drop(untakenBytes: number): void {
    const taken = this.writtenBytes - untakenBytes;
    let gone = 0;
    while (gone < this.batches.length && this.batches[gone].end <= taken)
      this.batchedBytes -= this.batches[gone++].replyBytes;
    if (gone > 0) this.batches.splice(0, gone);
  }
}
