import { afterEach, describe, expect, it } from 'vitest';
import type { Ports } from '../../src/ports/world.js';
import { FaultRules } from '../../src/system/fault-rules.js';
import { NodeWorld } from '../../src/system/world.js';
import { Recorder, silentLog } from './recorder.js';

interface Stage {
  world: NodeWorld;
  machine: Recorder;
  ports: Ports;
  address: string;
  fault(words: string): string[];
}

const worlds: NodeWorld[] = [];

afterEach(async () => {
  for (const world of worlds.splice(0)) await world.stop();
});

async function startWorld(): Promise<Stage> {
  const world = new NodeWorld(silentLog, {
    bind: '127.0.0.1',
    port: 0,
    gossipPort: 0,
    tickIntervalMs: 60_000,
    faultInjection: true,
  });
  await world.listen();
  worlds.push(world);
  const machine = new Recorder();
  const ports = world.portsOver({} as Ports['disk']);
  world.run(machine, () => {});
  const fault = (words: string): string[] => ports.faults?.run(words.split(' ')) ?? [];
  return { world, machine, ports, address: `127.0.0.1:${world.gossipPort}`, fault };
}

function sendNumbers(from: Stage, to: Stage, count: number): void {
  for (let number = 0; number < count; number++) {
    from.ports.datagrams.send('127.0.0.1', to.world.gossipPort, Buffer.from(String(number)));
  }
}

function received(stage: Stage): string[] {
  return stage.machine.of('datagram').map((entry) => String(entry[1]));
}

/** A stream from left to right: its id on either side. */
async function joinStreams(left: Stage, right: Stage): Promise<[number, number]> {
  const before = right.machine.of('accepted').length;
  const dialled = left.ports.streams.connect('127.0.0.1', right.world.gossipPort);
  await right.machine.until(() => right.machine.of('accepted').length > before);
  await left.machine.until(() => left.machine.of('connected').some((entry) => entry[1] === dialled));
  return [dialled, right.machine.of('accepted')[before][1] as number];
}

describe('the rules of faults', () => {
  it('match a peer by its gossip or its RESP address, the way and the carrier', () => {
    const rules = new FaultRules();
    rules.change(['drop', 'localhost:7379', 'out', '30']);
    rules.change(['DROP', '127.0.0.1:17379', 'BOTH', '10', 'STREAMS']);
    rules.change(['DELAY', '*', 'IN', '5']);
    expect(rules.value('DROP', '127.0.0.1:17379', 'OUT', 'DATAGRAMS')).toBe(30);
    expect(rules.value('DROP', '127.0.0.1:17379', 'IN', 'DATAGRAMS')).toBe(0);
    expect(rules.value('DROP', '127.0.0.1:17379', 'IN', 'STREAMS')).toBe(10);
    expect(rules.value('DROP', '127.0.0.1:17380', 'OUT', 'DATAGRAMS')).toBe(0);
    expect(rules.value('DELAY', null, 'IN', 'STREAMS')).toBe(5);
    expect(rules.list()).toEqual([
      'DROP 127.0.0.1:7379 OUT 30',
      'DROP 127.0.0.1:17379 BOTH 10 STREAMS',
      'DELAY * IN 5',
    ]);
  });

  it('are replaced by the same subject, lifted by 0, and cleared for one peer by either name', () => {
    const rules = new FaultRules();
    rules.change(['DROP', '127.0.0.1:7379', 'OUT', '30']);
    rules.change(['DROP', '127.0.0.1:7379', 'OUT', '60']);
    rules.change(['DUP', '*', 'BOTH', '5']);
    expect(rules.list()).toEqual(['DROP 127.0.0.1:7379 OUT 60', 'DUP * BOTH 5']);
    rules.clear('127.0.0.1:17379');
    expect(rules.list()).toEqual(['DUP * BOTH 5']);
    rules.change(['DUP', '*', 'BOTH', '0']);
    expect(rules.empty).toBe(true);
  });

  it.each([
    'DROP',
    'LOSE * IN 5',
    'DROP nowhere IN 5',
    'DROP * SIDEWAYS 5',
    'DROP * IN 101',
    'DROP * IN -1',
    'DROP * IN five',
    'DROP * IN 5 PIGEONS',
    'DROP * IN 5 STREAMS more',
    'DUP * IN 5 STREAMS',
  ])('refuse %j and change nothing', (words) => {
    const rules = new FaultRules();
    expect(() => rules.change(words.split(' '))).toThrow(/^fault: /);
    expect(rules.empty).toBe(true);
  });

  it('are bounded', () => {
    const rules = new FaultRules();
    for (let port = 1; port <= 256; port++) rules.change(['DROP', `127.0.0.1:${port}`, 'IN', '1']);
    expect(() => rules.change(['DROP', '*', 'IN', '1'])).toThrow(/at most 256/);
    rules.change(['DROP', '127.0.0.1:1', 'IN', '2']);
    expect(rules.list().length).toBe(256);
  });
});

describe('datagrams under faults', () => {
  it('are lost on the way out or in, for the peer named and no other', async () => {
    const [left, right, other] = [await startWorld(), await startWorld(), await startWorld()];
    left.fault(`DROP ${right.address} OUT 100`);
    other.fault(`DROP ${left.address} IN 100`);
    sendNumbers(left, right, 3);
    sendNumbers(left, other, 3);
    sendNumbers(right, other, 1);
    sendNumbers(right, left, 1);
    await other.machine.until(() => received(other).length === 1);
    await left.machine.until(() => received(left).length === 1);
    left.fault('CLEAR');
    sendNumbers(left, right, 2);
    await right.machine.until(() => received(right).length >= 2);
    expect(received(right)).toEqual(['0', '1']);
    expect(received(other)).toEqual(['0']);
  });

  it('are lost, doubled and overtaken in part', async () => {
    const [left, right] = [await startWorld(), await startWorld()];
    left.fault('DROP * OUT 50 DATAGRAMS');
    right.fault('DUP * IN 100');
    sendNumbers(left, right, 400);
    left.fault('CLEAR');
    left.ports.datagrams.send('127.0.0.1', right.world.gossipPort, Buffer.from('end'));
    await right.machine.until(() => received(right).filter((text) => text === 'end').length === 2);
    expect(received(right).length).toBeGreaterThan(200);
    expect(received(right).length).toBeLessThan(600);
    right.fault('CLEAR');
    right.machine.entries.length = 0;
    left.fault('REORDER * OUT 50');
    sendNumbers(left, right, 100);
    await right.machine.until(() => received(right).length === 100);
    const numbers = received(right).map(Number);
    expect(numbers).not.toEqual(numbers.toSorted((a, b) => a - b));
  });

  it('are late by the delay, and what was sent after it was lifted overtakes them', async () => {
    const [left, right] = [await startWorld(), await startWorld()];
    left.fault(`DELAY ${right.address} OUT 40`);
    left.ports.datagrams.send('127.0.0.1', right.world.gossipPort, Buffer.from('late'));
    left.fault('CLEAR');
    left.ports.datagrams.send('127.0.0.1', right.world.gossipPort, Buffer.from('prompt'));
    await right.machine.until(() => received(right).length === 2);
    expect(received(right)).toEqual(['prompt', 'late']);
  });
});

describe('peer streams under faults', () => {
  it('keep their order when chunks are lost and delayed', async () => {
    const [left, right] = [await startWorld(), await startWorld()];
    const [from, to] = await joinStreams(left, right);
    left.fault(`DROP ${right.address} OUT 3 STREAMS`);
    right.fault('DELAY * IN 5 STREAMS');
    let sent = '';
    for (let number = 0; number < 100; number++) {
      const text = `${number},`;
      sent += text;
      left.ports.streams.write(from, Buffer.from(text), true);
    }
    left.ports.streams.close(from, true);
    await right.machine.until(() => right.machine.of('closed').length === 1);
    expect(right.machine.text(to)).toBe(sent);
    await left.machine.until(() => left.machine.of('closed').length === 1);
    left.world.inTurn(() => {});
    expect(left.machine.released.length).toBe(100);
  });

  it('fall into a black hole until it is lifted, connects too', async () => {
    const [left, right] = [await startWorld(), await startWorld()];
    const [from, to] = await joinStreams(left, right);
    left.fault(`DROP ${right.address} BOTH 100`);
    left.ports.streams.write(from, Buffer.from('held'), true);
    right.ports.streams.write(to, Buffer.from('unheard'), false);
    const dialled = left.ports.streams.connect('127.0.0.1', right.world.gossipPort);
    expect(left.ports.streams.queued(from)).toBe(4);
    left.ports.datagrams.send('127.0.0.1', left.world.gossipPort, Buffer.from('a turn of the loop'));
    await left.machine.until(() => received(left).length === 1);
    expect([right.machine.text(to), left.machine.text(from), left.machine.of('connected').length]).toEqual(['', '', 1]);
    left.fault(`CLEAR ${right.address}`);
    await right.machine.until(() => right.machine.text(to) === 'held');
    await left.machine.until(() => left.machine.text(from) === 'unheard');
    await left.machine.until(() => left.machine.of('connected').some((entry) => entry[1] === dialled));
  });

  it('hear of the other end closing only when the hole is lifted, and close once', async () => {
    const [left, right] = [await startWorld(), await startWorld()];
    const [from, to] = await joinStreams(left, right);
    left.fault(`DROP ${right.address} IN 100 STREAMS`);
    right.ports.streams.write(to, Buffer.from('last words'), false);
    right.ports.streams.close(to, true);
    await right.machine.until(() => right.machine.of('closed').length === 1);
    expect(left.machine.of('closed')).toEqual([]);
    left.fault('CLEAR');
    await left.machine.until(() => left.machine.of('closed').length === 1);
    expect(left.machine.text(from)).toBe('last words');
    expect(left.machine.entries.at(-1)?.[0]).toBe('closed');
  });

  it('that never connected close once, and give their buffers back', async () => {
    const [left, right] = [await startWorld(), await startWorld()];
    left.fault(`DROP ${right.address} OUT 100`);
    const dialled = left.ports.streams.connect('127.0.0.1', right.world.gossipPort);
    left.ports.streams.write(dialled, Buffer.from('hello'), true);
    left.ports.streams.close(dialled, true);
    left.ports.streams.close(dialled, false);
    expect(left.machine.of('closed')).toEqual([]);
    await left.machine.until(() => left.machine.of('closed').length === 1);
    left.world.inTurn(() => {});
    expect(left.machine.released.map(String)).toEqual(['hello']);
    expect(right.machine.of('accepted')).toEqual([]);
  });

  it('that were accepted are known once labelled: nothing more is heard, and they are cut when the hole is lifted', async () => {
    const [left, right] = [await startWorld(), await startWorld()];
    right.fault(`DROP ${left.address} IN 100`);
    const [from, to] = await joinStreams(left, right);
    left.ports.streams.write(from, Buffer.from('hello'), false);
    await right.machine.until(() => right.machine.text(to) === 'hello');
    expect(right.ports.faults?.label(to, left.address)).toBe(false);
    left.ports.streams.write(from, Buffer.from(' again'), false);
    left.ports.datagrams.send('127.0.0.1', left.world.gossipPort, Buffer.from('a turn of the loop'));
    await left.machine.until(() => received(left).length === 1);
    right.fault('CLEAR');
    await left.machine.until(() => left.machine.of('closed').length === 1);
    await right.machine.until(() => right.machine.of('closed').length === 1);
    expect(right.machine.text(to)).toBe('hello');
    const [, fresh] = await joinStreams(left, right);
    expect(right.ports.faults?.label(fresh, left.address)).toBe(true);
  });
});

describe('the other faults', () => {
  it('stall the loop, put the wall clock off, and are listed and cleared', async () => {
    const stage = await startWorld();
    const before = performance.now();
    expect(stage.fault('STALL 20')).toEqual(['OK']);
    expect(performance.now() - before).toBeGreaterThanOrEqual(20);
    stage.fault('CLOCK -3600000');
    await stage.machine.until(() => stage.machine.of('turnEnded').length > 0);
    expect(stage.fault('LIST')).toEqual(['CLOCK -3600000']);
    stage.world.inTurn(() => {});
    expect(Date.now() - stage.machine.wallMs).toBeGreaterThan(3_500_000);
    stage.fault('CLEAR');
    expect(stage.fault('LIST')).toEqual([]);
    expect(() => stage.fault('STALL')).toThrow(/STALL ms/);
    expect(() => stage.fault('CLOCK soon')).toThrow(/soon is not from/);
  });
});
