/**
 * The contact points: where a node that knows nobody asks first, and goes on asking for ever, so that two halves that lost
 * each other meet again. Membership ticks it, hands the drained names to the resolver and the answers back, and exchanges
 * lists with the addresses it gets. A contact point is a gossip address or the RESP address of a node whose gossip port is
 * 10,000 above. It is tried as it is written first, then both ways, until a member is known to gossip there: on the other port
 * may listen a node of another cluster, or other software, which is not to be bothered. Names are resolved at every try, since
 * what they stand for changes.
 */
import type { Random } from '../base/random.js';

export interface Address {
  host: string;
  port: number;
}

const FIRST_RETRY_MS = 1_000;
const HOSTS_MAX = 16;
const CONTACT_POINTS_MAX = 256;
const GOSSIP_PORT_OFFSET = 10_000;
const PORT_END = 0x10000;

/** `host:port` or `[host]:port`; null if it is neither. */
export function parseContactPoint(text: string): Address | null {
  const parts = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text.trim());
  if (parts === null) return null;
  const port = Number(parts[3]);
  return port > 0 && port < PORT_END ? { host: parts[1] ?? parts[2], port } : null;
}

/** The gossip addresses that a contact point's port may mean. */
export function gossipPorts(port: number): number[] {
  return port + GOSSIP_PORT_OFFSET < PORT_END ? [port, port + GOSSIP_PORT_OFFSET] : [port];
}

export class Contacts {
  /** Contact points that could not be read, or were too many. */
  refused = 0;
  readonly points: readonly Address[];
  private readonly random: Random;
  private readonly retryMs: number;
  private names: Set<string> = new Set();
  private nextMs = Number.NEGATIVE_INFINITY;
  private tries = 0;

  constructor(contactPoints: readonly string[], retryMs: number, random: Random) {
    const points = contactPoints.map(parseContactPoint).filter((point) => point !== null);
    this.points = points.slice(0, CONTACT_POINTS_MAX);
    this.refused = contactPoints.length - this.points.length;
    this.retryMs = retryMs;
    this.random = random;
  }

  /** True when it is time for a try: every second while this node is alone, else every `retryMs`, give or take a quarter. */
  tick(nowMs: number, alone: boolean): boolean {
    const soonestMs = alone ? nowMs + FIRST_RETRY_MS * 1.25 : this.nextMs;
    this.nextMs = Math.min(this.nextMs, soonestMs);
    if (nowMs < this.nextMs) return false;
    const periodMs = alone ? FIRST_RETRY_MS : this.retryMs;
    this.nextMs = nowMs + periodMs * (0.75 + this.random.below(501) / 1000);
    this.tries++;
    for (const point of this.points) this.names.add(point.host);
    return true;
  }

  /** Names to resolve now. */
  drainResolve(): string[] {
    if (this.names.size === 0) return [];
    const names = [...this.names];
    this.names = new Set();
    return names;
  }

  /** The gossip addresses to try, now that `name` stands for `hosts`; `isGossip` says whether a member is known by one. */
  resolved(name: string, hosts: readonly string[], isGossip: (address: Address) => boolean): Address[] {
    const addresses: Address[] = [];
    for (const point of this.points) {
      if (point.host !== name) continue;
      for (const host of hosts.slice(0, HOSTS_MAX)) {
        const [written, above] = gossipPorts(point.port);
        addresses.push({ host, port: written });
        if (above !== undefined && this.tries > 1 && !isGossip({ host, port: written }))
          addresses.push({ host, port: above });
      }
    }
    return addresses;
  }
}
