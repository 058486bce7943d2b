/**
 * What `backup` and `restore` have in common at the command line: the way to a cluster, the rate, the progress line.
 */
import { parseBytes } from '../core/setting.js';
import { ClusterDoor } from './cluster-door.js';
import { type Moment, Progress } from './progress.js';
import { configFrom, settingFlags } from './settings.js';
import { type Terminal, UsageError } from './terminal.js';

export type Flags = Readonly<Record<string, unknown>>;

const TIMEOUT_MS = 10_000;

/** The cluster behind `--host`, `--port` and the settings of a node of it. */
export function doorTo(flags: Flags, terminal: Terminal): Promise<ClusterDoor> {
  // What decides whether a node may start (a password off loopback) is no matter for asking it.
  const { config } = configFrom({ insecure: true, ...settingFlags(flags) }, flags.config, terminal);
  const host = typeof flags.host === 'string' ? flags.host : '127.0.0.1';
  return ClusterDoor.open({ contact: { host, port: config.port }, password: config.password, timeoutMs: TIMEOUT_MS });
}

/** Bytes a second from `--rate`; 0 for no limit. */
export function rateIn(flags: Flags): number {
  const rate = parseBytes(String(flags.rate));
  if (Number.isNaN(rate)) throw new UsageError([`--rate ${String(flags.rate)}: not a size such as 50mb (a second)`]);
  return rate;
}

export function progressFor(terminal: Terminal, moment: () => Moment): Progress {
  return new Progress(terminal.error, process.stderr.isTTY === true, moment);
}
