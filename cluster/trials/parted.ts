/**
 * Two sides of a cluster that hear nothing of each other, for trials of partitions: who is on which side, and the wait until each side
 * knows that the other is gone.
 */
import { heal, separate } from '../chaos/partition.js';
import { recordOf } from '../probe.js';
import type { Status } from '../temporary.js';
import type { Stage } from './stage.js';

export interface Sides {
  readonly left: readonly number[];
  readonly right: readonly number[];
}

/** Parts nodes 1 to `count` from the others. */
export async function part(stage: Stage, count: number): Promise<Sides> {
  const running = stage.cluster.running();
  const sides = { left: running.slice(0, count), right: running.slice(count) };
  await separate(stage.cluster, sides.left, sides.right);
  return sides;
}

/** Waits until every node counts its own side alone, and is in doubt of nobody. */
export async function untilApart(stage: Stage, { left, right }: Sides): Promise<void> {
  await stage.cluster.until('each side misses the other', 60_000, async () => {
    const sizes = await Promise.all(
      [...left, ...right].map(async (index) => {
        const side = left.includes(index) ? left : right;
        const status = await stage.cluster.status(index);
        return Number(status.members_alive) === side.length && !suspectsAnybody(status);
      }),
    );
    return sizes.every(Boolean);
  });
}

/** While a member is suspected, commands may still be handed to it; a busy machine suspects for long. */
function suspectsAnybody({ members }: Status): boolean {
  return Array.isArray(members) && members.some((row) => recordOf(row)?.state === 'suspect');
}

export async function rejoin(stage: Stage): Promise<void> {
  await heal(stage.cluster);
}
