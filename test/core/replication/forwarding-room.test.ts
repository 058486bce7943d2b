/** Forwarded commands and what may wait for one node: however they move from owner to owner, no node is waited for by more. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HybridClock } from '../../../src/core/base/hlc.js';
import { Random } from '../../../src/core/base/random.js';
import { type Command, READ, WRITE } from '../../../src/core/commands/command.js';
import type { Caller } from '../../../src/core/commands/host.js';
import { Receipt } from '../../../src/core/commands/receipt.js';
import { CallerOrder } from '../../../src/core/replication/caller-order.js';
import { Forwarding } from '../../../src/core/replication/forwarding.js';
import { HedgeBudget } from '../../../src/core/replication/hedges.js';
import { HintRoom } from '../../../src/core/replication/hints.js';
import type { Ownership } from '../../../src/core/replication/ownership.js';
import { Peer, type Peers } from '../../../src/core/replication/peers.js';
import { Pending } from '../../../src/core/replication/pending.js';
import { encodeNothingDone, STATUS_REFUSED, STATUS_RING_DIFFERS } from '../../../src/core/replication/requests.js';
import { Args } from '../../../src/core/resp/args.js';
import { Reply } from '../../../src/core/resp/reply.js';

const TIMEOUT_MS = 1000;
/** Of one peer. */
const COUNT_MAX = 3;
const set = { name: 'set', flags: WRITE, firstKey: 1 } as Command;
const get = { name: 'get', flags: READ, firstKey: 1 } as Command;

class Bench {
  readonly room = new Pending();
  readonly budget = new HedgeBudget();
  readonly sent: { to: Peer; id: number }[] = [];
  readonly forwarding: Forwarding;
  private readonly peers = ['b', 'c', 'd'].map(
    (id) => new Peer(id, 1024, new HintRoom(1024), 1, new Pending(COUNT_MAX)),
  );
  private readonly owners = new Set(this.peers);

  constructor() {
    for (const peer of this.peers) peer.state = 'alive';
    const peers = {
      sendFrame: (to: Peer, _kind: number, body: Buffer) => this.sent.push({ to, id: body.readUInt32LE(0) }) > 0,
    };
    const ownership = {
      ringHash: 1,
      otherOwners: () => [...this.owners],
      otherOwner: (_partition: number, avoid: ReadonlySet<string> | null) =>
        [...this.owners].find(({ id }) => !avoid?.has(id)),
    };
    this.forwarding = new Forwarding(
      peers as unknown as Peers,
      ownership as unknown as Ownership,
      new HybridClock(0, 500),
      new CallerOrder(),
      this.budget,
      this.room,
      { operationTimeoutMs: TIMEOUT_MS },
      new Random(1, 1),
    );
  }

  peer(index: number): Peer {
    return this.peers[index];
  }

  get waiting(): number[] {
    return this.peers.map(({ pending }) => pending.waiting);
  }

  owns(index: number, does: boolean): void {
    if (does) this.owners.add(this.peers[index]);
    else this.owners.delete(this.peers[index]);
  }

  /** Its reply, as far as it has come. */
  forward(index: number, command: Command): () => string {
    const reply = new Reply(2, null);
    const deferred = { reply, done: () => {} };
    const caller = {
      origin: {},
      readLevel: 'one',
      writeLevel: 'one',
      protocol: 2,
      strict: false,
      session: null,
      receipt: new Receipt(),
      reply,
      defer: () => deferred,
    };
    this.forwarding.forward(
      this.peers[index],
      0,
      command,
      Args.of('SET', 'k', 'v'),
      caller as unknown as Caller,
      0,
      false,
    );
    return () => reply.buffer.latin1Slice(0, reply.length).trim();
  }

  nothingDone(at: number, status: typeof STATUS_REFUSED | typeof STATUS_RING_DIFFERS): void {
    const { to, id } = this.sent[at];
    this.forwarding.answered(to, id, status, encodeNothingDone(id, status, 1));
  }

  passTo(nowMs: number): void {
    this.forwarding.nowMs = nowMs;
    this.forwarding.tick();
    this.forwarding.hedge();
  }
}

describe('what waits for a node', () => {
  it('does not grow past its bound when the owner of others is lost: they are told at once', () => {
    const bench = new Bench();
    bench.owns(2, false);
    const replies = [1, 1, 0, 0].map((index) => bench.forward(index, get));
    bench.forwarding.peerLost(bench.peer(0));
    expect(bench.waiting).toEqual([0, COUNT_MAX, 0]);
    expect(replies.map((reply) => reply())).toEqual([
      '',
      '',
      '',
      expect.stringMatching(/^-BUSY 3 operations wait for c,/),
    ]);
    expect(bench.peer(1).pending.refused).toBe(1);
  });

  it('counts what is asked of it besides a late owner', () => {
    const bench = new Bench();
    for (let reads = 0; reads < 40; reads++) bench.budget.earn();
    bench.forward(0, get);
    bench.passTo(TIMEOUT_MS / 4);
    expect(bench.waiting).toEqual([1, 1, 0]);
    bench.forwarding.peerLost(bench.peer(0));
    expect(bench.waiting).toEqual([0, 1, 0]);
    bench.passTo(TIMEOUT_MS / 2);
    bench.passTo(TIMEOUT_MS);
    expect([bench.forwarding.size, ...bench.waiting]).toEqual([0, 0, 0, 0]);
  });

  it('is not added to for the sake of a late owner where as much waits as may', () => {
    const asked = (before: number): string[] => {
      const bench = new Bench();
      for (let reads = 0; reads < 40; reads++) bench.budget.earn();
      for (let writes = 0; writes < before; writes++) bench.forward(1, set);
      bench.forward(0, get);
      bench.passTo(TIMEOUT_MS / 4);
      return bench.sent.slice(before).map(({ to }) => to.id);
    };
    expect(asked(COUNT_MAX - 1)).toEqual(['b', 'c']);
    expect(asked(COUNT_MAX)).toEqual(['b']);
  });

  it('does not grow past its bound by a write that another owner of the new ring is to have', () => {
    const bench = new Bench();
    for (let writes = 0; writes < COUNT_MAX; writes++) bench.forward(1, set);
    const reply = bench.forward(0, set);
    bench.owns(0, false);
    bench.nothingDone(COUNT_MAX, STATUS_RING_DIFFERS);
    bench.passTo(100);
    expect(reply()).toMatch(/^-BUSY 3 operations wait for c, and no more may; nothing was done/);
    expect(bench.waiting).toEqual([0, COUNT_MAX, 0]);
  });

  it('is within its bound at all times and nothing in the end, whatever becomes of the owners', () => {
    const step = fc.record({ what: fc.nat(6), peer: fc.nat(2), at: fc.nat(200) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const bench = new Bench();
        let nowMs = 0;
        for (const { what, peer, at } of steps) {
          bench.budget.earn();
          if (what < 2) bench.forward(peer, what === 0 ? get : set);
          else if (what === 2) bench.forwarding.peerLost(bench.peer(peer));
          else if (what === 3) bench.owns(peer, at % 3 > 0);
          else if (what === 4) {
            nowMs += at * 2;
            bench.passTo(nowMs);
          } else if (bench.sent.length > 0) {
            bench.nothingDone(at % bench.sent.length, what === 5 ? STATUS_REFUSED : STATUS_RING_DIFFERS);
          }
          for (const waiting of bench.waiting) expect(waiting).toBeLessThanOrEqual(COUNT_MAX);
          expect(bench.room.waiting).toBe(bench.forwarding.size);
        }
        for (const later of [2, 4]) bench.passTo(nowMs + later * TIMEOUT_MS);
        expect([bench.forwarding.size, bench.room.bytes, ...bench.waiting]).toEqual([0, 0, 0, 0, 0]);
      }),
    );
  });
});
