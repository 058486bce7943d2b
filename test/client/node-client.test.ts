/** The client over real sockets: a server refused, frozen, cut off; and the verbs against redis-server. */
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { isByNode, nodeConnector } from '../../src/client/node-connector.js';
import { createClient } from '../../src/index.js';
import { freePort, hasRedis, type RedisProcess, startRedis } from './redis-process.js';
import { readRequest, store } from './virtual-connector.js';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function client(servers: string[], options = {}): ReturnType<typeof createClient> {
  const made = createClient({ servers, ...options });
  cleanups.push(() => made.close({ drain: false }));
  return made;
}

interface Listening {
  port: number;
  sockets: Set<Socket>;
  /** Ends the server and every connection. */
  stop(): Promise<void>;
}

async function listen(onSocket: (socket: Socket) => void): Promise<Listening> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  };
  cleanups.push(stop);
  return { port: (server.address() as { port: number }).port, sockets, stop };
}

/** A server of the scripted store. */
function listenStore(): Promise<Listening> {
  const script = store();
  return listen((socket) => {
    let inbox: Buffer = Buffer.alloc(0);
    socket.on('data', (chunk) => {
      inbox = Buffer.concat([inbox, chunk]);
      for (let request = readRequest(inbox); request !== null; request = readRequest(inbox)) {
        inbox = inbox.subarray(request.bytes);
        const words = request.words.map((word) => word.toString());
        const reply = script(words, request.words);
        if (reply !== null) socket.write(reply as string, 'latin1');
      }
    });
  });
}

describe('a socket that was lost', () => {
  it.each([
    ['ended', (socket: Socket) => socket.end()],
    ['reset', (socket: Socket) => socket.resetAndDestroy()],
  ])('says that the node has %s it', async (_how, lose) => {
    const server = await listen((socket) => socket.on('data', () => lose(socket)));
    const ended = await new Promise<boolean>((resolve) => {
      const made = nodeConnector.connect('127.0.0.1', server.port, {
        socketConnected: () => made.write(Buffer.from('PING\r\n')),
        socketBytes: () => undefined,
        socketClosed: (_why, byNode) => resolve(byNode),
      });
    });
    expect(ended).toBe(true);
  });

  it('says that the way was lost, or that this side ended it, where the node may not know', async () => {
    const server = await listen(() => undefined);
    const ended = await new Promise<boolean>((resolve) => {
      const made = nodeConnector.connect('127.0.0.1', server.port, {
        socketConnected: () => made.destroy('given up'),
        socketBytes: () => undefined,
        socketClosed: (_why, byNode) => resolve(byNode),
      });
    });
    expect(ended).toBe(false);
    for (const code of ['ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ENETDOWN', 'ECONNABORTED', undefined]) {
      expect([code, isByNode(code)]).toEqual([code, false]);
    }
  });
});

describe('over sockets', () => {
  it('settles against a refused port', async () => {
    const cache = client([`127.0.0.1:${await freePort()}`]);
    expect(await cache.get('a')).toBeUndefined();
    await expect(cache.set('a', 1)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });

  it('settles against a server that accepts and says nothing, before that server ends', async () => {
    const frozen = await listen(() => undefined);
    const cache = client([`127.0.0.1:${frozen.port}`]);
    const outcomes = await Promise.allSettled([cache.get('a'), cache.set('a', 1)]);
    expect(outcomes).toMatchObject([{ value: undefined }, { reason: { code: 'TIMEOUT' } }]);
    expect(frozen.sockets.size).toBe(1);
  });

  it('survives the loss of the node it talks to', async () => {
    const [first, second] = [await listenStore(), await listenStore()];
    const cache = client([`127.0.0.1:${first.port}`, `127.0.0.1:${second.port}`], { requestTimeout: '5s' });
    await expect.poll(() => cache.stats().readyServers.length, { timeout: 10_000 }).toBe(2);
    await cache.set('a', 1);
    await first.stop();
    await cache.set('a', 2);
    expect(await cache.get('a')).toBe(2);
  });

  it('connects again when a server is back', async () => {
    const first = await listenStore();
    const cache = client([`127.0.0.1:${first.port}`], { requestTimeout: '5s', reconnectMax: '50ms' });
    await cache.set('a', 1);
    for (const socket of first.sockets) socket.destroy();
    await expect.poll(() => cache.stats().reconnects, { timeout: 10_000 }).toBe(1);
    expect(await cache.get('a')).toBe(1);
  });

  it('reaches a server by name', async () => {
    const server = await listenStore();
    const cache = client([`localhost:${server.port}`], { requestTimeout: '5s' });
    await cache.set('a', { by: 'name' });
    expect(await cache.get('a')).toEqual({ by: 'name' });
  });

  it('does not mix the bytes of connections that share the read buffer', async () => {
    const servers = [await listenStore(), await listenStore()];
    const caches = servers.map(({ port }) => client([`127.0.0.1:${port}`], { requestTimeout: '5s' }));
    const value = (at: number, key: number): string => `${at}:${key}:`.repeat(2000);
    await Promise.all(
      caches.map((cache, at) =>
        cache.setMany(Array.from({ length: 50 }, (_, key) => ({ key: `k${key}`, value: value(at, key) }))),
      ),
    );
    const keys = Array.from({ length: 50 }, (_, key) => `k${key}`);
    const values = await Promise.all(caches.map((cache) => cache.getMany(keys)));
    expect(values).toEqual(caches.map((_, at) => keys.map((_key, key) => value(at, key))));
  });
});

describe.runIf(hasRedis)('against redis-server', () => {
  async function redis(...flags: string[]): Promise<RedisProcess> {
    const started = await startRedis(...flags);
    cleanups.push(() => started.stop());
    return started;
  }

  it('stores, reads, counts and deletes', async () => {
    const { port } = await redis();
    const cache = client([`127.0.0.1:${port}`], { requestTimeout: '5s', onError: 'throw' });
    const value = { text: 'grüße', when: new Date(0), set: new Set([1]), bytes: Buffer.from([0, 255]), big: 2n ** 70n };
    await cache.set('a', value, { ttl: '1h' });
    expect(await cache.get('a')).toStrictEqual(value);
    expect(await cache.ttl('a')).toBeGreaterThan(3_500_000);
    expect(await cache.ttl('none')).toBeUndefined();
    await cache.set('n', 41);
    expect(await cache.ttl('n')).toBe(Number.POSITIVE_INFINITY);
    expect(await cache.increment('n')).toBe(42);
    expect(await cache.decrement('n', 2)).toBe(40);
    expect(await cache.getMany(['n', 'none', 'a'])).toStrictEqual([40, undefined, value]);
    expect(await cache.has('n')).toBe(true);
    expect(await cache.deleteMany(['n', 'none', 'a'])).toBe(2);
    expect(await cache.delete('a')).toBe(false);
    await cache.command('RPUSH', 'list', 'x', 1, Buffer.from([255]));
    expect(await cache.command('LRANGE', 'list', 0, -1)).toEqual([
      Buffer.from('x'),
      Buffer.from('1'),
      Buffer.from([255]),
    ]);
    expect(await cache.command('CONFIG', 'GET', 'maxmemory', { timeout: '4s' })).toEqual(
      new Map([['maxmemory', Buffer.from('0')]]),
    );
    await expect(cache.get('list')).rejects.toMatchObject({ code: 'WRONGTYPE' });
  });

  it('answers a turn of thousands of calls in order', async () => {
    const { port } = await redis();
    const cache = client([`127.0.0.1:${port}`], { requestTimeout: '5s', onError: 'throw' });
    const numbers = Array.from({ length: 3000 }, (_, at) => at);
    await Promise.all(numbers.map((at) => cache.set(`k${at}`, `v${at}`)));
    expect(await Promise.all(numbers.map((at) => cache.get(`k${at}`)))).toEqual(numbers.map((at) => `v${at}`));
  });

  it('gives a password, and learns that it is wrong', async () => {
    const { port } = await redis('--requirepass', 'secret');
    const right = client([`127.0.0.1:${port}`], { requestTimeout: '5s', password: 'secret' });
    await right.set('a', 1);
    const wrong = client([`127.0.0.1:${port}`], { requestTimeout: '5s', password: 'guess' });
    await expect(wrong.set('a', 1)).rejects.toMatchObject({ code: 'WRONGPASS' });
    const none = client([`127.0.0.1:${port}`], { requestTimeout: '5s' });
    await expect(none.set('a', 1)).rejects.toMatchObject({ code: 'NOAUTH' });
  });

  it('settles while the process is stopped, before it is continued', async () => {
    const { port, child } = await redis();
    const cache = client([`127.0.0.1:${port}`]);
    await cache.set('a', 1, { timeout: '5s' });
    child.kill('SIGSTOP');
    const outcomes = await Promise.allSettled([cache.get('a'), cache.increment('a')]);
    expect(outcomes).toMatchObject([{ value: undefined }, { reason: { code: 'TIMEOUT' } }]);
    child.kill('SIGCONT');
    await expect.poll(() => cache.get('a'), { timeout: 10_000 }).toBe(2);
  });

  it('settles when the process is killed with calls under way', async () => {
    const started = await redis();
    const cache = client([`127.0.0.1:${started.port}`], { requestTimeout: '5s' });
    await cache.set('a', 1);
    started.child.kill('SIGSTOP');
    const calls = Promise.allSettled([cache.get('a'), cache.increment('a')]);
    await expect.poll(() => cache.stats().inFlight, { timeout: 10_000 }).toBe(2);
    await started.stop();
    expect(await calls).toMatchObject([{ value: undefined }, { reason: { code: 'CLOSED' } }]);
  });

  it('does not keep the process alive when idle', async () => {
    const { port } = await redis();
    const before = process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP')).length;
    const cache = client([`127.0.0.1:${port}`], { requestTimeout: '5s' });
    await cache.set('a', 1);
    expect(cache.stats().readyServers.length).toBe(1);
    expect(process.getActiveResourcesInfo().filter((name) => name.startsWith('TCP')).length).toBe(before);
  });
});
