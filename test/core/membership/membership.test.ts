import { beforeEach, describe, expect, it } from 'vitest';
import { Random } from '../../../src/core/base/random.js';
import type { MemberRecord } from '../../../src/core/membership/member.js';
import { Membership } from '../../../src/core/membership/membership.js';
import {
  type Ack,
  ack,
  type Control,
  type ControlMessage,
  decodeControl,
  FORWARDED_ACK,
  forwardedAck,
  NACK,
  type Nack,
  nack,
  PING,
  PING_REQUEST,
  type Ping,
  type PingRequest,
  PUSH_PULL_REQUEST,
  ping,
  pingRequest,
  UPDATE,
  type Update,
  update,
} from '../../../src/core/membership/messages.js';
import { MEMBERSHIP_TIMINGS } from '../../../src/core/membership/options.js';
import type { MemberState } from '../../../src/core/membership/precedence.js';

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };
const WALL_MS = 1_700_000_000_000;

interface Sent {
  control: Control;
  host: string;
  viaStream: boolean;
  atMs: number;
}

let node: Membership;
let nowMs: number;
let sent: Sent[];

function peer(
  id: string,
  state: MemberState = 'alive',
  incarnation = 0,
  more: Partial<MemberRecord> = {},
): MemberRecord {
  const number = id.charCodeAt(0);
  const address = { host: `10.0.0.${number}`, port: 17000, respPort: 7000 };
  return { id, actor: number, boot: 1, incarnation, state, ...address, zone: '', weight: 1, ageMs: 0, ...more };
}

function ownRecord(state: MemberState): MemberRecord {
  const { id, actor, boot, incarnation, host, port, respPort, zone, weight } = node.self;
  return { id, actor, boot, incarnation, state, host, port, respPort, zone, weight, ageMs: 0 };
}

function take(): void {
  for (const { message, host, viaStream } of node.drainOutgoing()) {
    const control = decodeControl(message);
    if (control === null) throw new Error('a message of our own is malformed');
    sent.push({ control, host, viaStream, atMs: nowMs });
  }
}

function receive(message: ControlMessage, from: MemberRecord, viaStream = false): void {
  node.handle(message, from.host, from.port, viaStream, nowMs, WALL_MS + nowMs);
  take();
}

function tickFor(ms: number): void {
  for (const endMs = nowMs + ms; nowMs < endMs; ) {
    nowMs += 25;
    node.tick(nowMs, WALL_MS + nowMs);
    take();
  }
}

function standStill(ms: number): void {
  nowMs += ms;
  node.tick(nowMs, WALL_MS + nowMs);
  take();
}

function ofKind<T extends Control>(kind: T['kind']): (Sent & { control: T })[] {
  return sent.filter((one): one is Sent & { control: T } => one.control.kind === kind);
}

function tickUntilPing(): Sent & { control: Ping } {
  sent = [];
  for (let at = 0; at < 400 && ofKind<Ping>(PING).length === 0; at++) tickFor(25);
  return ofKind<Ping>(PING)[0];
}

beforeEach(() => {
  nowMs = 1_000;
  sent = [];
  node = new Membership(
    { log: SILENT },
    {
      ...MEMBERSHIP_TIMINGS,
      self: { id: 'self', host: '10.0.0.1', port: 17000, respPort: 7000, zone: '', weight: 1 },
      actor: 1,
      boot: 1,
      incarnation: 0,
      contactPoints: [],
      random: new Random(3),
    },
  );
  tickFor(25);
});

describe('Membership', () => {
  it('asks helpers and pings by stream after silence, with the time that is left', () => {
    for (const id of ['a', 'b']) receive(update(peer(id), ''), peer(id));
    const first = tickUntilPing();
    const helper = first.control.targetId === 'a' ? 'b' : 'a';
    sent = [];
    tickFor(275);
    expect(ofKind(PING_REQUEST)).toEqual([]);
    tickFor(25);
    const [request] = ofKind<PingRequest>(PING_REQUEST);
    expect(request.host).toBe(peer(helper).host);
    expect(request.control).toMatchObject({ sequence: first.control.sequence, budgetMs: 700 });
    const [stream] = ofKind<Ping>(PING);
    expect(stream).toMatchObject({ viaStream: true, host: first.host });
    receive(nack(first.control.sequence, helper), peer(helper));
    tickFor(675);
    expect(node.get(first.control.targetId)?.state).toBe('alive');
    tickFor(25);
    expect(node.get(first.control.targetId)?.state).toBe('suspect');
    expect(node.healthScore).toBe(0);
  });

  it('doubts itself when helpers are silent too', () => {
    for (const id of ['a', 'b']) receive(update(peer(id), ''), peer(id));
    tickUntilPing();
    tickFor(1_000);
    expect(node.healthScore).toBe(1);
  });

  it.each(['ack', 'ack by stream', 'forwarded ack'])('takes an %s for the answer', (way) => {
    receive(update(peer('a'), ''), peer('a'));
    const { control } = tickUntilPing();
    nowMs += 7;
    const answer = ack(control.sequence, WALL_MS + nowMs + 50, 3, peer('a'));
    const forwarded = forwardedAck(control.sequence, decodeControl(answer) as Ack);
    receive(way === 'forwarded ack' ? forwarded : answer, peer('a'), way === 'ack by stream');
    tickFor(500);
    node.heard('a', nowMs);
    tickFor(493);
    expect(node.get('a')).toMatchObject({ state: 'alive', rttMs: way === 'ack' ? 7 : 0 });
    expect(node.stats().probesFailed).toBe(0);
  });

  it('does not take the answer of another process for that of the one it asked', () => {
    receive(update(peer('a'), ''), peer('a'));
    const { control } = tickUntilPing();
    receive(ack(control.sequence, WALL_MS, 0, peer('b')), peer('b'));
    tickFor(1_000);
    expect(node.get('a')?.state).toBe('suspect');
  });

  it('does not suspect a member that it heard since it asked', () => {
    receive(update(peer('a'), ''), peer('a'));
    tickUntilPing();
    tickFor(500);
    node.heard('a', nowMs);
    tickFor(500);
    expect(node.get('a')?.state).toBe('alive');
  });

  it('helps: passes the ack on, and sends a nack at four fifths of the time when there is none', () => {
    for (const id of ['a', 'b']) receive(update(peer(id), ''), peer(id));
    sent = [];
    receive(pingRequest(99, 'b', 500, peer('a')), peer('a'));
    const [relayed] = ofKind<Ping>(PING);
    expect(relayed.host).toBe(peer('b').host);
    receive(ack(relayed.control.sequence, WALL_MS, 0, peer('b')), peer('b'));
    expect(ofKind<Ack>(FORWARDED_ACK)[0]).toMatchObject({ host: peer('a').host, control: { sequence: 99 } });
    tickFor(1_000);
    expect(ofKind(NACK)).toEqual([]);
    receive(pingRequest(100, 'b', 500, peer('a')), peer('a'));
    tickFor(375);
    expect(ofKind(NACK)).toEqual([]);
    tickFor(25);
    expect(ofKind<Nack>(NACK)[0]).toMatchObject({ host: peer('a').host, control: { sequence: 100, helperId: 'self' } });
  });

  it('takes no news of itself from its own ack, passed on to it by whoever recorded one', () => {
    const own = ack(7, WALL_MS, 0, ownRecord('alive'));
    const before = node.stats().ownEcho;
    expect(() => receive(forwardedAck(7, decodeControl(own) as Ack), peer('a'))).not.toThrow();
    expect(node.stats().ownEcho).toBe(before + 1);
  });

  it('refuses at once to help with a target it does not know', () => {
    receive(pingRequest(99, 'nobody', 500, peer('a')), peer('a'));
    expect(ofKind<Nack>(NACK)[0].control.sequence).toBe(99);
  });

  it('voids probes in flight when the loop stood still', () => {
    receive(update(peer('a'), ''), peer('a'));
    const { control } = tickUntilPing();
    standStill(3_000);
    tickFor(25);
    expect(node.get('a')?.state).toBe('alive');
    expect(node.healthScore).toBe(3);
    receive(ack(control.sequence, WALL_MS, 0, peer('a')), peer('a'));
    expect(node.get('a')?.rttMs).toBe(0);
  });

  it('starts a probe anew that was asked for when the loop stood still', () => {
    receive(update(peer('a'), ''), peer('a'));
    node.probeSoon('a', nowMs);
    take();
    sent = [];
    standStill(400);
    expect(ofKind<Ping>(PING).length).toBeGreaterThanOrEqual(1);
  });

  it('adds the time in which the loop stood still to every suspicion', () => {
    for (const id of ['a', 'b']) receive(update(peer(id), ''), peer(id));
    receive(update(peer('a', 'suspect'), 'b'), peer('b'));
    // A helper still reaches the suspect, so this node's own probes add no evidence.
    const keepAnswering = (ms: number) => {
      for (const endMs = nowMs + ms; nowMs < endMs; ) {
        node.heard('b', nowMs);
        sent = [];
        tickFor(25);
        for (const { control } of ofKind<Ping>(PING)) {
          const answer = decodeControl(ack(control.sequence, WALL_MS, 0, peer('a'))) as Ack;
          if (control.targetId === 'a') receive(forwardedAck(control.sequence, answer), peer('b'));
        }
      }
    };
    keepAnswering(1_000);
    standStill(20_000);
    keepAnswering(28_000);
    expect(node.get('a')?.state).toBe('suspect');
    keepAnswering(1_500);
    expect(node.get('a')?.state).toBe('dead');
  });

  it('originates no death for a round of probes after the loop stood still', () => {
    receive(update(peer('a'), ''), peer('a'));
    receive(update(peer('a', 'suspect'), 'x'), peer('x'));
    tickFor(4_900);
    expect(node.get('a')?.state).toBe('suspect');
    standStill(300);
    tickFor(1_500);
    expect(node.get('a')?.state).toBe('suspect');
    tickFor(1_000);
    expect(node.get('a')?.state).toBe('dead');
  });

  it('pings a suspect every second whatever its own health, so that it hears of the suspicion', () => {
    receive(update(peer('a'), ''), peer('a'));
    standStill(9_000);
    expect(node.healthScore).toBe(7);
    receive(update(peer('a', 'suspect'), 'x'), peer('x'));
    tickFor(25);
    sent = [];
    tickFor(2_000);
    const [told, again] = ofKind<Ping>(PING).filter(({ viaStream }) => !viaStream);
    expect(again.atMs - told.atMs).toBe(1_000);
    expect(told.control).toMatchObject({ targetId: 'a', heldState: 'suspect' });
    receive(ack(told.control.sequence, WALL_MS, 0, peer('a', 'alive', 1)), peer('a'));
    expect(node.get('a')).toMatchObject({ state: 'alive', incarnation: 1 });
  });

  it('tells the suspect first', () => {
    receive(update(peer('a'), ''), peer('a'));
    tickUntilPing();
    sent = [];
    tickFor(1_000);
    const [told] = ofKind<Update>(UPDATE).filter(({ control }) => control.record.state === 'suspect');
    expect(told).toMatchObject({
      host: peer('a').host,
      control: { accuser: 'self', record: { id: 'a', state: 'suspect' } },
    });
  });

  it('refutes what a ping holds against it, in the ack of that ping', () => {
    receive(ping(7, ownRecord('suspect'), peer('a')), peer('a'));
    const answer = sent.find(({ control }) => control.kind !== UPDATE)?.control as Ack;
    expect(answer.sender).toMatchObject({ id: 'self', state: 'alive', incarnation: 1 });
    expect(node.takeUpdates(1_000).length).toBeGreaterThan(0);
  });

  it.each(['suspect', 'dead', 'left'] as const)('refutes that it is %s', (state) => {
    receive(update(ownRecord(state), 'a'), peer('a'));
    expect(node.self).toMatchObject({ state: 'alive', incarnation: 1 });
    receive(update({ ...ownRecord(state), incarnation: 0 }, 'a'), peer('a'));
    expect(node.self.incarnation).toBe(1);
  });

  it('tells a dead member that speaks how it is held, but not more than once a second', () => {
    receive(update(peer('a'), ''), peer('a'));
    receive(update(peer('a', 'dead'), ''), peer('x'));
    sent = [];
    receive(ping(7, ownRecord('alive'), peer('a')), peer('a'));
    receive(ping(8, ownRecord('alive'), peer('a')), peer('a'));
    const told = ofKind<Update>(UPDATE).filter(({ control }) => control.record.id === 'a');
    expect(told).toHaveLength(1);
    expect(told[0]).toMatchObject({ host: peer('a').host, control: { record: { state: 'dead' } } });
    expect(node.get('a')?.state).toBe('dead');
  });

  it('remembers the accusation of a member it has not met', () => {
    receive(update(peer('a', 'suspect', 4), 'x'), peer('x'));
    receive(update(peer('a', 'alive', 4), ''), peer('a'));
    expect(node.get('a')?.state).toBe('suspect');
    receive(update(peer('a', 'alive', 5), ''), peer('a'));
    expect(node.get('a')?.state).toBe('alive');
  });

  it('neither applies nor spreads an expired tombstone', () => {
    receive(update(peer('a'), ''), peer('a'));
    tickFor(5_000);
    while (node.takeUpdates(1_000).length > 0);
    const expired = { ageMs: MEMBERSHIP_TIMINGS.tombstoneMs };
    receive(update(peer('a', 'dead', 9, expired), ''), peer('x'));
    receive(update(peer('b', 'left', 9, expired), ''), peer('x'));
    expect(node.get('a')?.incarnation).toBe(0);
    expect(node.get('b')).toBeUndefined();
    expect(node.takeUpdates(1_000)).toEqual([]);
  });

  it('spreads news once, and no echo of it', () => {
    receive(update(peer('a'), ''), peer('a'));
    expect(node.takeUpdates(1_000)).toHaveLength(1);
    while (node.takeUpdates(1_000).length > 0);
    receive(update(peer('a'), ''), peer('x'));
    receive(update(peer('a'), ''), peer('y'));
    expect(node.takeUpdates(1_000)).toEqual([]);
  });

  it('tries a dead member again for ever', () => {
    receive(update(peer('a'), ''), peer('a'));
    receive(update(peer('b'), ''), peer('b'));
    receive(update(peer('a', 'dead'), ''), peer('b'));
    sent = [];
    for (let at = 0; at < 4_000; at++) {
      node.heard('b', nowMs);
      tickFor(25);
    }
    const tries = ofKind(PUSH_PULL_REQUEST).filter(({ host }) => host === peer('a').host);
    expect(tries.length).toBeGreaterThanOrEqual(2);
    expect(tries.every(({ viaStream }) => viaStream)).toBe(true);
  });

  it('answers but does not probe or refute once it has left', () => {
    receive(update(peer('a'), ''), peer('a'));
    node.leave(nowMs);
    take();
    expect(
      ofKind<Update>(UPDATE).some(({ control }) => control.record.id === 'self' && control.record.state === 'left'),
    ).toBe(true);
    sent = [];
    tickFor(5_000);
    expect(ofKind(PING)).toEqual([]);
    receive(ping(7, ownRecord('dead'), peer('a')), peer('a'));
    expect(sent.some(({ control }) => 'sequence' in control && control.sequence === 7)).toBe(true);
    expect(node.self).toMatchObject({ state: 'left', incarnation: 1 });
  });

  it('reports each step of a member once, in order', () => {
    receive(update(peer('a'), ''), peer('a'));
    receive(update(peer('a', 'suspect'), 'x'), peer('x'));
    receive(update(peer('a', 'alive', 1), ''), peer('a'));
    receive(update(peer('a', 'alive', 0, { boot: 2, actor: 500 }), ''), peer('a'));
    receive(update(peer('a', 'left', 1, { boot: 2, actor: 500 }), ''), peer('a'));
    const steps = node.drainChanges().map(({ from, to, restarted, priorActor }) => [from, to, restarted, priorActor]);
    const actor = peer('a').actor;
    expect(steps).toEqual([
      [null, 'alive', false, actor],
      ['alive', 'suspect', false, actor],
      ['suspect', 'alive', false, actor],
      ['alive', 'alive', true, actor],
      ['alive', 'left', false, 500],
    ]);
    expect(node.drainChanges()).toEqual([]);
  });

  it('says since when a member is steadily alive, across a refutation', () => {
    receive(update(peer('a', 'alive', 0, { ageMs: 400 }), ''), peer('a'));
    expect(node.get('a')?.aliveSinceMs).toBe(nowMs - 400);
    receive(update(peer('a', 'suspect'), 'x'), peer('x'));
    tickFor(500);
    receive(update(peer('a', 'alive', 1), ''), peer('a'));
    expect(node.get('a')?.aliveSinceMs).toBe(nowMs);
  });
});
