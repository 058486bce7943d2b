/** What a node answers to requests that it does not carry out: whoever asked is told, and waits no longer. */
import { describe, expect, it } from 'vitest';
import { HybridClock } from '../../../src/core/base/hlc.js';
import type { CommandHost } from '../../../src/core/commands/host.js';
import { commandTable } from '../../../src/core/commands/table.js';
import type { Membership } from '../../../src/core/membership/membership.js';
import { RequestDesk } from '../../../src/core/node/request-desk.js';
import type { Coordinator } from '../../../src/core/replication/coordinator.js';
import type { Floors } from '../../../src/core/replication/floors.js';
import type { Forwarding } from '../../../src/core/replication/forwarding.js';
import type { Ownership } from '../../../src/core/replication/ownership.js';
import type { Peer, Peers } from '../../../src/core/replication/peers.js';
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

/** Hands a request to a desk; the heads of what it answers, and its counters. */
function asked(body: Buffer): { answers: unknown[]; malformed: number; refused: number; run: number } {
  stampRing(body, RING);
  const answers: unknown[] = [];
  let run = 0;
  const peers = { sendFrame: (_peer: Peer, _kind: number, answer: Buffer) => answers.push(readResponseHead(answer)) };
  const coordinator = { actor: 1, submitTo: () => run++ };
  const clock = new HybridClock(0, 500);
  const desk = new RequestDesk(
    {} as Store,
    peers as unknown as Peers,
    { get: () => undefined } as unknown as Membership,
    { partition: () => 0 } as unknown as Replicator,
    {} as Floors,
    { ringHash: RING } as Ownership,
    {} as QuorumReads,
    {} as Forwarding,
    commandTable,
    {} as Waiters,
    {} as SessionCover,
    { lateMs: LATE_MS, mutations: new Set<string>() },
  );
  const host = { wallMs: NOW_MS, monotonicMs: 0, settings: { partitions: 16 } } as unknown as CommandHost;
  const peer = { id: 'peer', actor: 2 } as Peer;
  desk.request(host, peer, body, coordinator as unknown as Coordinator, clock);
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
