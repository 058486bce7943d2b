/**
 * BITOP: values combined bit by bit into another. Keys that live apart are read where they live, and what they come to is written by one more
 * command. Guarded: values are combined as they come, so that any number of them takes the memory of three.
 */
import { HearsayError } from '../base/errors.js';
import type { Args } from '../resp/args.js';
import type { Reply } from '../resp/reply.js';
import { bulkIn, type Errand, requirePartsFit } from './apart.js';
import type { Command, CommandContext } from './command.js';
import { READ_FIRST, syntaxError, WRITE } from './command.js';

const OPERATIONS = ['AND', 'OR', 'XOR', 'NOT', 'DIFF', 'DIFF1', 'ANDOR', 'ONE'] as const;
type Operation = (typeof OPERATIONS)[number];

const EMPTY = Buffer.alloc(0);
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

  constructor(private readonly operation: Operation) {}

  /** `index` 0 is the first source. The bytes are only lent. */
  add(index: number, value: Buffer): void {
    this.length = Math.max(this.length, value.length);
    switch (this.operation) {
      case 'AND':
        this.rest = this.begun ? and(this.rest, value) : Buffer.from(value);
        break;
      case 'XOR':
        this.rest = combined(this.rest, value, (left, right) => left ^ right);
        break;
      case 'ONE': {
        const { rest } = this;
        const both = Buffer.from(value.subarray(0, Math.min(rest.length, value.length)));
        for (let at = 0; at < both.length; at++) both[at] &= rest[at];
        this.twice = combined(this.twice, both, (left, right) => left | right);
        this.rest = combined(rest, value, (left, right) => left | right);
        break;
      }
      case 'OR':
      case 'NOT':
        this.rest = combined(this.rest, value, (left, right) => left | right);
        break;
      default:
        if (index === 0) this.head = Buffer.from(value);
        else this.rest = combined(this.rest, value, (left, right) => left | right);
    }
    this.begun = true;
  }

  /** As long as the longest source. */
  result(): Buffer {
    const { head, rest, twice, length, operation } = this;
    const result = Buffer.alloc(length);
    if (operation === 'DIFF' || operation === 'ANDOR') head.copy(result);
    else rest.copy(result);
    const other = operation === 'DIFF1' ? head : operation === 'ONE' ? twice : rest;
    for (let at = 0; at < length; at++) {
      if (operation === 'NOT') result[at] = ~result[at];
      else if (operation === 'ANDOR') result[at] &= at < other.length ? other[at] : 0;
      else if (operation === 'AND' || operation === 'OR' || operation === 'XOR') break;
      else if (at < other.length) result[at] &= ~other[at];
    }
    return result;
  }
}

function and(left: Buffer, right: Buffer): Buffer {
  const length = Math.min(left.length, right.length);
  const result = left.subarray(0, length);
  for (let at = 0; at < length; at++) result[at] &= right[at];
  return result;
}

/** Changes `left`, or a longer copy of it. */
function combined(left: Buffer, right: Buffer, join: (left: number, right: number) => number): Buffer {
  let result = left;
  if (right.length > left.length) {
    result = Buffer.alloc(right.length);
    left.copy(result);
  }
  for (let at = 0; at < right.length; at++) result[at] = join(result[at], right[at]);
  return result;
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
