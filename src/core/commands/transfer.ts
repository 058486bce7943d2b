/**
 * COPY, RENAME and RENAMENX, and the steps they fall into where two keys live apart: a value is fetched at the first owner of its key, placed at the
 * first owner of the other, and taken away at the first only as the version that was fetched.
 * What goes along: the value, its expiry, and a HyperLogLog as what it is; a counter as its total, which the next INCR makes a counter again.
 * Siblings stay, for the contexts that their readers hold are of their key. Guarded: a value is taken away only once it stands elsewhere;
 * a write that comes in between is not lost: it is moved after it; and of two that move one value, the one that does not get it
 * puts back what its new key held.
 */
import { HearsayError } from '../base/errors.js';
import { TYPE_HLL, TYPE_SIBLINGS } from '../record/record.js';
import type { Args } from '../resp/args.js';
import type { Reply } from '../resp/reply.js';
import { isSketch } from '../types/hyperloglog.js';
import { SketchChange } from '../types/hyperloglog-record.js';
import { bulkIn, type Errand, isOne } from './apart.js';
import type { Command, CommandContext } from './command.js';
import { INTERNAL, notAnInteger, READ, READ_FIRST, syntaxError, WRITE } from './command.js';
import type { Keyspace } from './keyspace.js';

/** A fetched value: expiry, HLC and actor as doubles, the record's type, then the bytes. */
const TYPE_AT = 24;
const VALUE_AT = 25;
/** Version: from here to `TYPE_AT`. */
const VERSION_AT = 8;
const VERSION_BYTES = TYPE_AT - VERSION_AT;
const INT_MAX = 2_147_483_647;
/** What `hearsay.take` answers. */
const GONE = -1;
const NEWER = 0;
const TAKEN = 1;
/** A key that is written faster than it can be moved is left where it is. */
const ATTEMPTS_MAX = 4;

/** Used up before the call returns. */
const change = new SketchChange();

/** What stands at `args[index]`, to place elsewhere; null for nothing. */
function fetched(keyspace: Keyspace, args: Args, index: number): Buffer | null {
  if (!keyspace.find(args.buffer, args.starts[index], args.ends[index])) return null;
  const { entry } = keyspace;
  if (entry.type === TYPE_SIBLINGS) {
    throw new HearsayError('WRONGTYPE', 'siblings stay at their key, which their contexts are of: CGET and CPUT them');
  }
  const bytes = Buffer.allocUnsafe(VALUE_AT + entry.valueEnd - entry.valueStart);
  bytes.writeDoubleLE(entry.expireAtMs, 0);
  bytes.writeDoubleLE(entry.hlc, VERSION_AT);
  bytes.writeDoubleLE(entry.actor, VERSION_AT + 8);
  bytes[TYPE_AT] = entry.type;
  entry.buffer.copy(bytes, VALUE_AT, entry.valueStart, entry.valueEnd);
  return bytes;
}

/** Writes what was fetched to the key at `args[index]`, whatever stands there. */
function place(keyspace: Keyspace, args: Args, index: number, bytes: Buffer): void {
  const { buffer, starts, ends } = args;
  const expireAtMs = bytes.readDoubleLE(0);
  if (bytes[TYPE_AT] !== TYPE_HLL) {
    keyspace.put(buffer, starts[index], ends[index], bytes, VALUE_AT, bytes.length, expireAtMs);
    return;
  }
  if (!isSketch(bytes, VALUE_AT, bytes.length)) throw new HearsayError('ERR', 'not a sketch');
  if (keyspace.find(buffer, starts[index], ends[index])) keyspace.remove(buffer, starts[index], ends[index]);
  keyspace.change(buffer, starts[index], ends[index], change.add(bytes.subarray(VALUE_AT)));
  if (expireAtMs !== 0) keyspace.expire(buffer, starts[index], ends[index], expireAtMs);
}

function isSameKey(args: Args): boolean {
  const { buffer, starts, ends } = args;
  return buffer.compare(buffer, starts[2], ends[2], starts[1], ends[1]) === 0;
}

function noSuchKey(): HearsayError {
  return new HearsayError('ERR', 'no such key');
}

function copy(context: CommandContext, args: Args, reply: Reply): void {
  const { keyspace } = context;
  const replaces = copyOptions(args);
  const bytes = fetched(keyspace, args, 1);
  const free = replaces || !keyspace.find(args.buffer, args.starts[2], args.ends[2]);
  if (bytes !== null && free) place(keyspace, args, 2, bytes);
  reply.integer(bytes !== null && free ? 1 : 0);
}

/** Whether it replaces what is there. */
function copyOptions(args: Args): boolean {
  let replaces = false;
  for (let index = 3; index < args.count; index++) {
    if (args.equalsIgnoreCase(index, 'REPLACE')) replaces = true;
    else if (args.equalsIgnoreCase(index, 'DB') && index + 1 < args.count) requireTheDatabase(args, ++index);
    else throw syntaxError();
  }
  if (isSameKey(args)) throw new HearsayError('ERR', 'source and destination objects are the same');
  return replaces;
}

function requireTheDatabase(args: Args, index: number): void {
  const database = args.integer(index);
  if (Number.isNaN(database)) throw notAnInteger();
  if (database > INT_MAX || database < -INT_MAX - 1) {
    throw new HearsayError('ERR', `value is out of range, value must between ${-INT_MAX - 1} and ${INT_MAX}`);
  }
  if (database !== 0) throw new HearsayError('ERR', 'DB index is out of range');
}

function copyApart(errand: Errand): void {
  const { args } = errand;
  const replaces = copyOptions(args);
  let bytes: Buffer | null = null;
  let placed = false;
  const read = (reply: Reply): void => {
    bytes = kept(reply);
  };
  errand.step([['hearsay.fetch', args.copy(1)]], read, () => {
    if (bytes === null) {
      errand.answer((reply) => reply.integer(0));
      return;
    }
    errand.step(
      [['hearsay.place', args.copy(2), replaces ? 'ANY' : 'FREE', bytes]],
      (reply) => {
        placed = bulkIn(reply) !== null;
      },
      () => errand.answer((reply) => reply.integer(placed ? 1 : 0)),
    );
  });
}

function kept(reply: Reply): Buffer | null {
  const bytes = bulkIn(reply);
  return bytes === null ? null : Buffer.from(bytes);
}

function rename(context: CommandContext, args: Args, reply: Reply): void {
  if (moved(context, args, false)) reply.ok();
}

function renamenx(context: CommandContext, args: Args, reply: Reply): void {
  reply.integer(moved(context, args, true) ? 1 : 0);
}

function moved({ keyspace }: CommandContext, args: Args, onlyIfFree: boolean): boolean {
  const { buffer, starts, ends } = args;
  const bytes = fetched(keyspace, args, 1);
  if (bytes === null) throw noSuchKey();
  if (isSameKey(args)) return !onlyIfFree;
  if (onlyIfFree && keyspace.find(buffer, starts[2], ends[2])) return false;
  place(keyspace, args, 2, bytes);
  keyspace.remove(buffer, starts[1], ends[1]);
  return true;
}

function renameApart(errand: Errand): void {
  new Move(errand, 'ANY', (reply) => reply.ok()).fetch();
}

function renamenxApart(errand: Errand): void {
  new Move(errand, 'FREE', (reply, done) => reply.integer(done ? 1 : 0)).fetch();
}

/** Fetches, places and takes away; again where the key was written in between. */
class Move {
  private attempts = 0;
  private bytes: Buffer | null = null;
  /** The version under which the value stands at its new key; null before. */
  private placed: Buffer | null = null;
  /** What stood at the new key before the first value was placed, or was written there between two; null for nothing. */
  private before: Buffer | null = null;

  constructor(
    private readonly errand: Errand,
    private readonly mode: 'ANY' | 'FREE',
    private readonly answer: (reply: Reply, done: boolean) => void,
  ) {}

  fetch(): void {
    const { errand } = this;
    this.attempts++;
    errand.step(
      [['hearsay.fetch', errand.args.copy(1)]],
      (reply) => {
        this.bytes = kept(reply);
      },
      () => {
        if (this.bytes === null) this.putBack();
        else if (isSameKey(errand.args)) this.end(this.mode === 'ANY');
        else if (this.attempts > ATTEMPTS_MAX) {
          throw new HearsayError(
            'UNAVAILABLE',
            'copied, not renamed: the old key was written again and again meanwhile',
          );
        } else this.place(this.bytes);
      },
    );
  }

  private place(bytes: Buffer): void {
    const { errand, mode, placed } = this;
    let done = false;
    // What others wrote there since then is in the way of a RENAMENX as it was before.
    const where = mode === 'FREE' && placed !== null ? placed : mode;
    errand.step(
      [['hearsay.place', errand.args.copy(2), where, bytes]],
      (reply) => {
        const answer = kept(reply);
        if (answer === null) return;
        done = true;
        const before = answer.length > VERSION_BYTES ? answer.subarray(VERSION_BYTES) : null;
        const isOwn = before !== null && placed?.equals(before.subarray(VERSION_AT, TYPE_AT));
        if (!isOwn) this.before = before;
        this.placed = answer.subarray(0, VERSION_BYTES);
      },
      () => {
        if (done) this.takeAway(bytes);
        else this.end(false);
      },
    );
  }

  private takeAway(bytes: Buffer): void {
    const { errand } = this;
    let outcome = 0;
    errand.explain(
      (text) => `UNAVAILABLE the value stands at its new key, and may still stand at the old one: ${text}`,
    );
    errand.step(
      [['hearsay.take', errand.args.copy(1), bytes.subarray(VERSION_AT, TYPE_AT)]],
      (reply) => {
        outcome = isOne(reply) ? TAKEN : isZero(reply) ? NEWER : GONE;
      },
      () => {
        if (outcome === TAKEN) this.end(true);
        else if (outcome === NEWER) this.fetch();
        else this.putBack();
      },
    );
  }

  /** Somebody else took the value away: what this placed goes, and nothing else. */
  private putBack(): void {
    const { errand, placed, before } = this;
    if (placed === null) throw noSuchKey();
    const key = errand.args.copy(2);
    errand.explain((text) => `UNAVAILABLE the old key is gone, and its value may stand at the new one: ${text}`);
    errand.step(
      [before === null ? ['hearsay.take', key, placed] : ['hearsay.place', key, placed, before]],
      () => {},
      () => {
        throw noSuchKey();
      },
    );
  }

  private end(done: boolean): void {
    this.errand.answer((reply) => this.answer(reply, done));
  }
}

function isZero({ buffer, length }: Reply): boolean {
  return length === 4 && buffer[1] === 0x30;
}

/** Internal, `key`: what stands there, to place elsewhere, or null. */
function fetch(context: CommandContext, args: Args, reply: Reply): void {
  const bytes = fetched(context.keyspace, args, 1);
  if (bytes === null) reply.null();
  else reply.bulk(bytes, 0, bytes.length);
}

/**
 * Internal, `key mode value`: what it wrote, as a version, and behind it what stood there before, as `hearsay.fetch` tells it; null if the key
 * was not free. Mode: ANY, FREE, or the version that counts as free.
 */
function placeFetched(context: CommandContext, args: Args, reply: Reply): void {
  const { keyspace } = context;
  const { buffer, starts, ends } = args;
  if (args.length(3) < VALUE_AT) throw new HearsayError('ERR', 'not a fetched value');
  const overwrites = args.equalsIgnoreCase(2, 'ANY');
  const stands = keyspace.find(buffer, starts[1], ends[1]);
  if (stands && !overwrites && !isVersion(keyspace, args, 2)) {
    reply.null();
    return;
  }
  // Siblings cannot be put back: their contexts end with them.
  const before = stands && keyspace.entry.type !== TYPE_SIBLINGS ? fetched(keyspace, args, 1) : null;
  place(keyspace, args, 1, args.copy(3));
  const answer = Buffer.alloc(VERSION_BYTES + (before?.length ?? 0));
  if (keyspace.find(buffer, starts[1], ends[1])) {
    answer.writeDoubleLE(keyspace.entry.hlc, 0);
    answer.writeDoubleLE(keyspace.entry.actor, 8);
  }
  before?.copy(answer, VERSION_BYTES);
  reply.bulk(answer, 0, answer.length);
}

/** Whether the entry that was just found is of the version at `args[index]`. */
function isVersion({ entry }: Keyspace, args: Args, index: number): boolean {
  if (args.length(index) !== VERSION_BYTES) return false;
  const at = args.starts[index];
  return entry.hlc === args.buffer.readDoubleLE(at) && entry.actor === args.buffer.readDoubleLE(at + 8);
}

/** Internal, `key version`: deletes that version alone; tells whether it did, or found a newer one, or none. */
function take(context: CommandContext, args: Args, reply: Reply): void {
  const { keyspace } = context;
  const { buffer, starts, ends } = args;
  if (args.length(2) !== VERSION_BYTES) throw new HearsayError('ERR', 'not a version');
  if (!keyspace.find(buffer, starts[1], ends[1])) {
    reply.integer(GONE);
  } else if (isVersion(keyspace, args, 2)) {
    keyspace.remove(buffer, starts[1], ends[1]);
    reply.integer(TAKEN);
  } else reply.integer(NEWER);
}

const twoKeys = { flags: WRITE | READ_FIRST, firstKey: 1, lastKey: 2, step: 1, group: 'generic' } as const;
const oneKey = { firstKey: 1, lastKey: 1, step: 1, group: 'generic' } as const;
const internal = { ...oneKey, flags: WRITE | READ_FIRST | INTERNAL } as const;

export const transferCommands: Command[] = [
  { name: 'copy', arity: -3, ...twoKeys, summary: 'Copy a value to another key', apart: copyApart, run: copy },
  { name: 'rename', arity: 3, ...twoKeys, summary: 'Move a value to another key', apart: renameApart, run: rename },
  {
    name: 'renamenx',
    arity: 3,
    ...twoKeys,
    summary: 'Move a value to another key, only if there is none',
    apart: renamenxApart,
    run: renamenx,
  },
  {
    name: 'hearsay.fetch',
    arity: 2,
    flags: READ | READ_FIRST | INTERNAL,
    ...oneKey,
    summary: 'Value and version of a key',
    run: fetch,
  },
  { name: 'hearsay.place', arity: 4, ...internal, summary: 'Write a value that was fetched', run: placeFetched },
  { name: 'hearsay.take', arity: 3, ...internal, summary: 'Delete the version that was fetched', run: take },
];
