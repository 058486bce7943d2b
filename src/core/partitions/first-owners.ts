/**
 * Which owner of a partition comes first: placement.ts calls it once per ring with the owners of every partition, best
 * score first, and it moves one owner of each to the front, so that the first owners are spread over the members as evenly
 * as the owners allow. Guarded: it only reorders; and it starts from the best score, so that a change of the ring changes few.
 */

/** Excesses are differences of fractions: two that lie one apart, but for their rounding, are not worth a move, nor a move back. */
const ROUNDING = 1e-6;

/**
 * Puts the first owner at the front of each list. `shares` is each member's even part of all partitions. Overfull members
 * pass first places on along the shortest chain of shared partitions to one that has fewer, until no chain improves.
 */
export function firstOwners(owners: number[][], shares: readonly number[]): void {
  const led: Set<number>[] = shares.map(() => new Set());
  for (let partition = 0; partition < owners.length; partition++) {
    if (owners[partition].length > 0) led[owners[partition][0]].add(partition);
  }
  const excess = (member: number) => led[member].size - shares[member];
  const settled = new Set<number>();
  while (settled.size < shares.length) {
    let fullest = -1;
    for (let member = 0; member < shares.length; member++) {
      if (!settled.has(member) && (fullest === -1 || excess(member) > excess(fullest))) fullest = member;
    }
    const chain = shortestChain(owners, led, fullest, (member) => excess(member) < excess(fullest) - 1 - ROUNDING);
    if (chain === null) {
      settled.add(fullest);
      continue;
    }
    settled.clear();
    for (const { partition, from, to } of chain) {
      led[from].delete(partition);
      led[to].add(partition);
      const list = owners[partition];
      list.splice(list.indexOf(to), 1);
      list.unshift(to);
    }
  }
}

interface Step {
  partition: number;
  from: number;
  to: number;
}

/** Breadth first from `start` over "leads a partition that the other owns too", to a member that `isGoal` accepts. */
function shortestChain(
  owners: number[][],
  led: Set<number>[],
  start: number,
  isGoal: (member: number) => boolean,
): Step[] | null {
  const reachedBy = new Map<number, Step | null>([[start, null]]);
  const queue = [start];
  for (let at = 0; at < queue.length; at++) {
    const from = queue[at];
    for (const partition of led[from]) {
      for (const to of owners[partition]) {
        if (reachedBy.has(to)) continue;
        reachedBy.set(to, { partition, from, to });
        if (isGoal(to)) return chainTo(reachedBy, to);
        queue.push(to);
      }
    }
  }
  return null;
}

function chainTo(reachedBy: Map<number, Step | null>, goal: number): Step[] {
  const chain: Step[] = [];
  for (let step = reachedBy.get(goal); step; step = reachedBy.get(step.from)) chain.push(step);
  return chain;
}
