/**
 * Whether a fault really bit, and what nodes answered while it stood: scenarios note it here and say at the end if nothing was ever seen.
 * Guarded: only a run of one scenario is judged so; beside another one a node may be silent for a reason of its own. A question has a
 * deadline, and no answer is never taken for one.
 */
import { askNode, type ProbeReply } from '../probe.js';
import type { TemporaryCluster } from '../temporary.js';
import { type Arena, namesOf } from './disturbance.js';

const ANSWER_LIMIT_MS = 1500;
const KEYS_PER_NODE = 6;

/** Counts how often a fault stood, and how often its effect was seen. */
export class Witness {
  private stood = 0;
  private seen = 0;

  /** `what` was never seen: `no cut was seen to hold`. */
  constructor(private readonly what: string) {}

  note(wasSeen: boolean): void {
    this.stood++;
    if (wasSeen) this.seen++;
  }

  /** For `ChaosScript.check`: one time is enough, for a fault may end before anything meets it. */
  violations({ alone }: Arena): string[] {
    return alone && this.stood > 0 && this.seen === 0 ? [`${this.what}, with ${this.stood} times that it stood`] : [];
  }
}

/** Keys of a probe: so many that a node owns some of them; a part of that where several nodes share them. */
export function probeKeys({ nodes }: TemporaryCluster, name: string, part = 1): string[] {
  const length = Math.ceil(nodes.length * KEYS_PER_NODE * part);
  return Array.from({ length }, (_, index) => `chaos:probe:${name}:${index}`);
}

/** One command to one node; an error reply is a reply. Null when there is no answer in time. */
export async function answerOf(
  cluster: TemporaryCluster,
  index: number,
  ...words: readonly string[]
): Promise<ProbeReply> {
  try {
    return (await askNode('127.0.0.1', cluster.nodes[index].port, [words], ANSWER_LIMIT_MS))[0];
  } catch {
    return null;
  }
}

/** Writes to every key through one node, side by side: keys that another node must be asked for hold up none. */
export class Writes {
  readonly taken: string[] = [];
  /** Error replies. */
  readonly refusals: string[] = [];
  private readonly ended: Promise<unknown>;

  constructor(cluster: TemporaryCluster, index: number, keys: readonly string[], value: string) {
    this.ended = Promise.all(
      keys.map(async (key) => {
        const reply = await answerOf(cluster, index, 'SET', key, value, 'PX', '600000');
        if (reply === 'OK') this.taken.push(key);
        else if (reply instanceof Error) this.refusals.push(reply.message);
      }),
    );
  }

  /** All have an answer, or none in time. */
  async all(): Promise<this> {
    await this.ended;
    return this;
  }
}

const LEAKS_LOOKED_FOR = 6;

/** Two groups of nodes that are cut off from each other: what either takes meanwhile, the other must not have. */
export class CutProbe {
  private readonly sides: readonly { nodes: readonly number[]; writes: Writes[] }[];
  private readonly value: string;

  /** When every node has taken its rules. */
  constructor(
    private readonly arena: Arena,
    groups: readonly (readonly number[])[],
    turn: number,
  ) {
    this.value = `cut-${turn}`;
    this.sides = groups.map((nodes, side) => ({
      nodes,
      writes: nodes.map(
        (index) =>
          new Writes(
            arena.cluster,
            index,
            probeKeys(arena.cluster, `${turn}:${side}:${index}`, 1 / nodes.length),
            this.value,
          ),
      ),
    }));
  }

  /** While the cut still stands. Whether it was seen to hold, with both sides at work. */
  async look(): Promise<boolean> {
    const { arena } = this;
    let absent = 0;
    for (const [side, { nodes, writes }] of this.sides.entries()) {
      const taken = (): string[] => writes.flatMap((each) => each.taken);
      if (taken().length === 0) await Promise.all(writes.map((each) => each.all()));
      if (taken().length === 0) {
        arena.complain(`partition: ${namesOf(nodes)} took no write while cut off`);
        return false;
      }
      const others = this.sides[1 - side].nodes;
      const found = await Promise.all(
        taken()
          .slice(0, LEAKS_LOOKED_FOR)
          .flatMap((key) => others.map(async (index) => ({ index, reply: await this.lookFor(index, key) }))),
      );
      const leak = found.find(({ reply }) => reply === this.value);
      if (leak !== undefined) {
        const from = namesOf(nodes);
        arena.complain(`partition: what ${from} took while cut off was on ${namesOf([leak.index])} meanwhile`);
        return false;
      }
      absent += found.filter(({ reply }) => reply === 'absent').length;
    }
    return absent > 0;
  }

  /** `absent` is an answer, null is none. */
  private async lookFor(index: number, key: string): Promise<string | null> {
    const reply = await answerOf(this.arena.cluster, index, 'EXISTS', key);
    return reply === 1 ? this.value : reply === 0 ? 'absent' : null;
  }
}
