/** What the answer to a round of anti-entropy calls equal, and what it leaves in doubt, by a clock that is right and by one that is not. */
import { expect, it } from 'vitest';
import {
  FLAG_SYNCING,
  LEAVES_HEADER_BYTES,
  ROOT_BYTES,
  ROOTS_HEADER_BYTES,
  type RoundEnd,
  readEnd,
} from '../../../src/core/replication/anti-entropy-messages.js';
import type { FloorDesk } from '../../../src/core/replication/floor-desk.js';
import type { Floors } from '../../../src/core/replication/floors.js';
import { NEVER_FLUSHED } from '../../../src/core/replication/flush-mark.js';
import type { Foreign } from '../../../src/core/replication/foreign.js';
import { Frontiers } from '../../../src/core/replication/frontier.js';
import { HintRoom } from '../../../src/core/replication/hints.js';
import type { Ownership } from '../../../src/core/replication/ownership.js';
import { Peer, type Peers } from '../../../src/core/replication/peers.js';
import type { RepairQueues } from '../../../src/core/replication/repair-queues.js';
import { RoundAnswer } from '../../../src/core/replication/round-answer.js';
import type { Trie } from '../../../src/core/replication/trie.js';
import type { Store } from '../../../src/core/store/store.js';
import type { Wal } from '../../../src/core/wal/wal.js';

const SAME = 77;
const OTHER = 78;
const RING = 1;

/** Answers one who has seen the same, catches up, and whose floor is lower than the one here: what it is told, and how often leaf by leaf. */
function answer(asked: { sum: number; drifted: boolean }): { end: RoundEnd; compared: number } {
  const peer = new Peer('asker', 1024, new HintRoom(1024), 1);
  const ends: RoundEnd[] = [];
  const sendFrame = (_: Peer, __: number, body: Buffer) => {
    const end = body.length > LEAVES_HEADER_BYTES ? readEnd(body, 1) : null;
    if (end !== null) ends.push(end);
    return true;
  };
  const none = new Set<number>();
  const ownership = {
    ringHash: RING,
    owns: () => true,
    handedPartitions: none,
    unreadyPartitions: () => none,
    heldOf: () => none,
  };
  const store = { ...NEVER_FLUSHED, digest: () => 1000, digestLow: SAME, digestHigh: SAME, isLossy: () => false };
  const frontiers = new Frontiers(1);
  frontiers.begin(7);
  let compared = 0;
  const sendLeaves = () => {
    compared++;
  };
  const rounds = new RoundAnswer(
    store as unknown as Store,
    { lastBatch: 1, durableBatch: 1 } as unknown as Wal,
    ownership as unknown as Ownership,
    { sendFrame } as unknown as Peers,
    frontiers,
    { floor: new Float64Array([5_000]), drifted: asked.drifted } as unknown as Floors,
    { sayTo: () => {} } as unknown as FloorDesk,
    { holds: () => false } as unknown as Foreign,
    { sendLeaves } as unknown as Trie,
    { waitsFor: () => false } as unknown as RepairQueues,
    { partitions: 1 },
  );
  const body = Buffer.alloc(ROOTS_HEADER_BYTES + ROOT_BYTES);
  body.writeUInt32LE(RING, 0);
  body.writeUInt16LE(1, 20);
  body[ROOTS_HEADER_BYTES + 2] = FLAG_SYNCING;
  body.writeUInt32LE(asked.sum, ROOTS_HEADER_BYTES + 4);
  body.writeUInt32LE(asked.sum, ROOTS_HEADER_BYTES + 8);
  const vector = frontiers.of(0);
  vector.hash(0);
  body.writeUInt32LE(vector.hashLow, ROOTS_HEADER_BYTES + 12);
  body.writeUInt32LE(vector.hashHigh, ROOTS_HEADER_BYTES + 16);
  rounds.roots(peer, body, 60_000);
  expect(ends.length).toBe(1);
  return { end: ends[0], compared };
}

it('what two hold alike is equal by a wrong clock, too: who waits for that to be ready would wait for as long as the clock is wrong', () => {
  for (const drifted of [false, true]) {
    const { end, compared } = answer({ sum: SAME, drifted });
    expect([end.doubted.size, end.differing.size, compared]).toEqual([0, 0, 0]);
  }
});

it('what two hold otherwise is in doubt, and looked at leaf by leaf only by a clock that is right', () => {
  const right = answer({ sum: OTHER, drifted: false });
  expect([...right.end.doubted, right.compared]).toEqual([0, 1]);
  const wrong = answer({ sum: OTHER, drifted: true });
  expect([...wrong.end.doubted, wrong.compared]).toEqual([0, 0]);
});
