import { expect, it } from 'vitest';
import { Random } from '../../../src/core/base/random.js';
import type { CatchUp } from '../../../src/core/replication/catch-up.js';
import type { Fetches } from '../../../src/core/replication/fetches.js';
import type { Floors } from '../../../src/core/replication/floors.js';
import { HintRoom } from '../../../src/core/replication/hints.js';
import type { Ownership } from '../../../src/core/replication/ownership.js';
import { Peer, type Peers } from '../../../src/core/replication/peers.js';
import type { RepairQueues } from '../../../src/core/replication/repair-queues.js';
import { RoundChoice } from '../../../src/core/replication/round-choice.js';

const SOURCES = 100;

it('comes to each of many sources before it comes to any of them again', () => {
  const sources = Array.from({ length: SOURCES }, (_unused, index) =>
    Object.assign(new Peer(`source-${index}`, 1024, new HintRoom(1024), 1), { state: 'alive', connected: true }),
  );
  const choice = new RoundChoice(
    { unready: 1, owns: () => true, isReady: () => false, isSource: () => true } as unknown as Ownership,
    { all: () => sources } as unknown as Peers,
    { size: 1, isPulling: () => false } as unknown as CatchUp,
    { counts: () => true, hasHad: () => false, isEnough: () => false } as unknown as Fetches,
    { floor: new Float64Array(1) } as unknown as Floors,
    { waitsFor: () => false } as unknown as RepairQueues,
    { partitions: 1, intervalMs: 1_000, random: new Random(1, 1) },
  );
  for (let lap = 0; lap < 3; lap++) {
    const asked = new Set<Peer>();
    for (let step = 0; step < SOURCES; step++) {
      const nowMs = 500 * (lap * SOURCES + step);
      const peer = choice.choose(nowMs);
      if (peer === null) continue;
      peer.roundAtMs = nowMs;
      asked.add(peer);
    }
    expect(asked.size).toBe(SOURCES);
  }
});
