/**
 * LCS: the longest common subsequence of two values, its length, or where it lies in them (Wagner and Fischer's table, walked back as Redis
 * does). Guarded: the work is the product of the lengths, and bounded before any of it is done.
 */
import { HearsayError } from '../base/errors.js';
import type { Args } from '../resp/args.js';
import { Reply } from '../resp/reply.js';
import { bulkIn, type Errand } from './apart.js';
import type { Command, CommandContext } from './command.js';
import { READ, syntaxError } from './command.js';
import { requireInteger } from './ranges.js';

/** Of the table, 32 MiB: some 50 ms. */
const CELLS_MAX = 16 * 1024 * 1024;
const EMPTY = Buffer.alloc(0);

interface Options {
  length: boolean;
  ranges: boolean;
  matchLengths: boolean;
  lengthMin: number;
}

function optionsIn(args: Args): Options {
  const options = { length: false, ranges: false, matchLengths: false, lengthMin: 0 };
  for (let index = 3; index < args.count; index++) {
    if (args.equalsIgnoreCase(index, 'IDX')) options.ranges = true;
    else if (args.equalsIgnoreCase(index, 'LEN')) options.length = true;
    else if (args.equalsIgnoreCase(index, 'WITHMATCHLEN')) options.matchLengths = true;
    else if (args.equalsIgnoreCase(index, 'MINMATCHLEN') && index + 1 < args.count) {
      options.lengthMin = Math.max(0, requireInteger(args, ++index));
    } else throw syntaxError();
  }
  if (options.ranges && options.length) {
    throw new HearsayError('ERR', 'If you want both the length and indexes, please just use IDX.');
  }
  return options;
}

function lcs(context: CommandContext, args: Args, reply: Reply): void {
  const { keyspace } = context;
  const { buffer, starts, ends } = args;
  const values = [EMPTY, EMPTY];
  for (let index = 0; index < 2; index++) {
    const found = textAt(context, () => keyspace.lookup(buffer, starts[index + 1], ends[index + 1]));
    const { entry } = keyspace;
    if (found) values[index] = Buffer.from(entry.buffer.subarray(entry.valueStart, entry.valueEnd));
  }
  answer(values[0], values[1], optionsIn(args), reply);
}

/** Of another type than text: in the words of Redis. */
function textAt({ stats }: CommandContext, lookup: () => boolean): boolean {
  try {
    const found = lookup();
    if (found) stats.keyspaceHits++;
    else stats.keyspaceMisses++;
    return found;
  } catch (error) {
    if (error instanceof HearsayError && error.code === 'WRONGTYPE') throw notText();
    throw error;
  }
}

function notText(): HearsayError {
  return new HearsayError('ERR', 'The specified keys must contain string values');
}

function lcsApart(errand: Errand): void {
  const { args } = errand;
  const values = [EMPTY, EMPTY];
  errand.explain((text) => (text.startsWith('WRONGTYPE') ? `ERR ${notText().message}` : text));
  errand.step(
    [
      ['get', args.copy(1)],
      ['get', args.copy(2)],
    ],
    (reply, index) => {
      values[index] = Buffer.from(bulkIn(reply) ?? EMPTY);
    },
    () => {
      const options = optionsIn(args);
      requireShort(values[0], values[1]);
      errand.answer((reply) => answer(values[0], values[1], options, reply));
    },
  );
}

function requireShort(left: Buffer, right: Buffer): void {
  if ((left.length + 1) * (right.length + 1) > CELLS_MAX) {
    throw new HearsayError(
      'ERR',
      `the values are too long for LCS: the product of their lengths is at most ${CELLS_MAX}`,
    );
  }
}

function answer(left: Buffer, right: Buffer, options: Options, reply: Reply): void {
  requireShort(left, right);
  const width = right.length + 1;
  // The shorter is at most 4,096 bytes long.
  const table = new Uint16Array((left.length + 1) * width);
  for (let row = 1, cell = width; row <= left.length; row++) {
    const byte = left[row - 1];
    cell++;
    for (let column = 1; column < width; column++, cell++) {
      if (byte === right[column - 1]) table[cell] = table[cell - width - 1] + 1;
      else table[cell] = Math.max(table[cell - width], table[cell - 1]);
    }
  }
  const length = table[table.length - 1];
  if (options.length) reply.integer(length);
  else walkBack(left, right, table, options, reply);
}

/** From the ends of both to their beginnings. */
function walkBack(left: Buffer, right: Buffer, table: Uint16Array, options: Options, reply: Reply): void {
  const width = right.length + 1;
  const length = table[table.length - 1];
  const common = Buffer.alloc(length);
  const matches = new Reply(reply.protocol, null);
  let found = 0;
  let [row, column, at, run] = [left.length, right.length, length, 0];
  while (row > 0 && column > 0) {
    const equal = left[row - 1] === right[column - 1];
    if (equal) {
      common[--at] = left[--row];
      column--;
      run++;
    }
    // A run ends where the bytes differ, or at the beginning of either.
    if (run > 0 && (!equal || row === 0 || column === 0)) {
      if (run >= options.lengthMin) {
        found++;
        writeMatch(row, column, run, options.matchLengths, matches);
      }
      run = 0;
    }
    if (equal) continue;
    if (table[(row - 1) * width + column] > table[row * width + column - 1]) row--;
    else column--;
  }
  if (!options.ranges) {
    reply.bulk(common, 0, length);
    return;
  }
  reply.map(2);
  reply.bulkString('matches');
  reply.array(found);
  reply.raw(matches.buffer, 0, matches.length);
  reply.bulkString('len');
  reply.integer(length);
}

function writeMatch(left: number, right: number, length: number, withLength: boolean, reply: Reply): void {
  reply.array(withLength ? 3 : 2);
  for (const start of [left, right]) {
    reply.array(2);
    reply.integer(start);
    reply.integer(start + length - 1);
  }
  if (withLength) reply.integer(length);
}

export const lcsCommand: Command = {
  name: 'lcs',
  arity: -3,
  flags: READ,
  firstKey: 1,
  lastKey: 2,
  step: 1,
  group: 'string',
  summary: 'Find the longest common subsequence of two values',
  apart: lcsApart,
  run: lcs,
};
