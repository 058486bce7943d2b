/**
 * SCRIPT and FUNCTION, as far as they are harmless where there are no scripts: test suites flush them, and clients ask what is loaded
 * before they load. EVAL and its kin are refused, with the reason, in refused.ts; so is what would load a script here.
 */
import { HearsayError } from '../base/errors.js';
import type { Args } from '../resp/args.js';
import type { Reply } from '../resp/reply.js';
import type { Command, CommandContext } from './command.js';
import { ADMIN, unknownSubcommand, wrongArity } from './command.js';
import { writeHelp } from './help.js';
import { NO_SCRIPTS } from './refused.js';

function script(_context: CommandContext, args: Args, reply: Reply): void {
  if (args.equalsIgnoreCase(1, 'FLUSH')) {
    if (!flushModeFits(args)) throw new HearsayError('ERR', 'SCRIPT FLUSH only support SYNC|ASYNC option');
    reply.ok();
  } else if (args.equalsIgnoreCase(1, 'EXISTS')) {
    if (args.count < 3) throw wrongArity('script|exists');
    reply.array(args.count - 2);
    for (let index = 2; index < args.count; index++) reply.integer(0);
  } else if (args.equalsIgnoreCase(1, 'KILL')) {
    requireWords(args, 2, 'script|kill');
    nothingRuns(reply);
  } else if (args.equalsIgnoreCase(1, 'LOAD')) {
    requireWords(args, 3, 'script|load');
    throw noScripts('SCRIPT LOAD');
  } else if (args.equalsIgnoreCase(1, 'HELP')) {
    requireWords(args, 2, 'script|help');
    writeHelp(reply, 'SCRIPT', [
      ['EXISTS <sha1> [<sha1> ...]', 'Return 0 for each: no script is kept here.'],
      ['FLUSH [ASYNC|SYNC]', 'Accepted: there is nothing to flush.'],
      ['KILL', 'Refused: no script runs here.'],
      ['LOAD <script>', `Refused: ${NO_SCRIPTS}.`],
    ]);
  } else {
    throw unknownSubcommand('SCRIPT', args);
  }
}

function functions(_context: CommandContext, args: Args, reply: Reply): void {
  if (args.equalsIgnoreCase(1, 'FLUSH')) {
    if (!flushModeFits(args)) throw new HearsayError('ERR', 'FUNCTION FLUSH only supports SYNC|ASYNC option');
    reply.ok();
  } else if (args.equalsIgnoreCase(1, 'LIST')) {
    requireListOptions(args);
    reply.array(0);
  } else if (args.equalsIgnoreCase(1, 'STATS')) {
    requireWords(args, 2, 'function|stats');
    reply.map(2);
    reply.bulkString('running_script');
    reply.null();
    reply.bulkString('engines');
    reply.map(0);
  } else if (args.equalsIgnoreCase(1, 'KILL')) {
    requireWords(args, 2, 'function|kill');
    nothingRuns(reply);
  } else if (args.equalsIgnoreCase(1, 'DELETE')) {
    requireWords(args, 3, 'function|delete');
    throw new HearsayError('ERR', 'Library not found');
  } else if (args.equalsIgnoreCase(1, 'LOAD') || args.equalsIgnoreCase(1, 'RESTORE')) {
    if (args.count < 3) throw wrongArity(`function|${args.string(1).toLowerCase()}`);
    throw noScripts(`FUNCTION ${args.string(1).toUpperCase()}`);
  } else if (args.equalsIgnoreCase(1, 'HELP')) {
    requireWords(args, 2, 'function|help');
    writeHelp(reply, 'FUNCTION', [
      ['DELETE <LIBRARY NAME>', 'Refused: there is no library.'],
      ['FLUSH [ASYNC|SYNC]', 'Accepted: there is nothing to flush.'],
      ['KILL', 'Refused: no function runs here.'],
      ['LIST [LIBRARYNAME PATTERN] [WITHCODE]', 'Return an empty list.'],
      ['LOAD [REPLACE] <FUNCTION CODE>', `Refused: ${NO_SCRIPTS}.`],
      ['STATS', 'Return that no function runs, and no engines.'],
    ]);
  } else {
    throw unknownSubcommand('FUNCTION', args);
  }
}

function requireWords(args: Args, count: number, name: string): void {
  if (args.count !== count) throw wrongArity(name);
}

function requireListOptions(args: Args): void {
  for (let index = 2; index < args.count; index++) {
    if (args.equalsIgnoreCase(index, 'WITHCODE')) continue;
    if (!args.equalsIgnoreCase(index, 'LIBRARYNAME')) {
      throw new HearsayError('ERR', `Unknown argument ${args.quote(index, 128)}`);
    }
    if (++index === args.count) throw new HearsayError('ERR', 'library name argument was not given');
  }
}

function flushModeFits(args: Args): boolean {
  if (args.count === 2) return true;
  return args.count === 3 && (args.equalsIgnoreCase(2, 'SYNC') || args.equalsIgnoreCase(2, 'ASYNC'));
}

function nothingRuns(reply: Reply): void {
  reply.error('NOTBUSY', 'No scripts in execution right now.');
}

function noScripts(what: string): HearsayError {
  return new HearsayError('ERR', `${what} is not had: ${NO_SCRIPTS}`);
}

const row = { arity: -2, flags: ADMIN, firstKey: 0, lastKey: 0, step: 0, group: 'server' } as const;

export const scriptingCommands: Command[] = [
  { name: 'script', ...row, summary: 'There are no scripts: FLUSH and EXISTS say so', run: script },
  { name: 'function', ...row, summary: 'There are no functions: FLUSH, LIST and STATS say so', run: functions },
];
