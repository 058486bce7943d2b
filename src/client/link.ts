/**
 * The way to one server at one level: opens a connection, and opens it again after a loss, with full-jitter backoff
 * (Brooker, "Exponential Backoff and Jitter", 2015). The dispatcher asks for its status and sends through it.
 * Guarded: `opening` is said only while the first connection is being made; after a failure the status is `down` until a
 * handshake has succeeded, so no call waits for a server that is known not to answer.
 */
import type { HearsayError } from '../core/base/errors.js';
import { Connection, type ConnectionOwner, type ReplyTaker } from './connection.js';
import type { ClientTimer, Connector } from './connector.js';
import type { ConsistencyLevel, GreetingOptions } from './greeting.js';

export type LinkStatus = 'idle' | 'opening' | 'ready' | 'down' | 'closed';

/** Told when the link becomes ready, and when it stops being ready or about to be; not of each vain attempt after that. */
export interface LinkOwner {
  linkReady(link: Link): void;
  linkDown(link: Link, reason: HearsayError): void;
}

export interface LinkPorts {
  connector: Connector;
  owner: LinkOwner;
}

export interface LinkOptions extends Omit<GreetingOptions, 'level'> {
  connectTimeoutMs: number;
  maxInFlight: number;
  /** Bounds of the wait before connecting again: uniform in [0, min(max, min x 2^failures)]. */
  reconnectMinMs: number;
  reconnectMaxMs: number;
}

/** A connection that lasted this long is no failure: the next backoff starts anew. */
const STEADY_MS = 2000;
const DOUBLINGS_MAX = 16;

export class Link implements ConnectionOwner {
  status: LinkStatus = 'idle';
  /** Why it is not ready, as far as known. */
  lastError: HearsayError | null = null;
  /** Connections made after the first. */
  reconnects = 0;
  private connection: Connection | null = null;
  private retryTimer: ClientTimer | null = null;
  private failures = 0;
  private readyAtMs = 0;

  constructor(
    private readonly ports: LinkPorts,
    readonly server: string,
    readonly level: ConsistencyLevel | null,
    private readonly options: LinkOptions,
  ) {}

  get inDoubt(): boolean {
    return this.connection?.inDoubt ?? false;
  }

  /** Starts connecting, if that was never done. */
  open(): void {
    if (this.status !== 'idle') return;
    this.status = 'opening';
    this.connect();
  }

  /** Takes a request; false if the link is not ready or full. */
  send(request: Buffer, taker: ReplyTaker): boolean {
    return this.status === 'ready' && this.connection !== null && this.connection.send(request, taker);
  }

  doubt(sentAtMs: number): void {
    this.connection?.doubt(sentAtMs);
  }

  /** Ends it for good. */
  close(reason: HearsayError): void {
    this.status = 'closed';
    this.lastError = reason;
    this.retryTimer?.cancel();
    this.connection?.close(reason);
  }

  connectionReady(): void {
    if (this.failures > 0) this.reconnects++;
    this.status = 'ready';
    this.lastError = null;
    this.readyAtMs = this.ports.connector.nowMs();
    this.ports.owner.linkReady(this);
  }

  connectionClosed(reason: HearsayError): void {
    this.connection = null;
    if (this.status === 'closed') return;
    const { connector, owner } = this.ports;
    const known = this.status === 'down';
    const steady = this.status === 'ready' && connector.nowMs() - this.readyAtMs >= STEADY_MS;
    this.failures = steady ? 1 : this.failures + 1;
    this.status = 'down';
    this.lastError = reason;
    const delayMs = backoffMs(this.failures, connector.random(), this.options);
    this.retryTimer = connector.startTimer(delayMs, false, () => this.connect());
    if (!known) owner.linkDown(this, reason);
  }

  private connect(): void {
    const { connector } = this.ports;
    const { host, port } = splitServer(this.server);
    this.connection = new Connection({ connector, owner: this }, { ...this.options, host, port, level: this.level });
  }
}

/** Full jitter: uniform between nothing and a ceiling that doubles with each failure after the first. */
export function backoffMs(
  failures: number,
  random: number,
  bounds: { reconnectMinMs: number; reconnectMaxMs: number },
): number {
  const doublings = Math.min(failures - 1, DOUBLINGS_MAX);
  return random * Math.min(bounds.reconnectMaxMs, bounds.reconnectMinMs * 2 ** doublings);
}

/** 'host:port', the host of IPv6 in brackets. Port 0 for what is neither. */
export function splitServer(server: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]{1,255})\]|([^:\s]{1,255})):(\d{1,5})$/.exec(server);
  const port = match === null ? 0 : Number(match[3]);
  return match === null || port > 65535 ? { host: '', port: 0 } : { host: match[1] ?? match[2], port };
}

export function joinServer(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
