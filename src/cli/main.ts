/**
 * The command line: verbs, their flags and exit codes. `bin/hearsay.js` calls `main` with the words after the program's
 * name and exits with what it returns (exit-codes.ts).
 * Each verb is a file beside this one; this one only parses and reports.
 */
import { availableParallelism } from 'node:os';
import { Command, CommanderError } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import { HearsayError } from '../core/base/errors.js';
import { simulate, USAGE } from '../sim/main.js';
import { runBackup } from './backup.js';
import { runBenchChild, runBenchVerb } from './bench.js';
import { runCampaign, runCampaignChild } from './campaign.js';
import { CHAOS_BOUNDS, CHAOS_EXAMPLES, listScenarios, runChaosVerb } from './chaos.js';
import { clusterOptions, runCluster } from './cluster.js';
import { runDemoVerb } from './demo.js';
import { exitCodes, isSystemError } from './exit-codes.js';
import { runExport } from './export.js';
import { helpAfterFlags, settingsMarkdown } from './help.js';
import { runForget, runLeave } from './members.js';
import { runPing } from './ping.js';
import { runRestore } from './restore.js';
import { addSecretVerbs } from './secret.js';
import { runServe } from './serve.js';
import { addSettingFlags, configFrom, settingFlags } from './settings.js';
import type { Terminal } from './terminal.js';
import { processTerminal, UsageError } from './terminal.js';
import { runTrialsVerb } from './trials.js';
import { unknownFlags } from './unknown-flags.js';
import { addWalVerbs } from './wal.js';

export const VERSION = packageJson.version;

export interface MainOptions {
  launcher?: string;
  terminal?: Terminal;
}

/** Runs one verb to its end. */
export async function main(words: readonly string[], options: MainOptions = {}): Promise<number> {
  const terminal = options.terminal ?? processTerminal(options.launcher ?? null);
  let exitCode = 0;
  const program = programFor(terminal, (code) => {
    exitCode = code;
  });
  program.hook('preAction', (_, command) => refuseStrayWords(command, words, terminal));
  takeUnknownFlags(program);
  try {
    if (words.length === 0) {
      terminal.error(program.helpInformation());
      return 2;
    }
    await program.parseAsync(verbKnown(program, words) ? [...words] : words.filter((word) => !HELP.includes(word)), {
      from: 'user',
    });
    return afterOutput(exitCode, terminal);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? afterOutput(0, terminal) : 2;
    if (error instanceof UsageError) {
      for (const line of error.lines) terminal.error(`hearsay: ${line}\n`);
      return 2;
    }
    if (error instanceof HearsayError || isSystemError(error)) {
      terminal.error(`hearsay: ${error.message}\n`);
      return 1;
    }
    throw error;
  }
}

const HELP = ['help', '--help', '-h'];

/** Whether every verb that is named there is one; help for what there is not would be help for something else. */
function verbKnown(program: Command, words: readonly string[]): boolean {
  let command = program;
  for (const word of words.filter((each) => each !== 'help')) {
    if (command.commands.length === 0 || word.startsWith('-')) return true;
    const next = command.commands.find((one) => one.name() === word || one.aliases().includes(word));
    if (next === undefined) return false;
    command = next;
  }
  return true;
}

/** Verbs that read their words themselves. */
const VERBS_FREE = ['simulate', 'bench-child'];

/** Has every verb take what it does not know, so that all of it can be reported at once. */
function takeUnknownFlags(command: Command): void {
  for (const verb of command.commands) {
    takeUnknownFlags(verb);
    if (!VERBS_FREE.includes(verb.name()) && verb.commands.length === 0) {
      verb.allowUnknownOption().allowExcessArguments();
    }
  }
}

/** Throws UsageError with all that is wrong with a command line in which a flag is unknown or a word too many. */
function refuseStrayWords(command: Command, words: readonly string[], terminal: Terminal): void {
  if (VERBS_FREE.includes(command.name())) return;
  const lines = unknownFlags(command, words);
  const { length: places } = command.registeredArguments;
  const isOpen = command.registeredArguments.some(({ variadic }) => variadic);
  if (lines.length === 0 && !isOpen && command.args.length > places) {
    lines.push(`too many words for '${command.name()}': ${command.args.slice(places).join(' ')}`);
  }
  if (lines.length > 0) throw new UsageError([...lines, ...settingProblems(command, terminal)]);
}

/** What is wrong with the settings among a verb's flags. */
function settingProblems(command: Command, terminal: Terminal): readonly string[] {
  const flags = command.opts();
  try {
    if (command.name() === 'cluster') clusterOptions(flags, [], terminal);
    else if ('config' in flags || 'port' in flags) {
      // Only who listens has to be safe where it does.
      const rest = command.name() === 'serve' ? {} : { insecure: true };
      configFrom({ ...rest, ...settingFlags(flags) }, flags.config, terminal);
    }
    return [];
  } catch (error) {
    if (error instanceof UsageError) return error.lines;
    throw error;
  }
}

/** A verb whose text did not all go out has failed, unless whoever read it wanted no more. */
function afterOutput(exitCode: number, terminal: Terminal): number {
  const failure = terminal.outFailure();
  if (failure === null || failure.code === 'EPIPE' || exitCode !== 0) return exitCode;
  terminal.error(`hearsay: standard output: ${failure.message}\n`);
  return 1;
}

/** How a verb finds the node that it speaks to. */
function addNodeFlags(command: Command, hostText = 'its address'): Command {
  return command
    .option('--host <address>', hostText, '127.0.0.1')
    .option('--port <number>', 'its RESP port (default: 7379)')
    .option('--password-file <file>', 'file whose first line is its password')
    .option('--config <file>', 'its JSON file of settings');
}

/** How `backup` and `restore` find a cluster, and how they go about it. */
function addClusterFlags(command: Command): Command {
  return addNodeFlags(command, 'address of a node; it names the others')
    .option('--rate <size>', 'bytes a second, 0 for no limit', '50mb')
    .option('--json', 'print a summary as JSON at the end');
}

function programFor(terminal: Terminal, setExitCode: (code: number) => void): Command {
  const program = new Command('hearsay')
    .description('An eventually consistent, gossip-based distributed cache that speaks RESP.')
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({ writeOut: terminal.out, writeErr: terminal.error })
    .configureHelp({ helpWidth: 110 })
    .version(VERSION, '-V, --version', 'print the version')
    .addHelpText('after', "\n'hearsay VERB --help' tells everything about a verb.");
  const serve = program.command('serve').description('run one node');
  addSettingFlags(serve);
  serve
    .option('--stop-with-stdin', 'stop when standard input ends: for whoever starts the node as a child')
    .addHelpText('after', helpAfterFlags)
    .action(async (flags) => setExitCode(await runServe(flags, VERSION, terminal)));
  const cluster = program
    .command('cluster')
    .description('run several nodes on this machine, each a process of its own');
  cluster
    .option('--nodes <number>', 'how many', '3')
    .option('--port <number>', 'RESP port of the first node; the next ones follow, gossip is 10000 above', '7379')
    .option('--data <directory>', 'where each node has its data directory', './.hearsay/cluster')
    .option('--fresh', 'empty the data directories first')
    .option('--verbose', 'show every log line of the nodes, not only warnings');
  addSettingFlags(cluster, ['id', 'port', 'gossipPort', 'data', 'join', 'bind', 'advertise', 'logFormat', 'insecure']);
  cluster
    .addHelpText(
      'after',
      `\nCtrl-C stops all nodes, those too that were started again by hand.\n${exitCodes('stopped as asked', 'failed')}`,
    )
    .action(async (flags) => setExitCode(await runCluster(flags, terminal)));
  program
    .command('demo')
    .description('a tour of two minutes on real data: three nodes, every city of the world, a kill -9')
    .addHelpText('after', `\n${exitCodes('every promise held', 'one was broken or the demo could not run')}`)
    .action(async () => setExitCode(await runDemoVerb(terminal)));
  program
    .command('ping')
    .description('ask a node of this machine whether it is ready')
    .addHelpText('after', `\n${exitCodes('ready', 'it could not be asked', 'alive and not ready')}`)
    .option('--port <number>', 'its RESP port (default: 7379)')
    .option('--bind <address>', 'its address (default: 127.0.0.1)')
    .option('--password-file <file>', 'file whose first line is its password')
    .option('--config <file>', 'its JSON file of settings')
    .action(async (flags) => setExitCode(await runPing(flags, terminal)));
  addNodeFlags(program.command('leave').description('have one node leave its cluster for good'))
    .addHelpText(
      'after',
      `\nIts place goes to others, which are handed what it holds; then its process ends. Commands go on meanwhile.\nTo stop a node that comes back, send it SIGTERM instead: it keeps its place.\n${exitCodes('it has left', 'it stays, or was refused', 'it ended before all was seen to be handed over')}`,
    )
    .action(async (flags) => setExitCode(await runLeave(flags, terminal)));
  addNodeFlags(
    program
      .command('forget')
      .description('have a cluster forget a dead member, for which deletes are remembered')
      .argument('<id>', 'its name, as HEARSAY.STATUS shows it'),
    'address of any node',
  )
    .addHelpText(
      'after',
      `\nRefused while the member is alive. Should it come back with its old data directory, it is told to end.\n${exitCodes('it is forgotten on every node, now or as soon as they hear of it', 'refused')}`,
    )
    .action(async (id, flags) => setExitCode(await runForget(id, flags, terminal)));
  addClusterFlags(
    program
      .command('backup')
      .description('copy the records of a running cluster into a file, while it works')
      .argument('<file>', 'written to FILE.part; when it is whole it takes the place of any FILE that is there')
      .option('--verify', 'read an existing file instead: every checksum and every count')
      .option('--fresh', 'start over, whatever stands in FILE.part'),
  )
    .addHelpText(
      'after',
      `\nA run that was broken off goes on when it is given again; while one runs, a second for the same FILE is refused.\n${exitCodes('whole', 'failed (a FILE from before stays as it was)', 'stopped before its end; with --verify, damaged')}`,
    )
    .action(async (file, flags) => setExitCode(await runBackup(file, flags, terminal)));
  addClusterFlags(
    program
      .command('restore')
      .description('bring the records of a backup into a cluster of any size; what is newer there stays')
      .argument('<file>', 'a file that `hearsay backup` wrote')
      .option('--no-verify-first', 'do not read the whole file before the first record is sent'),
  )
    .addHelpText(
      'after',
      `\nCan be given again at any time. A key deleted after the backup stays deleted while its tombstone is kept:\nto go back in time, restore into a fresh cluster.\n${exitCodes('everything is there', 'failed', 'it was stopped, or some records were refused')}`,
    )
    .action(async (file, flags) => setExitCode(await runRestore(file, flags, terminal)));
  program
    .command('export')
    .description('every live key of a running cluster as lines of JSON: key, value, expireAtMs, version')
    .option('--host <address>', 'address of a node; it names the others', '127.0.0.1')
    .option('--port <number>', 'its RESP port (default: 7379)')
    .option('--password-file <file>', 'file whose first line is its password')
    .option('--config <file>', 'its JSON file of settings')
    .option(
      '--output <file>',
      'written to FILE.part, then in place of any FILE that is there (default: standard output)',
    )
    .option('--match <glob>', 'only keys that fit the pattern')
    .option('--format <name>', 'jsonl: a line for each key; what is not UTF-8 as {"base64": ...}', 'jsonl')
    .option('--strict', 'fail rather than go on with a fresh snapshot when one grew too old')
    .addHelpText(
      'after',
      `\n${exitCodes('every key is there', 'failed (a FILE from before stays as it was)', 'stopped, or no node that answers holds some partition')}`,
    )
    .action(async (flags) => setExitCode(await runExport(flags, terminal)));
  const chaos = program
    .command('chaos')
    .description(
      'a checked load on a cluster of its own, disturbed by one of many faults; says whether a promise broke',
    )
    .addHelpText('after', `\n${CHAOS_EXAMPLES}`);
  chaos
    .command('run')
    .description('run one scenario, or all of them one after the other')
    .argument('<scenario>', 'a name that `hearsay chaos list` prints, or all')
    .option('--duration <time>', `how long each is disturbed, as 20s or 2m: ${CHAOS_BOUNDS.duration}`, '30s')
    .option('--nodes <number>', `how many: ${CHAOS_BOUNDS.nodes}`, '5')
    .option('--seed <number>', `decides the schedule: ${CHAOS_BOUNDS.seed} (default: drawn, and printed)`)
    .option('--report <directory>', 'write an HTML page for each run, and for all an index.html')
    .addHelpText(
      'after',
      `\n${CHAOS_EXAMPLES}\n\n${exitCodes('no violation', 'a violation', 'stopped, or this machine lacks what the scenario needs')}`,
    )
    .action(async (scenario, flags) => setExitCode(await runChaosVerb(scenario, flags, terminal)));
  chaos
    .command('list')
    .description('print all scenarios: what each does, and what is expected')
    .action(() => setExitCode(listScenarios(terminal)));
  program
    .command('trials')
    .description('show what the cluster promises under disturbances, by real processes on this machine')
    .argument('[names...]', 'which, or all (default: all, in some hours)')
    .option('--from <name>', 'pass over those before it; with --report, go on with the results that are there')
    .option('--list', 'print the names of all trials, and what each shows')
    .option('--quick', 'shorter and fewer, about a minute each: shows that it works')
    .option('--report <directory>', 'write trials.md and trials.json, anew after each trial')
    .option('--seed <number>', 'decides keys and operations of the loads (default: drawn, and in the report)')
    .option('--sabotage', 'spoil each trial on purpose: then every one must be missed')
    .addHelpText('after', `\n${exitCodes('every bound reached (with --sabotage: every trial missed)', 'not')}`)
    .action(async (names, flags) => setExitCode(await runTrialsVerb(names, flags, VERSION, terminal)));
  program
    .command('bench')
    .description('measure Hearsay against redis-server on this machine, in one run')
    .option('--cases <names>', 'which, separated by commas: names, or how they begin (default: those with a target)')
    .option('--all', 'every case')
    .option('--list', 'print the names of all cases')
    .option('--quick', 'everything small, one round: shows that it works, and no figure to quote')
    .option('--rounds <number>', 'alternating rounds of each case (default: 5)')
    .option('--json <file>', 'write the results as JSON')
    .option('--svg <file>', 'write the chart of the ratios')
    .option('--report <directory>', 'write report.md, report.json and report.svg')
    .option('--trace <files...>', 'instead: replay traces cache-aside, one key a line, .gz or not')
    .option('--zipf <alphas>', 'instead, or besides: replay requests drawn by Zipf, as 0.9,1.2')
    .option('--keys <number>', 'keys of --zipf (default: 1000000)')
    .option('--requests <number>', 'requests of --zipf (default: 3000000); of a trace, at most so many')
    .option('--memory <sizes>', 'replay at these limits of memory, as 64mb,256mb; wanted unless --hit-ratios')
    .option('--value-bytes <number>', 'size of each value in a replay')
    .option('--peer', 'replay against allkeys-lru and allkeys-lfu of redis-server, too')
    .option('--hit-ratios', 'replay at 2, 5, 10 and 25 % of the footprint, against both policies at equal memory')
    .addHelpText('after', `\n${exitCodes('measured', 'something could not be measured')}`)
    .action(async (flags) => setExitCode(await runBenchVerb(flags, VERSION, terminal)));
  program
    .command('bench-child', { hidden: true })
    .argument('<role>')
    .argument('<spec>')
    .action(async (role, spec) => setExitCode(await runBenchChild(role, spec, terminal)));
  addSecretVerbs(program, terminal);
  addWalVerbs(program, terminal, setExitCode);
  program
    .command('simulate')
    .description('run seeds of the simulator, or plan a large cluster, on virtual time')
    .allowUnknownOption()
    .allowExcessArguments()
    .addHelpText(
      'after',
      `\n${USAGE}\n\n${exitCodes('every seed passed, or all nodes came to know', 'one failed, or they did not', 'stopped before all seeds were played')}`,
    )
    .action(async (_options, command: Command) =>
      setExitCode(
        await simulate(command.args, {
          out: (line) => terminal.out(`${line}\n`),
          complain: (line) => terminal.error(`hearsay: ${line}\n`),
          progress: terminal.error,
          isLive: process.stderr.isTTY === true,
          isRead: () => terminal.outFailure() === null,
          onStop: terminal.onStopSignal,
          program: terminal.program,
        }),
      ),
    );
  program
    .command('campaign')
    .description('many seeds of the simulator in several processes; resumed where it was stopped')
    .option('--to <seed>', 'plays seeds 1 to this, in blocks of 20', '100000')
    .option('--jobs <number>', 'processes', String(availableParallelism()))
    .option('--dir <directory>', 'where it notes how far it came, and plans that failed, shrunk', 'campaign')
    .option('--anew', 'forget what is noted there')
    .option('--no-shrink', 'do not look for the least plan that still fails')
    .addHelpText(
      'after',
      `\n${exitCodes('every seed passed, and all that must happen in 300 seeds did', 'not', 'stopped: the same command goes on')}`,
    )
    .action(async (flags) => setExitCode(await runCampaign(flags, terminal)));
  program.command('campaign-child', { hidden: true }).action(async () => setExitCode(await runCampaignChild()));
  program
    .command('settings')
    .description('print every setting as a Markdown table')
    .action(() => terminal.out(settingsMarkdown()));
  program
    .command('version')
    .description('print the version')
    .action(() => terminal.out(`${VERSION}\n`));
  return program;
}
