/**
 * The part of a cluster that is healed while the rest stays down or apart: it must get on by itself. The family draws it into the plan;
 * run.ts plays it after the faults, before all is healed: each node of the core must have a few writes acknowledged at level quorum in
 * bounded time (after TigerBeetle's simulator). Guarded: a core has more than half of the nodes and all but one of a key's owners, so
 * what it is asked for can be had; a plan whose clocks stray has none, for its nodes may rightly refuse to coordinate,
 * nor has one whose members change.
 */
import type { Completion, SimClient } from '../client.js';
import type { Family } from '../families.js';
import type { ClientPlan, Plan } from '../schedule.js';

export interface LiveCore {
  nodes: number[];
  /** What the others are meanwhile: dead, or cut off from the core both ways. */
  rest: 'down' | 'apart';
}

/** From the healing of the core to the last of its writes. Suspicion and death take 1.2 s and more, a forgotten stream 6 s. */
export const CORE_BOUND_MS = 20_000;
/** Writes that each of its nodes must get through, to as many keys. */
const CORE_WRITES = 4;
/** Numbers of the clients and commands of a live core, beside the plan's and the probes'. */
const CORE_CLIENT = 2_000;
const CORE_COMMAND = 500_000;
const CORE_ANSWER_MS = 500;

export const LIVE_CORE: Family = {
  name: 'live-core',
  stream: 0x5ced0105,
  draw(plan, random) {
    if (!random.chance(0.3)) return;
    const order = random.shuffle(Array.from({ length: plan.nodes }, (_, index) => index));
    plan.core = { nodes: order.slice(1).sort(), rest: random.chance(0.5) ? 'down' : 'apart' };
  },
};

/** The core that a run of this plan is to play; null if there is none. */
export function coreOf(plan: Plan, clockTrouble: boolean): LiveCore | null {
  return plan.core === undefined || plan.late !== undefined || clockTrouble ? null : plan.core;
}

/** What the trial of a core needs of its run. */
export interface CoreDoors {
  client(number: number, node: number, greeting: string[][]): SimClient;
  issue(
    sim: SimClient,
    client: number,
    plan: ClientPlan,
    number: number,
    words: string[],
    ended: (outcome: Completion['outcome']) => void,
  ): void;
  rest(forMs: number): void;
}

/** Writes through every node of a core until each has had its share acknowledged. */
export class CoreTrial {
  readonly name: string;
  private readonly writers: { plan: ClientPlan; client: number; sim: SimClient; done: Set<string> }[];
  private number = CORE_COMMAND;

  constructor(
    { nodes, rest }: LiveCore,
    private readonly doors: CoreDoors,
  ) {
    this.name = `nodes ${nodes} while the rest is ${rest}`;
    const greeting = [['HEARSAY.CONSISTENCY', 'READ', 'quorum', 'WRITE', 'quorum']];
    this.writers = nodes.map((node) => ({
      plan: { node, readLevel: 'quorum', writeLevel: 'quorum', protocol: 2 },
      client: CORE_CLIENT + node,
      sim: doors.client(CORE_CLIENT + node, node, greeting),
      done: new Set(),
    }));
  }

  /** One more round; what is missing yet, or null. */
  goOn(): string | null {
    for (const { plan, client, sim, done } of this.writers) {
      for (let key = 0; key < CORE_WRITES; key++) {
        if (done.has(`core${key}`)) continue;
        const words = ['SET', `core${key}`, `core-v${this.number}`];
        this.doors.issue(sim, client, plan, this.number++, words, (outcome) => {
          if (outcome === 'ok') done.add(words[1]);
        });
      }
    }
    this.doors.rest(CORE_ANSWER_MS);
    const late = this.writers.find(({ done }) => done.size < CORE_WRITES);
    return late === undefined ? null : `node ${late.plan.node} has ${late.done.size} of ${CORE_WRITES} writes`;
  }
}
