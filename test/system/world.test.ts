import { createSocket } from 'node:dgram';
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { DiskError } from '../../src/ports/disk.js';
import type { Ports } from '../../src/ports/world.js';
import { NodeWorld, type NodeWorldOptions } from '../../src/system/world.js';
import { Recorder, silentLog } from './recorder.js';

interface Stage {
  world: NodeWorld;
  machine: Recorder;
  ports: Ports;
}

const closers: (() => Promise<unknown> | unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function startWorld(options: Partial<NodeWorldOptions> = {}): Promise<Stage> {
  const world = new NodeWorld(silentLog, {
    bind: '127.0.0.1',
    port: 0,
    gossipPort: 0,
    tickIntervalMs: 60_000,
    faultInjection: false,
    ...options,
  });
  await world.listen();
  closers.push(() => world.stop());
  const machine = new Recorder();
  const ports = world.portsOver({} as Ports['disk']);
  world.run(machine, () => {});
  return { world, machine, ports };
}

function client(world: NodeWorld): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port: world.port });
  socket.on('error', () => {});
  closers.push(() => socket.destroy());
  return new Promise((resolve) => socket.once('connect', () => resolve(socket)));
}

function textOf(socket: Socket, length: number): Promise<string> {
  let text = '';
  return new Promise((resolve) =>
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
      if (text.length >= length) resolve(text);
    }),
  );
}

describe('turns of the Node world', () => {
  it('open at the first event and close once behind the last of the same poll', async () => {
    const { world, machine } = await startWorld();
    world.diskCompleted(1, null);
    world.diskCompleted(2, new DiskError('EIO', 'broken'));
    await machine.until(() => machine.of('turnEnded').length > 0);
    expect(machine.entries.map((entry) => entry[0])).toEqual(['disk', 'disk', 'turnEnded']);
  });

  it('follow one another while the machine wants them, and let waiting events in between', async () => {
    const { world, machine } = await startWorld();
    machine.wantsTurn = true;
    world.inTurn(() => {});
    const socket = await client(world);
    socket.write('in between');
    await machine.until(() => machine.text(1) === 'in between' && machine.of('turnEnded').length > 3);
    machine.wantsTurn = false;
    const polls = async (): Promise<void> => {
      for (let poll = 0; poll < 3; poll++) await new Promise((resolve) => setImmediate(resolve));
    };
    await polls();
    const turns = machine.of('turnEnded').length;
    await polls();
    expect(machine.of('turnEnded').length).toBe(turns);
  });

  it('carry the clocks handed in', async () => {
    const { world, machine } = await startWorld({ monotonicMs: () => 42, wallMs: () => 1_700_000_000_000 });
    world.inTurn(() => {});
    expect([machine.monotonicMs, machine.wallMs]).toEqual([42, 1_700_000_000_000]);
  });

  it('tick on their own', async () => {
    const { machine } = await startWorld({ tickIntervalMs: 5 });
    await machine.until(() => machine.of('tick').length >= 3);
  });

  it('tell when the machine has stopped, and hand out nothing after stop', async () => {
    const { world, machine } = await startWorld();
    world.inTurn(() => {
      machine.stopped = true;
    });
    await world.untilStopped();
    await world.stop();
    const before = machine.entries.length;
    world.diskCompleted(1, null);
    expect(machine.entries.length).toBe(before);
    expect(world.eventsDropped).toBeGreaterThan(0);
  });

  it('resolve names and numeric addresses as events', async () => {
    const { machine, ports } = await startWorld();
    ports.resolver.resolve('127.0.0.9', 1);
    ports.resolver.resolve('localhost', 2);
    ports.resolver.resolve('no-such-host.invalid', 3);
    expect(machine.of('resolved')).toEqual([]);
    await machine.until(() => machine.of('resolved').length === 3);
    const answers = new Map(machine.of('resolved').map((entry) => [entry[1], entry[2]]));
    expect(answers.get(1)).toEqual(['127.0.0.9']);
    expect(answers.get(2)).toContain('127.0.0.1');
    expect(answers.get(3)).toEqual([]);
    const why = new Map(machine.of('resolved').map((entry) => [entry[1], entry[3]]));
    expect([why.get(1), why.get(2)]).toEqual(['', '']);
    expect(why.get(3)).toMatch(/^E[A-Z_]+$/);
  });
});

describe('datagrams of the Node world', () => {
  it('arrive whole with the address of their sender', async () => {
    const left = await startWorld();
    const right = await startWorld();
    left.ports.datagrams.send('127.0.0.1', right.world.gossipPort, Buffer.from('rumor'));
    await right.machine.until(() => right.machine.of('datagram').length === 1);
    expect(right.machine.of('datagram')).toEqual([['datagram', 'rumor', '127.0.0.1', left.world.gossipPort]]);
  });

  it('that wait in the socket after a stall come before the tick that would judge them missing', async () => {
    const { machine, world } = await startWorld({ tickIntervalMs: 10 });
    const sender = createSocket('udp4');
    closers.push(() => new Promise<void>((resolve) => sender.close(() => resolve())));
    await machine.until(() => machine.of('tick').length > 0);
    const sent = new Promise<void>((resolve) => {
      let left = 80;
      for (let count = 0; count < 80; count++) {
        sender.send('ack', world.gossipPort, '127.0.0.1', () => {
          left--;
          if (left === 0) {
            // All 80 are in the socket's buffer now; the loop stalls past the next tick.
            const until = performance.now() + 30;
            while (performance.now() < until);
            machine.entries.length = 0;
            resolve();
          }
        });
      }
    });
    await sent;
    await machine.until(() => machine.of('tick').length > 0 && machine.of('datagram').length === 80);
    const order = machine.entries.map((entry) => entry[0]);
    expect(order.indexOf('tick')).toBeGreaterThan(order.lastIndexOf('datagram'));
  });

  it('that cannot be sent are counted, and nothing is thrown', async () => {
    const { ports, world } = await startWorld();
    ports.datagrams.send('127.0.0.1', 0, Buffer.from('x'));
    ports.datagrams.send('127.0.0.1', 9, Buffer.alloc(70_000));
    while (world.datagrams.sendFailures < 2) await new Promise((resolve) => setImmediate(resolve));
    expect(world.datagrams.sendFailures).toBe(2);
    expect(world.datagrams.receiveBufferBytes).toBeGreaterThan(200_000);
  });
});

describe('streams of the Node world', () => {
  it('tell client from peer, and name both ends', async () => {
    const { world, machine, ports } = await startWorld();
    const socket = await client(world);
    await machine.until(() => machine.of('accepted').length === 1);
    const local = `127.0.0.1:${socket.localPort}`;
    expect(machine.of('accepted')).toEqual([['accepted', 1, 'client', local, `127.0.0.1:${world.port}`]]);
    const dialled = ports.streams.connect('127.0.0.1', world.gossipPort);
    await machine.until(() => machine.of('accepted').length === 2 && machine.of('connected').length === 1);
    expect(machine.of('accepted')[1][2]).toBe('peer');
    expect(machine.of('connected')).toEqual([['connected', dialled]]);
  });

  it('keep the order of what is written, and hand every recycled buffer back once', async () => {
    const { machine, ports, world } = await startWorld();
    const socket = await client(world);
    const pool = Array.from({ length: 200 }, (_, index) => Buffer.from(`${index},`));
    machine.act = (entry) => {
      if (entry[0] === 'bytes') for (const bytes of pool) ports.streams.write(1, bytes, true);
    };
    const expected = pool.join('');
    const answer = textOf(socket, expected.length);
    socket.write('go');
    expect(await answer).toBe(expected);
    world.inTurn(() => {});
    await machine.until(() => machine.of('turnEnded').length > 2);
    expect(machine.released.map(String).join('')).toBe(expected);
  });

  it('hand buffers back from a stream that has closed, too', async () => {
    const { machine, ports, world } = await startWorld();
    const socket = await client(world);
    await machine.until(() => machine.of('accepted').length === 1);
    const large = Buffer.alloc(8_000_000);
    world.inTurn(() => ports.streams.write(1, large, true));
    socket.destroy();
    await machine.until(() => machine.of('closed').length === 1);
    const late = Buffer.from('late');
    world.inTurn(() => ports.streams.write(1, late, true));
    await machine.until(() => machine.entries.at(-1)?.[0] === 'turnEnded');
    world.inTurn(() => {});
    expect(machine.released.map((bytes) => bytes.length)).toEqual([large.length, late.length]);
    expect(ports.streams.queued(1)).toBe(0);
  });

  it('answer a client that has already ended its half', async () => {
    const { machine, ports, world } = await startWorld();
    machine.act = (entry) => {
      if (entry[0] === 'turnEnded' && machine.text(1) === 'PING') ports.streams.write(1, Buffer.from('PONG'), false);
    };
    const socket = await client(world);
    const answer = textOf(socket, 4);
    socket.end('PING');
    expect(await answer).toBe('PONG');
    await machine.until(() => machine.of('closed').length === 1);
  });

  it('close exactly once, whichever side ends them, and say nothing after', async () => {
    const { machine, ports, world } = await startWorld();
    const sockets = [await client(world), await client(world), await client(world)];
    await machine.until(() => machine.of('accepted').length === 3);
    for (const socket of sockets) socket.write('x'.repeat(100));
    sockets[0].resetAndDestroy();
    world.inTurn(() => {
      ports.streams.close(2, true);
      ports.streams.close(2, false);
      ports.streams.close(3, false);
    });
    const refused = ports.streams.connect('127.0.0.1', 1);
    const named = ports.streams.connect('not-numeric', 1);
    await machine.until(() => machine.of('closed').length === 5);
    expect(
      machine
        .of('closed')
        .map((entry) => entry[1])
        .sort(),
    ).toEqual([1, 2, 3, refused, named]);
    for (const id of [1, 2, 3, refused, named]) {
      expect(machine.entries.filter((entry) => entry[1] === id).at(-1)?.[0]).toBe('closed');
    }
  });

  it('flush what is queued before a flushing close', async () => {
    const { machine, ports, world } = await startWorld();
    const socket = await client(world);
    await machine.until(() => machine.of('accepted').length === 1);
    const length = 3_000_000;
    const answer = textOf(socket, length);
    world.inTurn(() => {
      ports.streams.write(1, Buffer.alloc(length, 'a'), false);
      ports.streams.close(1, true);
    });
    expect((await answer).length).toBe(length);
  });

  it('say when a full queue has drained', async () => {
    const { machine, ports, world } = await startWorld();
    const socket = await client(world);
    socket.pause();
    await machine.until(() => machine.of('accepted').length === 1);
    for (let count = 0; count < 40; count++) ports.streams.write(1, Buffer.alloc(512 * 1024), false);
    expect(ports.streams.queued(1)).toBeGreaterThan(256 * 1024);
    expect(machine.of('drained')).toEqual([]);
    socket.resume();
    await machine.until(() => machine.of('drained').length === 1);
    expect(ports.streams.queued(1)).toBeLessThan(128 * 1024);
  });

  it('bring nothing while paused, and everything after', async () => {
    const { machine, ports, world } = await startWorld();
    machine.act = (entry) => {
      if (entry[0] === 'accepted' && entry[1] === 1) ports.streams.pause(1, true);
    };
    const socket = await client(world);
    socket.write('early');
    const other = await client(world);
    other.write('other');
    await machine.until(() => machine.text(2) === 'other');
    expect(machine.text(1)).toBe('');
    ports.streams.pause(1, false);
    await machine.until(() => machine.text(1) === 'early');
  });

  it('name the port and the flag when one is taken, and keep nothing bound', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    closers.push(() => taken.close());
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as { port: number };
    const world = new NodeWorld(silentLog, {
      bind: '127.0.0.1',
      port: 0,
      gossipPort: port,
      tickIntervalMs: 1000,
      faultInjection: false,
    });
    await expect(world.listen()).rejects.toMatchObject({
      code: 'CONFIG',
      message: `port ${port} is in use: choose another with --gossip-port`,
    });
    const again = createServer().listen(world.port, '127.0.0.1');
    closers.push(() => again.close());
    await new Promise((resolve, reject) => again.once('listening', resolve).once('error', reject));
  });
});
