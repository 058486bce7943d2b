/** What a node answers to requests that it does not carry out: whoever asked is told, and waits no longer. */
import { describe, expect, it } from 'vitest';
import { HybridClock } from '../../../src/core/base/hlc.js';
import { globWork } from '../../../src/core/commands/glob.js';
import type { Caller, CommandHost } from '../../../src/core/commands/host.js';
import { ScanWork, STEPS_PER_TURN } from '../../../src/core/commands/scan-work.js';
import { commandTable } from '../../../src/core/commands/table.js';
import type { Membership } from '../../../src/core/membership/membership.js';
import { RequestDesk } from '../../../src/core/node/request-desk.js';
import type { Coordinator } from '../../../src/core/replication/coordinator.js';
import type { Floors } from '../../../src/core/replication/floors.js';
import type { Forwarding } from '../../../src/core/replication/forwarding.js';
import { HintRoom } from '../../../src/core/replication/hints.js';
import { OWED_BYTES_HIGH, WAITING_MAX } from '../../../src/core/replication/owed-replies.js';
import type { Ownership } from '../../../src/core/replication/ownership.js';
import { Peer, type Peers } from '../../../src/core/replication/peers.js';
import type { QuorumReads } from '../../../src/core/replication/reads.js';
import type { Replicator } from '../../../src/core/replication/replicator.js';
import {
  encodeForward,
  REQUEST_FORWARD,
  REQUEST_READ,
  REQUEST_WAIT,
  type RequestHead,
  readResponseHead,
  STATUS_REFUSED,
  STATUS_RING_DIFFERS,
  stampRing,
} from '../../../src/core/replication/requests.js';
import type { SessionCover } from '../../../src/core/replication/session-cover.js';
import type { Waiters } from '../../../src/core/replication/waiters.js';
import { Args } from '../../../src/core/resp/args.js';
import type { Store } from '../../../src/core/store/store.js';

const RING = 7;
const LATE_MS = 1_000;
const NOW_MS = 50_000;
const head: RequestHead = {
  id: 41,
  what: REQUEST_FORWARD,
  protocol: 2,
  readLevel: 'one',
  writeLevel: 'one',
  strict: false,
  session: false,
  hops: 1,
  hlc: 0,
  sentMs: NOW_MS,
  partition: 0,
};

/** A desk, the peer that asks, and what the desk says to it; `run` runs a command that it lets in. */
function deskFor(run: (args: Args, caller: Caller) => void) {
  const answers: ReturnType<typeof readResponseHead>[] = [];
  /** Frames that the peer has not taken. */
  const queue = { bytes: 0 };
  const peers = {
    waitingReplyBytes: () => queue.bytes,
    sendFrame: (_peer: Peer, _kind: number, answer: Buffer) => {
      answers.push(readResponseHead(answer));
      queue.bytes += answer.length;
    },
  };
  const submitTo: Coordinator['submitTo'] = (_host, _partition, _command, args, caller) => run(args, caller);
  const coordinator = { actor: 1, submitTo } as Coordinator;
  const clock = new HybridClock(0, 500);
  const ownership = { ringHash: RING };
  const desk = new RequestDesk(
    {} as Store,
    peers as unknown as Peers,
    { get: () => undefined } as unknown as Membership,
    { partition: () => 0 } as unknown as Replicator,
    {} as Floors,
    ownership as Ownership,
    {} as QuorumReads,
    {} as Forwarding,
    commandTable,
    {} as Waiters,
    {} as SessionCover,
    { lateMs: LATE_MS, mutations: new Set<string>() },
  );
  const host = { wallMs: NOW_MS, monotonicMs: 0, settings: { partitions: 16 }, scanWork: new ScanWork() };
  const peer = new Peer('peer', 1024, new HintRoom(1024), 1);
  peer.actor = 2;
  const request = (body: Buffer): boolean => {
    stampRing(body, RING);
    return desk.request(host as unknown as CommandHost, peer, body, coordinator, clock);
  };
  const turn = (): readonly Peer[] => desk.turn(host as unknown as CommandHost, coordinator, clock);
  return { desk, peer, host, ownership, answers, queue, request, turn };
}

/** Hands a request to a desk; the heads of what it answers, and its counters. */
function asked(body: Buffer): { answers: unknown[]; malformed: number; refused: number; run: number } {
  let run = 0;
  const { desk, answers, request } = deskFor(() => run++);
  request(body);
  return { answers, run, malformed: desk.stats.malformed, refused: desk.stats.refused };
}

function forwarded(words: string[], change: Partial<RequestHead> = {}): Buffer {
  return encodeForward({ ...head, ...change }, Args.of(...words));
}

describe('a request that is not carried out', () => {
  const refusal = [expect.objectContaining({ id: head.id, status: STATUS_REFUSED })];

  it.each([
    ['a command that nobody knows', forwarded(['NOSUCH', 'k'])],
    ['a command that is not for other nodes to give', forwarded(['FLUSHALL'])],
    ['a command with too few arguments', forwarded(['SET', 'k'])],
    ['a WAIT that is cut short', forwarded(['GET', 'k'], { what: REQUEST_WAIT }).subarray(0, 41)],
    ['a read that is cut short', forwarded(['GET', 'k'], { what: REQUEST_READ }).subarray(0, 41)],
    ['a request of an unknown kind', forwarded(['GET', 'k'], { what: 99 })],
  ])('is refused by name and counted: %s', (_what, body) => {
    expect(asked(body)).toEqual({ answers: refusal, run: 0, malformed: 1, refused: 0 });
  });

  it('has no answer where it is a write that came too late: whoever sent it has given it up', () => {
    const late = forwarded(['SET', 'k', 'v'], { sentMs: NOW_MS - LATE_MS - 1 });
    expect(asked(late)).toEqual({ answers: [], run: 0, malformed: 0, refused: 1 });
    expect(asked(forwarded(['SET', 'k', 'v']))).toEqual({ answers: [], run: 1, malformed: 0, refused: 0 });
  });
});

describe('commands of a peer that is owed much', () => {
  const VALUE_BYTES = 512 * 1024;

  function crowd(asked: number) {
    const run: string[] = [];
    const bench = deskFor((args, caller) => {
      run.push(args.string(1));
      caller.reply.bulk(Buffer.alloc(VALUE_BYTES), 0, VALUE_BYTES);
    });
    for (let id = 0; id < asked; id++) bench.request(forwarded(['GET', `k${id}`], { id }));
    return { ...bench, run };
  }

  it('wait until it has taken the replies before, and run in the order in which they came', () => {
    const { desk, peer, answers, queue, run, turn } = crowd(200);
    const most = Math.floor(OWED_BYTES_HIGH / VALUE_BYTES) + 1;
    for (let turns = 0; answers.length < 200 && turns < 200; turns++) {
      expect(peer.owed.heldBytes + queue.bytes).toBeLessThan((most + 1) * VALUE_BYTES);
      desk.release(0);
      expect(peer.owed.heldBytes).toBe(0);
      expect(desk.wantsTurn).toBe(false);
      const before = run.length;
      turn();
      expect(run.length).toBe(before);
      queue.bytes = 0;
      expect(desk.wantsTurn).toBe(peer.owed.size > 0);
      turn();
    }
    expect(run).toEqual(Array.from({ length: 200 }, (_, id) => `k${id}`));
    expect(answers.map((head) => head?.id)).toEqual(Array.from({ length: 200 }, (_, id) => id));
    expect(peer.owed).toMatchObject({ size: 0, waitingBytes: 0, heldBytes: 0, refused: 0 });
    expect(peer.owed.waited).toBeGreaterThan(190);
    expect(desk.wantsTurn).toBe(false);
  });

  it('follow those that wait, however little it is owed by then', () => {
    const { desk, peer, queue, request, run } = crowd(20);
    desk.release(0);
    queue.bytes = 0;
    const before = run.length;
    request(forwarded(['SET', 'k', 'v']));
    expect(run.length).toBe(before);
    expect(peer.owed.size).toBe(20 - before + 1);
  });

  it('are not carried out for an asker that has given them up, or runs no more', () => {
    for (const change of [
      { lateMs: LATE_MS + 1, actor: 2 },
      { lateMs: 0, actor: 3 },
    ]) {
      const { desk, peer, host, queue, run, turn } = crowd(20);
      const before = run.length;
      desk.release(0);
      queue.bytes = 0;
      host.wallMs += change.lateMs;
      peer.actor = change.actor;
      turn();
      expect(run.length).toBe(before);
      expect(peer.owed.size).toBe(0);
    }
  });

  it('are told that nothing was done when they have waited for too long', () => {
    const { desk, host, answers, queue, run, turn } = crowd(20);
    const before = run.length;
    desk.release(0);
    queue.bytes = 0;
    host.wallMs += LATE_MS + 1;
    turn();
    expect(answers.filter((head) => head?.status === STATUS_REFUSED).length).toBe(20 - before);
  });

  it('are forgotten with the stream of their asker: it may have given the command to another node since', () => {
    const { desk, peer, queue, run, turn } = crowd(20);
    const before = run.length;
    desk.peerLost(peer);
    queue.bytes = 0;
    desk.release(0);
    turn();
    expect(run.length).toBe(before);
    expect(peer.owed).toMatchObject({ size: 0, waitingBytes: 0 });
    expect(desk.wantsTurn).toBe(false);
  });

  it('are refused by the ring that counts when they run', () => {
    const { desk, peer, ownership, answers, queue, run, turn } = crowd(20);
    const before = run.length;
    desk.release(0);
    queue.bytes = 0;
    ownership.ringHash = RING + 1;
    expect(turn()).toContain(peer);
    expect(run.length).toBe(before);
    expect(answers.slice(before).every((head) => head?.status === STATUS_RING_DIFFERS)).toBe(true);
    expect(answers.length).toBe(20);
  });

  it('are refused by name and counted where too many wait', () => {
    const { peer, answers, queue, request } = deskFor(() => {});
    queue.bytes = OWED_BYTES_HIGH + 1;
    for (let id = 0; id < WAITING_MAX + 3; id++) request(forwarded(['GET', 'k'], { id }));
    expect(peer.owed).toMatchObject({ size: WAITING_MAX, refused: 3 });
    expect(answers.map((head) => head?.status)).toEqual([STATUS_REFUSED, STATUS_REFUSED, STATUS_REFUSED]);
  });
});

describe('commands of a peer that scan', () => {
  it('share what a turn has for them, and no other command waits for them', () => {
    const run: string[] = [];
    const { desk, peer, host, request, turn } = deskFor((args, caller) => {
      run.push(args.string(1));
      if (args.string(0) !== 'GET') globWork.steps += STEPS_PER_TURN / 2;
      caller.reply.ok();
    });
    host.scanWork.turnStarted();
    for (let id = 0; id < 7; id++) request(forwarded(['HEARSAY.PARTITION', 'SCAN', '0', '0'], { id }));
    request(forwarded(['GET', 'k'], { id: 7 }));
    expect(run).toEqual(['SCAN', 'SCAN', 'k']);
    expect(peer.scans).toMatchObject({ size: 5, waited: 5 });
    const done: number[] = [];
    while (desk.wantsTurn) {
      host.scanWork.turnStarted();
      turn();
      done.push(run.length);
    }
    expect(done).toEqual([5, 7, 8]);
    request(forwarded(['HEARSAY.PARTITION', 'SCAN', '0', '0']));
    request(forwarded(['HEARSAY.PARTITION', 'SCAN', '0', '0']));
    expect(peer.scans.size).toBe(1);
    desk.peerLost(peer);
    expect(peer.scans.size).toBe(0);
    expect(desk.wantsTurn).toBe(false);
  });
});
