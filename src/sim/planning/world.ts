/**
 * The world of a planning run: virtual time, paths that delay, lose and are cut, and the members on them. scenarios.ts sets it up, disturbs it
 * and runs it on. Guarded: every draw comes from the seed in the order of events, so a run repeats to the byte; nobody is kinder than
 * UDP to a datagram; what goes by stream comes late where a datagram would have been lost, and not at all where nothing passes.
 */
import { Random } from '../../core/base/random.js';
import { MEMBERSHIP_TIMINGS } from '../../core/membership/options.js';
import type { MemberChange } from '../../core/membership/view.js';
import { SimClock } from '../clock.js';
import { addressOf } from '../cluster.js';
import { type Carrier, GOSSIP_PORT, idOf, type Place, PlannedMember, recordAt } from './member.js';
import type { ClusterPlan } from './plan.js';

/** What TCP waits before it sends again, at least. */
const RETRANSMIT_MS = 200;
const CONTACT_POINTS = 2;

/** What was sent: counts of a run, or per node and second. */
export interface Traffic {
  datagrams: number;
  datagramBytes: number;
  streamBytes: number;
}

/** Told of every step of a member that some node saw, and at the end of every turn of a node. */
export interface Watch {
  stepped(node: number, change: MemberChange): void;
  turned(node: number): void;
}

export class PlannedWorld implements Carrier {
  readonly clock = new SimClock();
  readonly members: PlannedMember[] = [];
  readonly sent: Traffic = { datagrams: 0, datagramBytes: 0, streamBytes: 0 };
  watch: Watch | null = null;
  /** Which side of a cut a node is on; nothing passes between two sides. */
  readonly sides: Uint8Array;
  private readonly random: Random;
  private readonly byHost = new Map<string, PlannedMember>();
  private readonly byId = new Map<string, number>();

  constructor(private readonly plan: ClusterPlan) {
    this.random = new Random(plan.seed, plan.nodes);
    this.sides = new Uint8Array(plan.nodes);
    const changed = (node: number, changes: readonly MemberChange[]): void => {
      for (const change of changes) this.watch?.stepped(node, change);
    };
    for (let index = 0; index < plan.nodes; index++) {
      const place: Place = {
        index,
        host: addressOf(index),
        actor: this.random.actor(),
        seed: this.random.uint32(),
        contactPoints: contactPointsOf(index),
      };
      const member = new PlannedMember({ carrier: this, changed }, place, plan);
      this.members.push(member);
      this.byHost.set(place.host, member);
      this.byId.set(idOf(index), index);
    }
  }

  indexOf(id: string): number {
    return this.byId.get(id) ?? -1;
  }

  /** All nodes run and know each other, as after a long time. */
  startSettled(): void {
    const records = this.members.map(({ place }) => recordAt(place));
    for (const [index, member] of this.members.entries()) {
      member.settle(records[(index + 1) % records.length], records, this.clock.nowMs);
    }
    this.startAll();
  }

  /** All nodes start within one tick. */
  startAll(): void {
    for (const member of this.members) {
      member.up = true;
      this.tickLater(member, this.random.below(MEMBERSHIP_TIMINGS.tickIntervalMs * 1_000) / 1_000);
    }
  }

  /** The machine is gone without a word: nothing it says or is told passes any more. */
  crash(index: number): void {
    this.members[index].up = false;
  }

  run(untilMs: number, isDone: () => boolean = () => false): void {
    while (!isDone() && this.clock.step(untilMs)) {
      // Each step is one event.
    }
  }

  datagram(from: number, host: string, bytes: Buffer): void {
    this.sent.datagrams++;
    this.sent.datagramBytes += bytes.length;
    const target = this.byHost.get(host);
    if (target === undefined || this.random.chance(this.plan.loss)) return;
    const source = this.members[from].place.host;
    this.clock.schedule(this.lagMs(), () => {
      if (this.passes(from, target)) this.turn(target, (nowMs) => target.datagramArrived(bytes, source, nowMs));
    });
  }

  stream(from: number, host: string, body: Buffer, bytes: number): void {
    this.sent.streamBytes += bytes;
    const target = this.byHost.get(host);
    if (target === undefined) return;
    let lagMs = this.lagMs();
    for (let timeoutMs = RETRANSMIT_MS; this.random.chance(this.plan.loss); timeoutMs *= 2) lagMs += timeoutMs;
    const source = this.members[from].place.host;
    this.clock.schedule(lagMs, () => {
      if (this.passes(from, target)) this.turn(target, (nowMs) => target.streamArrived(body, source, nowMs));
    });
  }

  private tickLater(member: PlannedMember, delayMs: number): void {
    this.clock.schedule(delayMs, () => {
      if (!member.up) return;
      this.turn(member, (nowMs) => member.tick(nowMs));
      this.tickLater(member, MEMBERSHIP_TIMINGS.tickIntervalMs);
    });
  }

  private turn(member: PlannedMember, act: (nowMs: number) => void): void {
    act(this.clock.nowMs);
    this.watch?.turned(member.place.index);
  }

  /** Asked on arrival: a cut swallows what is under way. */
  private passes(from: number, target: PlannedMember): boolean {
    return target.up && this.sides[from] === this.sides[target.place.index];
  }

  private lagMs(): number {
    return this.plan.latencyMs * (0.5 + this.random.below(1_000_000) / 1_000_000);
  }
}

/** The first two nodes are everybody's contact points, each other's too. */
function contactPointsOf(index: number): string[] {
  const points: string[] = [];
  for (let other = 0; other < CONTACT_POINTS; other++) {
    if (other !== index) points.push(`${addressOf(other)}:${GOSSIP_PORT}`);
  }
  return points;
}
