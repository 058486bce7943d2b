/**
 * COMMAND: the table of commands as clients ask for it, for the positions of keys and for help.
 * Guarded: what it says comes from the table's own rows, so it cannot disagree with them.
 */
import { HearsayError } from '../base/errors.js';
import type { Args } from '../resp/args.js';
import type { Reply } from '../resp/reply.js';
import type { Command, CommandContext } from './command.js';
import {
  ADMIN,
  arityFits,
  CONNECTION,
  connectionOf,
  FAST,
  isPublic,
  lastKeyOf,
  NOAUTH,
  READ,
  SCANS,
  syntaxError,
  unknownSubcommand,
  WRITE,
  wrongArity,
} from './command.js';
import { GLOB_STEPS_MAX, globMatchesText, globWork, requirePatternFits } from './glob.js';
import { writeHelp } from './help.js';
import type { CommandTable } from './table.js';

function run(context: CommandContext, args: Args, reply: Reply): void {
  const { table } = connectionOf(context).connections;
  const shown = table.commands.filter(isPublic);
  if (args.count === 1) {
    reply.array(shown.length);
    for (const command of shown) describe(command, reply);
  } else if (args.equalsIgnoreCase(1, 'COUNT')) {
    if (args.count !== 2) throw wrongArity('command|count');
    reply.integer(shown.length);
  } else if (args.equalsIgnoreCase(1, 'INFO')) {
    info(table, shown, args, reply);
  } else if (args.equalsIgnoreCase(1, 'DOCS')) {
    docs(table, shown, args, reply);
  } else if (args.equalsIgnoreCase(1, 'LIST')) {
    list(shown, args, reply);
  } else if (args.equalsIgnoreCase(1, 'GETKEYS')) {
    getKeys(table, args, reply, false);
  } else if (args.equalsIgnoreCase(1, 'GETKEYSANDFLAGS')) {
    getKeys(table, args, reply, true);
  } else if (args.equalsIgnoreCase(1, 'HELP')) {
    if (args.count !== 2) throw wrongArity('command|help');
    writeHelp(reply, 'COMMAND', HELP);
  } else {
    throw unknownSubcommand('COMMAND', args);
  }
}

const HELP: [string, string][] = [
  ['(no subcommand)', 'Return details about all commands.'],
  ['COUNT', 'Return the total number of commands in this server.'],
  [
    'LIST [FILTERBY (MODULE <name>|ACLCAT <category>|PATTERN <pattern>)]',
    'Return a list of all commands in this server.',
  ],
  ['INFO [<command-name> ...]', 'Return details about multiple commands, or about all.'],
  ['DOCS [<command-name> ...]', 'Return documentation details about multiple commands, or about all.'],
  ['GETKEYS <full-command>', 'Return the keys from a full command.'],
  ['GETKEYSANDFLAGS <full-command>', 'Return the keys and the access flags from a full command.'],
];

function named(table: CommandTable, args: Args, index: number): Command | null {
  const found = table.findBytes(args.buffer, args.starts[index], args.ends[index]);
  return found >= 0 && isPublic(table.commands[found]) ? table.commands[found] : null;
}

function info(table: CommandTable, shown: Command[], args: Args, reply: Reply): void {
  const count = args.count === 2 ? shown.length : args.count - 2;
  reply.array(count);
  for (let index = 0; index < count; index++) {
    const command = args.count === 2 ? shown[index] : named(table, args, index + 2);
    if (command === null) reply.null();
    else describe(command, reply);
  }
}

/** The ten fields of COMMAND INFO. */
function describe(command: Command, reply: Reply): void {
  reply.array(10);
  reply.bulkString(command.name);
  reply.integer(command.arity);
  words(flagsOf(command), reply);
  reply.integer(command.firstKey);
  reply.integer(command.lastKey);
  reply.integer(command.step);
  words(categoriesOf(command), reply);
  const tips = tipsOf(command);
  reply.set(tips.length);
  for (const tip of tips) reply.bulkString(tip);
  keySpec(command, reply);
  reply.set(0);
}

/** Where keys begin and end, as RESP-aware proxies and newer clients ask instead of the three numbers. */
function keySpec(command: Command, reply: Reply): void {
  if (command.firstKey === 0) {
    reply.set(0);
    return;
  }
  reply.set(1);
  reply.map(3);
  reply.bulkString('flags');
  words(keyFlagsOf(command), reply);
  reply.bulkString('begin_search');
  reply.map(2);
  reply.bulkString('type');
  reply.bulkString('index');
  reply.bulkString('spec');
  reply.map(1);
  reply.bulkString('index');
  reply.integer(command.firstKey);
  reply.bulkString('find_keys');
  reply.map(2);
  reply.bulkString('type');
  reply.bulkString('range');
  reply.bulkString('spec');
  reply.map(3);
  reply.bulkString('lastkey');
  reply.integer(command.lastKey < 0 ? command.lastKey : command.lastKey - command.firstKey);
  reply.bulkString('keystep');
  reply.integer(command.step);
  reply.bulkString('limit');
  reply.integer(0);
}

/** What a command does to its keys, in Redis's words: read, overwritten, changed or deleted; and whether the value is told. */
function keyFlagsOf(command: Command): string[] {
  if ((command.flags & WRITE) === 0) return NO_VALUE_READ.has(command.name) ? ['RO'] : ['RO', 'access'];
  if (DELETING.has(command.name)) return ['RM', 'delete'];
  if (OVERWRITING.has(command.name)) return ['OW', 'update'];
  return ['RW', 'access', 'update'];
}

const NO_VALUE_READ = new Set(['exists', 'touch', 'strlen', 'type', 'memory']);
const DELETING = new Set(['del', 'unlink']);
const OVERWRITING = new Set(['set', 'mset', 'setex', 'psetex', 'setnx']);

function words(list: string[], reply: Reply): void {
  reply.set(list.length);
  for (const word of list) reply.simple(word);
}

function flagsOf(command: Command): string[] {
  const list: string[] = [];
  if (command.flags & READ) list.push('readonly');
  if (command.flags & WRITE) list.push('write', 'denyoom');
  if (command.flags & ADMIN) list.push('admin');
  if (command.flags & NOAUTH) list.push('no_auth');
  if (command.flags & FAST) list.push('fast');
  return list;
}

function categoriesOf(command: Command): string[] {
  const list: string[] = [];
  if (command.group === 'generic') list.push('@keyspace');
  if (command.flags & READ) list.push('@read');
  if (command.flags & WRITE) list.push('@write');
  if (command.group === 'string') list.push('@string');
  if (command.group === 'bitmap') list.push('@bitmap');
  if (command.group === 'hyperloglog') list.push('@hyperloglog');
  if (command.flags & CONNECTION) list.push('@connection');
  if (command.flags & ADMIN) list.push('@admin', '@dangerous');
  list.push(command.flags & FAST ? '@fast' : '@slow');
  return list;
}

/** How a cluster client may split a command and join the answers. */
function tipsOf(command: Command): string[] {
  switch (command.split?.combine) {
    case 'array':
      return ['request_policy:multi_shard'];
    case 'sum':
      return ['request_policy:multi_shard', 'response_policy:agg_sum'];
    case 'ok':
      return ['request_policy:multi_shard', 'response_policy:all_succeeded'];
    case 'count':
    case 'absorb':
      return ['request_policy:special', 'response_policy:special'];
    default:
      break;
  }
  switch (command.name) {
    case 'dbsize':
      return ['request_policy:all_shards', 'response_policy:agg_sum'];
    case 'keys':
      return ['request_policy:all_shards'];
    case 'scan':
      return ['request_policy:special'];
    default:
      return [];
  }
}

function docs(table: CommandTable, shown: Command[], args: Args, reply: Reply): void {
  let chosen = shown;
  if (args.count > 2) {
    chosen = [];
    for (let index = 2; index < args.count; index++) {
      const command = named(table, args, index);
      if (command !== null) chosen.push(command);
    }
  }
  reply.map(chosen.length);
  for (const command of chosen) {
    reply.bulkString(command.name);
    reply.map(4);
    reply.bulkString('summary');
    reply.bulkString(command.summary);
    reply.bulkString('since');
    reply.bulkString('1.0.0');
    reply.bulkString('group');
    reply.bulkString(command.group);
    reply.bulkString('complexity');
    reply.bulkString(complexityOf(command));
  }
}

function complexityOf(command: Command): string {
  if (command.flags & SCANS) return 'O(N) with N being the number of keys or names gone through';
  if (command.firstKey > 0 && command.lastKey < 0) return 'O(N) with N being the number of keys';
  return command.flags & FAST ? 'O(1)' : 'O(N) with N being the size of what is asked for';
}

function list(shown: Command[], args: Args, reply: Reply): void {
  let chosen = shown;
  if (args.count === 5 && args.equalsIgnoreCase(2, 'FILTERBY')) {
    requirePatternFits(args, 4);
    const filter = args.string(4);
    const stepsMax = globWork.steps + GLOB_STEPS_MAX;
    if (args.equalsIgnoreCase(3, 'PATTERN')) {
      chosen = shown.filter((command) => globMatchesText(filter, command.name, stepsMax));
    } else if (args.equalsIgnoreCase(3, 'ACLCAT')) {
      chosen = shown.filter((command) => categoriesOf(command).includes(`@${filter.toLowerCase()}`));
    } else if (args.equalsIgnoreCase(3, 'MODULE')) chosen = [];
    else throw syntaxError();
  } else if (args.count !== 2) throw syntaxError();
  reply.array(chosen.length);
  for (const command of chosen) reply.bulkString(command.name);
}

function getKeys(table: CommandTable, args: Args, reply: Reply, withFlags: boolean): void {
  if (args.count < 4) throw wrongArity(withFlags ? 'command|getkeysandflags' : 'command|getkeys');
  const command = named(table, args, 2);
  if (command === null) throw new HearsayError('ERR', 'Invalid command specified');
  if (command.firstKey === 0) throw new HearsayError('ERR', 'The command has no key arguments');
  const count = args.count - 2;
  if (!arityFits(command, count)) {
    throw new HearsayError('ERR', 'Invalid number of arguments specified for command');
  }
  const last = lastKeyOf(command, args, 2);
  reply.array(Math.floor((last - command.firstKey) / command.step) + 1);
  for (let key = command.firstKey; key <= last; key += command.step) {
    if (withFlags) reply.array(2);
    reply.bulk(args.buffer, args.starts[key + 2], args.ends[key + 2]);
    if (withFlags) words(keyFlagsOf(command), reply);
  }
}

export const catalogCommand: Command = {
  name: 'command',
  arity: -1,
  flags: CONNECTION | SCANS,
  firstKey: 0,
  lastKey: 0,
  step: 0,
  group: 'server',
  summary: 'Describe the commands there are',
  run,
};
