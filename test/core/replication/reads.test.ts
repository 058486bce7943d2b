/** Reads above level one, owner by owner: which answers are enough, and that they are enough for those who count when it ends. */
import { describe, expect, it } from 'vitest';
import { HybridClock } from '../../../src/core/base/hlc.js';
import { Random } from '../../../src/core/base/random.js';
import { type Command, READ } from '../../../src/core/commands/command.js';
import type { Caller, CommandHost } from '../../../src/core/commands/host.js';
import { Receipt } from '../../../src/core/commands/receipt.js';
import { CallerOrder } from '../../../src/core/replication/caller-order.js';
import type { Coordinator } from '../../../src/core/replication/coordinator.js';
import { NEVER_FLUSHED } from '../../../src/core/replication/flush-mark.js';
import { tally } from '../../../src/core/replication/gathering.js';
import { HedgeBudget } from '../../../src/core/replication/hedges.js';
import { HintRoom } from '../../../src/core/replication/hints.js';
import type { VersionAnswer } from '../../../src/core/replication/key-requests.js';
import type { Ownership } from '../../../src/core/replication/ownership.js';
import { Peer, type Peers } from '../../../src/core/replication/peers.js';
import { Pending } from '../../../src/core/replication/pending.js';
import type { ReadRepair } from '../../../src/core/replication/read-repair.js';
import { QuorumReads } from '../../../src/core/replication/reads.js';
import { NO_VERSION, STATUS_BEHIND, STATUS_OLDER, STATUS_UNKNOWN } from '../../../src/core/replication/requests.js';
import type { SessionCover } from '../../../src/core/replication/session-cover.js';
import { Args } from '../../../src/core/resp/args.js';
import { Reply } from '../../../src/core/resp/reply.js';
import type { Store } from '../../../src/core/store/store.js';

const PARTITION = 0;
const host = {} as CommandHost;
const get = { name: 'get', flags: READ, firstKey: 1 } as Command;
const ANSWER: VersionAnswer = {
  version: NO_VERSION,
  type: 0,
  floor: 0,
  flushed: NEVER_FLUSHED,
  covers: 0,
  isTorn: false,
};

/** A node that owns the partition, and what it reads: `owners` and `formers` are the others, as it knows them at the moment. */
class Reader {
  readonly peers = new Map<string, Peer>();
  /** The id of the question that each was asked last. */
  readonly asked = new Map<string, number>();
  /** Who said so. */
  readonly catchingUp = new Set<string>();
  readonly reply = new Reply(2, null);
  readonly receipt = new Receipt();
  readonly reads: QuorumReads;
  private owners: string[] = [];
  private formers: Peer[] = [];
  private former: string[] = [];
  private placement = {};

  constructor(
    private readonly found: boolean,
    private readonly isReady = true,
    private readonly isPartial = false,
    private readonly isTorn = false,
  ) {
    const ownership = {
      ringHash: 1,
      owns: () => true,
      isReady: () => this.isReady,
      isPartial: () => !this.isReady && this.isPartial,
      mayLackTail: () => this.isTorn,
      ownerCount: () => this.owners.length + 1,
      otherOwners: () => this.owners.map((name) => this.peer(name)),
      formers: () => this.formers,
      isCatchingUp: (peer: Peer) => this.catchingUp.has(peer.id),
      // Those of the ring before, too: this node may be catching up.
      sources: () => [...new Set([...this.owners, ...this.former])].map((name) => this.peer(name)),
    };
    Object.defineProperty(ownership, 'placement', { get: () => this.placement });
    const peers = {
      sendFrame: (peer: Peer, _kind: number, body: Buffer) => {
        this.asked.set(peer.id, body.readUInt32LE(0));
        return true;
      },
    };
    const repair = {
      held: () => (this.found ? { version: { ...NO_VERSION, hlc: 1 }, type: 1 } : null),
      heedAbsence: () => {},
      isBehind: () => false,
      mend: () => {},
    };
    this.reads = new QuorumReads(
      { isLossy: () => false } as unknown as Store,
      ownership as unknown as Ownership,
      peers as unknown as Peers,
      repair as unknown as ReadRepair,
      new HybridClock(0, 500),
      new CallerOrder(),
      new HedgeBudget(),
      new Pending(),
      {} as SessionCover,
      { selfId: 'self', replicas: 3, partitions: 1, operationTimeoutMs: 1000 },
      new Random(1, 1),
    );
    const coordinator = { runHere: () => {}, finishPlaced: () => this.reply.ok() };
    this.reads.attach(coordinator as unknown as Coordinator);
  }

  /** The ring is another from now on; `former`: who owned the partition before, and counts if `counts`. */
  goBy(owners: string[], former: string[] = [], counts = true): void {
    this.owners = owners;
    this.former = former;
    this.formers = counts ? former.filter((name) => !owners.includes(name)).map((name) => this.peer(name)) : [];
    this.placement = {};
  }

  read(readLevel: Caller['readLevel'] = 'quorum'): void {
    const { reply, receipt } = this;
    const deferred = { reply, done: () => {} };
    const caller = { origin: this, readLevel, protocol: 2, session: null, receipt, reply, defer: () => deferred };
    this.reads.begin(host, PARTITION, get, Args.of('GET', 'k'), caller as unknown as Caller, null);
  }

  answer(name: string, status: number, id = this.asked.get(name) ?? 0, isTorn = false): void {
    this.reads.answered(host, this.peer(name), id, status, { ...ANSWER, isTorn }, false);
  }

  tick(): void {
    this.reads.nowMs += 100;
    this.reads.tick(host);
  }

  /** `+OK`, the error, or nothing yet. */
  get text(): string {
    return this.reply.buffer.latin1Slice(0, this.reply.length).trim();
  }

  peer(name: string): Peer {
    let peer = this.peers.get(name);
    if (peer === undefined) {
      peer = new Peer(name, 1024, new HintRoom(1024), 1);
      this.peers.set(name, peer);
    }
    return peer;
  }
}

describe('a read at quorum', () => {
  it('begins anew when the ring changes while it waits: as many are wanted then as if it had begun then', () => {
    const reader = new Reader(true);
    reader.goBy(['B', 'C']);
    reader.read();
    const first = [...reader.asked.keys()];
    expect(first.length).toBe(1);
    reader.reads.ringDiffers(reader.peer(first[0]), reader.asked.get(first[0]) ?? 0);
    reader.goBy(['D', 'E'], ['B', 'C']);
    reader.tick();
    expect(reader.asked.has('D') && reader.asked.has('E')).toBe(true);
    reader.answer('D', STATUS_BEHIND);
    expect(reader.text).toBe('');
    reader.answer('E', STATUS_BEHIND);
    expect(reader.text).toBe('');
    for (const name of ['B', 'C']) if (reader.asked.has(name)) reader.answer(name, STATUS_OLDER);
    expect(reader.text).toBe('+OK');
    expect(reader.receipt.owners).toBeGreaterThanOrEqual(4);
    expect(reader.reads.stats.begunAnew).toBe(1);
  });

  it('takes no answer to what it asked before for one to what it asks now', () => {
    const reader = new Reader(true);
    reader.goBy(['B', 'C']);
    reader.read('all');
    const before = new Map(reader.asked);
    reader.goBy(['B', 'D'], ['B', 'C']);
    reader.tick();
    for (const [name, id] of before) reader.answer(name, STATUS_OLDER, id);
    expect(reader.text).toBe('');
    for (const name of ['B', 'C', 'D']) reader.answer(name, STATUS_OLDER);
    expect(reader.text).toBe('+OK');
  });

  it('counts nobody who owned the partition longer ago and has given it up', () => {
    const reader = new Reader(true, false);
    reader.goBy(['D', 'E'], ['B', 'C'], false);
    reader.read();
    expect(reader.asked.has('B') || reader.asked.has('C')).toBe(false);
    for (const name of [...reader.asked.keys()]) reader.answer(name, STATUS_OLDER);
    expect(reader.text).toBe('+OK');
  });

  it('takes an owner that is catching up and has nothing for no answer, itself neither', () => {
    const lagging = new Reader(true);
    lagging.goBy(['B', 'C']);
    lagging.read();
    for (let step = 0; step < 2; step++)
      for (const name of [...lagging.asked.keys()]) lagging.answer(name, STATUS_BEHIND);
    expect(lagging.text).toMatch(
      /^-NOQUORUM 1 of the 2 owners that this level asks for answered; 2 more are catching up/,
    );

    const restarted = new Reader(false, false);
    restarted.goBy(['B', 'C']);
    restarted.read();
    restarted.answer('B', STATUS_OLDER);
    expect(restarted.text).toBe('');
    restarted.answer('C', STATUS_UNKNOWN);
    // One vote, and one owner that has evicted: both have answered, and two are a quorum.
    expect(restarted.text).toBe('+OK');
    expect(restarted.receipt.owners).toBe(2);
  });

  it('counts no record of its own that may be older than what it had acknowledged', () => {
    for (const isPartial of [false, true]) {
      const restarted = new Reader(true, false, isPartial);
      restarted.goBy(['B', 'C']);
      restarted.read();
      restarted.answer([...restarted.asked.keys()][0], STATUS_OLDER);
      expect(restarted.text).toBe(isPartial ? '' : '+OK');
      if (isPartial) for (const name of ['B', 'C']) restarted.answer(name, STATUS_OLDER);
      expect(restarted.text).toBe('+OK');
    }
  });

  it('while it moves, counts no owner, old or new, that may have lost its tail: what was acknowledged may lie with the last one asked', () => {
    // Three owned it, and two of them have acknowledged a write; one of these lost it, and this node takes the place of the other.
    const newcomer = new Reader(false, false, true);
    newcomer.goBy(['B', 'C'], ['D']);
    newcomer.read();
    const [lost, spared] = [...newcomer.asked.keys()];
    newcomer.answer(lost, STATUS_BEHIND, newcomer.asked.get(lost), true);
    newcomer.answer(spared, STATUS_OLDER);
    expect(newcomer.text).toBe('');
    newcomer.answer([...newcomer.asked.keys()][2], STATUS_OLDER);
    // All who can be asked have answered, and three of them knew: this node's own word counts while the partition moves.
    expect(newcomer.text).toBe('+OK');

    const torn = new Reader(true, false, true, true);
    torn.goBy(['B', 'C'], ['D']);
    torn.read();
    const [first, second, third] = [...torn.asked.keys()];
    for (const name of [first, second]) torn.answer(name, STATUS_OLDER);
    expect(torn.text).toBe('');
    torn.answer(third, STATUS_OLDER);
    expect(torn.text).toBe('+OK');
  });

  it('asks one that is catching up last: where it has nothing it gives no vote', () => {
    for (const name of ['B', 'C', 'D']) {
      const reader = new Reader(true);
      reader.goBy(['B', 'C', 'D']);
      for (const other of ['B', 'C', 'D']) if (other !== name) reader.catchingUp.add(other);
      reader.read();
      expect([...reader.asked.keys()]).toEqual([name]);
      reader.answer(name, STATUS_OLDER);
      expect(reader.text).toBe('+OK');
    }
  });

  it('asks the next owner at once when one refuses', () => {
    const reader = new Reader(true);
    reader.goBy(['B', 'C']);
    reader.read();
    const [first] = [...reader.asked.keys()];
    reader.reads.refused(host, reader.peer(first), reader.asked.get(first) ?? 0);
    const second = first === 'B' ? 'C' : 'B';
    reader.answer(second, STATUS_OLDER);
    expect(reader.text).toBe('+OK');
  });

  it('waits for those that count since the ring has changed, and says at its time that they were too few', () => {
    const reader = new Reader(true);
    reader.goBy(['B', 'C']);
    reader.read();
    reader.goBy(['D'], ['B']);
    reader.tick();
    for (const name of ['B', 'D']) reader.answer(name, STATUS_OLDER);
    expect(reader.text).toBe('+OK');

    const alone = new Reader(true);
    alone.goBy(['B', 'C']);
    alone.read();
    alone.goBy([], []);
    alone.tick();
    expect(alone.text).toBe('');
    for (let step = 0; step < 11; step++) alone.tick();
    expect(alone.text).toMatch(/^-NOQUORUM 1 of the 2/);
  });
});

describe('the tally of a read', () => {
  const said = { version: NO_VERSION, type: 0, absentBelow: 0, flushed: NEVER_FLUSHED, covers: 0 } as const;
  const vote = { ...said, isTorn: false, newer: false, adopted: false };
  const legs = (...votes: [definite: boolean, isBehind: boolean][]) =>
    new Map(
      votes.map(([definite, isBehind], at) => [
        new Peer(`p${at}`, 1, new HintRoom(1), 1),
        { sentAtMs: 0, vote: { ...vote, definite, isBehind } },
      ]),
    );

  it('tells votes from answers, and answers from those that are none', () => {
    const asked = legs([true, false], [false, false], [false, true]);
    expect(tally(asked, null, false)).toEqual({ votes: 1, answers: 2, open: 0, behind: 1 });
    const own = { definite: false, isBehind: true, isTorn: false };
    expect(tally(asked, own, false)).toMatchObject({ votes: 1, answers: 2, behind: 2 });
    // Former owners are among those asked: whoever owns it now knows what it has acknowledged since.
    const ready = { definite: true, isBehind: false, isTorn: false };
    expect(tally(asked, ready, true)).toMatchObject({ votes: 4, answers: 4, behind: 0 });
  });

  it('has no vote of a copy that may lack its tail, moving or not, whatever it says and whoever has it', () => {
    for (const isMoving of [false, true]) {
      for (const isBehind of [false, true]) {
        const asked = legs([true, isBehind]);
        for (const leg of asked.values()) Object.assign(leg.vote, { isTorn: true });
        const own = { definite: true, isBehind, isTorn: true };
        expect(tally(asked, own, isMoving)).toEqual({ votes: 0, answers: 0, open: 0, behind: 2 });
      }
    }
  });
});
