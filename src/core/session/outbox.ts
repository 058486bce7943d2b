/**
 * The replies of one connection in the order of its commands. Its session writes what is known at once into `target`, takes a
 * place for what comes later, and marks what must wait for a log batch; at the end of a turn it takes what may leave.
 *
 * While no place is open, replies go straight into one buffer. Behind an open place they collect in places of their own, and
 * are merged when all before them are whole. A mark says "from this byte on, not before that batch is durable"; as replies
 * leave in order, the first unmet mark holds everything behind it.
 * Guarded: replies leave in the order of commands, whole, and none before its batch.
 */
import { assert } from '../base/assert.js';
import type { Deferred } from '../commands/host.js';
import type { CommandStats } from '../commands/stats.js';
import type { OutputMarks } from '../resp/output-marks.js';
import type { BufferPool } from '../resp/pool.js';
import { Reply } from '../resp/reply.js';
import { ReplyEstimate } from '../resp/reply-estimate.js';
import { replyEnd } from '../resp/whole.js';

/** Places in the queue past which the session takes no more commands. */
export const PLACES_MAX = 1024;

/** Whoever looks after the connection: told that it has something to send. */
export interface Owner {
  wake(): void;
}

const ERROR = 0x2d;

export class Outbox {
  /** A reply was dropped for want of room; nothing sensible can be sent any more. */
  overflowed = false;
  /** Replies from now on are dropped: CLIENT REPLY OFF. */
  muted = false;
  private readonly out: Reply;
  /** Takes the reply of the command in hand while muted. */
  private sink: Reply | null = null;
  private readonly outMarks = new Marks();
  private queue: Place[] = [];
  private queueHead = 0;
  /** Bytes in places, as far as they are whole. */
  private placedBytes = 0;
  /** Places whose reply is still to come and may be long, and how long. */
  private open = 0;
  private readonly estimate: ReplyEstimate;
  /** Where the reply of the command in hand begins in its target. */
  private commandStart = 0;
  private readonly owner: Owner;
  private readonly stats: CommandStats;

  constructor(owner: Owner, pool: BufferPool, stats: CommandStats, marks: OutputMarks, protocol: 2 | 3) {
    this.estimate = new ReplyEstimate(marks);
    this.owner = owner;
    this.stats = stats;
    this.out = new Reply(protocol, pool);
  }

  /** Bytes owed, replies that wait included. */
  get bytes(): number {
    const tail = this.tail();
    return this.out.length + this.placedBytes + (tail?.collecting ? tail.reply.length : 0);
  }

  /** Places in the queue. */
  get places(): number {
    return this.queue.length - this.queueHead;
  }

  /** So much may come for the open places that no more should be opened. */
  get awaitsMuch(): boolean {
    return !this.estimate.allows(this.open);
  }

  get protocol(): 2 | 3 {
    return this.out.protocol;
  }

  set protocol(protocol: 2 | 3) {
    this.out.protocol = protocol;
    const tail = this.tail();
    if (tail?.collecting) tail.reply.protocol = protocol;
  }

  /** Begins the reply of the next command. */
  begin(): void {
    if (this.places === 0) {
      this.commandStart = this.out.length;
      return;
    }
    this.settle();
    const tail = this.tail();
    this.commandStart = tail === null ? this.out.length : tail.collecting ? tail.reply.length : 0;
  }

  /** Where a reply that is known now is written. */
  target(): Reply {
    if (this.muted) {
      this.sink ??= new Reply(this.out.protocol, null);
      return this.sink;
    }
    if (this.places === 0) return this.out;
    const tail = this.tail();
    if (tail?.collecting) return tail.reply;
    const place = new Place(this, new Reply(this.out.protocol, null), true);
    this.queue.push(place);
    this.commandStart = 0;
    return place.reply;
  }

  /** The next place in the order, for a reply that comes later; `isShort`: whatever came before, it takes next to no room. */
  defer(isShort = false): Place {
    const tail = this.tail();
    if (tail?.collecting) this.close(tail);
    if (!isShort) this.open++;
    const place = new Place(this, new Reply(this.out.protocol, null), false, isShort, this.muted);
    this.queue.push(place);
    return place;
  }

  /** The reply of the command in hand, and what follows it, waits until `batch` is durable. */
  hold(batch: number): void {
    if (this.muted) return;
    const tail = this.tail();
    if (tail === null) this.outMarks.add(this.commandStart, batch);
    else if (tail.collecting) tail.marks.add(this.commandStart, batch);
    else tail.marks.add(0, batch);
  }

  /** Ends the reply of the command in hand; true, and counted, if it is an error known at once. */
  failed(): boolean {
    if (this.muted) return this.sinkFailed();
    const tail = this.tail();
    if (tail !== null && !tail.collecting) return false;
    const reply = tail === null ? this.out : tail.reply;
    if (this.commandStart >= reply.length || reply.buffer[this.commandStart] !== ERROR) return false;
    this.stats.countError(firstWord(reply, this.commandStart));
    return true;
  }

  /** Moves every reply whose predecessors are whole into the output. */
  settle(): void {
    while (this.queueHead < this.queue.length) {
      const place = this.queue[this.queueHead];
      if (!place.collecting && !place.whole) break;
      if (place.whole) this.placedBytes -= place.reply.length;
      const base = this.out.length;
      if (!place.muted) {
        this.out.raw(place.reply.buffer, 0, place.reply.length);
        this.outMarks.append(place.marks, base);
      }
      if (place.reply.overflowed) this.overflowed = true;
      place.merged = true;
      this.queueHead++;
    }
    if (this.queueHead === this.queue.length) {
      if (this.queueHead > 0) this.queue = [];
      this.queueHead = 0;
    } else if (this.queueHead > PLACES_MAX) {
      this.queue = this.queue.slice(this.queueHead);
      this.queueHead = 0;
    }
    if (this.out.overflowed) this.overflowed = true;
  }

  /** What may leave now that `durableBatch` is durable, given away for good; null if nothing may. */
  take(durableBatch: number): Buffer | null {
    this.settle();
    const count = Math.min(this.outMarks.passed(durableBatch), this.out.length);
    if (count === 0) return null;
    this.outMarks.shift(count);
    this.commandStart = Math.max(0, this.commandStart - count);
    return this.out.detach(count);
  }

  /** Nothing is owed any more. */
  get isEmpty(): boolean {
    return this.out.length === 0 && this.places === 0;
  }

  /** Whole replies stand here that wait only for a batch. */
  get holding(): boolean {
    return this.out.length > 0;
  }

  /** A reply stands here that waits for a batch. */
  get awaitsLog(): boolean {
    return this.outMarks.pending;
  }

  /**
   * The log does not take what replies wait for: each of them becomes this error, and waits no more. What was refused in any case
   * stays as it is. Returns how many there were.
   */
  refuseHeld(code: string, text: string): number {
    this.settle();
    const { out, outMarks } = this;
    const from = Math.min(outMarks.first, out.length);
    const held = Buffer.from(out.buffer.subarray(from, out.length));
    outMarks.clear();
    out.truncate(from);
    let refused = 0;
    for (let at = 0; at < held.length; ) {
      const end = replyEnd(held, at, held.length);
      assert(end > at, 'an outbox holds whole replies');
      if (held[at] === ERROR) out.raw(held, at, end);
      else {
        out.error(code, text);
        this.stats.countError(code);
        refused++;
      }
      at = end;
    }
    this.commandStart = out.length;
    return refused;
  }

  /** The connection is gone: gives the buffers back. */
  release(): void {
    this.out.release();
    for (const place of this.queue) place.abandon();
    this.queue = [];
    this.queueHead = 0;
    this.placedBytes = 0;
    this.open = 0;
  }

  /** A place says that its reply is whole. */
  placeIsWhole(place: Place): void {
    if (!place.isShort) this.open--;
    this.placedBytes += place.reply.length;
    // An error says nothing about how long the replies are that did not come.
    if (place.reply.length > 0 && place.reply.buffer[0] === ERROR) this.stats.countError(firstWord(place.reply, 0));
    else if (!place.isShort) this.estimate.learn(place.reply.length);
    this.owner.wake();
  }

  /** What nobody reads is not kept. */
  private sinkFailed(): boolean {
    const { sink } = this;
    this.sink = null;
    if (sink === null || sink.length === 0 || sink.buffer[0] !== ERROR) return false;
    this.stats.countError(firstWord(sink, 0));
    return true;
  }

  private close(place: Place): void {
    place.collecting = false;
    place.whole = true;
    this.placedBytes += place.reply.length;
  }

  private tail(): Place | null {
    return this.queueHead < this.queue.length ? this.queue[this.queue.length - 1] : null;
  }
}

/** A place in the order of replies. */
export class Place implements Deferred {
  readonly reply: Reply;
  readonly marks = new Marks();
  /** Takes the replies of commands that answer at once, behind an open place. */
  collecting: boolean;
  whole = false;
  /** Its bytes have moved on, or the connection is gone. */
  merged = false;
  readonly isShort: boolean;
  /** Its reply is dropped. */
  readonly muted: boolean;
  private readonly outbox: Outbox;

  constructor(outbox: Outbox, reply: Reply, collecting: boolean, isShort = false, muted = false) {
    this.muted = muted;
    this.isShort = isShort;
    this.outbox = outbox;
    this.reply = reply;
    this.collecting = collecting;
  }

  done(): void {
    if (this.whole || this.merged) return;
    this.whole = true;
    this.outbox.placeIsWhole(this);
  }

  /** The connection is gone: what is here is let go, and what comes for it is not kept. */
  abandon(): void {
    this.merged = true;
    this.reply.release();
    this.reply.overflowed = true;
  }

  /** The reply leaves only when `batch` is durable. */
  holdUntilDurable(batch: number): void {
    this.marks.add(0, batch);
  }
}

/** Marks in ascending order of both byte and batch. */
class Marks {
  private offsets: number[] = [];
  private batches: number[] = [];

  get pending(): boolean {
    return this.batches.length > 0;
  }

  add(offset: number, batch: number): void {
    const last = this.batches.length - 1;
    if (last >= 0 && this.batches[last] >= batch) return;
    this.offsets.push(offset);
    this.batches.push(batch);
  }

  append(marks: Marks, base: number): void {
    for (let index = 0; index < marks.offsets.length; index++) {
      this.add(base + marks.offsets[index], marks.batches[index]);
    }
  }

  /** Where the first mark stands; infinity without one. */
  get first(): number {
    return this.offsets.length === 0 ? Number.POSITIVE_INFINITY : this.offsets[0];
  }

  clear(): void {
    this.offsets = [];
    this.batches = [];
  }

  /** Forgets marks that are met; returns the offset of the first that is not, or infinity. */
  passed(durableBatch: number): number {
    if (this.batches.length === 0) return Number.POSITIVE_INFINITY;
    let met = 0;
    while (met < this.batches.length && this.batches[met] <= durableBatch) met++;
    if (met > 0) {
      this.offsets.splice(0, met);
      this.batches.splice(0, met);
    }
    return this.offsets.length === 0 ? Number.POSITIVE_INFINITY : this.offsets[0];
  }

  /** The first `count` bytes are gone. */
  shift(count: number): void {
    for (let index = 0; index < this.offsets.length; index++) this.offsets[index] -= count;
  }
}

/** The first word of the error reply at `start`: its code. */
function firstWord(reply: Reply, start: number): string {
  let end = start + 1;
  while (end < reply.length && end < start + 32 && reply.buffer[end] > 0x20) end++;
  return reply.buffer.latin1Slice(start + 1, end);
}
