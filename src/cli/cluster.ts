/**
 * `hearsay cluster`: several nodes on this machine, each a process of its own, until a signal.
 * It checks the settings once for all nodes and leaves their directories to cluster-data.ts, the rest to cluster/local.ts.
 */
import { resolve } from 'node:path';
import { type LocalClusterOptions, runLocalCluster, shellWord } from '../../cluster/local.js';
import { SETTINGS } from '../core/config.js';
import { environmentOf, flagOf } from '../core/setting.js';
import { prepareClusterData } from './cluster-data.js';
import { configFrom, settingFlags } from './settings.js';
import type { Terminal } from './terminal.js';
import { UsageError } from './terminal.js';

const NODES_MAX = 64;
const PORT_OFFSET_GOSSIP = 10_000;

export async function runCluster(options: Readonly<Record<string, unknown>>, terminal: Terminal): Promise<number> {
  if (terminal.launcher === null) throw new UsageError(['cluster: start it by bin/hearsay.js']);
  const local = clusterOptions(options, [process.execPath, terminal.launcher, 'serve'], terminal);
  return runLocalCluster(
    local,
    (line) => terminal.out(`${line}\n`),
    (line) => terminal.error(`${line}\n`),
    (listener) => terminal.onStopSignal(listener),
    (nodes) =>
      prepareClusterData({
        directory: local.dataDirectory,
        nodeDirectories: nodes.map((node) => node.dataDirectory),
        fresh: options.fresh === true,
      }),
  );
}

/** The verb's flags, checked; throws UsageError. */
export function clusterOptions(
  options: Readonly<Record<string, unknown>>,
  command: readonly string[],
  terminal: Terminal,
): LocalClusterOptions {
  const problems: string[] = [];
  const nodes = wholeNumber('--nodes', options.nodes, 1, NODES_MAX, problems);
  const port = wholeNumber('--port', options.port, 1, 65_535 - PORT_OFFSET_GOSSIP - nodes + 1, problems);
  // The cluster's own --port and --data are not the nodes': these are made from them.
  const flags = settingFlags({ ...options, port: undefined, data: undefined });
  const { config, origins } = settingsBeside(
    problems,
    { ...flags, bind: '127.0.0.1', port, gossipPort: port + PORT_OFFSET_GOSSIP },
    options.config,
    terminal,
  );
  const passed = SETTINGS.flatMap((setting) => {
    const value = flags[setting.name];
    if (value === undefined) return [];
    if (setting.kind === 'switch') return [flagOf(setting)];
    // Whole paths, so that the command to start a node again holds in any directory.
    return [flagOf(setting), setting.placeholder === 'file' ? resolve(String(value)) : String(value)];
  });
  if (typeof options.config === 'string') passed.push('--config', resolve(options.config));
  return {
    nodes,
    host: '127.0.0.1',
    port,
    gossipPort: port + PORT_OFFSET_GOSSIP,
    dataDirectory: String(options.data),
    verbose: options.verbose === true,
    command,
    flags: passed,
    environment: environmentWords(origins, options.config, terminal.environment),
    password: config.password,
  };
}

/** Assignments of what the nodes take from the environment; the password is not shown, but taken from there again. */
function environmentWords(
  origins: Readonly<Record<string, string>>,
  file: unknown,
  environment: Terminal['environment'],
): string[] {
  const names = SETTINGS.filter((setting) => origins[setting.name] === environmentOf(setting)).map(environmentOf);
  if (typeof file !== 'string' && environment.HEARSAY_CONFIG) names.push('HEARSAY_CONFIG');
  return names.map((name) => {
    if (name === 'HEARSAY_PASSWORD') return `${name}="$${name}"`;
    const isPath = name === 'HEARSAY_CONFIG' || name === 'HEARSAY_PASSWORD_FILE' || name === 'HEARSAY_SECRET_FILE';
    const value = environment[name] ?? '';
    return `${name}=${shellWord(isPath ? resolve(value) : value)}`;
  });
}

/** The settings; throws UsageError with their violations behind the problems that are known already. */
function settingsBeside(
  problems: readonly string[],
  ...of: Parameters<typeof configFrom>
): ReturnType<typeof configFrom> {
  try {
    const gathered = configFrom(...of);
    if (problems.length === 0) return gathered;
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError([...problems, ...error.lines]);
    throw error;
  }
  throw new UsageError(problems);
}

/** The number; when it is none or out of bounds, a line for the user and the least one, to go on with. */
function wholeNumber(flag: string, raw: unknown, min: number, max: number, problems: string[]): number {
  const value = /^\d{1,6}$/.test(String(raw)) ? Number(raw) : Number.NaN;
  if (value >= min && value <= max) return value;
  problems.push(`${flag}: ${String(raw)} is not from ${min} to ${max}`);
  return min;
}
