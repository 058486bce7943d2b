/** Commands handed to another owner: what the caller is told where the owner's answer does not come, or says nothing. */
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
import { encodeNothingDone, STATUS_OK, STATUS_REFUSED } from '../../../src/core/replication/requests.js';
import { Args } from '../../../src/core/resp/args.js';
import { Reply } from '../../../src/core/resp/reply.js';

const TIMEOUT_MS = 1000;
const set = { name: 'set', flags: WRITE, firstKey: 1 } as Command;
const get = { name: 'get', flags: READ, firstKey: 1 } as Command;

function bench(command: Command) {
  const [owner, other] = ['b', 'c'].map((id) => new Peer(id, 1024, new HintRoom(1024), 1));
  const sent: { to: string; id: number }[] = [];
  const peers = {
    sendFrame: (peer: Peer, _kind: number, body: Buffer) => sent.push({ to: peer.id, id: body.readUInt32LE(0) }) > 0,
  };
  const ownership = {
    ringHash: 1,
    otherOwner: (_partition: number, avoid: ReadonlySet<string> | null) =>
      [owner, other].find(({ id }) => !avoid?.has(id)),
  };
  const forwarding = new Forwarding(
    peers as unknown as Peers,
    ownership as unknown as Ownership,
    new HybridClock(0, 500),
    new CallerOrder(),
    new HedgeBudget(),
    new Pending(),
    { operationTimeoutMs: TIMEOUT_MS },
    new Random(1, 1),
  );
  const reply = new Reply(2, null);
  const deferred = { reply, done: () => {} };
  const caller = {
    origin: {},
    readLevel: 'quorum',
    writeLevel: 'one',
    protocol: 2,
    strict: false,
    session: null,
    receipt: new Receipt(),
    reply,
    gone: false,
    defer: () => deferred,
  };
  forwarding.forward(owner, 0, command, Args.of('SET', 'k', 'v'), caller as unknown as Caller, 0, false);
  const passTo = (nowMs: number): void => {
    forwarding.nowMs = nowMs;
    forwarding.tick();
  };
  const text = (): string => reply.buffer.latin1Slice(0, reply.length).trim();
  return { forwarding, owner, caller, sent, passTo, text };
}

describe('a write whose answer was lost', () => {
  it('is asked of nobody else; its caller is told at the deadline that the outcome is unknown', () => {
    const { forwarding, sent, passTo, text } = bench(set);
    passTo(TIMEOUT_MS - 1);
    expect(text()).toBe('');
    passTo(TIMEOUT_MS);
    expect(text()).toBe('-UNAVAILABLE the owner did not answer in time; the outcome is unknown');
    expect(sent.map(({ to }) => to)).toEqual(['b']);
    expect(forwarding.size).toBe(0);
  });

  it('with the stream that it left by fails at once, its outcome unknown', () => {
    const { forwarding, owner, text } = bench(set);
    forwarding.peerLost(owner);
    expect(text()).toBe('-UNAVAILABLE the connection to the owner was lost; the outcome is unknown');
  });

  it('or can not be read may have been carried out; one that was refused was not', () => {
    for (const [status, told] of [
      [STATUS_OK, '-UNAVAILABLE the answer can not be read; the outcome is unknown'],
      [99, '-UNAVAILABLE the answer can not be read; the outcome is unknown'],
      [STATUS_REFUSED, '-UNAVAILABLE the owner refused the command'],
    ] as const) {
      const { forwarding, owner, sent, text } = bench(set);
      const body = encodeNothingDone(sent[0].id, STATUS_REFUSED, 1);
      forwarding.answered(owner, sent[0].id, status, body);
      expect(text()).toBe(told);
    }
  });
});

describe('a read whose answer was lost', () => {
  it('is asked of another owner at half of its time', () => {
    const { sent, passTo, text } = bench(get);
    passTo(TIMEOUT_MS / 2 - 1);
    expect(sent.map(({ to }) => to)).toEqual(['b']);
    passTo(TIMEOUT_MS / 2);
    expect(sent.map(({ to }) => to)).toEqual(['b', 'c']);
    passTo(TIMEOUT_MS);
    expect(text()).toMatch(/^-UNAVAILABLE the owner did not answer in time/);
  });

  it('is asked of nobody else for a connection that is gone', () => {
    const { forwarding, caller, sent, passTo } = bench(get);
    caller.gone = true;
    passTo(TIMEOUT_MS / 2);
    expect(sent.map(({ to }) => to)).toEqual(['b']);
    expect(forwarding.size).toBe(0);
  });
});
