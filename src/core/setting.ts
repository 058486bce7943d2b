/**
 * One setting: its row in the table, its names as flag and environment variable, and how a value is read.
 * The rows stand in config.ts, which is the caller; help and README are made from the same rows.
 * Guarded: a value read without a problem has the type and keeps the bounds of its row; text from outside is cut
 * before it is quoted.
 */
import type { NodeConfig } from './config.js';

export type SettingValue = string | number | boolean | string[] | null;

/** One row of the table. A value arrives as text (flag, environment) or as JSON of the right type (file). */
export interface Setting {
  readonly field: keyof NodeConfig;
  /** Key in the config file; flag and environment variable are made from it. */
  readonly name: string;
  readonly kind: 'integer' | 'decimal' | 'bytes' | 'text' | 'addresses' | 'choice' | 'switch';
  readonly meaning: string;
  /** What the value is called in the help: `--port <number>`. */
  readonly placeholder: string;
  readonly fallback: SettingValue;
  /** What the help says instead of the fallback, where that is computed. */
  readonly fallbackText?: string;
  readonly min?: number;
  readonly max?: number;
  readonly powerOfTwo?: boolean;
  readonly choices?: readonly string[];
  readonly pattern?: RegExp;
  /** Tunables have no flag; a password must not stand in a process list. */
  readonly flag: boolean;
}

export const KIB = 1024;
export const MIB = 1024 * KIB;
export const GIB = 1024 * MIB;
const JOIN_COUNT_MAX = 64;

/** `maxMemory` as `--max-memory`. */
export function flagOf(setting: Setting): string {
  return `--${setting.name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** `maxMemory` as `HEARSAY_MAX_MEMORY`. */
export function environmentOf(setting: Setting): string {
  return `HEARSAY_${setting.name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

type Parsed = { value: SettingValue; problem: null } | { value: null; problem: string };

/** One value against its row: the typed value, or what is wrong with it. */
export function parseSetting(setting: Setting, raw: unknown): Parsed {
  switch (setting.kind) {
    case 'integer':
      return parseNumber(setting, typeof raw === 'string' ? parseInteger(raw) : raw, 'a whole number');
    case 'decimal':
      return parseNumber(setting, typeof raw === 'string' ? parseDecimal(raw) : raw, 'a number');
    case 'bytes':
      return parseNumber(setting, typeof raw === 'string' ? parseBytes(raw) : raw, 'a size such as 64mb');
    case 'switch':
      if (raw === true || raw === 'true' || raw === '1' || raw === 'yes' || raw === '') return good(true);
      if (raw === false || raw === 'false' || raw === '0' || raw === 'no') return good(false);
      return bad(`${show(raw)} is neither true nor false`);
    case 'choice':
      if (setting.choices?.includes(raw as string)) return good(raw as string);
      return bad(`${show(raw)} is none of ${setting.choices?.join(', ')}`);
    case 'addresses':
      return parseAddresses(raw);
    case 'text':
      if (typeof raw !== 'string') return bad(`${shown(setting, raw)} is not text`);
      if (setting.pattern && !setting.pattern.test(raw)) {
        return bad(`${shown(setting, raw)} does not match ${setting.pattern.source}`);
      }
      return good(raw);
  }
}

/** A size in bytes: digits with an optional unit of 1024 (`b`, `kb`, `mb`, `gb`, also `k`, `MiB`); NaN if it is none. */
export function parseBytes(text: string): number {
  const match = /^(\d{1,15})\s*(b|k|kb|kib|m|mb|mib|g|gb|gib)?$/i.exec(text.trim());
  if (match === null) return Number.NaN;
  const unit = (match[2] ?? 'b').toLowerCase()[0];
  return Number(match[1]) * (unit === 'k' ? KIB : unit === 'm' ? MIB : unit === 'g' ? GIB : 1);
}

/** A size for people: the largest unit that divides it. */
export function formatBytes(count: number): string {
  if (count > 0 && count % GIB === 0) return `${count / GIB}gb`;
  if (count > 0 && count % MIB === 0) return `${count / MIB}mb`;
  if (count > 0 && count % KIB === 0) return `${count / KIB}kb`;
  return String(count);
}

/** An address as `[host, port]`, `[v6]:port` unwrapped; null if it is none. */
export function splitAddress(address: string): [host: string, port: number] | null {
  const match = /^(?:\[([0-9A-Fa-f:.]{2,64})\]|([A-Za-z0-9._-]{1,255})):(\d{1,5})$/.exec(address);
  if (match === null) return null;
  const port = Number(match[3]);
  return port >= 1 && port <= 65_535 ? [match[1] ?? match[2], port] : null;
}

/** Whether only this machine can reach the address. */
export function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || /^127(\.\d{1,3}){3}$/.test(address);
}

/** Whether the address means every interface, so that it cannot be told to others. */
export function isAnyAddress(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}

function parseNumber(setting: Setting, value: unknown, what: string): Parsed {
  if (typeof value !== 'number' || !Number.isFinite(value)) return bad(`is not ${what}`);
  if (setting.kind !== 'decimal' && !Number.isSafeInteger(value)) return bad(`is not ${what}`);
  const print = setting.kind === 'bytes' ? formatBytes : String;
  if (setting.min !== undefined && value < setting.min) return bad(`${print(value)} is below ${print(setting.min)}`);
  if (setting.max !== undefined && value > setting.max) return bad(`${print(value)} is above ${print(setting.max)}`);
  if (setting.powerOfTwo && !Number.isInteger(Math.log2(value || 1))) return bad(`${value} is not a power of two`);
  return good(value);
}

function parseAddresses(raw: unknown): Parsed {
  const list = typeof raw === 'string' ? raw.split(',') : raw;
  if (!Array.isArray(list)) return bad(`${show(raw)} is not a list of host:port`);
  const addresses = list.map((item) => String(item).trim()).filter((item) => item !== '');
  const wrong = addresses.filter((address) => splitAddress(address) === null);
  if (wrong.length > 0) return bad(`${wrong.slice(0, 3).map(show).join(', ')} is not host:port`);
  if (addresses.length > JOIN_COUNT_MAX) return bad(`${addresses.length} addresses are above ${JOIN_COUNT_MAX}`);
  return good(addresses);
}

function parseInteger(text: string): number {
  return /^-?\d{1,15}$/.test(text.trim()) ? Number(text) : Number.NaN;
}

function parseDecimal(text: string): number {
  return /^-?\d{1,9}(\.\d{1,9})?$/.test(text.trim()) ? Number(text) : Number.NaN;
}

function good(value: SettingValue): Parsed {
  return { value, problem: null };
}

function bad(problem: string): Parsed {
  return { value: null, problem };
}

/** A password is quoted nowhere, a wrong one neither: it may be wrong by one character. */
function shown(setting: Setting, raw: unknown): string {
  return setting.name === 'password' ? 'the value' : show(raw);
}

function show(raw: unknown): string {
  return String(JSON.stringify(raw)).slice(0, 80);
}

export function text(
  name: keyof NodeConfig,
  meaning: string,
  placeholder: string,
  fallback: string | null,
  pattern?: RegExp,
  fallbackText?: string,
): Setting {
  return { field: name, name, kind: 'text', meaning, placeholder, fallback, pattern, fallbackText, flag: true };
}

export function integer(
  name: keyof NodeConfig,
  meaning: string,
  placeholder: string,
  fallback: number | null,
  min: number,
  max: number,
): Setting {
  return { field: name, name, kind: 'integer', meaning, placeholder, fallback, min, max, flag: true };
}

export function decimal(name: keyof NodeConfig, meaning: string, fallback: number, min: number, max: number): Setting {
  return { ...integer(name, meaning, 'number', fallback, min, max), kind: 'decimal' };
}

/** A time in ms that few change: in a file or the environment only. */
export function tunable(name: keyof NodeConfig, meaning: string, fallback: number, min: number, max: number): Setting {
  return { ...integer(name, meaning, 'ms', fallback, min, max), flag: false };
}

/** A number of things that few change. */
export function count(name: keyof NodeConfig, meaning: string, fallback: number, min: number, max: number): Setting {
  return { ...integer(name, meaning, 'number', fallback, min, max), flag: false };
}

export function bytes(
  name: string,
  meaning: string,
  fallback: number,
  min: number,
  max: number,
  powerOfTwo = false,
): Setting {
  const field = name as keyof NodeConfig;
  return { field, name, kind: 'bytes', meaning, placeholder: 'size', fallback, min, max, powerOfTwo, flag: false };
}

/** The first choice is the default. */
export function choice(name: keyof NodeConfig, meaning: string, choices: readonly string[]): Setting {
  const placeholder = choices.join('|');
  return { field: name, name, kind: 'choice', meaning, placeholder, fallback: choices[0], choices, flag: true };
}

export function toggle(name: keyof NodeConfig, meaning: string): Setting {
  return { field: name, name, kind: 'switch', meaning, placeholder: '', fallback: false, flag: true };
}
