/**
 * CONFIG GET: this node's settings under the names that Redis tools look for, and CONFIG RESETSTAT. CONFIG SET changes what only looks
 * on (slow log, latency events), until the node stops; all else is given at start. Guarded: no secret is ever shown.
 */
import { HearsayError } from '../base/errors.js';
import type { Args } from '../resp/args.js';
import type { Reply } from '../resp/reply.js';
import type { Command, CommandContext } from './command.js';
import { ADMIN, connectionOf, SCANS, syntaxError, unknownSubcommand, wrongArity } from './command.js';
import { GLOB_STEPS_MAX, globMatchesText, globWork, PATTERNS_MAX, requirePatternFits } from './glob.js';
import { writeHelp } from './help.js';
import type { HostSettings } from './host.js';
import { RUNTIME_SETTINGS, type RuntimeSetting } from './probe.js';

function run(context: CommandContext, args: Args, reply: Reply): void {
  if (args.equalsIgnoreCase(1, 'GET')) {
    if (args.count < 3) throw wrongArity('config|get');
    if (args.count > 2 + PATTERNS_MAX) throw new HearsayError('ERR', `at most ${PATTERNS_MAX} patterns`);
    get(shownBy(context), args, reply);
  } else if (args.equalsIgnoreCase(1, 'RESETSTAT')) {
    if (args.count !== 2) throw wrongArity('config|resetstat');
    context.stats.reset();
    connectionOf(context).connections.probe.timings.reset();
    reply.ok();
  } else if (args.equalsIgnoreCase(1, 'SET')) {
    if (args.count < 4) throw wrongArity('config|set');
    set(context, args);
    reply.ok();
  } else if (args.equalsIgnoreCase(1, 'REWRITE')) {
    if (args.count !== 2) throw wrongArity('config|rewrite');
    throw new HearsayError('ERR', 'The server is running without a config file');
  } else if (args.equalsIgnoreCase(1, 'HELP')) {
    if (args.count !== 2) throw wrongArity('config|help');
    writeHelp(reply, 'CONFIG', [
      ['GET <pattern> [<pattern> ...]', 'Return parameters matching the glob-like patterns and their values.'],
      ['SET <directive> <value> [...]', 'Set what may change at run time; it lasts until the node stops.'],
      ['RESETSTAT', 'Reset statistics reported by the INFO command.'],
      ['REWRITE', 'Refused: settings are given at start, and their file is not written to.'],
    ]);
  } else {
    throw unknownSubcommand('CONFIG', args);
  }
}

/** All at once or nothing: what is wrong with one pair leaves the others as they were. */
function set(context: CommandContext, args: Args): void {
  if (args.count % 2 !== 0) throw syntaxError();
  const { probe } = connectionOf(context).connections;
  const changes = new Map<RuntimeSetting, number>();
  for (let index = 2; index < args.count; index += 2) {
    const name = args.quote(index, 128);
    const folded = name.toLowerCase();
    const setting = RUNTIME_SETTINGS.find((known) => known.name === folded);
    if (setting === undefined) {
      if (shownBy(context).some(([known]) => known === folded))
        throw refusedSetting(name, "can't set immutable config");
      throw new HearsayError('ERR', `Unknown option or number of arguments for CONFIG SET - '${name}'`);
    }
    if (changes.has(setting)) throw refusedSetting(name, 'duplicate parameter');
    changes.set(setting, parsedValue(setting, name, args, index + 1));
  }
  for (const [setting, value] of changes) setting.set(probe, value);
  probe.settingsChanged();
}

function parsedValue(setting: RuntimeSetting, name: string, args: Args, index: number): number {
  const value = args.integer(index);
  if (Number.isNaN(value)) throw refusedSetting(name, "argument couldn't be parsed into an integer");
  if (value < setting.least || value > setting.most) {
    throw refusedSetting(name, `argument must be between ${setting.least} and ${setting.most} inclusive`);
  }
  return value;
}

function refusedSetting(name: string, why: string): HearsayError {
  return new HearsayError('ERR', `CONFIG SET failed (possibly related to argument '${name}') - ${why}`);
}

function shownBy(context: CommandContext): [string, string][] {
  const { probe } = connectionOf(context).connections;
  const mutable = RUNTIME_SETTINGS.map((setting): [string, string] => [setting.name, `${setting.get(probe)}`]);
  return [...settingsShown(context.host.settings), ...mutable];
}

function get(settings: [string, string][], args: Args, reply: Reply): void {
  const patterns: string[] = [];
  for (let index = 2; index < args.count; index++) {
    requirePatternFits(args, index);
    patterns.push(args.string(index));
  }
  const stepsMax = globWork.steps + GLOB_STEPS_MAX;
  const shown = settings.filter(([name]) => patterns.some((pattern) => globMatchesText(pattern, name, stepsMax)));
  reply.map(shown.length);
  for (const [name, value] of shown) {
    reply.bulkString(name);
    reply.bulkString(value);
  }
}

function settingsShown(settings: HostSettings): [string, string][] {
  const logged = settings.durability !== 'off';
  const fsync = { always: 'always', interval: 'everysec', off: 'no' }[settings.durability];
  return [
    ['save', ''],
    ['appendonly', logged ? 'yes' : 'no'],
    ['appendfsync', fsync],
    ['maxmemory', `${settings.maxMemoryBytes}`],
    ['maxmemory-policy', settings.eviction === 'none' ? 'noeviction' : 'allkeys-s3-fifo'],
    ['maxclients', `${settings.maxClients}`],
    ['databases', '1'],
    ['timeout', '0'],
    ['port', `${settings.port}`],
    ['cluster-enabled', settings.topology === 'off' ? 'no' : 'yes'],
    ['cluster-require-full-coverage', 'no'],
    ['cluster-allow-reads-when-down', 'yes'],
    ['proto-max-bulk-len', `${settings.limits.bulkBytesMax}`],
    ['client-query-buffer-limit', `${settings.limits.queryBytesMax}`],
    ['client-output-buffer-limit', `normal ${settings.limits.outputBytesMax} 0 0`],
    ['notify-keyspace-events', ''],
    ['lazyfree-lazy-user-del', 'yes'],
    ['hearsay-node', settings.nodeId],
    ['hearsay-cluster', settings.clusterName],
    ['hearsay-partitions', `${settings.partitions}`],
    ['hearsay-replicas', `${settings.replicas}`],
    ['hearsay-durability', settings.durability],
    ['hearsay-read-consistency', settings.readConsistency],
    ['hearsay-write-consistency', settings.writeConsistency],
    ['hearsay-topology', settings.topology],
  ];
}

export const configCommand: Command = {
  name: 'config',
  arity: -2,
  flags: ADMIN | SCANS,
  firstKey: 0,
  lastKey: 0,
  step: 0,
  group: 'server',
  summary: 'Show settings, reset counters',
  run,
};
