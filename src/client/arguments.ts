/**
 * The arguments of the verbs, checked before anything is sent: what each verb takes, and a refusal that names the verb and the
 * argument. verbs.ts calls it on every call. Guarded: nothing that a verb does not read is taken in silence, so words in another
 * order than the library's, or options in the wrong place, never store something else than was meant.
 */
import { HearsayError } from '../core/base/errors.js';
import { slotOf } from '../core/partitions/slots.js';
import { KEY_BYTES_MAX } from '../core/record/record.js';
import type { CallOptions, CputOptions, SetEntry, SetOptions, SiblingContext } from './cache.js';
import type { CallSettings } from './call.js';
import { LEVELS, TIMEOUT_MS_MAX } from './client-options.js';
import { parseDurationMs } from './durations.js';
import { describeUnknown, isOptionsObject, unknownNames } from './option-names.js';

/** A verb as its refusals name it, and the options it reads. */
export interface Verb {
  usage: string;
  options: ReadonlySet<string>;
}

type OptionName = keyof CputOptions | 'receipt';

function verb(usage: string, ...own: OptionName[]): Verb {
  const every: (keyof CallOptions)[] = ['signal', 'timeout', 'consistency'];
  return { usage, options: new Set([...own, ...every]) };
}

export const VERBS = {
  get: verb('get(key, options)', 'receipt'),
  set: verb('set(key, value, options)', 'ttl', 'receipt'),
  delete: verb('delete(key, options)', 'receipt'),
  has: verb('has(key, options)'),
  getMany: verb('getMany(keys, options)'),
  setMany: verb('setMany(entries, options)'),
  deleteMany: verb('deleteMany(keys, options)'),
  ttl: verb('ttl(key, options)'),
  increment: verb('increment(key, by, options)'),
  decrement: verb('decrement(key, by, options)'),
  cget: verb('cget(key, options)'),
  cput: verb('cput(key, value, options)', 'context', 'ttl'),
  cdel: verb('cdel(key, context, options)'),
  command: verb('command(...words, options)'),
} satisfies Record<string, Verb>;

const ENTRY_NAMES: ReadonlySet<string> = new Set<keyof SetEntry>(['key', 'value', 'ttl']);

/** Checks a call's options, if there are any. Throws HearsayError ERR. */
export function settingsOf(
  of: Verb,
  options: (SetOptions & { receipt?: boolean }) | undefined,
  plain: CallSettings,
): CallSettings {
  if (options === undefined) return plain;
  requireOptions(of.usage, options, of.options);
  const { timeout, signal = null, receipt } = options;
  const level = options.consistency ?? null;
  if (level !== null && !LEVELS.includes(level)) {
    throw refusal(of, `consistency must be 'one', 'quorum' or 'all'`, level);
  }
  const timeoutMs = timeout === undefined ? plain.timeoutMs : parseDurationMs(timeout, 'timeout');
  if (timeoutMs > TIMEOUT_MS_MAX) throw new HearsayError('ERR', 'timeout must be at most 10 minutes');
  if (signal !== null && !isSignal(signal)) {
    throw refusal(of, 'signal must be an AbortSignal', signal);
  }
  if (receipt !== undefined && typeof receipt !== 'boolean') throw refusal(of, 'receipt must be true', receipt);
  return { timeoutMs, level, signal, internal: false };
}

/** Throws HearsayError ERR for what is no object, or has names in it that nobody reads. */
export function requireOptions(usage: string, options: unknown, known: ReadonlySet<string>): void {
  if (!isOptionsObject(options))
    throw new HearsayError('ERR', `${usage}: options must be an object; got ${shown(options)}`);
  const [unknown] = unknownNames(options, known);
  if (unknown !== undefined) throw new HearsayError('ERR', `${usage}: ${describeUnknown(unknown, known)}`);
}

/** The slot of a key. Throws HearsayError ERR for what is no key: not text, or longer than 64 KiB. */
export function keySlot(of: Verb, key: string): number {
  if (typeof key !== 'string') throw refusal(of, 'key must be text', key);
  const bytes = Buffer.from(key);
  if (bytes.length > KEY_BYTES_MAX) {
    throw new HearsayError('ERR', `${of.usage}: key must be at most ${KEY_BYTES_MAX} bytes of UTF-8`);
  }
  return slotOf(bytes, 0, bytes.length);
}

/** Throws HearsayError ERR for what is no list. */
export function requireList(of: Verb, name: string, list: unknown): void {
  if (!Array.isArray(list)) throw refusal(of, `${name} must be an array`, list);
}

/** Throws HearsayError ERR for what is no entry, or has more in it than an entry has. */
export function requireEntry(entry: unknown): void {
  const of = VERBS.setMany;
  if (!isOptionsObject(entry)) throw refusal(of, 'each of entries must be { key, value, ttl }', entry);
  const [unknown] = unknownNames(entry, ENTRY_NAMES);
  if (unknown === undefined) return;
  throw new HearsayError('ERR', `${of.usage}: in an entry, ${describeUnknown(unknown, ENTRY_NAMES)}`);
}

/** Throws HearsayError ERR for what is no whole number. */
export function requireWhole(of: Verb, by: number): void {
  if (!Number.isSafeInteger(by)) throw refusal(of, 'by must be a whole number', by);
}

/** Refuses, with ERR, a context of this very key where its value belongs: the command CPUT has them the other way round. */
export function requireNoContext(of: Verb, key: string, value: unknown): void {
  if (!isContext(value) || value.key !== key || Object.keys(value).length !== 2) return;
  throw new HearsayError('ERR', `${of.usage}: value is the context of this key; it belongs into { context }`);
}

/** The text of a context. Throws HearsayError CONTEXT for what is none, or another key's. */
export function tokenOf(of: Verb, key: string, context: SiblingContext): string {
  if (!isContext(context)) {
    throw new HearsayError('CONTEXT', `${of.usage}: context must be what cget or cput gave; got ${shown(context)}`);
  }
  if (context.key !== key) {
    throw new HearsayError('CONTEXT', `${of.usage}: context belongs to another key, ${context.key}`);
  }
  return context.token;
}

function isSignal(signal: AbortSignal): boolean {
  const { addEventListener, removeEventListener, aborted } = signal;
  return (
    [addEventListener, removeEventListener].every((each) => typeof each === 'function') && typeof aborted === 'boolean'
  );
}

function isContext(value: unknown): value is SiblingContext {
  if (typeof value !== 'object' || value === null) return false;
  const { key, token } = value as Partial<SiblingContext>;
  return typeof key === 'string' && typeof token === 'string';
}

function refusal(of: Verb, rule: string, given: unknown): HearsayError {
  return new HearsayError('ERR', `${of.usage}: ${rule}; got ${shown(given)}`);
}

/** A few words for what was given: values of an application stay out of messages, but for short text and numbers. */
export function shown(given: unknown): string {
  if (typeof given === 'string') return `'${given.slice(0, 40)}'`;
  if (typeof given === 'number' || typeof given === 'bigint') return String(given);
  if (given === null || typeof given !== 'object') return given === null ? 'null' : typeof given;
  return Object.prototype.toString.call(given).slice(8, -1);
}
