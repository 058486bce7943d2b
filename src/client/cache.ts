/**
 * The interface of a cache: what an application calls, whether the cache is a client of distant nodes or a node embedded in
 * the process. Reads answer `undefined` for a miss; every call settles within its timeout.
 *
 * Errors are HearsayError with a `code`. Arguments that are not valid, and options that a call does not read, are refused with ERR before
 * anything is sent; what is no context of the key, with CONTEXT. A write that fails with TIMEOUT, CLOSED or UNAVAILABLE says in its message whether it may have been applied.
 */
import type { Duration } from './durations.js';
import type { ConsistencyLevel } from './greeting.js';

/** What every call takes. */
export interface CallOptions {
  /**
   * Ends the wait: reads and writes then reject with `signal.reason` itself, as `fetch` does, whatever `onError` says. After `abort()` that
   * is a DOMException named AbortError, of `AbortSignal.timeout` one named TimeoutError, of `abort(reason)` the reason; never a
   * HearsayError of ours. A write that was sent may still be applied. One signal may end any number of calls.
   */
  signal?: AbortSignal;
  /** Time for this call, in place of the client's `requestTimeout`. When it ends first: HearsayError TIMEOUT, or a miss. */
  timeout?: Duration;
  /** How many owners must answer, in place of the client's `consistency`. */
  consistency?: ConsistencyLevel;
}

export interface SetOptions extends CallOptions {
  /** Time to live: milliseconds or '30s'. Without one the entry does not expire. */
  ttl?: Duration;
}

export interface SetEntry {
  /** At most 64 KiB of UTF-8. */
  key: string;
  /** Anything `set` takes. */
  value: unknown;
  ttl?: Duration;
}

/** What a client has seen of a key: opaque, good for that key in that cluster only, and safe to keep as text. */
export interface SiblingContext {
  readonly key: string;
  readonly token: string;
}

export interface Siblings<T> {
  /** The last writer's first; empty if there is none. */
  values: T[];
  context: SiblingContext;
}

export interface CputOptions extends SetOptions {
  /** From `cget` or `cput` of the same key. */
  context?: SiblingContext;
}

/** What a reply rests on. */
export interface Receipt {
  /** The level that the call ran at. */
  level: ConsistencyLevel;
  /** Whether the reply is what that level promises. */
  met: boolean;
  /** Owners of the key that have what was written, or that answered the read; the node that was asked included. */
  owners: number;
  /** Nodes that stand in for owners which can not be reached; they count for writes at quorum, never for reads. */
  fallbacks: number;
  /** How many of these nodes had it on disk when they acknowledged it. */
  synced: number;
  /** The version written or read, as HEARSAY.EXPLAIN shows it; `undefined` if there is none. */
  version: string | undefined;
}

/** Asks for the receipt of a call: it costs no round trip of its own. */
export interface AskReceipt {
  receipt: true;
}

/** What `get` and `delete` give back when they are asked for their receipt. */
export interface Receipted<T> {
  value: T;
  receipt: Receipt;
}

export interface CloseOptions {
  /** Wait for calls that are under way, at most their timeouts (true, the default), or fail them with CLOSED (false). */
  drain?: boolean;
}

/** The calls of a cache, and of a session on one. */
export interface CacheCalls {
  /**
   * The value, or `undefined` if there is none. `null` is a value. What other clients wrote comes back as a number if it
   * is the digits of a safe integer, as text if it is UTF-8, else as a Buffer.
   */
  get<T = unknown>(key: string, options?: CallOptions): Promise<T | undefined>;
  /** With its receipt. It then rejects when it fails: a miss would say what nobody answered for. */
  get<T = unknown>(key: string, options: CallOptions & AskReceipt): Promise<Receipted<T | undefined>>;
  /**
   * Stores text, numbers, booleans, null, BigInt, Date, Map, Set, Buffer, typed arrays, and arrays and objects of these, to
   * 100 levels and 16 MiB. Uint8Array comes back as Buffer, a class instance as a plain object, -0 as 0. Refuses, with
   * ERR, `undefined`, functions, symbols, promises and errors.
   */
  set(key: string, value: unknown, options?: SetOptions): Promise<void>;
  set(key: string, value: unknown, options: SetOptions & AskReceipt): Promise<{ receipt: Receipt }>;
  /** Whether there was a value to delete, as far as the node knew. */
  delete(key: string, options?: CallOptions): Promise<boolean>;
  delete(key: string, options: CallOptions & AskReceipt): Promise<Receipted<boolean>>;
  has(key: string, options?: CallOptions): Promise<boolean>;
  /** The values in the order of the keys, `undefined` for a miss. */
  getMany<T = unknown>(keys: readonly string[], options?: CallOptions): Promise<(T | undefined)[]>;
  /** Stores each entry on its own: if one fails the call rejects with its error, and the others may be stored. */
  setMany(entries: readonly SetEntry[], options?: CallOptions): Promise<void>;
  /** How many there were to delete. */
  deleteMany(keys: readonly string[], options?: CallOptions): Promise<number>;
  /** Milliseconds left to live; `Infinity` for a value without expiry, `undefined` for no value. */
  ttl(key: string, options?: CallOptions): Promise<number | undefined>;
  /** Adds to a whole number, from 0 if there is none; gives back the sum. Never retried once sent. */
  increment(key: string, by?: number, options?: CallOptions): Promise<number>;
  decrement(key: string, by?: number, options?: CallOptions): Promise<number>;
  /**
   * All values of a key that stand beside each other, the last writer's first, and a context that has seen them. A value that `set`
   * stored is the one that it is. Unlike `get` it rejects when it fails: to write over nothing for want of an answer loses values.
   *
   *     const { values, context } = await cache.cget<string[]>('cart');
   *     await cache.cput('cart', [...new Set(values.flat())], { context });
   */
  cget<T = unknown>(key: string, options?: CallOptions): Promise<Siblings<T>>;
  /**
   * Puts a value in the place of all that the context has seen, beside whatever it has not. Without a context it replaces nothing. Gives
   * back a context to go on with if the value stands alone now, else `undefined`: then `cget` tells what is beside it. Never retried once
   * sent. Refused with SIBLINGS when 100 values stand beside each other, with CONTEXT for a context of another key.
   */
  cput(key: string, value: unknown, options?: CputOptions): Promise<SiblingContext | undefined>;
  /** Deletes what the context has seen; gives back how many values that were. What was written since stays. */
  cdel(key: string, context: SiblingContext, options?: CallOptions): Promise<number>;
}

/**
 * The same calls, under which a caller reads what it wrote, and never older than what it has read, through whichever node: at level one,
 * after a failover, and in another process that is handed the token. A call has seen all that calls before it wrote or read if it was
 * made after they had settled; calls that overlap are in no order.
 *
 * Reads of a session always reject when they fail, for a miss would say that what was written is gone. When no owner that has caught up
 * with the session can be reached in time that is SESSION, or TIMEOUT where the call's own time ends first: try again, or read
 * outside of the session. What memory pressure
 * evicted or time expired is a miss in a session, too.
 */
export interface CacheSession extends CacheCalls {
  /** What it has seen, at most 1,920 characters, opaque: for `session(token)` of a client of the same cluster. Empty before the first call. */
  readonly token: string;
}

export interface Cache extends CacheCalls, AsyncDisposable {
  /**
   *     const session = cache.session();
   *     await session.set('cart', items);
   *     // the next request of this user, in another process:
   *     const items = await cache.session(token).get('cart');
   *
   * Begins a session, or goes on with the one whose token is given. Throws HearsayError SESSION for what is no token; a
   * token of another cluster is refused so by the first call. It holds nothing open and needs no end.
   */
  session(token?: string): CacheSession;
  /** Ends it. Later reads are misses (or throw, as configured), later writes throw CLOSED. Rejects for its options only. */
  close(options?: CloseOptions): Promise<void>;
}
