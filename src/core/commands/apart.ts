/**
 * Commands on several keys that are more than the sum of parts: COPY, RENAME, BITOP, LCS, MSETEX. Where their keys live apart, the node that
 * was asked runs them as an errand: steps of smaller commands, each at an owner of its key, the next begun when the last is answered.
 * The session gives nothing else of its connection to anybody before an errand's end (session.ts), so that what follows sees it.
 * Guarded: one reply, in one place of the caller's order, and not before the steps' writes are durable; an error ends the errand.
 */
import { HearsayError } from '../base/errors.js';
import { slotOf } from '../partitions/slots.js';
import { Args } from '../resp/args.js';
import type { Reply } from '../resp/reply.js';
import type { Command } from './command.js';
import { lastKeyOf, WRITE } from './command.js';
import type { Caller, CommandHost } from './host.js';
import type { Receipt } from './receipt.js';
import { type HeldDeferred, isError, isOpen, PARTS_MAX, PartCaller } from './split.js';
import type { CommandTable } from './table.js';

/** Called with each answer of a step as it comes, which is let go afterwards. */
export type Taker = (reply: Reply, index: number) => void;

export class Errand {
  readonly args: Args;
  private readonly receipt: Receipt;
  private readonly writes: boolean;
  private joined = false;
  private batch = 0;
  private pending = 0;
  private given = true;
  private failure: string | null = null;
  /** The failure leaves open whether its write was carried out. */
  private failureIsOpen = false;
  /** A write of the step under way was carried out. */
  private carriedOut = false;
  private indexes = new Map<PartCaller, number>();
  private take: Taker = () => {};
  private after: () => void = () => {};
  private refusal: ((text: string) => string) | null = null;

  /** `args` are only lent: what the steps need of them is kept. */
  constructor(
    private readonly host: CommandHost,
    private readonly table: CommandTable,
    command: Command,
    args: Args,
    private readonly caller: Caller,
    private readonly place: HeldDeferred,
  ) {
    this.writes = (command.flags & WRITE) !== 0;
    this.receipt = caller.beginReceipt(this.writes ? caller.writeLevel : caller.readLevel);
    this.receipt.kept = true;
    const words: Buffer[] = [];
    for (let index = 0; index < args.count; index++) words.push(args.copy(index));
    this.args = Args.of(...words);
  }

  get wallMs(): number {
    return this.host.wallMs;
  }

  /** Runs an errand's first step; what it throws is its answer. */
  begin(apart: (errand: Errand) => void): void {
    try {
      apart(this);
    } catch (error) {
      if (!(error instanceof HearsayError)) throw error;
      this.answer((reply) => reply.error(error.code, error.message));
    }
  }

  /** One step: all of `commands` at once, each as words. `then` runs once all are answered without an error. */
  step(commands: (string | Buffer)[][], take: Taker, then: () => void): void {
    this.take = take;
    this.after = then;
    this.given = false;
    this.carriedOut = false;
    for (const [index, words] of commands.entries()) this.ask(words, index);
    this.given = true;
    this.next();
  }

  /** An error from here on is told in these words. */
  explain(refusal: (text: string) => string): void {
    this.refusal = refusal;
  }

  /** The end of the errand. */
  answer(write: (reply: Reply) => void): void {
    const { place, batch } = this;
    write(place.reply);
    if (batch > 0) place.holdUntilDurable(batch);
    place.done();
  }

  partIsDone(part: PartCaller): void {
    this.pending--;
    if (part.batch > this.batch) this.batch = part.batch;
    const index = this.indexes.get(part) ?? 0;
    this.indexes.delete(part);
    const { reply, receipt } = part;
    if (reply.overflowed) this.failure ??= 'ERR the values are too long together';
    else if (isError(reply)) this.fail(reply, part.writes);
    else {
      if (part.writes) this.carriedOut = true;
      if (this.failure === null) this.take(reply, index);
    }
    if (part.writes || !this.writes) {
      this.receipt.join(receipt, !this.joined);
      this.joined = true;
    }
    reply.release();
    this.next();
  }

  /** The first error is told; of writes, the first that leaves its outcome open. */
  private fail(reply: Reply, writes: boolean): void {
    const isWorse = writes && !this.failureIsOpen && isOpen(reply);
    if (this.failure !== null && !isWorse) return;
    this.failure = reply.buffer.latin1Slice(1, reply.length - 2);
    this.failureIsOpen = isWorse;
  }

  private ask(words: (string | Buffer)[], index: number): void {
    const command = this.table.named(`${words[0]}`);
    const part = new PartCaller(this.caller, this, (command.flags & WRITE) !== 0);
    this.indexes.set(part, index);
    this.pending++;
    try {
      this.host.submit(command, Args.of(...words), part);
    } catch (error) {
      if (!(error instanceof HearsayError)) throw error;
      part.fail(error);
    }
    if (!part.deferred) part.done();
  }

  private next(): void {
    if (!this.given || this.pending > 0) return;
    const { failure, refusal } = this;
    if (failure === null) {
      this.begin(() => this.after());
      return;
    }
    const told = this.carriedOut ? `UNAVAILABLE carried out for some keys only: ${failure}` : failure;
    const text = refusal === null ? told : refusal(failure);
    const blank = text.indexOf(' ');
    this.answer((reply) => reply.error(text.slice(0, blank), text.slice(blank + 1)));
  }
}

/** Refuses more keys than one command may have under way. */
export function requirePartsFit(keys: number): void {
  if (keys > PARTS_MAX) throw new HearsayError('ERR', `at most ${PARTS_MAX} keys in one command that spans nodes`);
}

/** The words from `from` to the end. */
export function wordsFrom(args: Args, from: number): Buffer[] {
  const words: Buffer[] = [];
  for (let index = from; index < args.count; index++) words.push(args.copy(index));
  return words;
}

/** The bytes of a bulk reply; null where there is no value. They are only lent. */
export function bulkIn({ buffer, length }: Reply): Buffer | null {
  if (buffer[0] !== 0x24 || buffer[1] === 0x2d) return null;
  return buffer.subarray(buffer.indexOf(0x0a) + 1, length - 2);
}

/** Whether a reply is the integer 1. */
export function isOne({ buffer, length }: Reply): boolean {
  return length === 4 && buffer[0] === 0x3a && buffer[1] === 0x31;
}

/** Whether all keys of a command are one key's neighbours: in one slot, and so at one first owner. */
export function liveTogether(command: Command, args: Args): boolean {
  const { buffer, starts, ends } = args;
  const first = slotOf(buffer, starts[command.firstKey], ends[command.firstKey]);
  const last = lastKeyOf(command, args);
  for (let index = command.firstKey + command.step; index <= last; index += command.step) {
    if (slotOf(buffer, starts[index], ends[index]) !== first) return false;
  }
  return true;
}
