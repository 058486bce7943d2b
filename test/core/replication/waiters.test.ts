import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Caller, Deferred, WaitWish } from '../../../src/core/commands/host.js';
import { ALL_PARTITIONS, WriteMark, WriteMarks } from '../../../src/core/commands/write-marks.js';
import { HintRoom } from '../../../src/core/replication/hints.js';
import { Peer } from '../../../src/core/replication/peers.js';
import { Reach } from '../../../src/core/replication/reach.js';
import { ASKED_MS_MAX, Waiters } from '../../../src/core/replication/waiters.js';
import { Reply } from '../../../src/core/resp/reply.js';

const PARTITIONS = 256;
const ME = 1;
const OTHER = 2;

/** The waiters of a node with two peers that own every partition and hold what a test has them hold. */
class Desk {
  readonly peers = ['b', 'c'].map((id) => new Peer(id, 1e6, new HintRoom(1e6), PARTITIONS));
  /** Partitions that nobody but this node has. */
  readonly lacking = new Set<number>();
  /** How often a peer was looked at for one partition. */
  steps = 0;
  progress = 0;
  /** The log here. */
  isDurable = true;
  readonly asked: { wish: WaitWish; caller: Caller }[] = [];
  readonly reach: Reach;
  readonly waiters: Waiters;

  constructor() {
    for (const peer of this.peers) peer.state = 'alive';
    const isSource = (_: Peer, partition: number): boolean => {
      this.steps++;
      return !this.lacking.has(partition);
    };
    const routes = { otherOwners: () => this.peers, isSource, owns: () => true, handedPartitions: new Set<number>() };
    this.reach = new Reach(routes, { all: () => this.peers }, { writes: 1_000 }, { partitions: PARTITIONS });
    const desk = this;
    this.waiters = new Waiters(
      {
        actor: ME,
        lastBatch: 1,
        isDurable: () => this.isDurable,
        get progress() {
          return desk.progress;
        },
      },
      { forwardWait: (_, __, wish, caller) => this.asked.push({ wish, caller }) > 0 },
      { withActor: (actor) => (actor === OTHER ? this.peers[0] : undefined) },
      this.reach,
      { replicas: 3, operationTimeoutMs: 1_000 },
    );
  }

  /** What the node asked last says. */
  answers(text: string): void {
    const { caller } = this.asked[this.asked.length - 1];
    const bytes = Buffer.from(text, 'latin1');
    caller.reply.raw(bytes, 0, bytes.length);
    caller.defer().done();
  }
}

/** A connection that has written through a coordinator into partitions. */
function connection(coordinator: number, partitions: readonly number[]) {
  const wrote = new WriteMarks();
  for (const [at, partition] of partitions.entries()) wrote.note(coordinator, at + 1, partition);
  const reply = new Reply(2, null);
  const state = { gone: false, said: () => reply.buffer.latin1Slice(0, reply.length) };
  const deferred: Deferred = { reply, done: () => undefined };
  const caller = { reply, wrote, defer: () => deferred } as unknown as Caller;
  Object.defineProperty(caller, 'gone', { get: () => state.gone });
  return { caller, state };
}

const FOR_EVER: WaitWish = { durable: false, local: 0, peers: 2, timeoutMs: 0 };

describe('a WAIT for what another node coordinated', () => {
  it('is asked for a bounded time, and again while the caller waits, until there are enough', () => {
    const desk = new Desk();
    const { caller, state } = connection(OTHER, [3]);
    desk.waiters.wait(FOR_EVER, caller, 0);
    expect(desk.asked.map(({ wish }) => wish.timeoutMs)).toEqual([ASKED_MS_MAX]);
    desk.answers('*2\r\n:1\r\n:1\r\n');
    desk.waiters.settle(ASKED_MS_MAX, false);
    expect(desk.asked.length).toBe(1);
    desk.waiters.settle(ASKED_MS_MAX, true);
    expect(desk.asked.length).toBe(2);
    desk.waiters.settle(ASKED_MS_MAX + 1, true);
    expect([desk.asked.length, state.said()]).toEqual([2, '']);
    desk.answers('*2\r\n:1\r\n:2\r\n');
    desk.waiters.settle(ASKED_MS_MAX + 2, false);
    expect([desk.waiters.size, state.said()]).toEqual([0, ':2\r\n']);
  });

  it('is asked for no longer than the caller waits, and answered with what was said last', () => {
    const desk = new Desk();
    const { caller, state } = connection(OTHER, [3]);
    desk.waiters.wait({ ...FOR_EVER, timeoutMs: ASKED_MS_MAX + 500 }, caller, 0);
    desk.answers('*2\r\n:1\r\n:0\r\n');
    desk.waiters.settle(ASKED_MS_MAX, true);
    expect(desk.asked[1].wish.timeoutMs).toBe(500);
    desk.answers('*2\r\n:1\r\n:1\r\n');
    desk.waiters.settle(ASKED_MS_MAX + 500, true);
    expect([desk.asked.length, state.said()]).toEqual([2, ':1\r\n']);
  });

  it('is not asked again when the answer was an error, or the caller has gone', () => {
    const desk = new Desk();
    const refused = connection(OTHER, [3]);
    desk.waiters.wait(FOR_EVER, refused.caller, 0);
    desk.answers('-UNAVAILABLE it can not be reached\r\n');
    const gone = connection(OTHER, [3]);
    desk.waiters.wait(FOR_EVER, gone.caller, 0);
    gone.state.gone = true;
    desk.answers('*2\r\n:1\r\n:1\r\n');
    desk.waiters.settle(10, true);
    expect([desk.asked.length, desk.waiters.size, refused.state.said()]).toEqual([2, 0, ':0\r\n']);
  });

  it('stays no longer than that at the node that is asked, whatever it is asked for', () => {
    const desk = new Desk();
    desk.lacking.add(3);
    const asker = connection(ME, []);
    desk.waiters.waitFor(new WriteMark(ME, 1, 3), FOR_EVER, asker.caller, 0);
    desk.waiters.settle(ASKED_MS_MAX - 1, true);
    expect(asker.state.said()).toBe('');
    desk.waiters.settle(ASKED_MS_MAX, true);
    expect(asker.state.said()).toBe('*2\r\n:1\r\n:0\r\n');
  });
});

describe('what waiters cost', () => {
  it('is a look at the owners of one partition each, however many they wrote into', () => {
    const desk = new Desk();
    const wide = Array.from({ length: PARTITIONS }, (_, partition) => partition);
    desk.lacking.add(200);
    for (let client = 0; client < 100; client++) desk.waiters.wait(FOR_EVER, connection(ME, wide).caller, 0);
    desk.waiters.settle(1, true);
    desk.steps = 0;
    desk.waiters.settle(2, true);
    expect(desk.steps).toBe(100);
    desk.lacking.clear();
    desk.progress++;
    desk.waiters.settle(3, false);
    expect(desk.waiters.size).toBe(0);
  });

  it('is less often paid the more there are: acknowledgements alone settle them after a while', () => {
    const desk = new Desk();
    desk.lacking.add(3);
    for (let client = 0; client < 1_000; client++) desk.waiters.wait(FOR_EVER, connection(ME, [3]).caller, 0);
    desk.waiters.settle(0, true);
    desk.steps = 0;
    for (const nowMs of [0, 1]) {
      desk.progress++;
      desk.waiters.settle(nowMs, false);
    }
    expect(desk.steps).toBe(0);
    desk.lacking.clear();
    desk.waiters.settle(2, false);
    expect(desk.waiters.size).toBe(0);
  });
});

describe('the partition that lacks peers', () => {
  it('is found wherever the search begins, and none is when the figure is enough', () => {
    const partitions = fc.uniqueArray(fc.nat(PARTITIONS - 1), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(partitions, partitions, fc.nat(PARTITIONS), fc.boolean(), (written, lacking, from, all) => {
        const desk = new Desk();
        for (const partition of lacking) desk.lacking.add(partition);
        const mark = new WriteMark(ME, 1, written[0]);
        for (const partition of written) mark.note(1, partition);
        if (all) mark.note(1, ALL_PARTITIONS);
        const found = desk.reach.lacking(mark, false, 1, from);
        expect(found >= 0).toBe(desk.reach.peersWith(mark, false) < 1);
        if (found < 0) return;
        expect(desk.lacking.has(found) && (all || written.includes(found))).toBe(true);
      }),
    );
  });
});

describe('a peer that has begun anew', () => {
  it('counts for what was written before when it has shown that it has it, and on disk when the batch that it named is durable', () => {
    const desk = new Desk();
    const [peer] = desk.peers;
    const mark = new WriteMark(ME, 5, 3);
    const figures = () => [false, true].map((durable) => desk.reach.peersWith(mark, durable));
    expect(figures()).toEqual([2, 2]);
    peer.formerLife.ended(5, 100);
    expect(figures()).toEqual([1, 1]);
    peer.formerLife.shown(3, 100);
    expect(figures()).toEqual([2, 1]);
    peer.formerLife.named(9);
    peer.link.durable.durable(8);
    expect(figures()).toEqual([2, 1]);
    peer.link.durable.durable(9);
    expect(figures()).toEqual([2, 2]);
  });

  it('counts at once for what was written since, and for nothing', () => {
    const desk = new Desk();
    desk.peers[0].formerLife.ended(5, 100);
    for (const mark of [new WriteMark(ME, 6, 3), new WriteMark(ME, 0, ALL_PARTITIONS)]) {
      expect(desk.reach.peersWith(mark, true)).toBe(2);
    }
  });
});

describe('a WAITAOF that found everything on all disks', () => {
  it('is the last one that asks about those writes; one that did not ask for the log here is not', () => {
    for (const [local, marksLeft] of [
      [1, [7]],
      [0, [3, 7]],
    ] as const) {
      const desk = new Desk();
      desk.isDurable = local === 1;
      const { caller } = connection(ME, [3]);
      desk.waiters.wait({ durable: true, local, peers: 2, timeoutMs: 0 }, caller, 0);
      caller.wrote.note(ME, 2, 7);
      expect(caller.wrote.all().flatMap((mark) => mark.partitions())).toEqual(marksLeft);
    }
  });
});

describe('a mark of writes', () => {
  it('names the partitions that were written into, in order', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(600), { minLength: 1, maxLength: 40 }), (written) => {
        const mark = new WriteMark(ME, 1, written[0]);
        for (const partition of written) mark.note(1, partition);
        expect(mark.partitions()).toEqual([...new Set(written)].sort((left, right) => left - right));
      }),
    );
  });
});
