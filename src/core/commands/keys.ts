/**
 * Commands about whole keys, whatever their value: DEL, UNLINK, EXISTS, TOUCH, TYPE. DEL and UNLINK are one: freeing memory
 * takes no time here.
 */
import type { Args } from '../resp/args.js';
import type { Reply } from '../resp/reply.js';
import { mergeTypeOf } from '../types/types.js';
import type { Command, CommandContext } from './command.js';
import { FAST, READ, WRITE } from './command.js';

function remove(context: CommandContext, args: Args, reply: Reply): void {
  let removed = 0;
  for (let index = 1; index < args.count; index++) {
    if (context.keyspace.remove(args.buffer, args.starts[index], args.ends[index])) removed++;
  }
  reply.integer(removed);
}

function exists(context: CommandContext, args: Args, reply: Reply): void {
  const { keyspace, stats } = context;
  let found = 0;
  for (let index = 1; index < args.count; index++) {
    if (keyspace.find(args.buffer, args.starts[index], args.ends[index])) found++;
  }
  stats.keyspaceHits += found;
  stats.keyspaceMisses += args.count - 1 - found;
  reply.integer(found);
}

function type(context: CommandContext, args: Args, reply: Reply): void {
  const { keyspace } = context;
  const found = keyspace.find(args.buffer, args.starts[1], args.ends[1]);
  reply.simple(found ? typeName(keyspace.entry.type) : 'none');
}

function summing(name: string, flags: number, summary: string, run: Command['run']): Command {
  return {
    name,
    arity: -2,
    flags,
    firstKey: 1,
    lastKey: -1,
    step: 1,
    group: 'generic',
    summary,
    split: { as: name, stride: 1, combine: 'sum' },
    run,
  };
}

/** What TYPE says of a key whose record is of this type. */
export function typeName(type: number): string {
  return mergeTypeOf(type)?.name ?? 'string';
}

export const keysCommands: Command[] = [
  summing('del', WRITE, 'Delete keys', remove),
  summing('unlink', WRITE | FAST, 'Delete keys', remove),
  summing('exists', READ | FAST, 'Count the given keys that exist', exists),
  summing('touch', READ | FAST, 'Count the given keys that exist, as a use of each', exists),
  {
    name: 'type',
    arity: 2,
    flags: READ | FAST,
    firstKey: 1,
    lastKey: 1,
    step: 1,
    group: 'generic',
    summary: 'Get the type of a value',
    run: type,
  },
];
