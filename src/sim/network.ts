/**
 * The simulated network: hosts, the paths between them, and datagrams over them. The cluster gives each process its
 * `Datagrams` port from here; streams.ts carries byte streams over the same paths.
 * Guarded: it is never kinder than UDP (loss, duplicates, delay and with it reordering, flipped bits, truncation, an MTU),
 * and each decision is drawn by key (draws.ts). Compare tigerbeetle's packet_simulator.zig: every fault is a named option.
 */
import { crc32 } from '../core/base/crc32.js';
import type { Datagrams } from '../ports/datagrams.js';
import type { SimClock } from './clock.js';
import type { DotWatch } from './dots.js';
import { type Draws, PURPOSE, type Purpose } from './draws.js';
import type { Host } from './events.js';
import { PathTroubles } from './faults/path-troubles.js';
import type { PacketWatch } from './packets.js';

export interface NetworkOptions {
  /** Probability that a datagram is lost; a stream segment hit by it comes a retransmission later. */
  loss: number;
  /** Probability that a datagram arrives twice, the second with a delay of its own. */
  duplicate: number;
  /** Probability that one bit of a datagram is flipped. */
  corrupt: number;
  /** Probability that a datagram loses its end. */
  truncate: number;
  /** Probability, at each datagram sent, that one recorded before comes to some node, half of them with a bit flipped. */
  replay: number;
  /** Larger datagrams are dropped, as behind a tunnel that forbids fragments. Bytes of payload. */
  mtuBytes: number;
  /** Smallest one-way delay between nodes, ms. */
  lagMinMs: number;
  /** Mean of the exponential part of the delay, ms (cut off at five times the mean). */
  lagMeanMs: number;
  /** Probability that a stream segment is cut at a random place; the rest follows by itself. */
  segmentCut: number;
  /** Probability that a stream segment is a single byte. */
  segmentOneByte: number;
  /** Probability per stream segment between nodes that the connection is reset. */
  reset: number;
}

export const CALM_NETWORK: NetworkOptions = {
  loss: 0,
  duplicate: 0,
  corrupt: 0,
  truncate: 0,
  replay: 0,
  mtuBytes: 1_472,
  lagMinMs: 0.1,
  lagMeanMs: 0.3,
  segmentCut: 0,
  segmentOneByte: 0,
  reset: 0,
};

/** The largest payload a datagram may have by the port's law. */
export const DATAGRAM_BYTES_MAX = 1_200;
const CLIENT_LAG_MIN_MS = 0.03;
const CLIENT_LAG_MEAN_MS = 0.08;
/** Hosts of a run; a host that moves takes an address beyond them. */
export const HOSTS_MAX = 256;
/** Datagrams kept to be repeated. */
const RECORDED_MAX = 512;
/** A recording comes this late at most. */
const REPLAY_LAG_MAX_MS = 2_000;

export class SimNetwork {
  readonly counters = {
    sent: 0,
    lost: 0,
    blocked: 0,
    duplicated: 0,
    corrupted: 0,
    truncated: 0,
    replayed: 0,
    overMtu: 0,
    oversized: 0,
    unreachable: 0,
    delivered: 0,
    /** Datagrams whose bytes their sender touched after it had given them away. */
    changed: 0,
  };
  readonly hosts: Host[] = [];
  options: NetworkOptions;
  /** Shown every datagram that a node sends. */
  dots: DotWatch | null = null;
  /** Shown every datagram that a node is handed. */
  packets: PacketWatch | null = null;
  /** Hears of every datagram that leaves a node for another, whatever becomes of it. */
  sent: ((from: Host, to: Host, bytes: Buffer) => void) | null = null;
  readonly troubles = new PathTroubles();
  private readonly recorded: { from: Host; bytes: Buffer }[] = [];
  private readonly clock: SimClock;
  private readonly draws: Draws;
  private readonly byAddress = new Map<string, Host>();
  /** How many partitions block the directed pair from * HOSTS_MAX + to. */
  private readonly blocks = new Map<number, number>();
  /** How many faults block the datagrams of a host, both ways; its streams pass. */
  private readonly datagramBlocks = new Map<number, number>();
  private readonly sentOn = new Map<number, number>();

  constructor(ports: { clock: SimClock; draws: Draws }, options: NetworkOptions) {
    this.clock = ports.clock;
    this.draws = ports.draws;
    this.options = options;
  }

  addHost(host: Host): void {
    if (host.index !== this.hosts.length || host.index >= HOSTS_MAX) throw new Error(`host ${host.index} out of order`);
    this.hosts.push(host);
    this.byAddress.set(host.address, host);
  }

  /** The host has another address than before. What is under way to the one it had is lost. */
  moved(host: Host, before: string): void {
    this.byAddress.delete(before);
    this.byAddress.set(host.address, host);
  }

  find(address: string): Host | null {
    return this.byAddress.get(address) ?? null;
  }

  /** From now on nothing gets from one host to the other; the way back is a pair of its own. */
  block(from: number, to: number): void {
    const pair = from * HOSTS_MAX + to;
    this.blocks.set(pair, (this.blocks.get(pair) ?? 0) + 1);
  }

  unblock(from: number, to: number): void {
    const pair = from * HOSTS_MAX + to;
    const count = this.blocks.get(pair) ?? 0;
    if (count > 1) this.blocks.set(pair, count - 1);
    else this.blocks.delete(pair);
  }

  /** From now on no datagram gets to this host or away from it, as behind a firewall that lets TCP pass alone. */
  blockDatagrams(host: number): void {
    this.datagramBlocks.set(host, (this.datagramBlocks.get(host) ?? 0) + 1);
  }

  unblockDatagrams(host: number): void {
    const count = this.datagramBlocks.get(host) ?? 0;
    if (count > 1) this.datagramBlocks.set(host, count - 1);
    else this.datagramBlocks.delete(host);
  }

  isBlockedForDatagrams(host: number): boolean {
    return this.datagramBlocks.has(host);
  }

  /** Ends every partition. */
  unblockAll(): void {
    this.blocks.clear();
    this.datagramBlocks.clear();
  }

  /** True if what one host sends vanishes on its way to the other. */
  swallows(from: number, to: number): boolean {
    return this.blocks.has(from * HOSTS_MAX + to) || !this.hosts[to].powered;
  }

  /** Whether faults apply between these two: only between nodes. A client sits beside its node. */
  isBetweenNodes(from: number, to: number): boolean {
    return this.hosts[from].gossipPort !== 0 && this.hosts[to].gossipPort !== 0;
  }

  /** One-way delay of a message, ms. */
  lagMs(from: number, to: number, key: number, counter: number, purpose: Purpose): number {
    const between = this.isBetweenNodes(from, to) && from !== to;
    const least = between ? this.options.lagMinMs : CLIENT_LAG_MIN_MS;
    const mean = between ? this.options.lagMeanMs : CLIENT_LAG_MEAN_MS;
    return least + this.troubles.lagMs(from, to) + this.draws.exponential(mean, key, counter, purpose);
  }

  /** The `Datagrams` port of one host. */
  datagramsOf(from: Host): Datagrams {
    return { send: (host, port, bytes) => this.send(from, host, port, bytes) };
  }

  private send(from: Host, address: string, port: number, bytes: Buffer): void {
    const { counters, draws, options } = this;
    counters.sent++;
    this.dots?.look(bytes);
    if (bytes.length > DATAGRAM_BYTES_MAX) counters.oversized++;
    const to = this.byAddress.get(address);
    if (to === undefined || to.gossipPort !== port || port === 0) {
      counters.unreachable++;
      return;
    }
    const link = from.index * HOSTS_MAX + to.index;
    const counter = (this.sentOn.get(link) ?? 0) + 1;
    this.sentOn.set(link, counter);
    this.sent?.(from, to, bytes);
    if (options.replay > 0) this.repeat(from, bytes, link, counter);
    const closed = this.datagramBlocks.has(from.index) || this.datagramBlocks.has(to.index);
    if (closed || this.troubles.isMute(from.index, to.index) || this.swallows(from.index, to.index)) {
      counters.blocked++;
      return;
    }
    if (bytes.length > options.mtuBytes) {
      counters.overMtu++;
      return;
    }
    if (draws.chance(options.loss, link, counter, PURPOSE.loss)) {
      counters.lost++;
      return;
    }
    const carried = this.damage(bytes, link, counter);
    const spreadMs = this.troubles.spreadMs(from.index) * draws.unit(link, counter, PURPOSE.spread);
    this.deliverLater(from, to, carried, spreadMs + this.lagMs(from.index, to.index, link, counter, PURPOSE.lag));
    if (draws.chance(options.duplicate, link, counter, PURPOSE.duplicate)) {
      counters.duplicated++;
      const lagMs = this.lagMs(from.index, to.index, link, counter, PURPOSE.duplicateLag) * 3;
      this.deliverLater(from, to, Buffer.from(carried), lagMs);
    }
  }

  /** Something that was sent long ago arrives, for the first time or again. */
  repeatTo(from: Host, to: Host, bytes: Buffer, lagMs: number): void {
    this.deliverLater(from, to, Buffer.from(bytes), lagMs);
  }

  /** Records what is sent, and now and then sends something recorded, as if from its sender, to a node that may never have met it. */
  private repeat(from: Host, bytes: Buffer, link: number, counter: number): void {
    const { draws, recorded } = this;
    recorded[counter % RECORDED_MAX] = { from, bytes: Buffer.from(bytes) };
    if (!draws.chance(this.options.replay, link, counter, PURPOSE.replay)) return;
    const old = recorded[draws.word(link, counter, PURPOSE.replayWhat) % recorded.length];
    const to = this.hosts[draws.word(link, counter, PURPOSE.replayTo) % this.hosts.length];
    if (old === undefined || to.gossipPort === 0) return;
    const copy = Buffer.from(old.bytes);
    const bit = draws.word(link, counter, PURPOSE.replayFlip);
    if (bit & 1) copy[(bit >>> 4) % copy.length] ^= 1 << ((bit >>> 1) & 7);
    this.counters.replayed++;
    this.deliverLater(old.from, to, copy, draws.unit(link, counter, PURPOSE.replayLag) * REPLAY_LAG_MAX_MS);
  }

  /** The bytes as they arrive; a copy if they differ. */
  private damage(bytes: Buffer, link: number, counter: number): Buffer {
    const { draws, options } = this;
    let carried = bytes;
    if (draws.chance(options.corrupt, link, counter, PURPOSE.corrupt) && bytes.length > 0) {
      const bit = draws.word(link, counter, PURPOSE.corruptAt) % (bytes.length * 8);
      carried = Buffer.from(bytes);
      carried[bit >> 3] ^= 1 << (bit & 7);
      this.counters.corrupted++;
    }
    if (draws.chance(options.truncate, link, counter, PURPOSE.truncate)) {
      carried = carried.subarray(0, draws.word(link, counter, PURPOSE.truncateAt) % (bytes.length + 1));
      this.counters.truncated++;
    }
    return carried;
  }

  private deliverLater(from: Host, to: Host, bytes: Buffer, lagMs: number): void {
    const crc = crc32(bytes, 0, bytes.length);
    const [source, target] = [from.address, to.address];
    this.clock.schedule(lagMs, () => {
      if (crc32(bytes, 0, bytes.length) !== crc) this.counters.changed++;
      if (this.swallows(from.index, to.index)) this.counters.blocked++;
      else if (!to.up || to.address !== target) this.counters.unreachable++;
      else {
        this.counters.delivered++;
        this.packets?.delivered(to.index, bytes);
        to.post({ kind: 'datagram', bytes, address: source, port: from.gossipPort });
      }
    });
  }
}
