/**
 * INCRBYFLOAT. The sum is a text, as in Redis: of a counter it reads the total, and what it leaves is text again, so that of two of them at
 * once through different owners, or of one and an INCR, the later stands.
 * Guarded: the same digits on every node (base/extended-float.ts), since nodes may run on different processors.
 */
import { HearsayError } from '../base/errors.js';
import {
  addExtended,
  type ExtendedFloat,
  FLOAT_TEXT_BYTES_MAX,
  readExtended,
  writeExtended,
} from '../base/extended-float.js';
import type { Args } from '../resp/args.js';
import type { Reply } from '../resp/reply.js';
import type { Command, CommandContext } from './command.js';
import { FAST, READ_FIRST, WRITE } from './command.js';
import { putBack } from './ranges.js';

function incrbyfloat(context: CommandContext, args: Args, reply: Reply): void {
  const { keyspace } = context;
  const { buffer, starts, ends } = args;
  const { entry } = keyspace;
  const found = keyspace.lookup(buffer, starts[1], ends[1]);
  const before = found ? floatIn(entry.buffer, entry.valueStart, entry.valueEnd) : 0n;
  const added = floatIn(buffer, starts[2], ends[2]);
  const sum = before === null || added === null ? null : addExtended(before, added);
  if (sum === null) throw new HearsayError('ERR', 'increment would produce NaN or Infinity');
  const text = Buffer.from(writeExtended(sum), 'latin1');
  putBack(context, args, 1, found, text);
  reply.bulk(text, 0, text.length);
}

function floatIn(bytes: Buffer, start: number, end: number): ExtendedFloat {
  const fits = end - start <= FLOAT_TEXT_BYTES_MAX;
  const value = fits ? readExtended(bytes.latin1Slice(start, end)) : undefined;
  if (value === undefined) throw new HearsayError('ERR', 'value is not a valid float');
  return value;
}

export const floatCommand: Command = {
  name: 'incrbyfloat',
  arity: 3,
  flags: WRITE | READ_FIRST | FAST,
  firstKey: 1,
  lastKey: 1,
  step: 1,
  group: 'string',
  summary: 'Add a floating point number to the value of a key',
  run: incrbyfloat,
};
