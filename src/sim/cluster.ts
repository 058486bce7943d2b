/**
 * A cluster of simulated nodes: starts, kills, stops, pauses and cuts off, and the ports that each node runs on.
 * A run (run.ts) steps it and applies the schedule's faults through it. Guarded: what survives which death: kill -9 keeps
 * what the operating system was handed, loss of power keeps what was synced and any legal part of the rest, a wipe
 * nothing; and no event of one life reaches the next, but for datagrams that were under way.
 */
import { HearsayError } from '../core/base/errors.js';
import { Random } from '../core/base/random.js';
import type { WireRange } from '../core/gossip/packet.js';
import type { Disk, DiskErrorCode } from '../ports/disk.js';
import type { Faults } from '../ports/faults.js';
import type { Ports } from '../ports/world.js';
import { type ClockPlan, NodeClock, SimClock } from './clock.js';
import type { DiskCopy, SimDiskOptions } from './disk.js';
import { SimDistinct } from './distinct.js';
import { Draws, PURPOSE } from './draws.js';
import type { Host, WorldEvent } from './events.js';
import { CALM_NETWORK, HOSTS_MAX, type NetworkOptions, SimNetwork } from './network.js';
import { type Exit, type SimMachine, SimProcess } from './process.js';
import { SimSecrets } from './secrets.js';
import { SimStreams } from './streams.js';
import { TraceHash } from './trace.js';
import type { Watches } from './watches/watches.js';

export interface NodePlace {
  readonly index: number;
  readonly id: string;
  readonly address: string;
  readonly clientPort: number;
  readonly gossipPort: number;
  /** Versions of the wire that its build speaks; without it, this build's. */
  readonly wire?: WireRange;
  /** Contact points, `host:port`. */
  readonly join: readonly string[];
}

export type MachineSeed = readonly [number, number, number];
export type MachineFactory = (ports: Ports, place: NodePlace, seed: MachineSeed) => SimMachine;

/** A disk that survives its process, and of which a loss of power leaves any legal state. */
export interface CrashableDisk extends Disk {
  /** What its files hold now, and their return to that while no process runs: a backup of the directory. */
  readonly options: SimDiskOptions;
  readonly bytesUsed: number;
  readonly counts: { readonly crashes: number };
  /** How often it has answered with each error. */
  readonly errors: Readonly<Record<'EIO' | 'ENOSPC', number>>;
  failNextSyncs(count: number): void;
  failNextWrite(code: DiskErrorCode): void;
  contents(name: string): Buffer;
  flipBit(name: string, byte: number, bit: number): void;
  /** It does well from now on. */
  calm(): void;
  copy(): DiskCopy;
  putBack(copy: DiskCopy): void;
  /** The power goes. */
  crash(random: Random): void;
  /** The process dies: handles and what is under way are gone, what was written stays. */
  kill(): void;
}

export type Schedule = (delayMs: number, run: () => void) => void;
export type DiskFactory = (
  random: Random,
  schedule: Schedule,
  completed: (token: number, error: Error | null) => void,
) => CrashableDisk;

export interface ClusterOptions {
  seed: number;
  nodes: number;
  network: NetworkOptions;
  /** One per node. */
  clocks: readonly ClockPlan[];
  /** What is wrong with the disks, one per node; none: nothing. */
  disks?: readonly Partial<SimDiskOptions>[];
  tickIntervalMs: number;
  receiveBufferDatagrams: number;
  turnCostMs: number;
  /** What stands in every node's secret file at first; without it there is none. */
  secrets?: readonly string[] | null;
}

export interface LogLine {
  atMs: number;
  node: number;
  level: 'debug' | 'info' | 'warn' | 'error';
  event: string;
  fields: Record<string, unknown> | undefined;
}

export interface Failure {
  atMs: number;
  node: number;
  error: Error;
}

const CLIENT_PORT = 7_379;
const GOSSIP_PORT = 17_379;
const CONTACT_POINTS = 2;
const LOG_LINES_MAX = 4_000;
/** A machine may be told to lose a key; disturbances of traffic are the network's, not its own. */
const NO_TRAFFIC_FAULTS: Faults = {
  run: () => {
    throw new HearsayError('ERR', 'fault: the simulated network has faults of its own');
  },
  label: () => true,
};
/** After a graceful stop the sockets are given this long to send what they hold. */
const LINGER_MS = 20;

export class SimNode implements Host {
  readonly index: number;
  address: string;
  readonly clientPort = CLIENT_PORT;
  readonly gossipPort = GOSSIP_PORT;
  clock: NodeClock;
  process: SimProcess | null = null;
  powered = true;
  /** How often it was started. */
  life = 0;
  disk: CrashableDisk | null = null;
  droppedDatagrams = 0;
  /** What stands in its secret file. */
  secretWords: readonly string[] | null = null;
  secrets: SimSecrets | null = null;
  /** What its disk has been asked for and has not done. */
  readonly underWay = new Set<() => void>();
  /** How often it was given another address. */
  moves = 0;
  /** What the build that is installed there speaks; undefined: what this one does. */
  wire: WireRange | undefined;
  /** What each turn takes longer than others' do, ms. */
  slowMs = 0;

  constructor(index: number, clock: NodeClock) {
    this.index = index;
    this.address = addressOf(index);
    this.clock = clock;
  }

  get up(): boolean {
    return this.process !== null;
  }

  post(event: WorldEvent): void {
    this.process?.post(event);
  }
}

export class SimCluster {
  readonly clock = new SimClock();
  readonly trace = new TraceHash();
  readonly draws: Draws;
  readonly network: SimNetwork;
  readonly streams: SimStreams;
  readonly nodes: SimNode[] = [];
  /** What nodes logged, newest last, bounded. */
  readonly log: LogLine[] = [];
  /** Who looks at every node between its turns. */
  watches: Watches | null = null;
  /** Machines that threw. */
  readonly failures: Failure[] = [];
  /** Hears every line as it is logged. */
  logged: (line: LogLine) => void = () => {};
  private readonly createMachine: MachineFactory;
  private readonly createDisk: DiskFactory;
  private readonly options: ClusterOptions;
  private readonly exits: Exit[] = [];
  private readonly readBuffer = Buffer.alloc(96 * 1024);
  private diskDraws = 0;
  private disksFail = true;
  private highestWallMs = 0;

  constructor(factories: { createMachine: MachineFactory; createDisk: DiskFactory }, options: ClusterOptions) {
    this.createMachine = factories.createMachine;
    this.createDisk = factories.createDisk;
    this.options = options;
    this.draws = new Draws(options.seed);
    this.network = new SimNetwork({ clock: this.clock, draws: this.draws }, options.network);
    this.streams = new SimStreams({ clock: this.clock, network: this.network, draws: this.draws });
    for (let index = 0; index < options.nodes; index++) {
      const node = new SimNode(index, new NodeClock(this.clock, options.clocks[index]));
      node.secretWords = options.secrets ?? null;
      this.nodes.push(node);
      this.network.addHost(node);
    }
  }

  /** Runs one event, unless the next lies after `untilMs`. */
  step(untilMs: number): boolean {
    const more = this.clock.step(untilMs);
    while (this.exits.length > 0) this.reap(this.exits.shift() as Exit);
    return more;
  }

  placeOf(index: number): NodePlace {
    const join: string[] = [];
    for (let other = 0; other < this.nodes.length && join.length < CONTACT_POINTS; other++) {
      if (other !== index) join.push(`${addressOf(other)}:${GOSSIP_PORT}`);
    }
    return {
      index,
      id: `node-${index}`,
      wire: this.nodes[index].wire,
      address: this.nodes[index].address,
      clientPort: CLIENT_PORT,
      gossipPort: GOSSIP_PORT,
      join,
    };
  }

  start(index: number): void {
    const node = this.nodes[index];
    if (node.process !== null) return;
    node.life++;
    if (!node.powered) {
      node.powered = true;
      this.streams.pathsRestored();
    }
    node.disk ??= this.newDisk(node);
    this.network.packets?.forget(index);
    const { secretWords } = node;
    const salt = this.draws.word(index, node.life, PURPOSE.salt);
    node.secrets = secretWords === null ? null : new SimSecrets(secretWords, salt);
    const seed: MachineSeed = [
      this.draws.word(index * 3, node.life, PURPOSE.machineSeed),
      this.draws.word(index * 3 + 1, node.life, PURPOSE.machineSeed),
      this.draws.word(index * 3 + 2, node.life, PURPOSE.machineSeed),
    ];
    try {
      const machine = this.createMachine(this.portsOf(node, node.disk), this.placeOf(index), seed);
      this.watches?.opened(index, machine);
      const process = new SimProcess(
        {
          clock: this.clock,
          draws: this.draws,
          streams: this.streams,
          trace: this.trace,
          nodeClock: node.clock,
          host: node,
          readBuffer: this.readBuffer,
          exits: this.exits,
          watches: this.watches,
        },
        machine,
        {
          life: node.life,
          tickIntervalMs: this.options.tickIntervalMs,
          receiveBufferDatagrams: this.options.receiveBufferDatagrams,
          turnCostMs: this.options.turnCostMs,
        },
      );
      node.process = process;
      process.start();
    } catch (error) {
      this.exits.push({ node: index, life: node.life, error: error as Error });
    }
  }

  /** kill -9: the operating system lives on and resets the streams. */
  kill(index: number): void {
    this.endProcess(this.nodes[index], false);
  }

  /** The power goes: nothing answers, and of what was not synced any legal part is left. */
  cutPower(index: number): void {
    const node = this.nodes[index];
    this.endProcess(node, true);
    node.powered = false;
    node.disk?.crash(new Random(this.draws.word(index, node.life, PURPOSE.crash)));
    this.watches?.crashed(index);
  }

  /** Kills the process and empties its disk. */
  wipe(index: number): void {
    this.kill(index);
    this.nodes[index].disk = null;
    this.watches?.replaced(index);
  }

  /** A node that is down is given another address; its contact points keep the old ones of the others. */
  move(index: number): void {
    const node = this.nodes[index];
    const before = node.address;
    node.address = addressOf(HOSTS_MAX * ++node.moves + index);
    this.network.moved(node, before);
  }

  /** A backup of a node's data directory, taken while it runs. */
  copyDisk(index: number): DiskCopy {
    return this.nodes[index].disk?.copy() ?? new Map();
  }

  /** Kills the process and puts an earlier copy of its files in their place. */
  rollBack(index: number, copy: DiskCopy): void {
    this.kill(index);
    this.nodes[index].disk?.putBack(copy);
    this.watches?.replaced(index);
  }

  /** A graceful stop: the machine says itself when it has left. */
  stop(index: number): void {
    this.nodes[index].process?.shutdown();
  }

  pause(index: number): void {
    this.nodes[index].process?.pause();
  }

  resume(index: number): void {
    this.nodes[index].process?.resume();
  }

  /** Sets a node's wall clock by so many ms. */
  stepClock(index: number, byMs: number): void {
    this.wallHighMs();
    this.nodes[index].clock.step(byMs);
  }

  /** Another secret file is put in the place of a node's. */
  placeSecret(index: number, words: readonly string[]): void {
    this.nodes[index].secretWords = words;
    this.nodes[index].secrets?.place(words);
  }

  /** A node that has never run takes the machine of another that will run no more, and with it its clock. */
  takeOver(index: number, from: number): void {
    this.wallHighMs();
    this.nodes[index].clock = this.nodes[from].clock;
  }

  /** From now on a node's turns take so much longer. */
  slow(index: number, byMs: number): void {
    this.nodes[index].slowMs += byMs;
  }

  /** A node's wall clock runs off by so many parts per million more. */
  slewClock(index: number, byPpm: number): void {
    this.wallHighMs();
    this.nodes[index].clock.slew(byPpm);
  }

  unblock(pairs: readonly (readonly [number, number])[]): void {
    for (const [from, to] of pairs) this.network.unblock(from, to);
    this.streams.pathsRestored();
  }

  /** Every fault of the network ends. */
  calm(): void {
    this.network.options = { ...CALM_NETWORK };
    this.disksFail = false;
    this.network.unblockAll();
    const deaf = this.network.troubles.deaf.all();
    this.network.troubles.clear();
    for (const node of deaf) this.streams.hears(node);
    for (const node of this.nodes) {
      node.slowMs = 0;
      node.clock.endSlew();
    }
    this.streams.pathsRestored();
  }

  /**
   * The least that any node may go by now: its wall clock, or where that was before it jumped, while the node doubts the jump
   * (core/base/wall-clock.ts). Doubt lasts until peers agree or a minute has passed, which test/sim/clocks-set.test.ts holds it to.
   */
  wallLowMs(): number {
    return Math.min(
      ...this.nodes.map(({ index, clock }) => {
        const jumpedMs = this.watches?.inspected(index)?.rooms?.membership.clockJumpedMs ?? 0;
        return clock.wallMs() - Math.max(0, jumpedMs);
      }),
    );
  }

  /** The most that any node's wall clock has shown when this was asked or a clock was set. */
  wallHighMs(): number {
    for (const node of this.nodes) this.highestWallMs = Math.max(this.highestWallMs, node.clock.wallMs());
    return this.highestWallMs;
  }

  private reap(exit: Exit): void {
    const node = this.nodes[exit.node];
    if (exit.error !== null) this.failures.push({ atMs: this.clock.nowMs, node: exit.node, error: exit.error });
    const { life } = node;
    this.clock.schedule(exit.error === null ? LINGER_MS : 0, () => {
      if (node.life === life && life === exit.life) this.endProcess(node, false);
    });
  }

  private endProcess(node: SimNode, silently: boolean): void {
    if (node.process === null) return;
    node.droppedDatagrams += node.process.droppedDatagrams;
    node.process.end();
    node.process = null;
    this.watches?.ended(node.index);
    this.streams.hostDied(node, silently);
    node.underWay.clear();
    if (!silently) node.disk?.kill();
  }

  private portsOf(node: SimNode, disk: Disk): Ports {
    const life = node.life;
    const write =
      (level: LogLine['level']) =>
      (event: string, fields?: Record<string, unknown>): void => {
        if (this.log.length >= LOG_LINES_MAX) this.log.splice(0, LOG_LINES_MAX / 4);
        const line = { atMs: this.clock.nowMs, node: node.index, level, event, fields };
        this.log.push(line);
        this.logged(line);
      };
    return {
      datagrams: this.network.datagramsOf(node),
      streams: this.streams.portOf(node),
      disk,
      resolver: { resolve: (name, token) => this.resolve(node, life, name, token) },
      log: { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') },
      faults: NO_TRAFFIC_FAULTS,
      distinct: new SimDistinct(),
      vitals: { rssBytes: () => 0, cpuUserSeconds: () => 0, cpuSystemSeconds: () => 0, workClockMs: () => 0 },
      passwords: { matches: (expected, given) => Buffer.from(expected, 'utf8').equals(given) },
      secrets: node.secrets,
    };
  }

  private resolve(node: SimNode, life: number, name: string, token: number): void {
    const numeric = /^[\d.]+$/.test(name);
    const named = this.nodes.find((other) => this.placeOf(other.index).id === name);
    const hosts = numeric ? [name] : named === undefined ? [] : [named.address];
    const delayMs = this.draws.exponential(0.5, node.index, token, PURPOSE.resolve);
    this.clock.schedule(delayMs, () => {
      if (node.life === life) node.post({ kind: 'resolved', token, hosts });
    });
  }

  /**
   * A completion reaches only the life that asked for it; what is under way when a process dies completes for nobody.
   */
  private newDisk(node: SimNode): CrashableDisk {
    const under = node.underWay;
    let lifeCompleting = 0;
    const schedule: Schedule = (delayMs, run) => {
      const { life } = node;
      const once = (): void => {
        if (!under.delete(once)) return;
        lifeCompleting = life;
        run();
      };
      under.add(once);
      this.clock.schedule(delayMs, once);
    };
    const completed = (token: number, error: Error | null): void => {
      if (node.life === lifeCompleting) node.post({ kind: 'disk', token, error });
    };
    const random = new Random(this.draws.word(node.index, ++this.diskDraws, PURPOSE.disk));
    const disk = this.createDisk(random, schedule, completed);
    if (this.disksFail) Object.assign(disk.options, this.options.disks?.[node.index]);
    return disk;
  }
}

export function addressOf(index: number): string {
  return `10.0.${index >> 8}.${(index & 255) + 1}`;
}
