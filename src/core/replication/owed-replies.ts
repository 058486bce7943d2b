/**
 * What this node holds for one peer that hands it commands: replies that are not sent yet, and commands that wait until the peer has
 * taken some of those before them. The request desk (node/request-desk.ts) asks before it runs one: a reply of a mebibyte takes its
 * asker forty bytes to ask for, and more of them than the stream may hold would be made only to be dropped.
 * Guarded: commands run in the order in which they came; those that wait are bounded in number and bytes; one alone is always let in.
 */

/** Replies to one peer, past which its commands wait. */
export const OWED_BYTES_HIGH = 2 * 1024 * 1024;
/** Commands that may wait, and their bytes: as many as an asker keeps for one peer. */
export const WAITING_MAX = 65_536;
export const WAITING_BYTES_MAX = 32 * 1024 * 1024;

/** A command that waits: the request as it came, and the run of the peer that sent it. */
export interface WaitingCommand {
  readonly body: Buffer;
  readonly actor: number;
}

export class OwedReplies {
  /** Of replies that are made and not sent. */
  heldBytes = 0;
  waitingBytes = 0;
  /** Commands that had to wait, and those for which there was no room to. */
  waited = 0;
  refused = 0;
  private queue: WaitingCommand[] = [];
  private head = 0;

  /** Commands that wait. */
  get size(): number {
    return this.queue.length - this.head;
  }

  /** Keeps a copy of a request, whose bytes are only lent; false if no more may wait. */
  wait(body: Buffer, actor: number): boolean {
    const { size } = this;
    if (size >= WAITING_MAX || (size > 0 && this.waitingBytes + body.length > WAITING_BYTES_MAX)) {
      this.refused++;
      return false;
    }
    this.waited++;
    this.queue.push({ body: Buffer.from(body), actor });
    this.waitingBytes += body.length;
    return true;
  }

  /** Nobody waits for their replies any more. */
  clear(): void {
    this.queue = [];
    this.head = 0;
    this.waitingBytes = 0;
  }

  /** The one that has waited longest. */
  next(): WaitingCommand | null {
    if (this.size === 0) return null;
    const command = this.queue[this.head++];
    this.waitingBytes -= command.body.length;
    if (this.size === 0) {
      this.queue = [];
      this.head = 0;
    } else if (this.head > 1024 && this.head * 2 > this.queue.length) {
      this.queue = this.queue.slice(this.head);
      this.head = 0;
    }
    return command;
  }
}
