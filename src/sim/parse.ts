/**
 * What the commands of the register's ledger do to each key they name: write, erase, change an expiry, read; and how a reply says that
 * nothing was changed. history.ts records it, elsewhere.ts asks which go to the first owner.
 * Guarded: one entry per key, in the order of the command's replies.
 */
import type { Reply } from './replies.js';

export interface Parsed {
  kind: 'write' | 'erase' | 'touch' | 'read';
  /** Null: every key. */
  key: string | null;
  value: string | null;
  /** Time to live that comes with it; 0 for none. */
  ttlMs: number;
  /** A write that takes over the expiry of what it replaces, and needs something to replace. */
  keepsTtl: boolean;
  /** The reply is the value that was there before. */
  tells: boolean;
  /** It depends on what is there, so it goes to the first owner. */
  readsFirst: boolean;
  /** The reply that says that nothing was changed. */
  nothing: 'zero' | 'short' | 'null' | 'value' | 'never';
}

const PARSED = new Set(
  (
    'SET PSETEX SETNX GETSET MSET GET MGET DEL UNLINK GETDEL FLUSHALL ' + 'EXPIRE PEXPIRE PEXPIREAT PERSIST GETEX'
  ).split(' '),
);
/** Commands of other ledgers that go to the first owner. */
const GO_FIRST = new Set('INCR INCRBY APPEND CPUT CDEL PFADD PFMERGE'.split(' '));

/** Milliseconds of one unit of each way to give an expiry; a moment counts as any time at all. */
const UNIT_MS: Readonly<Record<string, number>> = { EX: 1_000, PX: 1, EXPIRE: 1_000, PEXPIRE: 1 };

export function isParsed(words: readonly string[]): boolean {
  return PARSED.has(words[0]);
}

export function parseCommand(words: readonly string[]): Parsed[] {
  const [name, key] = words;
  switch (name) {
    case 'SET':
      return [parseSet(words)];
    case 'PSETEX':
      return [parsed('write', key, { value: words[3], ttlMs: Number(words[2]) })];
    case 'SETNX':
      return [parsed('write', key, { value: words[2], readsFirst: true, nothing: 'zero' })];
    case 'GETSET':
      return [parsed('write', key, { value: words[2], readsFirst: true, tells: true })];
    case 'MSET':
      return words.flatMap((word, at) => (at % 2 === 1 ? parsed('write', word, { value: words[at + 1] }) : []));
    case 'GET':
      return [parsed('read', key)];
    case 'MGET':
      return words.slice(1).map((word) => parsed('read', word));
    case 'DEL':
    case 'UNLINK':
      return words.slice(1).map((word) => parsed('erase', word, { nothing: words.length > 2 ? 'short' : 'zero' }));
    case 'GETDEL':
      return [parsed('erase', key, { readsFirst: true, tells: true, nothing: 'null' })];
    case 'FLUSHALL':
      return [parsed('erase', null)];
    case 'EXPIRE':
    case 'PEXPIRE':
      return [parsed('touch', key, { ttlMs: Number(words[2]) * UNIT_MS[name], nothing: 'zero' })];
    case 'PEXPIREAT':
      return [parsed('touch', key, { ttlMs: 1, nothing: 'zero' })];
    case 'PERSIST':
      return [parsed('touch', key, { readsFirst: true, nothing: 'zero' })];
    case 'GETEX': {
      const ttlMs = words[2] in UNIT_MS ? Number(words[3]) * UNIT_MS[words[2]] : 0;
      return [parsed('touch', key, { ttlMs, readsFirst: true, tells: true, nothing: 'null' })];
    }
    default:
      throw new Error(`the history does not know ${name}`);
  }
}

/** The keys that a command names, of any ledger's. */
export function keysOf(words: readonly string[]): string[] {
  if (isParsed(words)) return parseCommand(words).flatMap(({ key }) => key ?? []);
  return words.length > 1 ? [words[1]] : [];
}

/** Whether a command goes to the first owner of its key, and what follows it on its connection and partition along with it. */
export function readsFirst(words: readonly string[]): boolean {
  return isParsed(words) ? parseCommand(words).some((part) => part.readsFirst) : GO_FIRST.has(words[0]);
}

/** Whether an acknowledgement says that nothing was changed. */
export function saysNothing({ nothing }: Parsed, reply: Reply | null, keys: number): boolean {
  switch (nothing) {
    case 'zero':
      return reply?.type === 'integer' && reply.value === 0;
    case 'short':
      return reply?.type === 'integer' && reply.value < keys;
    case 'null':
      return reply?.type === 'null';
    case 'value':
      return reply?.type === 'bulk';
    case 'never':
      return false;
  }
}

function parseSet(words: readonly string[]): Parsed {
  const options = words.slice(3);
  const has = (name: string): boolean => options.includes(name);
  const unit = options.find((word) => word in UNIT_MS);
  const ttlMs = unit === undefined ? 0 : Number(options[options.indexOf(unit) + 1]) * UNIT_MS[unit];
  const isConditional = has('NX') || has('XX');
  const nothing = !isConditional ? 'never' : has('NX') && has('GET') ? 'value' : 'null';
  return parsed('write', words[1], {
    value: words[2],
    ttlMs,
    keepsTtl: has('KEEPTTL'),
    tells: has('GET'),
    readsFirst: isConditional || has('GET') || has('KEEPTTL'),
    nothing,
  });
}

function parsed(kind: Parsed['kind'], key: string | null, more: Partial<Parsed> = {}): Parsed {
  const plain = { value: null, ttlMs: 0, keepsTtl: false, tells: false, readsFirst: false, nothing: 'never' } as const;
  return { kind, key, ...plain, ...more };
}
