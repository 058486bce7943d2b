/**
 * OBJECT: how a value would lie in Redis. Clients and dashboards ask for it; here every value is a record, so only what can be told of the value
 * itself is, and what is not tracked is refused. Guarded: constant work, whatever the value.
 */
import { HearsayError } from '../base/errors.js';
import { TYPE_COUNTER, TYPE_PUT } from '../record/record.js';
import type { Args } from '../resp/args.js';
import { readInteger } from '../resp/integer.js';
import type { Reply } from '../resp/reply.js';
import type { Command, CommandContext } from './command.js';
import { READ, unknownSubcommand, wrongArity } from './command.js';
import type { EntryView } from './keyspace.js';

/** Longer text is `raw` in Redis. */
const EMBEDDED_BYTES_MAX = 44;

const HELP = [
  'OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:',
  'ENCODING <key>',
  '    Return the encoding that Redis would give a value like that of <key>.',
  'REFCOUNT <key>',
  '    Return 1: no value is shared.',
  'FREQ <key>, IDLETIME <key>',
  '    Refused: uses are counted by segments. HEARSAY.HOTKEYS lists the keys that are used most.',
  'HELP',
  '    Print this help.',
];

function run(context: CommandContext, args: Args, reply: Reply): void {
  if (args.equalsIgnoreCase(1, 'HELP')) {
    if (args.count !== 2) throw wrongArity('object|help');
    reply.array(HELP.length);
    for (const line of HELP) reply.simple(line);
    return;
  }
  const name = ['ENCODING', 'REFCOUNT', 'FREQ', 'IDLETIME'].find((word) => args.equalsIgnoreCase(1, word));
  if (name === undefined) throw unknownSubcommand('OBJECT', args);
  if (args.count !== 3) throw wrongArity(`object|${name.toLowerCase()}`);
  const { keyspace } = context;
  if (!keyspace.find(args.buffer, args.starts[2], args.ends[2])) reply.null();
  else if (name === 'ENCODING') reply.bulkString(encodingOf(keyspace.entry));
  else if (name === 'REFCOUNT') reply.integer(1);
  else if (name === 'FREQ') throw notTracked('access frequency');
  else throw notTracked('idle time');
}

function notTracked(what: string): HearsayError {
  return new HearsayError('ERR', `${what} is not tracked by key: uses are counted by segments, see HEARSAY.HOTKEYS`);
}

function encodingOf({ type, buffer, valueStart, valueEnd }: EntryView): string {
  if (type !== TYPE_PUT && type !== TYPE_COUNTER) return 'raw';
  if (!Number.isNaN(readInteger(buffer, valueStart, valueEnd))) return 'int';
  return valueEnd - valueStart <= EMBEDDED_BYTES_MAX ? 'embstr' : 'raw';
}

export const objectCommand: Command = {
  name: 'object',
  arity: -2,
  flags: READ,
  firstKey: 2,
  lastKey: 2,
  step: 1,
  group: 'generic',
  summary: 'Get the encoding of a value, as Redis would have it',
  run,
};
