/**
 * The client: the verbs of a cache over the nodes of a cluster. The application calls it (createClient in create-client.ts
 * makes one); verbs.ts encodes and decodes, the dispatcher finds the node, sessions share both.
 */
import { HearsayError } from '../core/base/errors.js';
import { requireOptions } from './arguments.js';
import type { Cache, CacheSession, CloseOptions } from './cache.js';
import type { CallSettings } from './call.js';
import type { ClientSettings } from './client-options.js';
import { ClientSession } from './client-session.js';
import type { Connector } from './connector.js';
import { Dispatcher } from './dispatcher.js';
import { type Answer, exchange, type KeyCommand } from './exchange.js';
import { type StateListener, StateListeners } from './state-listeners.js';
import { Verbs } from './verbs.js';

/** A snapshot of counters since the client was made, and of what is under way. */
export interface ClientStats {
  /** Keys read that had a value, and that had none (failures that became misses included). */
  hits: number;
  misses: number;
  /** Reads that failed and became a miss. */
  failedReads: number;
  /** Stored values that could not be decoded. */
  unreadable: number;
  /** Calls that ran out of time, were sent again, were refused for too many under way. */
  timeouts: number;
  retries: number;
  refusedBusy: number;
  /** Attempts that a node refused with BUSY and that were made again. */
  busyRetries: number;
  /** Replies that came after their call was settled. */
  lateReplies: number;
  reconnects: number;
  /** CLUSTER SLOTS replies that were not well formed. */
  badSlotMaps: number;
  /** State listeners that threw. */
  listenerFailures: number;
  inFlight: number;
  /** Servers that answer now. */
  readyServers: string[];
}

const CLOSE_NAMES: ReadonlySet<string> = new Set<keyof CloseOptions>(['drain']);

export class Client extends Verbs implements Cache {
  private readonly listeners: StateListeners;

  constructor(
    ports: { connector: Connector },
    private readonly settings: ClientSettings,
  ) {
    const listeners = new StateListeners();
    const dispatcher = new Dispatcher({ connector: ports.connector, listeners }, settings);
    super(dispatcher, { hits: 0, misses: 0, failedReads: 0, unreadable: 0 }, settings);
    this.listeners = listeners;
  }

  session(token = ''): CacheSession {
    return new ClientSession(this.dispatcher, this.counts, this.settings, token);
  }

  /** Tells of servers found and lost; gives back the function that ends it. What a listener throws is counted only. */
  onStateChange(listener: StateListener): () => void {
    return this.listeners.add(listener);
  }

  stats(): ClientStats {
    const { timeouts, retries, callsRefused, busyRetries, lateReplies, reconnects, badSlotMaps } = this.dispatcher;
    const { inFlight, readyServers } = this.dispatcher;
    const counters = {
      timeouts,
      retries,
      refusedBusy: callsRefused,
      busyRetries,
      lateReplies,
      reconnects,
      badSlotMaps,
    };
    return { ...this.counts, ...counters, listenerFailures: this.listeners.failures, inFlight, readyServers };
  }

  async close(options: CloseOptions = {}): Promise<void> {
    requireOptions('close(options)', options, CLOSE_NAMES);
    const { drain = true } = options;
    if (typeof drain !== 'boolean') throw new HearsayError('ERR', `close(options): drain must be true or false`);
    await this.dispatcher.close(drain);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  protected exchange(command: KeyCommand, call: CallSettings, receipt: boolean): Promise<Answer> {
    return exchange(this.dispatcher, command, call, { receipt, session: null });
  }
}
