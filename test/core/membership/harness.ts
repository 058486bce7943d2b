/**
 * A small world for membership alone: virtual time in steps of a millisecond, a network that delays, loses and cuts, nodes
 * that crash, stall and restart. Tests drive it by `run` and ask the nodes what they believe. Seeded, so a run repeats.
 */
import { Random } from '../../../src/core/base/random.js';
import { Membership } from '../../../src/core/membership/membership.js';
import { MEMBERSHIP_TIMINGS, type MembershipTimings } from '../../../src/core/membership/options.js';
import type { Outgoing } from '../../../src/core/membership/outbox.js';
import type { MemberState } from '../../../src/core/membership/precedence.js';
import type { MemberChange } from '../../../src/core/membership/view.js';

const PIGGYBACK_BYTES = 600;

export interface SeenChange {
  atMs: number;
  id: string;
  from: MemberState | null;
  to: MemberState | null;
  restarted: boolean;
  moved: boolean;
}

interface Packet {
  from: Node;
  host: string;
  port: number;
  viaStream: boolean;
  messages: readonly unknown[][];
}

export class Node {
  readonly seen: SeenChange[] = [];
  readonly logged: string[] = [];
  readonly membership: Membership;
  up = true;
  stalledUntilMs = 0;
  waiting: Packet[] = [];

  constructor(
    readonly world: World,
    readonly id: string,
    readonly host: string,
    readonly options: StartOptions,
  ) {
    const log = (event: string) => void this.logged.push(event);
    this.membership = new Membership(
      { log: { debug: log, info: log, warn: log, error: log } },
      {
        ...MEMBERSHIP_TIMINGS,
        ...options.timings,
        self: { id, host, port: 17000, respPort: 7000, zone: '', weight: 1 },
        actor: world.random.actor(),
        boot: options.boot ?? 1,
        incarnation: 0,
        contactPoints: options.contacts ?? [],
        random: new Random(world.random.uint32()),
        endedBootOf: (name) => world.endedBoots.get(name) ?? 0,
        mutations: options.mutations ?? world.mutations,
      },
    );
  }

  get wallMs(): number {
    return 1_700_000_000_000 + this.world.nowMs + (this.options.skewMs ?? 0);
  }

  states(): Record<string, MemberState> {
    return Object.fromEntries(this.membership.members().map((member) => [member.id, member.state]));
  }

  stateOf(id: string): MemberState | undefined {
    return this.membership.get(id)?.state;
  }

  tick(): void {
    this.membership.tick(this.world.nowMs, this.wallMs);
    this.flush();
  }

  receive(packet: Packet): void {
    const fromHost = this.world.seenAs.get(packet.from.host) ?? packet.from.host;
    for (const message of packet.messages) {
      this.membership.handle(message, fromHost, 17000, packet.viaStream, this.world.nowMs, this.wallMs);
    }
    this.flush();
  }

  flush(): void {
    for (const name of this.membership.drainResolve()) {
      this.membership.contactResolved(name, this.world.names.get(name) ?? [name]);
    }
    this.world.send(this, this.membership.drainOutgoing());
    for (const change of this.membership.drainChanges()) this.note(change);
  }

  private note({ member, from, to, restarted, moved }: MemberChange): void {
    this.seen.push({ atMs: this.world.nowMs, id: member.id, from, to, restarted, moved });
  }
}

export interface StartOptions {
  host?: string;
  contacts?: string[];
  boot?: number;
  skewMs?: number;
  timings?: Partial<MembershipTimings>;
  mutations?: ReadonlySet<string>;
}

export class World {
  readonly random: Random;
  readonly names = new Map<string, string[]>();
  nodes: Node[] = [];
  nowMs = 5_000_000;
  /** Probability that a datagram is lost. */
  loss = 0;
  /** Probability that a message on a stream finds the stream broken. */
  streamLoss = 0;
  /** Whether nothing passes from one host to another. */
  cut: (from: string, to: string) => boolean = () => false;
  /** Whether no datagram passes from one host to another; streams do. */
  cutDatagrams: (from: string, to: string) => boolean = () => false;
  /** The address that a host's datagrams seem to come from, as behind a translation of addresses. */
  readonly seenAs = new Map<string, string>();
  /** Up to which boot the lives of an id have ended, as every node's ring has it. */
  readonly endedBoots = new Map<string, number>();
  /** Bugs planted in every node that starts from now on. */
  mutations: ReadonlySet<string> = new Set();
  packets = 0;
  private readonly arrivals = new Map<number, Packet[]>();

  constructor(seed: number) {
    this.random = new Random(seed);
  }

  start(id: string, options: StartOptions = {}): Node {
    const node = new Node(this, id, options.host ?? `10.0.0.${this.nodes.length + 1}`, options);
    this.nodes.push(node);
    return node;
  }

  /** `count` nodes, all by the first one as their contact point, run until they know each other. */
  cluster(count: number, timings: Partial<MembershipTimings> = {}): Node[] {
    const first = this.start('n0', { timings });
    for (let at = 1; at < count; at++) this.start(`n${at}`, { contacts: [`${first.host}:17000`], timings });
    this.runUntil(() => this.nodes.every((node) => node.membership.aliveCount === count), 20_000);
    this.run(3_000);
    return [...this.nodes];
  }

  crash(node: Node): void {
    node.up = false;
    this.nodes = this.nodes.filter((other) => other !== node);
  }

  stall(node: Node, ms: number): void {
    node.stalledUntilMs = this.nowMs + ms;
  }

  run(ms: number): void {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; ) this.step();
  }

  /** Runs until `holds`, at most `ms`; returns how long it took, or throws. */
  runUntil(holds: () => boolean, ms: number): number {
    const startMs = this.nowMs;
    while (!holds()) {
      if (this.nowMs - startMs >= ms) throw new Error(`not reached within ${ms} ms of virtual time`);
      this.step();
    }
    return this.nowMs - startMs;
  }

  send(from: Node, outgoing: readonly Outgoing[]): void {
    const packets = new Map<string, Packet & { messages: unknown[][] }>();
    for (const { host, port, message, viaStream } of outgoing) {
      const key = `${host} ${port} ${viaStream}`;
      const packet = packets.get(key) ?? { from, host, port, viaStream, messages: [] };
      packet.messages.push(JSON.parse(JSON.stringify(message)));
      packets.set(key, packet);
    }
    for (const packet of packets.values()) {
      if (!packet.viaStream) {
        packet.messages.push(
          ...(JSON.parse(JSON.stringify(from.membership.takeUpdates(PIGGYBACK_BYTES))) as unknown[][]),
        );
      }
      this.packets++;
      if (this.random.chance(packet.viaStream ? this.streamLoss : this.loss)) continue;
      const atMs = this.nowMs + this.random.between(1, 4);
      const arriving = this.arrivals.get(atMs);
      if (arriving) arriving.push(packet);
      else this.arrivals.set(atMs, [packet]);
    }
  }

  private step(): void {
    this.nowMs++;
    const arriving = this.arrivals.get(this.nowMs);
    this.arrivals.delete(this.nowMs);
    for (const packet of arriving ?? []) this.deliver(packet);
    for (const [at, node] of this.nodes.entries()) {
      if (this.nowMs < node.stalledUntilMs) continue;
      // After a stall the timer fires first, while what arrived still waits in the socket.
      const stalled = node.waiting.length > 0;
      if (stalled || (this.nowMs + at) % 25 === 0) node.tick();
      const { waiting } = node;
      node.waiting = [];
      for (const packet of waiting) node.receive(packet);
    }
  }

  private deliver(packet: Packet): void {
    if (this.cut(packet.from.host, packet.host)) return;
    if (!packet.viaStream && this.cutDatagrams(packet.from.host, packet.host)) return;
    for (const node of this.nodes) {
      if (node.host !== packet.host || packet.port !== 17000) continue;
      if (this.nowMs < node.stalledUntilMs) node.waiting.push(packet);
      else node.receive(packet);
    }
  }
}
