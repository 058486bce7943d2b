/**
 * BITOP: values combined bit by bit into another. Keys that live apart are read where they live, and what they come to is written by one more
 * command. Guarded: values are combined as they come, so that any number of them takes the memory of three,
 * and no more bytes are combined than `BYTES_MAX`.
 */
import { HearsayError } from '../base/errors.js';
import type { Args } from '../resp/args.js';
import type { Reply } from '../resp/reply.js';
import { bulkIn, type Errand, requirePartsFit } from './apart.js';
import type { Command, CommandContext } from './command.js';
import { READ_FIRST, syntaxError, WRITE } from './command.js';

const OPERATIONS = ['AND', 'OR', 'XOR', 'NOT', 'DIFF', 'DIFF1', 'ANDOR', 'ONE'] as const;
const AND = 0;
const OR = 1;
const XOR = 2;
const WITHOUT = 3;
const NOT = 4;
type Way = typeof AND | typeof OR | typeof XOR | typeof WITHOUT | typeof NOT;
type Operation = (typeof OPERATIONS)[number];

const EMPTY = Buffer.alloc(0);
/** Sources together: a fraction of a second of this node's turn. */
const BYTES_MAX = 256 * 1024 * 1024;
const DESTINATION = 2;
const SOURCES = 3;

/** What values come to so far, in whatever order they come; what is short ends in zeros. */
class Union {
  /** The first source: DIFF, DIFF1 and ANDOR weigh it against the others. */
  private head: Buffer = EMPTY;
  private rest: Buffer = EMPTY;
  /** For ONE: where more than one had a bit. */
  private twice: Buffer = EMPTY;
  private begun = false;
  private length = 0;
  /** Of all sources; past `BYTES_MAX` none is combined any more. */
  private bytes = 0;

  constructor(private readonly operation: Operation) {}

  /** `index` 0 is the first source. The bytes are only lent. */
  add(index: number, value: Buffer): void {
    this.bytes += value.length;
    if (this.bytes > BYTES_MAX) return;
    this.length = Math.max(this.length, value.length);
    switch (this.operation) {
      case 'AND':
        if (this.begun) join(AND, this.rest, value);
        else this.rest = lengthened(value, value.length);
        this.rest = this.rest.subarray(0, Math.min(this.rest.length, value.length));
        break;
      case 'XOR':
        this.rest = combined(XOR, this.rest, value);
        break;
      case 'ONE': {
        const { rest } = this;
        const both = lengthened(value.subarray(0, Math.min(rest.length, value.length)), 0);
        join(AND, both, rest);
        this.twice = combined(OR, this.twice, both);
        this.rest = combined(OR, rest, value);
        break;
      }
      default:
        if (index === 0 && weighsHead(this.operation)) this.head = lengthened(value, 0);
        else this.rest = combined(OR, this.rest, value);
    }
    this.begun = true;
  }

  /** As long as the longest source. Throws where the sources are more than may be combined. */
  result(): Buffer {
    const { head, rest, twice, length, operation } = this;
    if (this.bytes > BYTES_MAX) {
      throw new HearsayError('ERR', `the values are too long for BITOP: at most ${BYTES_MAX} bytes together`);
    }
    const first = operation === 'DIFF' || operation === 'ANDOR' ? head : rest;
    const result = lengthened(first, length);
    if (operation === 'NOT') join(NOT, result, result);
    else if (operation === 'ANDOR') join(AND, result, lengthened(rest, length));
    else if (operation === 'DIFF') join(WITHOUT, result, rest);
    else if (operation === 'DIFF1') join(WITHOUT, result, head);
    else if (operation === 'ONE') join(WITHOUT, result, twice);
    return result;
  }
}

function weighsHead(operation: Operation): boolean {
  return operation === 'DIFF' || operation === 'DIFF1' || operation === 'ANDOR';
}

/** A copy that begins at a word and ends in zeros, at least as long as the bytes. */
function lengthened(bytes: Buffer, length: number): Buffer {
  const result = Buffer.alloc(Math.max(bytes.length, length));
  bytes.copy(result);
  return result;
}

/** Changes `left`, or a longer copy of it. */
function combined(way: Way, left: Buffer, right: Buffer): Buffer {
  const result = right.length > left.length ? lengthened(left, right.length) : left;
  join(way, result, right);
  return result;
}

/** Changes `left`, which begins at a word, as far as `right` goes. */
function join(way: Way, left: Buffer, right: Buffer): void {
  const length = Math.min(left.length, right.length);
  const count = length >>> 2;
  const other = right.byteOffset % 4 === 0 ? right : lengthened(right, 0);
  joinWords(
    way,
    new Int32Array(left.buffer, left.byteOffset, count),
    new Int32Array(other.buffer, other.byteOffset, count),
  );
  joinWords(way, left.subarray(4 * count, length), right.subarray(4 * count, length));
}

function joinWords(way: Way, left: Int32Array | Uint8Array, right: Int32Array | Uint8Array): void {
  const { length } = left;
  if (way === AND) for (let at = 0; at < length; at++) left[at] &= right[at];
  else if (way === OR) for (let at = 0; at < length; at++) left[at] |= right[at];
  else if (way === XOR) for (let at = 0; at < length; at++) left[at] ^= right[at];
  else if (way === WITHOUT) for (let at = 0; at < length; at++) left[at] &= ~right[at];
  else for (let at = 0; at < length; at++) left[at] = ~right[at];
}

function operationIn(args: Args): Operation {
  const operation = OPERATIONS.find((name) => args.equalsIgnoreCase(1, name));
  if (operation === undefined) throw syntaxError();
  const sources = args.count - SOURCES;
  if (operation === 'NOT' && sources !== 1) {
    throw new HearsayError('ERR', 'BITOP NOT must be called with a single source key.');
  }
  if ((operation === 'DIFF' || operation === 'DIFF1' || operation === 'ANDOR') && sources < 2) {
    throw new HearsayError('ERR', `BITOP ${operation} must be called with at least two source keys.`);
  }
  return operation;
}

function bitop(context: CommandContext, args: Args, reply: Reply): void {
  const { keyspace } = context;
  const { entry } = keyspace;
  const { buffer, starts, ends } = args;
  const union = new Union(operationIn(args));
  for (let index = SOURCES; index < args.count; index++) {
    const found = keyspace.lookup(buffer, starts[index], ends[index]);
    union.add(index - SOURCES, found ? entry.buffer.subarray(entry.valueStart, entry.valueEnd) : EMPTY);
  }
  const result = union.result();
  const [start, end] = [starts[DESTINATION], ends[DESTINATION]];
  if (result.length === 0) keyspace.remove(buffer, start, end);
  else keyspace.put(buffer, start, end, result, 0, result.length, 0);
  reply.integer(result.length);
}

function bitopApart(errand: Errand): void {
  const { args } = errand;
  const union = new Union(operationIn(args));
  requirePartsFit(args.count - SOURCES);
  const reads: Buffer[][] = [];
  const get = Buffer.from('get');
  for (let index = SOURCES; index < args.count; index++) reads.push([get, args.copy(index)]);
  errand.step(
    reads,
    (reply, index) => union.add(index, bulkIn(reply) ?? EMPTY),
    () => {
      const result = union.result();
      const destination = args.copy(DESTINATION);
      const write = result.length === 0 ? ['del', destination] : ['set', destination, result];
      errand.step([write], nothing, () => errand.answer((reply) => reply.integer(result.length)));
    },
  );
}

function nothing(): void {}

export const bitopCommand: Command = {
  name: 'bitop',
  arity: -4,
  flags: WRITE | READ_FIRST,
  firstKey: 2,
  lastKey: -1,
  step: 1,
  group: 'bitmap',
  summary: 'Combine values bit by bit into another',
  apart: bitopApart,
  run: bitop,
};
