/**
 * Where a node's settings come from: flags, then the environment, then the config file (JSON), then the defaults.
 * The command line and an embedding program call `gatherConfig`; what is wrong comes back as lines that name the origin.
 * Guarded: every violation is reported at once; the password is read from its file here and shown nowhere.
 * The table of settings and its rules are in core/config.ts.
 */
import { readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { HearsayError } from '../core/base/errors.js';
import type { NodeConfig } from '../core/config.js';
import { completeConfig, SETTINGS, settingNamed } from '../core/config.js';
import { environmentOf, flagOf } from '../core/setting.js';
import { readSecretFile } from './secret-file.js';

const CONFIG_FILE_BYTES_MAX = 1024 * 1024;

export interface ConfigSources {
  /** By setting name. */
  flags: Readonly<Record<string, unknown>>;
  environment: Readonly<Record<string, string | undefined>>;
  /** Path of the JSON file, or null; `HEARSAY_CONFIG` counts when it is null. */
  file: string | null;
}

export interface GatheredConfig {
  /** Null exactly when there are violations. */
  config: NodeConfig | null;
  /** Setting name to the flag, variable or file it came from; defaults are left out. */
  origins: Record<string, string>;
  /** One line each, beginning with the origin. */
  violations: string[];
}

export function gatherConfig(sources: ConfigSources): GatheredConfig {
  // Names come from a file: one called __proto__ is a name like any other that is no setting.
  const values: Record<string, unknown> = Object.create(null);
  const origins: Record<string, string> = Object.create(null);
  const violations: string[] = [];
  const file = sources.file ?? sources.environment.HEARSAY_CONFIG ?? null;
  if (file !== null && file !== '') {
    const read = readConfigFile(file);
    if (typeof read === 'string') violations.push(read);
    else {
      for (const [name, value] of Object.entries(read)) {
        values[name] = value;
        origins[name] = `${name} in ${file}`;
      }
    }
  }
  for (const setting of SETTINGS) {
    const variable = environmentOf(setting);
    const value = sources.environment[variable];
    if (value !== undefined && value !== '' && !isServiceLink(value)) {
      values[setting.name] = value;
      origins[setting.name] = variable;
    }
    const flag = sources.flags[setting.name];
    if (flag !== undefined) {
      values[setting.name] = flag;
      origins[setting.name] = flagOf(setting);
    }
  }
  const completed = completeConfig(values);
  for (const { setting, message } of completed.violations) {
    violations.push(`${origins[setting] ?? nameFor(setting)}: ${message}`);
  }
  if (completed.config?.passwordFile) {
    const read = readPassword(completed.config.passwordFile);
    if (read.password === null) violations.push(`${origins.passwordFile}: ${read.problem}`);
    completed.config.password = read.password;
  }
  if (completed.config?.secretFile) {
    const problem = secretProblem(completed.config.secretFile);
    if (problem !== null) violations.push(`${origins.secretFile}: ${problem}`);
  }
  if (completed.config?.advertise === '') {
    completed.config.advertise = ownAddress(completed.config.bind === '::' ? 'IPv6' : 'IPv4');
  }
  if (completed.config && isIP(completed.config.advertise) === 0) {
    const { advertise } = completed.config;
    violations.push(
      `${origins.advertise ?? nameFor('advertise')}: ${advertise} is a name; nodes are told a numeric address`,
    );
  }
  return { config: violations.length === 0 ? completed.config : null, origins, violations };
}

/** What others can reach this machine by, when it listens on every address: the first that is not loopback. */
function ownAddress(family: 'IPv4' | 'IPv6'): string {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const outward = addresses.find(
    (each) => !each.internal && each.family === family && !each.address.startsWith('fe80:'),
  );
  return outward?.address ?? (family === 'IPv6' ? '::1' : '127.0.0.1');
}

/** Kubernetes hands every pod variables such as HEARSAY_PORT=tcp://10.0.0.1:7379 when a service is called hearsay. */
function isServiceLink(value: string): boolean {
  return /^(tcp|udp|sctp):\/\//.test(value);
}

function nameFor(setting: string): string {
  const row = settingNamed(setting);
  return row?.flag ? flagOf(row) : setting;
}

function readConfigFile(path: string): Record<string, unknown> | string {
  try {
    if (statSync(path).size > CONFIG_FILE_BYTES_MAX) return `${path}: is larger than a config file`;
    const parsed: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return `${path}: is not a JSON object`;
    return parsed as Record<string, unknown>;
  } catch (error) {
    // What the parser says quotes the file, and a password may stand there.
    if (error instanceof SyntaxError) return `${path}: is not JSON${placeIn(error)}`;
    return `${path}: can not be read: ${(error as Error).message}`;
  }
}

/** Where the parser stopped, if it says so. */
function placeIn(error: SyntaxError): string {
  const at = / at position \d+/.exec(error.message);
  return at === null ? '' : at[0];
}

/** Why the secret file will not do; null if it will. What is in it stays there until the node reads it. */
function secretProblem(path: string): string | null {
  try {
    readSecretFile(path);
    return null;
  } catch (error) {
    if (error instanceof HearsayError) return error.message;
    throw error;
  }
}

function readPassword(path: string): { password: string | null; problem: string } {
  try {
    const line = readFileSync(path, 'utf8').split(/\r?\n/, 1)[0];
    if (line !== '' && settingNamed('password')?.pattern?.test(line) === false) {
      return {
        password: null,
        problem: `the first line of ${path} is no password: up to 512 characters, none of them NUL`,
      };
    }
    return line === '' ? { password: null, problem: `${path} is empty` } : { password: line, problem: '' };
  } catch (error) {
    return { password: null, problem: `${path} can not be read: ${(error as Error).message}` };
  }
}
