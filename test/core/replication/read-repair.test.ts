/** When a read must not answer with what stands here, because an owner knows better and that could not be taken in. */
import { expect, it } from 'vitest';
import type { FloorDesk } from '../../../src/core/replication/floor-desk.js';
import type { Floors } from '../../../src/core/replication/floors.js';
import { type FlushMark, NEVER_FLUSHED } from '../../../src/core/replication/flush-mark.js';
import type { Gathering, Vote } from '../../../src/core/replication/gathering.js';
import { HintRoom } from '../../../src/core/replication/hints.js';
import { Peer } from '../../../src/core/replication/peers.js';
import { ReadRepair } from '../../../src/core/replication/read-repair.js';
import type { Replicator } from '../../../src/core/replication/replicator.js';
import { NO_VERSION, type Version } from '../../../src/core/replication/requests.js';
import type { Store } from '../../../src/core/store/store.js';

/** Whether a node that knows of `known` holds back `mine` when an owner that has nothing of the key knows of `flushed`. */
function holdsBack(mine: Version, flushed: FlushMark, known: FlushMark = NEVER_FLUSHED): boolean {
  const floors = { floor: [0], forgottenBelow: () => 0 } as unknown as Floors;
  const store = known as unknown as Store;
  const repair = new ReadRepair(store, {} as unknown as Replicator, {} as unknown as FloorDesk, floors);
  const said = { version: NO_VERSION, type: 0, absentBelow: 0, covers: 0 } as const;
  const vote: Vote = { ...said, flushed, definite: true, isBehind: false, isTorn: false, newer: false, adopted: false };
  const asked = new Map([[new Peer('other', 1, new HintRoom(1), 1), { sentAtMs: 0, vote }]]);
  return repair.isBehind({ partition: 0, asked } as unknown as Gathering, mine);
}

it('what may be covered by a flush that an owner knows, and that could not be taken in here, is no answer', () => {
  const flushed = { flushedHlc: 50, flushedActor: 3 };
  expect(holdsBack({ ...NO_VERSION, hlc: 40 }, flushed)).toBe(true);
  expect(holdsBack({ ...NO_VERSION, hlc: 60, merges: true }, flushed)).toBe(true);
  // It was written since, there is nothing, or the flush is known here: what stands is what the flush left.
  expect(holdsBack({ ...NO_VERSION, hlc: 60 }, flushed)).toBe(false);
  expect(holdsBack(NO_VERSION, flushed)).toBe(false);
  expect(holdsBack({ ...NO_VERSION, hlc: 40 }, flushed, flushed)).toBe(false);
});
