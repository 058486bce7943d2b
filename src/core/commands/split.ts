/**
 * Commands of many keys, run key by key where the keys live: MGET, MSET, DEL, UNLINK, EXISTS, TOUCH, and the sums and lists
 * over partitions (DBSIZE, KEYS). A client never hears of it: no MOVED, no CROSSSLOT. What each part answers is collected,
 * and combined when the last is done; the first error, in the order of the keys, is the whole's: of a write, the
 * first that leaves the outcome open, if there is one.
 * Sketches are united as they come, so that any number of them takes the memory of one.
 * Guarded: one reply, in one place of the caller's order, and not before the parts that were held are durable; what the parts answered is
 * let go once it is more than a reply may be, and no further read is begun.
 */
import { HearsayError } from '../base/errors.js';
import type { Args } from '../resp/args.js';
import { Args as PartArgs } from '../resp/args.js';
import { readInteger } from '../resp/integer.js';
import { REPLY_BYTES_MAX, Reply } from '../resp/reply.js';
import { estimate, isSketch, SketchUnion } from '../types/hyperloglog.js';
import type { Command, SplitRule } from './command.js';
import { lastKeyOf, WRITE } from './command.js';
import type { Caller, CommandHost, Deferred, Level } from './host.js';
import { Receipt } from './receipt.js';
import type { SessionToken } from './session-token.js';
import type { WriteMarks } from './write-marks.js';

/** Keys of one command that may be under way at once. */
export const PARTS_MAX = 16_384;

const ERROR = 0x2d;
const OPEN = ['-UNAVAILABLE ', '-NOQUORUM '];
const COLON = 0x3a;
const DOLLAR = 0x24;
const MINUS = 0x2d;
const ASTERISK = 0x2a;

/** `concat`: of arrays; `any`: the first that is not null. */
export type Combine = SplitRule['combine'] | 'concat' | 'any';

/** A deferred reply that may also have to wait for the log. */
export interface HeldDeferred extends Deferred {
  holdUntilDurable(batch: number): void;
}

/** How many parts a command falls into. */
export function partsOf(command: Command, rule: SplitRule, args: Args): number {
  return Math.floor((lastKeyOf(command, args) - command.firstKey) / rule.stride) + 1;
}

/** Runs a command as one `part` per key; `last` takes in what they come to, at the first key. */
export function runSplit(
  host: CommandHost,
  part: Command,
  last: Command | null,
  rule: SplitRule,
  args: Args,
  caller: Caller,
  place: HeldDeferred,
): void {
  const gathering = new Gathering(
    caller,
    place,
    rule.combine,
    Math.floor((args.count - 1) / rule.stride),
    (part.flags & WRITE) !== 0,
  );
  if (last !== null) {
    const key = args.copy(1);
    gathering.last = (sketch, piece) => host.submit(last, PartArgs.of(last.name, key, sketch), piece);
  }
  const partArgs = new PartArgs();
  const name = Buffer.from(part.name, 'latin1');
  for (let index = 1; index < args.count; index += rule.stride) {
    let bytes = name.length;
    for (let word = index; word < index + rule.stride; word++) bytes += args.length(word);
    const buffer = Buffer.allocUnsafe(bytes);
    name.copy(buffer, 0);
    partArgs.clear();
    partArgs.buffer = buffer;
    partArgs.push(0, name.length);
    let at = name.length;
    for (let word = index; word < index + rule.stride; word++) {
      args.buffer.copy(buffer, at, args.starts[word], args.ends[word]);
      partArgs.push(at, at + args.length(word));
      at += args.length(word);
    }
    gathering.run((piece) => host.submit(part, partArgs, piece));
  }
  gathering.allGiven();
}

/** Gathers replies of parts and combines them into one. */
export class Gathering {
  /** The one command more, once all parts are done. */
  last: ((sketch: Buffer, piece: Caller) => void) | null = null;
  private readonly caller: Caller;
  private readonly place: HeldDeferred;
  private readonly combine: Combine;
  /** What the sketches of the parts come to so far; null where they answer something else. */
  private union: SketchUnion | null;
  private readonly parts: PartCaller[] = [];
  private readonly expected: number;
  private readonly writes: boolean;
  private pending = 0;
  private bytes = 0;
  /** The parts come to more than a reply may be: what they answer is not kept. */
  private overflowed = false;
  private given = false;
  private batch = 0;
  private readonly receipt: Receipt;

  /** `writes`: a part that was carried out has changed something. */
  constructor(caller: Caller, place: HeldDeferred, combine: Combine, expected: number, writes = false) {
    this.writes = writes;
    this.caller = caller;
    this.receipt = caller.beginReceipt(writes ? caller.writeLevel : caller.readLevel);
    this.receipt.kept = true;
    this.place = place;
    this.combine = combine;
    this.union = combine === 'count' || combine === 'absorb' ? new SketchUnion() : null;
    this.expected = expected;
  }

  /** Starts one part: `submit` must lead to one reply, now or later. */
  run(submit: (part: Caller) => void): void {
    const part = new PartCaller(this.caller, this, this.writes);
    if (this.overflowed) {
      part.reply.overflowed = true;
      if (!this.writes) return;
    }
    this.parts.push(part);
    this.pending++;
    try {
      submit(part);
    } catch (error) {
      if (!(error instanceof HearsayError)) throw error;
      part.fail(error);
    }
    if (!part.deferred) part.done();
  }

  /** No more parts will come. */
  allGiven(): void {
    this.given = true;
    if (this.pending === 0) this.finish();
  }

  partIsDone(part: PartCaller): void {
    this.pending--;
    if (part.batch > this.batch) this.batch = part.batch;
    if (this.union !== null && !isError(part.reply)) takeSketch(this.union, part.reply);
    this.bytes += part.reply.length;
    const isUseless = this.bytes > REPLY_BYTES_MAX || part.reply.overflowed || this.caller.gone;
    if (isUseless && !this.overflowed) this.overflow();
    if (this.pending === 0 && this.given) this.finish();
  }

  private overflow(): void {
    this.overflowed = true;
    for (const { reply } of this.parts) {
      reply.release();
      reply.overflowed = true;
    }
  }

  private finish(): void {
    const { place } = this;
    if (this.overflowed) {
      // Its connection closes, as where all keys live here.
      place.reply.overflowed = true;
      place.done();
      return;
    }
    const failed = this.parts.find((part) => this.hasFailed(part.reply));
    const { last, union } = this;
    if (failed === undefined && last !== null && union !== null) {
      this.last = null;
      this.union = null;
      const sketch = union.toSketch();
      this.parts.length = 0;
      this.run((piece) => last(sketch, piece));
      return;
    }
    if (failed !== undefined) this.fail(failed, place.reply);
    else this.combineInto(place.reply);
    if (this.batch > 0) place.holdUntilDurable(this.batch);
    for (const [index, part] of this.parts.entries()) this.receipt.join(part.receipt, index === 0);
    place.done();
  }

  /** In a list of values, what is of another type counts as nothing and spoils no others: as where all of them live here. */
  private hasFailed(reply: Reply): boolean {
    return isError(reply) && !(this.combine === 'array' && reply.buffer.latin1Slice(1, 10) === 'WRONGTYPE');
  }

  /** The first error; but where other parts were carried out, or may have been, none that says that nothing changed. */
  private fail(failed: PartCaller, reply: Reply): void {
    const partly = this.parts.some((part) => part.reply.length > 0 && !isError(part.reply));
    const open = this.writes && !partly ? this.parts.find((part) => isOpen(part.reply)) : undefined;
    const { buffer, length } = (open ?? failed).reply;
    if (!this.writes || !partly) reply.raw(buffer, 0, length);
    else reply.error('UNAVAILABLE', `carried out for some keys only: ${buffer.latin1Slice(1, length - 2)}`);
  }

  private combineInto(reply: Reply): void {
    switch (this.combine) {
      case 'ok':
        reply.ok();
        break;
      case 'sum': {
        let sum = 0;
        for (const part of this.parts) sum += integerIn(part.reply);
        reply.integer(sum);
        break;
      }
      case 'array':
        reply.array(this.expected);
        for (const part of this.parts) {
          if (isError(part.reply)) reply.null();
          else reply.raw(part.reply.buffer, 0, part.reply.length);
        }
        break;
      case 'count': {
        const sketch = (this.union ?? new SketchUnion()).toSketch();
        reply.integer(estimate(sketch, 0, sketch.length));
        break;
      }
      case 'absorb':
        for (const part of this.parts) reply.raw(part.reply.buffer, 0, part.reply.length);
        break;
      case 'any': {
        const found = this.parts.find(
          (part) => part.reply.length > 0 && part.reply.buffer[0] === DOLLAR && part.reply.buffer[1] !== MINUS,
        );
        if (found === undefined) reply.null();
        else reply.raw(found.reply.buffer, 0, found.reply.length);
        break;
      }
      case 'concat': {
        let count = 0;
        for (const part of this.parts) count += elementsIn(part.reply);
        reply.array(count);
        for (const part of this.parts) {
          reply.raw(part.reply.buffer, Math.min(headerEnd(part.reply), part.reply.length), part.reply.length);
        }
        break;
      }
    }
  }
}

/** Whoever waits for parts. */
export interface PartOwner {
  partIsDone(part: PartCaller): void;
}

/** Stands in for the caller in one part. */
export class PartCaller implements Caller, Deferred {
  readonly origin: object;
  readonly protocol: 2 | 3;
  readonly readLevel: Level;
  readonly writeLevel: Level;
  readonly strict: boolean;
  readonly session: SessionToken | null;
  readonly wrote: WriteMarks;
  readonly receipt = new Receipt();
  readonly reply: Reply;
  batch = 0;
  deferred = false;
  private readonly caller: Caller;
  private readonly owner: PartOwner;
  private finished = false;

  /** `writes`: what it runs may have changed something. */
  constructor(
    caller: Caller,
    owner: PartOwner,
    readonly writes: boolean,
  ) {
    this.origin = caller.origin;
    this.caller = caller;
    this.protocol = caller.protocol;
    this.readLevel = caller.readLevel;
    this.writeLevel = caller.writeLevel;
    this.strict = caller.strict;
    this.session = caller.session;
    this.wrote = caller.wrote;
    this.reply = new Reply(caller.protocol, null);
    this.owner = owner;
  }

  get gone(): boolean {
    return this.caller.gone;
  }

  defer(): Deferred {
    this.deferred = true;
    return this;
  }

  beginReceipt(level: Level): Receipt {
    this.receipt.begin(level);
    return this.receipt;
  }

  holdUntilDurable(batch: number): void {
    if (batch > this.batch) this.batch = batch;
  }

  fail(error: HearsayError): void {
    this.reply.truncate(0);
    this.reply.error(error.code, error.message);
    this.done();
  }

  done(): void {
    if (this.finished) return;
    this.finished = true;
    this.owner.partIsDone(this);
  }
}

/** Takes in the sketch that a part answered with, if it is one, and lets the reply go. */
function takeSketch(union: SketchUnion, reply: Reply): void {
  const start = headerEnd(reply);
  const end = reply.length - 2;
  if (isSketch(reply.buffer, start, end)) union.add(reply.buffer, start, end);
  reply.release();
}

/** Whether this is an error after which a write may or may not have been carried out. */
export function isOpen({ buffer, length }: Reply): boolean {
  return OPEN.some((word) => length > word.length && buffer.latin1Slice(0, word.length) === word);
}

export function isError(reply: Reply): boolean {
  return reply.length > 0 && reply.buffer[0] === ERROR;
}

/** The integer of a `:n` reply, 0 for any other. */
function integerIn(reply: Reply): number {
  if (reply.length < 4 || reply.buffer[0] !== COLON) return 0;
  const value = readInteger(reply.buffer, 1, reply.length - 2);
  return Number.isFinite(value) ? value : 0;
}

/** Elements of an array reply. */
function elementsIn(reply: Reply): number {
  if (reply.length < 4 || reply.buffer[0] !== ASTERISK) return 0;
  const count = readInteger(reply.buffer, 1, headerEnd(reply) - 2);
  return Number.isFinite(count) ? count : 0;
}

/** Position behind the first line. */
function headerEnd(reply: Reply): number {
  const newline = reply.buffer.indexOf(0x0a);
  return newline < 0 ? reply.length : newline + 1;
}
