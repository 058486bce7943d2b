/**
 * The client's configuration: what `createClient` takes, and the settings it becomes. `resolveOptions` reports every
 * violation at once, as one HearsayError CONFIG.
 */
import { HearsayError } from '../core/base/errors.js';
import { type Duration, parseDurationMs } from './durations.js';
import type { ConsistencyLevel } from './greeting.js';
import { splitServer } from './link.js';
import { describeUnknown, isOptionsObject, unknownNames } from './option-names.js';

export interface ClientOptions {
  /** Nodes to start from, as 'host:port', 1 to 64 of them. The others are learnt from these. Default ['127.0.0.1:7379']. */
  servers?: readonly string[];
  /** Sent by AUTH on every connection. */
  password?: string;
  /** The user of the password. Default 'default'. */
  username?: string;
  /** What CLIENT LIST shows, 1 to 64 printable characters without a space. Default 'hearsay-client'. */
  name?: string;
  /** Time for a call, retry included. Default 250 ms, at most 10 minutes. */
  requestTimeout?: Duration;
  /** Time for connecting and the handshake. Default 1 s, at most 10 minutes. */
  connectTimeout?: Duration;
  /** What a read gives when the cache fails: a miss (the default), or the error. Writes always throw. */
  onError?: 'miss' | 'throw';
  /** Level of every call that names none. Default: the cluster's own. */
  consistency?: ConsistencyLevel;
  /** Calls under way at once; past it BUSY. Default 10,000, at most 1,000,000. */
  maxInFlight?: number;
  /** How often the slot map is asked for. Default 5 s, at most 10 minutes. */
  refreshInterval?: Duration;
  /** The wait before connecting again is uniform below a ceiling that doubles from this. Default 50 ms. */
  reconnectMin?: Duration;
  /** The highest ceiling, at least `reconnectMin`, at most 10 minutes. Default 2 s. */
  reconnectMax?: Duration;
}

export interface ClientSettings {
  servers: readonly string[];
  username: string;
  password: string | null;
  name: string;
  requestTimeoutMs: number;
  connectTimeoutMs: number;
  missOnError: boolean;
  level: ConsistencyLevel | null;
  maxInFlight: number;
  refreshIntervalMs: number;
  reconnectMinMs: number;
  reconnectMaxMs: number;
}

/** The port of a node that names none (core/config.ts), on this machine. */
export const SERVERS_DEFAULT: readonly string[] = ['127.0.0.1:7379'];
export const SERVERS_MAX = 64;
export const TIMEOUT_MS_MAX = 600_000;
export const LEVELS: readonly unknown[] = ['one', 'quorum', 'all'];
const IN_FLIGHT_MAX = 1_000_000;

/** Every name there is: one that is missing here does not compile. */
const NAMES: Record<keyof ClientOptions, true> = {
  servers: true,
  password: true,
  username: true,
  name: true,
  requestTimeout: true,
  connectTimeout: true,
  onError: true,
  consistency: true,
  maxInFlight: true,
  refreshInterval: true,
  reconnectMin: true,
  reconnectMax: true,
};
const KNOWN: ReadonlySet<string> = new Set(Object.keys(NAMES));

/** Throws HearsayError CONFIG with every violation in its message. */
export function resolveOptions(options: ClientOptions = {}): ClientSettings {
  if (!isOptionsObject(options)) {
    throw new HearsayError('CONFIG', `options must be an object such as { servers: ['127.0.0.1:7379'] }`);
  }
  const wrong = unknownNames(options, KNOWN).map((name) => describeUnknown(name, KNOWN));
  const time = (value: Duration | undefined, fallbackMs: number, what: string): number => {
    try {
      const ms = parseDurationMs(value ?? fallbackMs, what);
      if (ms > TIMEOUT_MS_MAX) wrong.push(`${what} must be at most 10 minutes`);
      return ms;
    } catch (error) {
      wrong.push((error as Error).message);
      return fallbackMs;
    }
  };
  const { servers = SERVERS_DEFAULT } = options;
  const settings: ClientSettings = {
    servers: Array.isArray(servers) ? [...new Set<string>(servers)] : [],
    username: options.username ?? 'default',
    password: options.password ?? null,
    name: options.name ?? 'hearsay-client',
    requestTimeoutMs: time(options.requestTimeout, 250, 'requestTimeout'),
    connectTimeoutMs: time(options.connectTimeout, 1000, 'connectTimeout'),
    missOnError: options.onError !== 'throw',
    level: options.consistency ?? null,
    maxInFlight: options.maxInFlight ?? 10_000,
    refreshIntervalMs: time(options.refreshInterval, 5000, 'refreshInterval'),
    reconnectMinMs: time(options.reconnectMin, 50, 'reconnectMin'),
    reconnectMaxMs: time(options.reconnectMax, 2000, 'reconnectMax'),
  };
  if (settings.servers.length < 1 || settings.servers.length > SERVERS_MAX) {
    wrong.push(`servers must list 1 to ${SERVERS_MAX} addresses, as ['127.0.0.1:7379']`);
  }
  for (const server of settings.servers) {
    if (typeof server !== 'string' || splitServer(server).port === 0) {
      wrong.push(
        `servers must be like 'host:port'; got ${typeof server === 'string' ? JSON.stringify(server) : typeof server}`,
      );
    }
  }
  if (typeof settings.name !== 'string' || !/^[!-~]{1,64}$/.test(settings.name))
    wrong.push('name must be 1 to 64 printable characters without a space');
  if (typeof settings.username !== 'string' || settings.username === '') wrong.push('username must not be empty');
  if (options.password !== undefined && typeof options.password !== 'string') wrong.push('password must be text');
  if (options.onError !== undefined && options.onError !== 'miss' && options.onError !== 'throw') {
    wrong.push(`onError must be 'miss' or 'throw'`);
  }
  if (settings.level !== null && !LEVELS.includes(settings.level)) {
    wrong.push(`consistency must be 'one', 'quorum' or 'all'`);
  }
  if (!Number.isInteger(settings.maxInFlight) || settings.maxInFlight < 1 || settings.maxInFlight > IN_FLIGHT_MAX) {
    wrong.push(`maxInFlight must be a whole number from 1 to ${IN_FLIGHT_MAX}`);
  }
  if (settings.reconnectMaxMs < settings.reconnectMinMs) wrong.push('reconnectMax must be at least reconnectMin');
  if (wrong.length > 0) throw new HearsayError('CONFIG', wrong.join('; '));
  return settings;
}
