import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/core/base/random.js';
import { Contacts, gossipPorts, parseContactPoint } from '../../../src/core/membership/contacts.js';
import { Health } from '../../../src/core/membership/health.js';
import { holdRecord, type MemberRecord, noteRoundTrip } from '../../../src/core/membership/member.js';
import type { ControlMessage } from '../../../src/core/membership/messages.js';
import { Outbox } from '../../../src/core/membership/outbox.js';
import type { MemberState } from '../../../src/core/membership/precedence.js';
import { Roster } from '../../../src/core/membership/roster.js';
import { Rumors } from '../../../src/core/membership/rumors.js';
import { Suspicions } from '../../../src/core/membership/suspicions.js';

let actors = 1;

function record(id: string, state: MemberState = 'alive', incarnation = 0): MemberRecord {
  const address = { host: '10.0.0.1', port: 17000, respPort: 7000 };
  return { id, actor: actors++, boot: 1, incarnation, state, ...address, zone: '', weight: 1, ageMs: 0 };
}

const about = (messages: ControlMessage[]) => messages.map((message) => `${(message[2] as unknown[])[0]}${message[1]}`);

describe('Rumors', () => {
  it('go out least transmitted first, and end with the retransmit budget', () => {
    const rumors = new Rumors(10);
    rumors.add(record('a'), '');
    rumors.add(record('b'), '');
    expect(about(rumors.take(1000, 3))).toEqual(['a', 'b']);
    rumors.add(record('c'), '');
    expect(about(rumors.take(1000, 3))).toEqual(['c', 'a', 'b']);
    expect(about(rumors.take(1000, 3))).toEqual(['c', 'a', 'b']);
    expect(about(rumors.take(1000, 3))).toEqual(['c']);
    expect(rumors.take(1000, 3)).toEqual([]);
    expect(rumors.size).toBe(0);
  });

  it('take only what fits, and serve the rest next', () => {
    const rumors = new Rumors(10);
    for (const id of ['a', 'b', 'c']) rumors.add(record(id), '');
    expect(rumors.take(10, 3)).toEqual([]);
    const first = about(rumors.take(350, 3));
    expect(first).toEqual(['a', 'b']);
    expect(about(rumors.take(350, 3))[0]).toBe('c');
  });

  it('make earlier standings of a member void, but keep suspicions by different accusers', () => {
    const rumors = new Rumors(10);
    rumors.add(record('a'), '');
    rumors.add(record('a', 'suspect'), 'x');
    rumors.add(record('a', 'suspect'), 'y');
    rumors.add(record('a', 'suspect'), 'y');
    expect(about(rumors.take(1000, 9))).toEqual(['ax', 'ay']);
    rumors.add(record('a', 'alive', 1), '');
    expect(about(rumors.take(1000, 9))).toEqual(['a']);
    expect(rumors.size).toBe(1);
  });

  it('are bounded: the most transmitted goes first, counted', () => {
    const rumors = new Rumors(2);
    rumors.add(record('a'), '');
    rumors.take(1000, 9);
    rumors.add(record('b'), '');
    rumors.add(record('c'), '');
    expect(rumors.dropped).toBe(1);
    expect(about(rumors.take(1000, 9))).toEqual(['b', 'c']);
  });
});

describe('a datagram that a rumor rides on already', () => {
  it('is not given it again, and does not count it as transmitted', () => {
    const rumors = new Rumors(10);
    rumors.add(record('a'), '');
    const riding = rumors.take(1000, 2);
    rumors.add(record('b'), '');
    expect(about(rumors.take(1000, 2, riding))).toEqual(['b']);
    expect(rumors.size).toBe(2);
    expect(about(rumors.take(1000, 2))).toEqual(['a', 'b']);
    expect(rumors.size).toBe(0);
  });
});

describe('Roster', () => {
  const rosterOf = (max: number) => new Roster(holdRecord(record('self'), 0), max);

  it('counts, sorts and finds by actor', () => {
    const roster = rosterOf(9);
    const [b, a] = [record('b', 'suspect'), record('a', 'dead')].map((one) => holdRecord(one, 0));
    roster.add(b);
    roster.add(a);
    expect(roster.members().map(({ id }) => id)).toEqual(['a', 'b', 'self']);
    expect(roster.members()).toBe(roster.members());
    expect([roster.aliveCount, roster.liveCount, roster.size]).toEqual([1, 2, 3]);
    const prior = b.actor;
    b.actor = 999_999;
    roster.changed(b, prior);
    expect(roster.byActor(prior)).toBeUndefined();
    expect(roster.byActor(999_999)).toBe(b);
  });

  it('keeps all by id and counts them, whoever comes, goes and changes', () => {
    const step = fc.record({
      id: fc.integer({ min: 0, max: 30 }),
      state: fc.constantFrom<MemberState>('alive', 'suspect', 'dead'),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const roster = rosterOf(12);
        for (const [at, { id, state }] of steps.entries()) {
          const held = roster.get(`m${id}`);
          if (held === undefined) roster.add(holdRecord(record(`m${id}`, state), at));
          else {
            Object.assign(held, { state, stateSinceMs: at });
            roster.changed(held, held.actor);
          }
          if (at % 20 === 19) roster.expire(at, 10);
          const members = roster.members();
          expect(members.map((member) => member.id)).toEqual(members.map((member) => member.id).sort());
          expect(members).toHaveLength(roster.size);
          for (const member of members) expect(roster.get(member.id)).toBe(member);
          expect(roster.aliveCount).toBe(members.filter((member) => member.state === 'alive').length);
        }
      }),
    );
  });

  it('gives a newcomer the place of the oldest tombstone, and refuses it when all live', () => {
    const roster = rosterOf(3);
    roster.add(holdRecord(record('old', 'dead'), 1));
    roster.add(holdRecord(record('young', 'left'), 5));
    expect(roster.add(holdRecord(record('c'), 9))).toMatchObject({ id: 'old' });
    expect(roster.add(holdRecord(record('d'), 9))).toMatchObject({ id: 'young' });
    expect(roster.add(holdRecord(record('e'), 9))).toBe(false);
    expect(roster.refused).toBe(1);
    expect(roster.members().map(({ id }) => id)).toEqual(['c', 'd', 'self']);
  });

  it('draws distinct others, each as likely as the next', () => {
    const roster = rosterOf(20);
    for (let at = 0; at < 10; at++) roster.add(holdRecord(record(`m${at}`), 0));
    const drawn = new Map<string, number>();
    const random = new Random(5);
    for (let round = 0; round < 2_000; round++) {
      const sample = roster.sample(3, random, (member) => member.id !== 'm0');
      expect(new Set(sample).size).toBe(3);
      for (const { id } of sample) drawn.set(id, (drawn.get(id) ?? 0) + 1);
    }
    expect([...drawn.keys()].sort()).toEqual(['m1', 'm2', 'm3', 'm4', 'm5', 'm6', 'm7', 'm8', 'm9']);
    for (const times of drawn.values()) expect(Math.abs(times - 667)).toBeLessThan(120);
  });
});

describe('Suspicions', () => {
  const bench = (aliveCount: number, liveCount: number, healthScore = 0) => ({ aliveCount, liveCount, healthScore });
  const options = { probeIntervalMs: 1000, suspicionMultiplier: 4, suspicionFloorMs: 5000, suspicionMaxFactor: 6 };
  const silent = Number.NEGATIVE_INFINITY;

  it('are long with one accuser of three members, and short with two', () => {
    const suspicions = new Suspicions(options);
    suspicions.open('c', 'a', 100);
    expect(suspicions.deadlineMs('c', silent, bench(2, 3))).toBe(30_100);
    expect(suspicions.confirm('c', 'a')).toBe(false);
    expect(suspicions.confirm('c', 'b')).toBe(true);
    expect(suspicions.deadlineMs('c', silent, bench(2, 3))).toBe(5_100);
    expect(suspicions.confirm('c', 'd')).toBe(true);
    expect(suspicions.confirm('c', 'e')).toBe(false);
  });

  it('that no timeout can have ended yet are not looked at', () => {
    const suspicions = new Suspicions(options);
    suspicions.open('b', 'a', 0);
    suspicions.open('c', 'a', 1_000);
    expect(suspicions.candidates(4_999, 5)).toEqual([]);
    expect(suspicions.candidates(5_000, 5)).toEqual(['b']);
    // Two accusers more make a suspicion as short as it gets: it is among them when it is overdue.
    for (const accuser of ['d', 'e']) suspicions.confirm('c', accuser);
    expect(suspicions.deadlineMs('c', silent, bench(4, 5))).toBe(6_000);
    expect(suspicions.candidates(6_000, 5)).toEqual(['b', 'c']);
    suspicions.postpone(2_000);
    expect(suspicions.candidates(6_000, 5)).toEqual([]);
  });

  it('last the longest for a node that does badly itself, whoever confirms', () => {
    const suspicions = new Suspicions(options);
    suspicions.open('c', 'a', 0);
    for (const accuser of ['b', 'd']) suspicions.confirm('c', accuser);
    expect([0, 1, 2, 7].map((score) => suspicions.deadlineMs('c', silent, bench(4, 5, score)))).toEqual([
      5_000, 5_000, 30_000, 30_000,
    ]);
    suspicions.open('b', 'a', 0);
    expect(suspicions.deadlineMs('b', silent, bench(1, 2, 2))).toBe(30_000);
  });

  it('do not count hearsay without an accuser as evidence', () => {
    const suspicions = new Suspicions(options);
    suspicions.open('c', '', 0);
    expect(suspicions.confirm('c', '')).toBe(false);
    expect(suspicions.confirm('c', 'a')).toBe(true);
    expect(suspicions.deadlineMs('c', silent, bench(2, 3))).toBe(30_000);
  });

  it('wait while the loop stood still and while the suspect is heard', () => {
    const suspicions = new Suspicions(options);
    suspicions.open('b', 'a', 0);
    expect(suspicions.deadlineMs('b', silent, bench(1, 2))).toBe(5_000);
    suspicions.postpone(3_000);
    expect(suspicions.deadlineMs('b', silent, bench(1, 2))).toBe(8_000);
    expect(suspicions.deadlineMs('b', 7_000, bench(1, 2))).toBe(12_000);
    suspicions.close('b');
    expect(suspicions.deadlineMs('b', silent, bench(1, 2))).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('Health', () => {
  it('reports a stall by its length, and none for ordinary jitter', () => {
    const health = new Health(25);
    expect([0, 25, 60, 250, 3250, 3275].map((nowMs) => health.ticked(nowMs, nowMs + 9))).toEqual([0, 0, 0, 0, 3000, 0]);
    expect(health.stalls).toBe(1);
    expect(health.loopLagMs).toBeGreaterThan(1000);
  });

  it('takes a wall clock that ran ahead for sleep of the machine', () => {
    const health = new Health(25);
    health.ticked(0, 1_000);
    expect(health.ticked(25, 1_025)).toBe(0);
    expect(health.ticked(50, 600_000)).toBe(25);
    expect([health.onlyByWallClock, health.stalls]).toEqual([true, 0]);
    expect(health.pausedMs).toBe(598_950);
  });

  it('takes nothing from a wall clock that was set back', () => {
    const health = new Health(25);
    health.ticked(0, 600_000);
    expect(health.ticked(25, 1_000)).toBe(0);
    expect(health.ticked(4_000, 4_975)).toBe(3975);
    expect([health.onlyByWallClock, health.stalls]).toEqual([false, 1]);
  });

  it('stays between 0 and 7', () => {
    const health = new Health(25);
    health.better();
    expect(health.score).toBe(0);
    health.worse(99);
    expect(health.score).toBe(7);
    health.better();
    expect(health.score).toBe(6);
  });
});

describe('Contacts', () => {
  it('read addresses with names, IPv4 and IPv6, and refuse the rest', () => {
    expect(parseContactPoint('cache:7000')).toEqual({ host: 'cache', port: 7000 });
    expect(parseContactPoint(' 10.0.0.1:1 ')).toEqual({ host: '10.0.0.1', port: 1 });
    expect(parseContactPoint('[fe80::1]:7000')).toEqual({ host: 'fe80::1', port: 7000 });
    for (const bad of ['', 'cache', ':7000', 'cache:0', 'cache:65536', 'fe80::1:7000', 'a:b']) {
      expect(parseContactPoint(bad)).toBeNull();
    }
    expect(new Contacts(['a:1', 'bad'], 30_000, new Random(1)).refused).toBe(1);
  });

  it('take the number as a gossip port, and as a RESP port where 10,000 more is a port', () => {
    expect([gossipPorts(7000), gossipPorts(55_535), gossipPorts(55_536)]).toEqual([
      [7000, 17_000],
      [55_535, 65_535],
      [55_536],
    ]);
  });

  const nobody = () => false;

  it('take the number as it is written first, and bother no port above one where a member gossips', () => {
    const contacts = new Contacts(['a:7000'], 30_000, new Random(1));
    const ports = (isGossip: (address: { host: string; port: number }) => boolean) =>
      contacts.resolved('a', ['10.0.0.1'], isGossip).map(({ port }) => port);
    expect(contacts.tick(0, true)).toBe(true);
    expect(ports(nobody)).toEqual([7000]);
    expect(contacts.tick(1250, true)).toBe(true);
    expect(ports(nobody)).toEqual([7000, 17_000]);
    expect(ports(({ host, port }) => host === '10.0.0.1' && port === 7000)).toEqual([7000]);
    expect(ports(({ port }) => port === 17_000)).toEqual([7000, 17_000]);
  });

  it('try every second while alone, every half minute after, and resolve names each time', () => {
    const contacts = new Contacts(['cache:7000', 'cache:7001', 'b:7000'], 30_000, new Random(1));
    const tries = (fromMs: number, toMs: number, alone: boolean) => {
      let count = 0;
      for (let nowMs = fromMs; nowMs < toMs; nowMs += 25) if (contacts.tick(nowMs, alone)) count++;
      return count;
    };
    expect(contacts.tick(0, true)).toBe(true);
    expect(contacts.drainResolve()).toEqual(['cache', 'b']);
    expect(contacts.drainResolve()).toEqual([]);
    expect(tries(0, 60_000, true)).toBeGreaterThanOrEqual(48);
    const calm = tries(60_000, 360_000, false);
    expect(calm).toBeGreaterThanOrEqual(8);
    expect(calm).toBeLessThanOrEqual(14);
    expect(contacts.drainResolve()).toEqual(['cache', 'b']);
    expect(tries(360_000, 362_000, true)).toBeGreaterThanOrEqual(1);
    expect(contacts.resolved('cache', ['10.0.0.1'], nobody)).toEqual(
      [7000, 17_000, 7001, 17_001].map((port) => ({ host: '10.0.0.1', port })),
    );
    expect(contacts.resolved('cache', new Array(99).fill('10.0.0.1'), nobody)).toHaveLength(64);
    expect(contacts.resolved('elsewhere', ['10.0.0.1'], nobody)).toEqual([]);
  });
});

describe('a member', () => {
  it('keeps the median of its latest clock offsets and a slow estimate of its round trips', () => {
    const held = holdRecord(record('a'), 0);
    for (const peerWallMs of [1_105, 1_103, 9_000, 1_104, 1_106]) noteRoundTrip(held, 10, peerWallMs, 1_000);
    expect(held.clockOffsetMs).toBe(110);
    noteRoundTrip(held, 200, 1_100, 1_000);
    expect(held.rttP99Ms).toBe(200);
    expect(held.rttMs).toBeLessThan(40);
    expect(held.clocks).toHaveLength(5);
  });

  it('takes no stall for a difference of clocks', () => {
    const held = holdRecord(record('a'), 0);
    const probe = (rttMs: number, offsetMs: number) => noteRoundTrip(held, rttMs, 1_000 - rttMs / 2 + offsetMs, 1_000);
    probe(2, 7);
    // The acks lay in the socket for a second: the middle of the round trip is half a second off.
    for (let late = 0; late < 4; late++) probe(1_002, -493);
    expect([held.clockOffsetMs, held.clockErrorMs]).toEqual([7, 1]);
    // Nothing quick is left: what is known is known to within half a second.
    probe(1_002, -493);
    expect([held.clockOffsetMs, held.clockErrorMs]).toEqual([-493, 501]);
    // A clock that was set shows as soon as most of the quick ones say so.
    for (let quick = 0; quick < 3; quick++) probe(2, 900);
    expect(held.clockOffsetMs).toBe(900);
  });

  it('tells what its system shows from what it goes by, and forgets what was measured by a clock that it or we left', () => {
    const roster = new Roster(holdRecord(record('self'), 0), 10);
    const [first, second] = ['a', 'b'].map((id) => holdRecord(record(id), 0));
    for (const held of [first, second]) {
      roster.add(held);
      for (let probe = 0; probe < 5; probe++) noteRoundTrip(held, 2, 1_006, 1_000);
      noteRoundTrip(held, 2, 1_006, 1_000, 9_000);
    }
    expect([roster.clockOffsetMedianMs(), roster.systemOffsetMedianMs()]).toEqual([7, 9_007]);
    // A slow probe says nothing of the system's clock either.
    noteRoundTrip(first, 4_000, 1_006, 1_000, 9_000);
    expect(first.systemOffsetMs).toBe(9_007);
    roster.ownClockMoved(9_000);
    expect([roster.clockOffsetMedianMs(), roster.systemOffsetMedianMs()]).toEqual([-8_993, 7]);
    // They believe it, too: nothing of the time before speaks against that.
    for (const held of [first, second]) noteRoundTrip(held, 2, 10_006, 10_000);
    expect([roster.clockOffsetMedianMs(), roster.systemOffsetMedianMs()]).toEqual([7, 7]);
  });

  it('is beyond doubt wrong about the time only by what the measurements leave no room for', () => {
    const roster = new Roster(holdRecord(record('self'), 0), 10);
    for (const [id, rttMs] of Object.entries({ a: 1_100, b: 1_100, c: 2 })) {
      const held = holdRecord(record(id), 0);
      roster.add(held);
      noteRoundTrip(held, rttMs, 1_000 - rttMs / 2 - 540, 1_000);
    }
    expect(roster.clockOffsetMedianMs()).toBe(-540);
    expect(Math.abs(roster.clockOffsetCertainMs() ?? 1)).toBe(0);
  });
});

describe('Outbox', () => {
  it('drops and counts what is past its bound, and starts empty after each drain', () => {
    const outbox = new Outbox(1);
    outbox.send('10.0.0.1', 1, [1], false, null);
    outbox.send('10.0.0.1', 1, [2], false, null);
    expect(outbox.drain().map(({ message }) => message)).toEqual([[1]]);
    expect([outbox.dropped, outbox.drain()]).toEqual([1, []]);
    outbox.send('10.0.0.1', 1, [3], false, null);
    expect(outbox.drain()).toHaveLength(1);
  });
});
