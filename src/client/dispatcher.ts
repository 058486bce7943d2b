/**
 * The client's spine: which link a call takes, what happens when its node fails, and how the slot map is kept fresh. The
 * client's verbs hand it requests and get the promise of a reply.
 *
 *     dispatch -> choose a link -> send -> reply
 *                    |               |-- lost: once more, on another server, if it may be repeated
 *                    |               |-- silent for half of its time: the same, if it is a read
 *                    |               |-- busy: again after a jittered wait, on another server if there is one
 *                    |-- no link ready, one opening: wait for it, inside the deadline
 *                    |-- none: UNAVAILABLE at once. There is no queue for a cluster that is down.
 *
 * Order of choice: the owners of the slot, then every other server, each if ready and not in doubt; then one in doubt.
 * Guarded: at most `maxInFlight` calls are pending, and one is sent twice only if it may be repeated.
 */
import { HearsayError } from '../core/base/errors.js';
import { Aborts } from './aborts.js';
import { Call, type CallOwner, type CallPorts, type CallSettings, type Request } from './call.js';
import type { ClientSettings } from './client-options.js';
import { encodeCommand } from './command-bytes.js';
import type { ClientTimer, Connector } from './connector.js';
import type { ConsistencyLevel } from './greeting.js';
import { backoffMs, Link, type LinkOwner } from './link.js';
import type { Reply } from './reply-parser.js';
import { Router } from './router.js';
import type { StateListeners } from './state-listeners.js';

export interface DispatcherPorts {
  connector: Connector;
  listeners: StateListeners;
}

/** Attempts for one call whose fate was never in doubt: each link that refused it, or was lost before it was sent. */
const PLACEMENTS_MAX = 4;
/** Attempts that may have been executed. */
const SENDS_MAX = 2;
/** Links opened at once in search of one that works. */
const OPENINGS_MAX = 3;
/** Servers of the slot map that are connected to ahead of need. */
const WARM_SERVERS_MAX = 64;
const REFRESH_TIMEOUT_MS = 1000;
/** The wait after a node was too busy is uniform below a ceiling that doubles between these. */
const BUSY_WAIT = { reconnectMinMs: 10, reconnectMaxMs: 500 };

export class Dispatcher implements LinkOwner, CallOwner {
  retries = 0;
  timeouts = 0;
  /** Calls refused here for too many under way, and attempts that a node had too much to do for. */
  callsRefused = 0;
  busyRetries = 0;
  lateReplies = 0;
  badSlotMaps = 0;
  private readonly router = new Router();
  private readonly links = new Map<ConsistencyLevel | null, Map<string, Link>>();
  private readonly pending = new Set<Call>();
  /** Calls for which no link is ready but one is opening. */
  private readonly waiting = new Set<Call>();
  private readonly callPorts: CallPorts;
  private servers: readonly string[];
  private closed = false;
  private refreshing = false;
  private refreshTimer: ClientTimer | null = null;
  private drained: (() => void) | null = null;
  private retiredReconnects = 0;

  constructor(
    private readonly ports: DispatcherPorts,
    private readonly settings: ClientSettings,
  ) {
    this.callPorts = { connector: ports.connector, aborts: new Aborts(), owner: this };
    this.servers = settings.servers;
    for (const server of this.servers) this.link(server, settings.level).open();
  }

  /** Calls of the application that are not settled. */
  get inFlight(): number {
    return this.pending.size;
  }

  get reconnects(): number {
    let sum = this.retiredReconnects;
    for (const link of this.allLinks()) sum += link.reconnects;
    return sum;
  }

  /** Servers that answer, at the client's own level. */
  get readyServers(): string[] {
    return this.servers.filter((server) => this.links.get(this.settings.level)?.get(server)?.status === 'ready');
  }

  /** The server a slot's requests go to while all is well; '' when no slot map says. */
  homeOf(slot: number): string {
    return this.router.ownersOf(slot)[0] ?? '';
  }

  /** Sends a request. Rejects with HearsayError, or with the reason of its signal. */
  dispatch(request: Request, settings: CallSettings): Promise<Reply> {
    if (this.closed) return Promise.reject(new HearsayError('CLOSED', 'the client is closed; nothing was sent'));
    if (settings.signal?.aborted) return Promise.reject(settings.signal.reason);
    if (!settings.internal && this.pending.size >= this.settings.maxInFlight) {
      this.callsRefused++;
      return Promise.reject(new HearsayError('BUSY', `${this.pending.size} calls are under way; nothing was sent`));
    }
    const call = new Call(this.callPorts, request, settings);
    if (!settings.internal) this.pending.add(call);
    this.place(call);
    return call.promise;
  }

  /** Settles once no call is pending, or at once by failing them; then every link is closed. */
  async close(drain: boolean): Promise<void> {
    const first = !this.closed;
    this.closed = true;
    this.refreshTimer?.cancel();
    if (drain && this.pending.size > 0) {
      await new Promise<void>((resolve) => {
        const earlier = this.drained;
        this.drained = () => {
          earlier?.();
          resolve();
        };
      });
    }
    const reason = new HearsayError('CLOSED', 'the client was closed');
    for (const call of [...this.pending]) call.fail(withOutcome(call, reason));
    for (const link of this.allLinks()) link.close(reason);
    if (first) this.ports.listeners.tell({ type: 'closed' });
  }

  linkReady(link: Link): void {
    if (link.level === this.settings.level) {
      this.ports.listeners.tell({ type: 'node-up', server: link.server });
      this.refresh();
    }
    this.placeWaiting();
  }

  linkDown(link: Link, reason: HearsayError): void {
    if (link.level === this.settings.level) {
      this.ports.listeners.tell({ type: 'node-down', server: link.server, reason });
      this.refresh();
    }
    this.placeWaiting();
  }

  attemptLost(call: Call, sent: boolean, reason: HearsayError): void {
    if (isRepeatable(call) && call.tried.length < PLACEMENTS_MAX && !this.closed) {
      const link = this.choose(call);
      if (link !== null) {
        this.retries++;
        this.take(call, link);
        return;
      }
    }
    call.fail(sent || call.uncertain > 0 ? withOutcome(call, reason) : reason);
  }

  refusedBusy(call: Call, reason: HearsayError): void {
    const delayMs = backoffMs(++call.refusals, this.ports.connector.random(), BUSY_WAIT);
    if (delayMs >= call.leftMs) {
      call.fail(call.uncertain > 0 ? withOutcome(call, reason) : reason);
      return;
    }
    this.busyRetries++;
    call.rest(delayMs, () => {
      // The one that was busy is left out, unless it is the only one.
      call.tried.splice(0, call.tried.length - 1);
      if (this.choose(call) === null) call.tried.length = 0;
      this.place(call);
    });
  }

  halfTime(call: Call): void {
    if (call.underway === 0) return;
    call.tried.at(-1)?.doubt(call.sentAtMs);
    // A write that is only slow would run after the second, and undo what was written since.
    if (call.request.repeat !== 'read' || call.underway + call.uncertain >= SENDS_MAX || this.closed) return;
    const link = this.choose(call);
    if (link === null || link === 'wait' || link.inDoubt) return;
    this.retries++;
    this.take(call, link);
  }

  deadline(call: Call): void {
    if (call.underway > 0) call.tried.at(-1)?.doubt(call.sentAtMs);
    if (!call.settings.internal) this.timeouts++;
    const reason = new HearsayError('TIMEOUT', `no answer within ${call.settings.timeoutMs} ms`);
    call.fail(withOutcome(call, reason));
  }

  settled(call: Call): void {
    this.waiting.delete(call);
    this.pending.delete(call);
    if (this.pending.size > 0 || this.drained === null) return;
    this.drained();
    this.drained = null;
  }

  lateReply(): void {
    this.lateReplies++;
  }

  private place(call: Call): void {
    const link = this.choose(call);
    if (link !== null) this.take(call, link);
    else call.fail(this.unavailable(call));
  }

  private take(call: Call, link: Link | 'wait'): void {
    if (link === 'wait') {
      this.waiting.add(call);
      return;
    }
    call.tried.push(link);
    if (link.send(call.request.bytes, call)) {
      call.sentAtMs = this.ports.connector.nowMs();
      call.underway++;
    } else if (call.underway === 0) {
      this.passBy(call, link);
    }
  }

  /** A link is full: another will do, unless there is none. */
  private passBy(call: Call, full: Link): void {
    const link = call.tried.length < PLACEMENTS_MAX ? this.choose(call) : null;
    if (link !== null) {
      this.take(call, link);
      return;
    }
    this.callsRefused++;
    call.fail(withOutcome(call, new HearsayError('BUSY', `too much is queued for ${full.server}`)));
  }

  private placeWaiting(): void {
    const calls = [...this.waiting];
    this.waiting.clear();
    for (const call of calls) this.place(call);
  }

  /** The link to take; 'wait' if one may soon be ready; null if none will. Servers already tried are left out. */
  private choose(call: Call): Link | 'wait' | null {
    const level = call.settings.level ?? this.settings.level;
    const owners = this.router.ownersOf(call.request.slot);
    let doubtful: Link | null = null;
    let opening = 0;
    for (let at = 0; at < owners.length + this.servers.length; at++) {
      const link = this.link(at < owners.length ? owners[at] : this.servers[at - owners.length], level);
      if (call.tried.includes(link)) continue;
      if (link.status === 'ready') {
        if (!link.inDoubt) return link;
        doubtful ??= link;
      }
      if (link.status === 'idle' && opening < OPENINGS_MAX) link.open();
      if (link.status === 'opening') opening++;
    }
    return opening > 0 ? 'wait' : doubtful;
  }

  private link(server: string, level: ConsistencyLevel | null): Link {
    let ofLevel = this.links.get(level);
    if (ofLevel === undefined) {
      ofLevel = new Map();
      this.links.set(level, ofLevel);
    }
    let link = ofLevel.get(server);
    if (link === undefined) {
      link = new Link({ connector: this.ports.connector, owner: this }, server, level, this.settings);
      ofLevel.set(server, link);
    }
    return link;
  }

  private *allLinks(): Generator<Link> {
    for (const ofLevel of this.links.values()) yield* ofLevel.values();
  }

  /** Why no server will do: what a server said of us before that it does not answer. */
  private unavailable(call: Call): HearsayError {
    const level = call.settings.level ?? this.settings.level;
    const errors: HearsayError[] = [];
    for (const link of this.links.get(level)?.values() ?? []) if (link.lastError !== null) errors.push(link.lastError);
    const refused = errors.find((error) => error.code !== 'CLOSED' && error.code !== 'TIMEOUT');
    if (refused !== undefined) return new HearsayError(refused.code, `${refused.message}; nothing was sent`);
    const why = errors.length > 0 ? errors[0].message : 'no server is known';
    return new HearsayError('UNAVAILABLE', `no server answers (${why}); nothing was sent`);
  }

  /** Asks a ready server for the slot map; one question at a time, then again after the interval. */
  private refresh(): void {
    if (this.closed || this.refreshing) return;
    this.refreshing = true;
    this.refreshTimer?.cancel();
    const bytes = encodeCommand(['CLUSTER', 'SLOTS']);
    const request: Request = { bytes, slot: -1, repeat: 'read', commands: 1, own: 0, waitsWhenBusy: false };
    const call = new Call(this.callPorts, request, {
      timeoutMs: REFRESH_TIMEOUT_MS,
      level: null,
      signal: null,
      internal: true,
    });
    this.place(call);
    call.promise.then(
      (reply) => this.takeSlotMap(reply, call.tried.at(-1)?.server ?? ''),
      () => this.refreshLater(),
    );
  }

  private refreshLater(): void {
    this.refreshing = false;
    if (this.closed) return;
    this.refreshTimer?.cancel();
    this.refreshTimer = this.ports.connector.startTimer(this.settings.refreshIntervalMs, false, () => this.refresh());
  }

  private takeSlotMap(reply: Reply, askedServer: string): void {
    this.refreshLater();
    if (this.closed) return;
    const before = this.router.servers;
    // A server that knows no slots refuses: then every key may go to any of the servers given.
    if (reply instanceof HearsayError || (Array.isArray(reply) && reply.length === 0)) this.router.clear();
    else if (!this.router.update(reply, askedServer)) {
      this.badSlotMaps++;
      return;
    }
    const after = this.router.servers;
    if (after.length === before.length && after.every((server) => before.includes(server))) return;
    this.servers = [...new Set([...after, ...this.settings.servers])];
    this.retireLinks();
    for (const server of this.servers.slice(0, WARM_SERVERS_MAX)) this.link(server, this.settings.level).open();
    this.ports.listeners.tell({ type: 'servers-changed', servers: after });
  }

  /** Closes links to servers that are neither given nor in the slot map. What they had under way goes elsewhere. */
  private retireLinks(): void {
    const reason = new HearsayError('CLOSED', 'the server has left the slot map');
    for (const ofLevel of this.links.values()) {
      for (const [server, link] of ofLevel) {
        if (this.servers.includes(server)) continue;
        ofLevel.delete(server);
        this.retiredReconnects += link.reconnects;
        link.close(reason);
      }
    }
  }
}

/** Whether a call may go to another node after its last attempt ended without a reply. */
function isRepeatable({ uncertain, request, mayRunLate }: Call): boolean {
  if (uncertain === 0) return true;
  if (uncertain >= SENDS_MAX || request.repeat === 'once') return false;
  return request.repeat === 'read' || !mayRunLate;
}

/** The reason, with what it means for a write. */
function withOutcome(call: Call, reason: HearsayError): HearsayError {
  if (call.underway + call.uncertain === 0) return new HearsayError(reason.code, `${reason.message}; nothing was sent`);
  if (call.request.repeat === 'read') return reason;
  return new HearsayError(reason.code, `${reason.message}; the write may have been applied or not`);
}
