/**
 * Chaos by partition: nodes that hear nothing of each other, by HEARSAY.FAULT on both sides, then healed; in five shapes.
 * Clients reach all nodes all the time. `separate` and `heal` are of use to trials and tests too.
 */
import type { TemporaryCluster } from '../temporary.js';
import { type Arena, type ChaosScript, indexesTo, inTurns, namesOf, passing, tellFault } from './disturbance.js';
import type { Draws } from './draws.js';
import { CutProbe, Witness } from './witness.js';

const APART_MS = [500, 8000] as const;
const FLAP_MS = [2000, 8000] as const;
const FLAP_TURN_MS = [150, 900] as const;

/** Who hears nothing from whom: pairs of receiver and sender. */
interface Cut {
  readonly words: string;
  readonly pairs: readonly (readonly [receiver: number, sender: number])[];
  /** Two groups between which nothing passes, directly or by a third: then it is looked whether that holds. */
  readonly groups?: readonly [readonly number[], readonly number[]];
}

type Shape = (draws: Draws, nodes: number) => Cut;

const halves: Shape = (draws, nodes) => {
  const left = draws.some(draws.between(1, nodes - 1), nodes).sort();
  const right = without(nodes, left);
  return {
    words: `part ${namesOf(left)} from ${namesOf(right)}`,
    pairs: [...across(left, right), ...across(right, left)],
    groups: [left, right],
  };
};

const oneWay: Shape = (draws, nodes) => {
  const deaf = draws.some(draws.between(1, nodes - 1), nodes).sort();
  const others = without(nodes, deaf);
  return { words: `${namesOf(deaf)} hear nothing from ${namesOf(others)}`, pairs: across(deaf, others) };
};

const bridge: Shape = (draws, nodes) => {
  const between = draws.below(nodes);
  const rest = without(nodes, [between]);
  const left = draws.some(Math.floor(rest.length / 2), rest.length).map((at) => rest[at]);
  const right = rest.filter((index) => !left.includes(index));
  return {
    words: `part ${namesOf(left)} from ${namesOf(right)}; ${namesOf([between])} reaches all`,
    pairs: [...across(left, right), ...across(right, left)],
  };
};

const isolate: Shape = (draws, nodes) => {
  const alone = [draws.below(nodes)];
  const others = without(nodes, alone);
  return {
    words: `isolate ${namesOf(alone)}`,
    pairs: [...across(alone, others), ...across(others, alone)],
    groups: [alone, others],
  };
};

export const partitionHalves = (): ChaosScript => parting(halves);
export const partitionOneWay = (): ChaosScript => parting(oneWay);
export const partitionBridge = (): ChaosScript => parting(bridge);
export const partitionIsolate = (): ChaosScript => parting(isolate);

/** A partition that comes and goes faster than anybody is declared dead. */
export const partitionFlapping = (): ChaosScript => ({
  lateEffectMs: 3000,
  plan: (draws, nodes, durationMs) =>
    inTurns(draws, durationMs, FLAP_MS, (beginsAtMs, endsAtMs) => {
      const cut = halves(draws, nodes);
      const turnMs = draws.between(...FLAP_TURN_MS);
      let on = true;
      let applied = 0;
      let flapping: Promise<void> = Promise.resolve();
      return {
        beginsAtMs,
        endsAtMs,
        begins: `${cut.words}, for ${turnMs} ms, again and again`,
        ends: 'heal the partition',
        begin: async (arena) => {
          flapping = (async () => {
            while (on && !arena.signal.aborted) {
              applied += (await apply(arena, cut)) ? 1 : 0;
              await passing(turnMs);
              await mend(arena, cut);
              await passing(turnMs);
            }
          })();
          // It is awaited at the end: what failed is told there.
          flapping.catch(() => {});
        },
        end: async ({ tell }) => {
          on = false;
          await flapping;
          if (applied === 0) tell('no partition took effect');
        },
      };
    }),
});

function parting(shape: Shape): ChaosScript {
  const witness = new Witness('partition: no cut was seen to hold while both sides were at work');
  let turn = 0;
  return {
    lateEffectMs: 3000,
    check: async (arena) => witness.violations(arena),
    plan: (draws, nodes, durationMs) =>
      inTurns(draws, durationMs, APART_MS, (beginsAtMs, endsAtMs) => {
        const cut = shape(draws, nodes);
        let probe: CutProbe | null = null;
        return {
          beginsAtMs,
          endsAtMs,
          begins: cut.words,
          ends: 'heal the partition',
          begin: async (arena) => {
            const applied = await apply(arena, cut);
            if (arena.alone && applied && cut.groups !== undefined) probe = new CutProbe(arena, cut.groups, turn++);
            return applied;
          },
          end: async (arena) => {
            if (probe !== null) witness.note(await probe.look());
            await mend(arena, cut);
          },
        };
      }),
  };
}

/** Both ends of each pair lose what passes that way; a node that can not be told (killed or paused beside this) is passed over. */
function apply(arena: Arena, cut: Cut): Promise<boolean> {
  return tellBothEnds(arena, cut, '100');
}

async function mend(arena: Arena, cut: Cut): Promise<void> {
  await tellBothEnds(arena, cut, '0');
}

/** Whether any of the rules was taken. */
async function tellBothEnds(arena: Arena, { pairs }: Cut, percent: string): Promise<boolean> {
  const { cluster } = arena;
  let taken = 0;
  const address = (index: number): string => `127.0.0.1:${cluster.nodes[index].gossipPort}`;
  const running = cluster.running();
  await Promise.all(
    running.map(async (index) => {
      const rules = pairs.flatMap(([receiver, sender]) => [
        ...(receiver === index ? [['DROP', address(sender), 'IN', percent]] : []),
        ...(sender === index ? [['DROP', address(receiver), 'OUT', percent]] : []),
      ]);
      for (const rule of rules) taken += (await tellFault(arena, index, ...rule)) ? 1 : 0;
    }),
  );
  return taken > 0;
}

/** Nothing passes between the two groups, in either direction, from either side. */
export async function separate(
  cluster: TemporaryCluster,
  left: readonly number[],
  right: readonly number[],
): Promise<void> {
  await Promise.all([cutOff(cluster, left, right), cutOff(cluster, right, left)]);
}

export async function heal(cluster: TemporaryCluster): Promise<void> {
  await Promise.all(cluster.running().map((index) => cluster.ask(index, 'HEARSAY.FAULT', 'CLEAR')));
}

async function cutOff(cluster: TemporaryCluster, from: readonly number[], to: readonly number[]): Promise<void> {
  for (const index of from) {
    for (const other of to) {
      const peer = `127.0.0.1:${cluster.nodes[other].gossipPort}`;
      await cluster.ask(index, 'HEARSAY.FAULT', 'DROP', peer, 'BOTH', '100');
    }
  }
}

function across(receivers: readonly number[], senders: readonly number[]): [number, number][] {
  return receivers.flatMap((receiver) => senders.map((sender): [number, number] => [receiver, sender]));
}

function without(nodes: number, some: readonly number[]): number[] {
  return indexesTo(nodes).filter((index) => !some.includes(index));
}
