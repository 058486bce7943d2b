/**
 * `hearsay cluster`: several nodes on this machine, each a process of its own, until a signal.
 * It checks the settings once for all nodes and leaves the rest to cluster/local.ts.
 */
import { type LocalClusterOptions, runLocalCluster } from '../../cluster/local.js';
import { SETTINGS } from '../core/config.js';
import { flagOf } from '../core/setting.js';
import { configFrom, settingFlags } from './settings.js';
import type { Terminal } from './terminal.js';
import { UsageError } from './terminal.js';

const NODES_MAX = 64;
const PORT_OFFSET_GOSSIP = 10_000;

export async function runCluster(options: Readonly<Record<string, unknown>>, terminal: Terminal): Promise<number> {
  if (terminal.launcher === null) throw new UsageError(['cluster: start it by bin/hearsay.js']);
  return runLocalCluster(
    clusterOptions(options, [process.execPath, terminal.launcher, 'serve'], terminal),
    (line) => terminal.out(`${line}\n`),
    (line) => terminal.error(`${line}\n`),
    (listener) => terminal.onStopSignal(listener),
  );
}

/** The verb's flags, checked; throws UsageError. */
export function clusterOptions(
  options: Readonly<Record<string, unknown>>,
  command: readonly string[],
  terminal: Terminal,
): LocalClusterOptions {
  const nodes = wholeNumber('--nodes', options.nodes, 1, NODES_MAX);
  const port = wholeNumber('--port', options.port, 1, 65_535 - PORT_OFFSET_GOSSIP - nodes + 1);
  // The cluster's own --port and --data are not the nodes': these are made from them.
  const flags = settingFlags({ ...options, port: undefined, data: undefined });
  const { config } = configFrom(
    { ...flags, bind: '127.0.0.1', port, gossipPort: port + PORT_OFFSET_GOSSIP },
    options.config,
    terminal,
  );
  const passed = SETTINGS.flatMap((setting) => {
    const value = flags[setting.name];
    if (value === undefined) return [];
    return setting.kind === 'switch' ? [flagOf(setting)] : [flagOf(setting), String(value)];
  });
  if (typeof options.config === 'string') passed.push('--config', options.config);
  return {
    nodes,
    host: '127.0.0.1',
    port,
    gossipPort: port + PORT_OFFSET_GOSSIP,
    dataDirectory: String(options.data),
    fresh: options.fresh === true,
    verbose: options.verbose === true,
    command,
    flags: passed,
    password: config.password,
  };
}

function wholeNumber(flag: string, raw: unknown, min: number, max: number): number {
  const value = /^\d{1,6}$/.test(String(raw)) ? Number(raw) : Number.NaN;
  if (!(value >= min && value <= max)) throw new UsageError([`${flag}: ${String(raw)} is not from ${min} to ${max}`]);
  return value;
}
