/** The simulator keeps the laws of the ports it shares with the Node world, under calm and under rough networks. */
import { describe, expect, it } from 'vitest';
import { SimCluster } from '../../src/sim/cluster.js';
import { SimDisk } from '../../src/sim/disk.js';
import { CALM_NETWORK, type NetworkOptions } from '../../src/sim/network.js';
import { describeDatagrams } from '../contract/datagrams.js';
import { Recorder } from '../contract/recorder.js';
import { describeStreams } from '../contract/streams.js';
import type { ContractHost, ContractWorld } from '../contract/worlds.js';

const PERFECT_CLOCK = { offsetMs: 0, driftPpm: 0, grainMs: 1 };
const EVENTS_MAX = 400_000;

interface Pair extends ContractWorld {
  cluster: SimCluster;
  untilNow(fact: () => boolean): void;
}

function createPair(network: NetworkOptions, seed = 1): Pair {
  const hosts: ContractHost[] = [];
  const cluster = new SimCluster(
    {
      createMachine: (ports, place) => {
        const recorder = new Recorder();
        hosts[place.index] = { ports, recorder, address: place.address, gossipPort: place.gossipPort };
        return recorder;
      },
      createDisk: (random, schedule, completed) => new SimDisk({ random, schedule, completed }),
    },
    {
      seed,
      nodes: 2,
      network,
      clocks: [PERFECT_CLOCK, PERFECT_CLOCK],
      tickIntervalMs: 25,
      receiveBufferDatagrams: 92,
      turnCostMs: 0.1,
    },
  );
  cluster.start(0);
  cluster.start(1);
  const untilNow = (fact: () => boolean): void => {
    for (let left = EVENTS_MAX; !fact(); left--) {
      if (left === 0) throw new Error('the fact does not come true');
      cluster.step(Number.POSITIVE_INFINITY);
    }
  };
  return {
    cluster,
    left: hosts[0],
    right: hosts[1],
    untilNow,
    until: async (fact) => untilNow(fact),
    close: async () => {},
  };
}

const ROUGH: NetworkOptions = { ...CALM_NETWORK, lagMeanMs: 30, segmentCut: 0.5, segmentOneByte: 0.2 };

describeDatagrams('the simulator', async () => createPair(CALM_NETWORK));
describeStreams('the simulator', async () => createPair(CALM_NETWORK));
describeStreams('the simulator with a rough network', async () => createPair(ROUGH));

describe('the simulated network', () => {
  function flood(options: Partial<NetworkOptions>, count: number): Pair {
    const pair = createPair({ ...CALM_NETWORK, ...options });
    for (let sent = 0; sent < count; sent++) {
      const { address, gossipPort } = pair.right;
      pair.left.ports.datagrams.send(address, gossipPort, Buffer.alloc(100, sent));
      pair.cluster.clock.schedule(1, () => {});
      pair.cluster.step(Number.POSITIVE_INFINITY);
    }
    pair.untilNow(() => pair.right.recorder.ticks > 40);
    return pair;
  }

  it('loses, doubles, damages and reorders about as often as it is told to', () => {
    const pair = flood({ loss: 0.2, duplicate: 0.3, corrupt: 0.1, truncate: 0.05, lagMeanMs: 20 }, 1_000);
    const { counters } = pair.cluster.network;
    expect(counters.lost).toBeGreaterThan(150);
    expect(counters.lost).toBeLessThan(250);
    expect(counters.duplicated).toBeGreaterThan(180);
    expect(counters.duplicated).toBeLessThan(300);
    expect(counters.corrupted).toBeGreaterThan(50);
    expect(counters.truncated).toBeGreaterThan(20);
    const order = pair.right.recorder.datagrams.map((each) => each.bytes[0]);
    expect(order.some((first, at) => at > 0 && first < order[at - 1])).toBe(true);
  });

  it('drops datagrams above the MTU and counts those above the encoder budget', () => {
    const pair = createPair({ ...CALM_NETWORK, mtuBytes: 1_000 });
    pair.left.ports.datagrams.send(pair.right.address, pair.right.gossipPort, Buffer.alloc(1_001));
    pair.left.ports.datagrams.send(pair.right.address, pair.right.gossipPort, Buffer.alloc(1_201));
    pair.left.ports.datagrams.send(pair.right.address, pair.right.gossipPort, Buffer.alloc(1_000));
    pair.untilNow(() => pair.right.recorder.ticks > 4);
    expect(pair.right.recorder.datagrams).toHaveLength(1);
    expect([pair.cluster.network.counters.overMtu, pair.cluster.network.counters.oversized]).toEqual([2, 1]);
  });

  it('loses what a stalled process has no room for, and hands out 32 datagrams a turn afterwards', () => {
    const pair = createPair(CALM_NETWORK);
    pair.cluster.pause(1);
    for (let sent = 0; sent < 150; sent++) {
      pair.left.ports.datagrams.send(pair.right.address, pair.right.gossipPort, Buffer.alloc(10));
    }
    const ticks = pair.right.recorder.ticks;
    pair.untilNow(() => pair.left.recorder.ticks > 10);
    pair.cluster.resume(1);
    const turns = pair.right.recorder.turns;
    pair.untilNow(() => pair.right.recorder.ticks > ticks);
    expect(pair.right.recorder.datagrams).toHaveLength(92);
    expect(pair.right.recorder.turns - turns).toBeGreaterThanOrEqual(3);
  });

  it('blocks one direction and not the other', () => {
    const pair = createPair(CALM_NETWORK);
    pair.cluster.network.block(0, 1);
    pair.left.ports.datagrams.send(pair.right.address, pair.right.gossipPort, Buffer.from('there'));
    pair.right.ports.datagrams.send(pair.left.address, pair.left.gossipPort, Buffer.from('back'));
    pair.untilNow(() => pair.left.recorder.datagrams.length === 1);
    pair.untilNow(() => pair.right.recorder.ticks > 4);
    expect(pair.right.recorder.datagrams).toEqual([]);
  });

  it('leaves both ends half-open in a partition and delivers after it heals, in order', () => {
    const pair = createPair(ROUGH);
    const near = pair.left.ports.streams.connect(pair.right.address, pair.right.gossipPort);
    pair.untilNow(() => pair.left.recorder.connected.length === 1);
    pair.cluster.network.block(0, 1);
    for (let piece = 0; piece < 50; piece++) pair.left.ports.streams.write(near, Buffer.from(`${piece},`), false);
    pair.untilNow(() => pair.left.recorder.ticks > 100);
    const far = pair.right.recorder.accepted[0].stream;
    expect(pair.right.recorder.countOf(far)).toBe(0);
    expect(pair.left.recorder.closed).toEqual([]);
    pair.cluster.unblock([[0, 1]]);
    pair.left.ports.streams.write(near, Buffer.from('end'), false);
    pair.untilNow(() => pair.right.recorder.bytesOf(far).includes('end'));
    const sent = `${Array.from({ length: 50 }, (_, piece) => piece).join(',')},end`;
    expect(pair.right.recorder.bytesOf(far).toString()).toBe(sent);
  });

  it('keeps the order of a stream through partitions that come and go while it is written', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const pair = createPair({ ...ROUGH, loss: 0.3, lagMeanMs: 60 }, seed);
      const near = pair.left.ports.streams.connect(pair.right.address, pair.right.gossipPort);
      pair.untilNow(() => pair.left.recorder.connected.length === 1);
      let sent = '';
      for (let piece = 0; piece < 120; piece++) {
        const text = `${piece},`;
        sent += text;
        pair.left.ports.streams.write(near, Buffer.from(text), false);
        if (piece % 20 === 5) pair.cluster.network.block(0, 1);
        if (piece % 20 === 15) pair.cluster.unblock([[0, 1]]);
        const untilMs = pair.cluster.clock.nowMs + 9;
        while (pair.cluster.step(untilMs));
      }
      const far = pair.right.recorder.accepted[0].stream;
      pair.untilNow(() => pair.right.recorder.countOf(far) === sent.length);
      expect(pair.right.recorder.bytesOf(far).toString()).toBe(sent);
    }
  });

  it('resets the streams of a killed process at once, those of a machine without power only when it is back', () => {
    for (const powerCut of [false, true]) {
      const pair = createPair(CALM_NETWORK);
      const near = pair.left.ports.streams.connect(pair.right.address, pair.right.gossipPort);
      pair.untilNow(() => pair.left.recorder.connected.length === 1);
      const ticks = pair.left.recorder.ticks;
      if (powerCut) pair.cluster.cutPower(1);
      else pair.cluster.kill(1);
      pair.left.ports.streams.write(near, Buffer.from('anyone?'), false);
      pair.untilNow(() => pair.left.recorder.ticks > ticks + 40);
      expect(pair.left.recorder.closesOf(near)).toBe(powerCut ? 0 : 1);
      pair.cluster.start(1);
      pair.untilNow(() => pair.left.recorder.closesOf(near) === 1);
    }
  });

  it('refuses a connection while no process listens', () => {
    const pair = createPair(CALM_NETWORK);
    pair.cluster.kill(1);
    const near = pair.left.ports.streams.connect(pair.right.address, pair.right.gossipPort);
    pair.untilNow(() => pair.left.recorder.closed.length === 1);
    expect(pair.left.recorder.closed).toEqual([{ stream: near, why: 'ECONNREFUSED' }]);
  });

  it('shows a buffer that its owner changed before its release', () => {
    const pair = createPair(CALM_NETWORK);
    const near = pair.left.ports.streams.connect(pair.right.address, pair.right.gossipPort);
    const lent = Buffer.from('before');
    pair.left.ports.streams.write(near, lent, true);
    lent.write('after!');
    pair.untilNow(() => pair.right.recorder.accepted.length === 1);
    const far = pair.right.recorder.accepted[0].stream;
    pair.untilNow(() => pair.right.recorder.countOf(far) === 6);
    expect(pair.right.recorder.bytesOf(far).toString()).toBe('after!');
    expect(pair.cluster.streams.counters.changed).toBe(1);
  });
});
