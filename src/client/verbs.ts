/**
 * The verbs of a cache: each encodes its command, hands it to `exchange`, and makes a value of the reply. The client and its sessions
 * are made of them, and differ in what an exchange is.
 * Guarded: a read under `onError: 'miss'` rejects only for arguments that are not valid and for its own signal, so a cache
 * that fails costs the application a miss, never an outage; reads of a session, and those that ask for a receipt, always reject.
 */
import { HearsayError } from '../core/base/errors.js';
import { slotOf } from '../core/partitions/slots.js';
import {
  keySlot,
  requireEntry,
  requireList,
  requireNoContext,
  requireWhole,
  settingsOf,
  tokenOf,
  VERBS,
  type Verb,
} from './arguments.js';
import type {
  AskReceipt,
  CacheCalls,
  CallOptions,
  CputOptions,
  Receipt,
  Receipted,
  SetEntry,
  SetOptions,
  SiblingContext,
  Siblings,
} from './cache.js';
import type { CallSettings, Repeat } from './call.js';
import type { CommandPart } from './command-bytes.js';
import type { Dispatcher } from './dispatcher.js';
import { parseDurationMs } from './durations.js';
import { type Answer, type KeyCommand, unexpected } from './exchange.js';
import type { Reply } from './reply-parser.js';
import { decodeValue, encodeValue } from './values.js';

/** One word of a raw command: text, a number as its digits, or bytes. */
export type CommandWord = string | number | bigint | Uint8Array;

/** Reads counted over a client and all of its sessions. */
export interface ReadCounts {
  hits: number;
  misses: number;
  failedReads: number;
  unreadable: number;
}

export interface VerbOptions {
  requestTimeoutMs: number;
  missOnError: boolean;
}

type Options<T extends CallOptions> = T & Partial<AskReceipt>;

/** Keys of one MGET or DEL: a larger list goes in several commands. */
const KEYS_PER_COMMAND = 500;

interface KeyGroup {
  slot: number;
  keys: string[];
  /** Where each key stands in the caller's list. */
  places: number[];
}

export abstract class Verbs implements CacheCalls {
  /** Of calls without options. */
  private readonly plain: CallSettings;

  constructor(
    protected readonly dispatcher: Dispatcher,
    protected readonly counts: ReadCounts,
    private readonly options: VerbOptions,
  ) {
    this.plain = { timeoutMs: options.requestTimeoutMs, level: null, signal: null, internal: false };
  }

  get<T = unknown>(key: string, options?: CallOptions): Promise<T | undefined>;
  get<T = unknown>(key: string, options: CallOptions & AskReceipt): Promise<Receipted<T | undefined>>;
  async get<T>(key: string, options?: Options<CallOptions>): Promise<T | undefined | Receipted<T | undefined>> {
    const call = settingsOf(VERBS.get, options, this.plain);
    const command: KeyCommand = { parts: ['GET', key], slot: keySlot(VERBS.get, key), repeat: 'read' };
    if (options?.receipt === true) {
      const { reply, receipt } = await this.exchange(command, call, true);
      return { value: this.counted(reply) as T | undefined, receipt: receiptOf(receipt) };
    }
    return this.read(call, undefined, async () => {
      const { reply } = await this.exchange(command, call, false);
      return this.counted(reply) as T | undefined;
    });
  }

  set(key: string, value: unknown, options?: SetOptions): Promise<void>;
  set(key: string, value: unknown, options: SetOptions & AskReceipt): Promise<{ receipt: Receipt }>;
  async set(key: string, value: unknown, options?: Options<SetOptions>): Promise<unknown> {
    const call = settingsOf(VERBS.set, options, this.plain);
    const command = storing(VERBS.set, { key, value, ttl: options?.ttl });
    const { receipt } = await this.exchange(command, call, options?.receipt === true);
    return options?.receipt === true ? { receipt: receiptOf(receipt) } : undefined;
  }

  delete(key: string, options?: CallOptions): Promise<boolean>;
  delete(key: string, options: CallOptions & AskReceipt): Promise<Receipted<boolean>>;
  async delete(key: string, options?: Options<CallOptions>): Promise<boolean | Receipted<boolean>> {
    const call = settingsOf(VERBS.delete, options, this.plain);
    const command: KeyCommand = { parts: ['DEL', key], slot: keySlot(VERBS.delete, key), repeat: 'idempotent' };
    const { reply, receipt } = await this.exchange(command, call, options?.receipt === true);
    const value = countOf(reply) > 0;
    return options?.receipt === true ? { value, receipt: receiptOf(receipt) } : value;
  }

  async has(key: string, options?: CallOptions): Promise<boolean> {
    const call = settingsOf(VERBS.has, options, this.plain);
    const slot = keySlot(VERBS.has, key);
    return this.read(call, false, async () => countOf(await this.request(['EXISTS', key], slot, 'read', call)) > 0);
  }

  async getMany<T = unknown>(keys: readonly string[], options?: CallOptions): Promise<(T | undefined)[]> {
    const call = settingsOf(VERBS.getMany, options, this.plain);
    requireList(VERBS.getMany, 'keys', keys);
    const values = new Array<T | undefined>(keys.length).fill(undefined);
    const reads = this.groupByHome(VERBS.getMany, keys).map((group) =>
      this.read(call, undefined, async () => {
        const reply = await this.request(['MGET', ...group.keys], group.slot, 'read', call);
        if (!Array.isArray(reply) || reply.length !== group.keys.length) throw unexpected(reply);
        for (let at = 0; at < reply.length; at++) {
          const value = await this.read(call, undefined, () => this.valueOf(reply[at]));
          this.countRead(value);
          values[group.places[at]] = value as T | undefined;
        }
      }),
    );
    await allSettled(reads);
    return values;
  }

  async setMany(entries: readonly SetEntry[], options?: CallOptions): Promise<void> {
    const call = settingsOf(VERBS.setMany, options, this.plain);
    requireList(VERBS.setMany, 'entries', entries);
    const writes = Array.from(entries, (entry) => {
      requireEntry(entry);
      return storing(VERBS.setMany, entry);
    });
    await allSettled(writes.map((write) => this.exchange(write, call, false)));
  }

  async deleteMany(keys: readonly string[], options?: CallOptions): Promise<number> {
    const call = settingsOf(VERBS.deleteMany, options, this.plain);
    requireList(VERBS.deleteMany, 'keys', keys);
    const counts = this.groupByHome(VERBS.deleteMany, keys).map(async (group) =>
      countOf(await this.request(['DEL', ...group.keys], group.slot, 'idempotent', call)),
    );
    return (await allSettled(counts)).reduce((sum, count) => sum + count, 0);
  }

  async ttl(key: string, options?: CallOptions): Promise<number | undefined> {
    const call = settingsOf(VERBS.ttl, options, this.plain);
    const slot = keySlot(VERBS.ttl, key);
    return this.read(call, undefined, async () => {
      const ms = countOf(await this.request(['PTTL', key], slot, 'read', call));
      return ms === -2 ? undefined : ms === -1 ? Number.POSITIVE_INFINITY : ms;
    });
  }

  async increment(key: string, by = 1, options?: CallOptions): Promise<number> {
    requireWhole(VERBS.increment, by);
    return this.move(VERBS.increment, key, by, options);
  }

  async decrement(key: string, by = 1, options?: CallOptions): Promise<number> {
    requireWhole(VERBS.decrement, by);
    return this.move(VERBS.decrement, key, -by, options);
  }

  async cget<T = unknown>(key: string, options?: CallOptions): Promise<Siblings<T>> {
    const call = settingsOf(VERBS.cget, options, this.plain);
    const reply = await this.request(['CGET', key], keySlot(VERBS.cget, key), 'read', call);
    if (!Array.isArray(reply) || !Buffer.isBuffer(reply[0])) throw unexpected(reply);
    const values = reply.slice(1).map((value) => this.valueOf(value) as T);
    return { values, context: { key, token: reply[0].latin1Slice() } };
  }

  async cput(key: string, value: unknown, options?: CputOptions): Promise<SiblingContext | undefined> {
    const call = settingsOf(VERBS.cput, options, this.plain);
    const slot = keySlot(VERBS.cput, key);
    requireNoContext(VERBS.cput, key, value);
    const token = options?.context === undefined ? '' : tokenOf(VERBS.cput, key, options.context);
    const parts: CommandPart[] = ['CPUT', key, token, encodeValue(value)];
    if (options?.ttl !== undefined) parts.push('PX', String(parseDurationMs(options.ttl, 'ttl')));
    const reply = await this.request(parts, slot, 'once', call);
    if (reply === null) return undefined;
    if (!Buffer.isBuffer(reply)) throw unexpected(reply);
    return { key, token: reply.latin1Slice() };
  }

  async cdel(key: string, context: SiblingContext, options?: CallOptions): Promise<number> {
    const call = settingsOf(VERBS.cdel, options, this.plain);
    const slot = keySlot(VERBS.cdel, key);
    return countOf(await this.request(['CDEL', key, tokenOf(VERBS.cdel, key, context)], slot, 'idempotent', call));
  }

  /**
   * Any command, word by word; an object as the last argument gives call options. The reply as it came: bulk strings are
   * Buffers, RESP3 maps are Maps. It goes to the owner of its second word, taken for a key. Never retried once sent.
   */
  async command(...words: CommandWord[] | [...CommandWord[], CallOptions]): Promise<Reply> {
    const last = words.at(-1);
    const options = isOptions(last) ? last : undefined;
    const call = settingsOf(VERBS.command, options, this.plain);
    const parts = (options !== undefined ? words.slice(0, -1) : words).map((word): CommandPart => {
      if (typeof word === 'number' || typeof word === 'bigint') return String(word);
      if (typeof word === 'string' || word instanceof Uint8Array) return word;
      throw new HearsayError(
        'ERR',
        `a command is made of text, numbers and bytes; got ${word === null ? 'null' : typeof word}`,
      );
    });
    if (parts.length === 0) throw new HearsayError('ERR', 'a command needs a name');
    const [, word] = parts;
    const key = typeof word === 'string' ? Buffer.from(word) : word;
    const slot = key === undefined ? -1 : slotOf(key, 0, key.length);
    const { reply } = await this.exchange({ parts, slot, repeat: 'once', raw: true }, call, false);
    return reply;
  }

  /** Sends a command and awaits its reply, with its receipt if that is asked for; an error reply rejects. */
  protected abstract exchange(command: KeyCommand, call: CallSettings, receipt: boolean): Promise<Answer>;

  private async move(of: Verb, key: string, by: number, options: CallOptions | undefined): Promise<number> {
    const call = settingsOf(of, options, this.plain);
    return countOf(await this.request(['INCRBY', key, String(by)], keySlot(of, key), 'once', call));
  }

  private async request(parts: CommandPart[], slot: number, repeat: Repeat, call: CallSettings): Promise<Reply> {
    const { reply } = await this.exchange({ parts, slot, repeat }, call, false);
    return reply;
  }

  /** Runs a read; under `onError: 'miss'` a failure of the cache gives `miss`. The caller's own abort always rejects. */
  private async read<T>({ signal }: CallSettings, miss: T, run: () => Promise<T> | T): Promise<T> {
    try {
      return await run();
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      if (!this.options.missOnError) throw error;
      this.counts.failedReads++;
      return miss;
    }
  }

  private valueOf(reply: Reply): unknown {
    if (reply === null) return undefined;
    if (reply instanceof HearsayError) throw reply;
    if (!Buffer.isBuffer(reply)) throw unexpected(reply);
    try {
      return decodeValue(reply);
    } catch (error) {
      this.counts.unreadable++;
      throw error;
    }
  }

  private counted(reply: Reply): unknown {
    const value = this.valueOf(reply);
    this.countRead(value);
    return value;
  }

  private countRead(value: unknown): void {
    if (value === undefined) this.counts.misses++;
    else this.counts.hits++;
  }

  /** Keys by the server they go to, so that each gets one command. */
  private groupByHome(of: Verb, keys: readonly string[]): KeyGroup[] {
    const groups: KeyGroup[] = [];
    const open = new Map<string, KeyGroup>();
    for (let place = 0; place < keys.length; place++) {
      const slot = keySlot(of, keys[place]);
      const home = this.dispatcher.homeOf(slot);
      let group = open.get(home);
      if (group === undefined || group.keys.length >= KEYS_PER_COMMAND) {
        group = { slot, keys: [], places: [] };
        open.set(home, group);
        groups.push(group);
      }
      group.keys.push(keys[place]);
      group.places.push(place);
    }
    return groups;
  }
}

/** Throws if a reply that should come with a receipt came without. */
function receiptOf(receipt: Receipt | null): Receipt {
  if (receipt === null) throw unexpected(null);
  return receipt;
}

/** The SET of one entry, checked and encoded. Throws HearsayError ERR for a key, value or ttl that is not valid. */
function storing(of: Verb, { key, value, ttl }: SetEntry): KeyCommand {
  const slot = keySlot(of, key);
  const parts: CommandPart[] = ['SET', key, encodeValue(value)];
  if (ttl !== undefined) parts.push('PX', String(parseDurationMs(ttl, 'ttl')));
  return { slot, parts, repeat: 'idempotent' };
}

function countOf(reply: Reply): number {
  if (typeof reply === 'number') return reply;
  if (typeof reply === 'bigint') return Number(reply);
  throw unexpected(reply);
}

function isOptions(word: CommandWord | CallOptions | undefined): word is CallOptions {
  return typeof word === 'object' && word !== null && !(word instanceof Uint8Array);
}

/** Waits for all, then throws the first error, so that no rejection is left unhandled and none is under way afterwards. */
async function allSettled<T>(promises: Promise<T>[]): Promise<T[]> {
  const outcomes = await Promise.allSettled(promises);
  return outcomes.map((outcome) => {
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  });
}
