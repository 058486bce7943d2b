/** The client over scripted servers in virtual time: routing, pipelining, deadlines, retries, levels, limits. */
import { describe, expect, it } from 'vitest';
import { Client } from '../../src/client/client.js';
import { type ClientOptions, resolveOptions } from '../../src/client/client-options.js';
import { backoffMs } from '../../src/client/link.js';
import type { StateChange } from '../../src/client/state-listeners.js';
import { encodeValue } from '../../src/client/values.js';
import { SLOTS, slotOf } from '../../src/core/partitions/slots.js';
import { bulk, type Script, slotMap, store, VirtualConnector, type VirtualServer } from './virtual-connector.js';

interface World {
  world: VirtualConnector;
  client: Client;
  servers: VirtualServer[];
}

/** Servers node:1, node:2, ... that know no slot map unless their script does, and a client of them, connected. */
async function start(scripts: Script[], options: Partial<ClientOptions> = {}): Promise<World> {
  const world = new VirtualConnector();
  const servers = scripts.map((script, at) => world.addServer(`node:${at + 1}`, script));
  const client = new Client(
    { connector: world },
    resolveOptions({ servers: servers.map((_, at) => `node:${at + 1}`), ...options }),
  );
  await world.pass(20);
  return { world, client, servers };
}

/** What became of a promise by now. */
function watch<T>(promise: Promise<T>): { state: 'pending' | 'fulfilled' | 'rejected'; value?: T; error?: unknown } {
  const seen: ReturnType<typeof watch<T>> = { state: 'pending' };
  promise.then(
    (value) => Object.assign(seen, { state: 'fulfilled', value }),
    (error) => Object.assign(seen, { state: 'rejected', error }),
  );
  return seen;
}

const rejected = (code: string, message = /./): object => ({
  state: 'rejected',
  error: expect.objectContaining({ name: 'HearsayError', code, message: expect.stringMatching(message) }),
});
const fulfilled = (value: unknown): object => ({ state: 'fulfilled', value });
const keyIn = (first: number, last: number): string => {
  for (let at = 0; ; at++) {
    const slot = slotOf(Buffer.from(`key${at}`), 0, `key${at}`.length);
    if (slot >= first && slot <= last) return `key${at}`;
  }
};

describe('the verbs', () => {
  it('store, read, count and delete', async () => {
    const { world, client } = await start([store()]);
    const seen = watch(
      (async () => [
        await client.set('a', { list: [1, 'two'] }),
        await client.get('a'),
        await client.get('none'),
        await client.has('a'),
        await client.increment('n', 5),
        await client.decrement('n'),
        await client.get('n'),
        await client.ttl('a'),
        await client.ttl('none'),
        await client.delete('a'),
        await client.delete('a'),
        await client.setMany([
          { key: 'x', value: 'X' },
          { key: 'y', value: null, ttl: '1s' },
        ]),
        await client.getMany(['y', 'none', 'x']),
        await client.deleteMany(['x', 'y', 'none']),
        await client.command('GET', 'n'),
      ])(),
    );
    await world.pass(200);
    expect(seen).toEqual(
      fulfilled([
        undefined,
        { list: [1, 'two'] },
        undefined,
        true,
        5,
        4,
        4,
        Number.POSITIVE_INFINITY,
        undefined,
        true,
        false,
        undefined,
        [null, undefined, 'X'],
        2,
        Buffer.from('4'),
      ]),
    );
    expect(client.stats()).toMatchObject({ hits: 4, misses: 2, failedReads: 0, inFlight: 0 });
  });

  it('send a time to live in milliseconds', async () => {
    const { world, client, servers } = await start([store()]);
    watch(client.set('a', 'v', { ttl: '2s' }));
    await world.pass(20);
    expect(servers[0].requests).toEqual([['SET', 'a', 'v', 'PX', '2000']]);
  });

  it('refuse arguments that are not valid before anything is sent, whatever onError says', async () => {
    const { world, client, servers } = await start([store()]);
    const bad = [
      client.get(7 as unknown as string),
      client.get('k'.repeat(70_000)),
      client.get('a', { timeout: 0 }),
      client.get('a', { consistency: 'most' as 'all' }),
      client.set('a', undefined),
      client.set('a', 1, { ttl: '10' as '10s' }),
      client.setMany([
        { key: 'fine', value: 1 },
        { key: 'a', value: () => 1 },
      ]),
      client.increment('a', 0.5),
      client.command(),
    ].map(watch);
    await world.pass(20);
    for (const seen of bad) expect(seen).toEqual(rejected('ERR'));
    expect(servers[0].requests).toEqual([]);
  });

  it('reject with the code of an error reply, and keep its words', async () => {
    const { world, client } = await start([
      (words, raw) => (words[0] === 'INCRBY' ? '-WRONGTYPE not a number\r\n' : store()(words, raw)),
    ]);
    const seen = watch(client.increment('a'));
    await world.pass(20);
    expect(seen).toEqual(rejected('WRONGTYPE', /^not a number$/));
  });

  it('read what others wrote, and give a miss for what cannot be decoded', async () => {
    const values: Record<string, string | Buffer> = { text: 'plain', broken: Buffer.from([0xc1, 0xdf]) };
    const { world, client } = await start([
      ([name, key]) => {
        if (name !== 'GET') return '%0\r\n';
        const value = values[key];
        return Buffer.concat([Buffer.from(`$${value.length}\r\n`), Buffer.from(value as string), Buffer.from('\r\n')]);
      },
    ]);
    const seen = [watch(client.get('text')), watch(client.get('broken'))];
    await world.pass(20);
    expect(seen).toEqual([fulfilled('plain'), fulfilled(undefined)]);
    expect(client.stats()).toMatchObject({ unreadable: 1, failedReads: 1 });
  });
});

describe('a turn', () => {
  it('leaves in one write, and is answered in order', async () => {
    const { world, client, servers } = await start([store()]);
    const before = servers[0].writes.length;
    const seen = watch(
      Promise.all([
        client.set('a', 1),
        client.get('a'),
        client.increment('a'),
        client.get('a'),
        client.getMany(['a', 'b']),
      ]),
    );
    await world.pass(20);
    expect(seen).toEqual(fulfilled([undefined, 1, 2, 2, [2, undefined]]));
    expect(servers[0].writes.length - before).toBe(1);
  });

  it('takes calls made in the promises of the same turn into the same write', async () => {
    const { world, client, servers } = await start([store()]);
    const before = servers[0].writes.length;
    watch(client.get('a'));
    watch(Promise.resolve().then(() => client.get('b')));
    await world.pass(20);
    expect(servers[0].requests.map(([, key]) => key)).toEqual(['a', 'b']);
    expect(servers[0].writes.length - before).toBe(1);
  });

  it('matches replies to calls when they come in pieces', async () => {
    const { world, client, servers } = await start([(words, raw) => (words[0] === 'GET' ? null : store()(words, raw))]);
    const seen = [watch(client.get('a')), watch(client.get('b'))];
    await world.pass(5);
    const [socket] = world.open(servers[0]);
    for (const byte of Buffer.from(bulk('first') + bulk('second'))) socket.deliver(Buffer.from([byte]));
    await world.pass(5);
    expect(seen).toEqual([fulfilled('first'), fulfilled('second')]);
  });
});

describe('a server that fails', () => {
  it.each(['refusing', 'frozen'] as const)(
    '%s from the start: a read is a miss and a write throws, in time',
    async (mode) => {
      const world = new VirtualConnector();
      const server = world.addServer('node:1', store());
      server.mode = mode;
      const client = new Client({ connector: world }, resolveOptions({ servers: ['node:1'] }));
      const read = watch(client.get('a'));
      const write = watch(client.set('a', 1));
      await world.pass(251);
      expect(read).toEqual(fulfilled(undefined));
      expect(write).toEqual(rejected(mode === 'frozen' ? 'TIMEOUT' : 'UNAVAILABLE', /nothing was sent/));
      expect(client.stats()).toMatchObject({ failedReads: 1, misses: 0 });
    },
  );

  it('frozen while in use: calls settle in time and say that the outcome is unknown', async () => {
    const { world, client, servers } = await start([store()], { onError: 'throw' });
    servers[0].mode = 'frozen';
    const seen = [watch(client.get('a')), watch(client.set('a', 1)), watch(client.increment('n'))];
    await world.pass(240);
    expect(seen.map(({ state }) => state)).toEqual(['pending', 'pending', 'pending']);
    await world.pass(20);
    expect(seen).toEqual([
      rejected('TIMEOUT', /^no answer within 250 ms$/),
      rejected('TIMEOUT', /may have been applied/),
      rejected('TIMEOUT', /may have been applied/),
    ]);
  });

  it('silent for long is given up, and calls then fail at once until it answers again', async () => {
    const { world, client, servers } = await start([store()]);
    servers[0].mode = 'frozen';
    watch(client.get('a'));
    await world.pass(1500);
    const seen = watch(client.set('a', 1));
    await world.pass(0);
    expect(seen).toEqual(rejected('UNAVAILABLE'));
    world.thaw(servers[0]);
    await world.pass(5000);
    const again = watch(client.set('a', 1));
    await world.pass(10);
    expect(again).toEqual(fulfilled(undefined));
    expect(client.stats().reconnects).toBe(1);
  });

  it('slow but not silent keeps its connection, and its late replies go to nobody else', async () => {
    const { world, client, servers } = await start([(words, raw) => (words[0] === 'GET' ? null : store()(words, raw))]);
    const slow = watch(client.get('slow'));
    await world.pass(300);
    expect(slow).toEqual(fulfilled(undefined));
    const fast = watch(client.get('fast'));
    await world.pass(5);
    world.open(servers[0])[0].deliver(Buffer.from(bulk('late') + bulk('right')));
    await world.pass(5);
    expect(fast).toEqual(fulfilled('right'));
    expect(client.stats().lateReplies).toBe(1);
    expect(servers[0].connects).toBe(1);
  });

  it('that breaks the protocol loses its connection, and only that', async () => {
    const { world, client, servers } = await start([store()], { onError: 'throw' });
    servers[0].script = (words, raw) => (words[0] === 'GET' ? '*1\r\n'.repeat(40) : store()(words, raw));
    const seen = watch(client.get('a'));
    await world.pass(20);
    expect(seen).toEqual(rejected('ERR', /nested too deep/));
    await world.pass(3000);
    const again = watch(client.set('a', 1));
    await world.pass(10);
    expect(again).toEqual(fulfilled(undefined));
  });

  it('that sends a reply to no request loses its connection', async () => {
    const { world, servers } = await start([store()]);
    world.open(servers[0])[0].deliver(Buffer.from('+SURPRISE\r\n'));
    await world.pass(3);
    expect(world.open(servers[0])).toEqual([]);
  });
});

describe('a retry', () => {
  const mute: Script = (words, raw) => (['HELLO', 'CLUSTER'].includes(words[0]) ? store()(words, raw) : null);

  it('of a read, a SET or a DEL goes to another server when the connection is lost', async () => {
    const { world, client, servers } = await start([mute, store()], { onError: 'throw' });
    const seen = [watch(client.set('a', 'v')), watch(client.get('a')), watch(client.delete('a'))];
    await world.pass(5);
    world.kill(servers[0]);
    await world.pass(20);
    expect(seen).toEqual([fulfilled(undefined), fulfilled('v'), fulfilled(true)]);
    expect(client.stats().retries).toBe(3);
  });

  it('of a SET or a DEL is none when only the way to the node was lost: it may run there at any time yet', async () => {
    const { world, client, servers } = await start([mute, store()], { onError: 'throw' });
    const seen = [watch(client.set('a', 'v')), watch(client.get('a')), watch(client.delete('a'))];
    await world.pass(5);
    for (const socket of world.open(servers[0])) socket.break('connect ETIMEDOUT', false);
    await world.pass(20);
    const unknown = rejected('CLOSED', /ETIMEDOUT; the write may have been applied or not/);
    expect(seen).toEqual([unknown, fulfilled(undefined), unknown]);
    expect(servers[1].requests).toEqual([['GET', 'a']]);
  });

  it('never sends an INCR twice: the error says that the outcome is unknown', async () => {
    const { world, client, servers } = await start([mute, store()]);
    const seen = watch(client.increment('n'));
    await world.pass(5);
    world.kill(servers[0]);
    await world.pass(20);
    expect(seen).toEqual(rejected('CLOSED', /may have been applied/));
    expect(servers[1].requests).toEqual([]);
  });

  it('does send an INCR elsewhere that had not been sent', async () => {
    const { world, client, servers } = await start([store(), store()]);
    const seen = watch(client.increment('n'));
    world.open(servers[0])[0].breakNow('cut before the turn ends');
    await world.pass(20);
    expect(seen).toEqual(fulfilled(1));
    expect(servers.map((server) => server.requests)).toEqual([[], [['INCRBY', 'n', '1']]]);
  });

  it('goes to another server at half time when the first is silent, once', async () => {
    const { world, client, servers } = await start([mute, mute, store()], { onError: 'throw' });
    const read = watch(client.get('a'));
    const counter = watch(client.increment('n'));
    await world.pass(130);
    expect(servers.map((server) => server.requests.length)).toEqual([2, 1, 0]);
    await world.pass(130);
    expect(read).toEqual(rejected('TIMEOUT'));
    expect(counter).toEqual(rejected('TIMEOUT'));
    expect(servers.map((server) => server.requests.length)).toEqual([2, 1, 0]);
  });

  it('at half time takes whichever answer comes first', async () => {
    const { world, client } = await start([mute, store()], { onError: 'throw' });
    const seen = watch(client.get('a'));
    await world.pass(130);
    expect(seen).toEqual(fulfilled(undefined));
    const next = watch(client.get('b'));
    await world.pass(5);
    expect(next).toEqual(fulfilled(undefined));
  });

  it('sends no SET elsewhere while the first may be slow: it would run late, above what was set since', async () => {
    const { world, client, servers } = await start([store(), store()]);
    servers[0].mode = 'frozen';
    const slow = watch(client.set('a', 'old'));
    await world.pass(240);
    expect(slow.state).toBe('pending');
    await world.pass(20);
    expect(slow).toEqual(rejected('TIMEOUT', /may have been applied/));
    const next = watch(client.set('a', 'new'));
    await world.pass(5);
    expect(next).toEqual(fulfilled(undefined));
    expect(servers.map((server) => server.requests)).toEqual([[], [['SET', 'a', 'new']]]);
  });

  it('sends no SET again when it gives a silent server up, and does when the server ends the connection', async () => {
    const { world, client, servers } = await start([mute, store()], { requestTimeout: 5000 });
    const given = watch(client.set('a', 1));
    await world.pass(3600);
    expect(given).toEqual(rejected('TIMEOUT', /may have been applied/));
    expect(servers.map((server) => server.requests.length)).toEqual([1, 0]);
    await world.pass(2000);
    servers[0].script = (words, raw) => (words[0] === 'SET' ? null : store()(words, raw));
    const ended = watch(client.set('b', 2));
    await world.pass(5);
    world.kill(servers[0]);
    await world.pass(20);
    expect(ended).toEqual(fulfilled(undefined));
    expect(servers[1].requests).toEqual([['SET', 'b', '2']]);
  });

  it('passes by a server whose connection is full', async () => {
    const slots = slotMap([[0, SLOTS - 1, 1, 2]]);
    const busy: Script = (words, raw) => (words[0] === 'GET' ? null : store(slots)(words, raw));
    const { world, client, servers } = await start([busy, store(slots)], { maxInFlight: 2 });
    const trickle = world.open(servers[0])[0];
    for (const key of ['a', 'b']) watch(client.get(key, { timeout: 10 }));
    await world.pass(4);
    trickle.deliver(Buffer.from('$1'));
    await world.pass(16);
    const seen = watch(client.set('c', 3));
    await world.pass(5);
    expect(seen).toEqual(fulfilled(undefined));
    expect(servers[1].requests).toContainEqual(['SET', 'c', '3']);
  });

  it('follows a refusal that another server may not share', async () => {
    const loading: Script = (words, raw) => (words[0] === 'INCRBY' ? '-LOADING data\r\n' : store()(words, raw));
    const { world, client } = await start([loading, store()]);
    const seen = watch(client.increment('n'));
    await world.pass(20);
    expect(seen).toEqual(fulfilled(1));
  });

  it('ends when every server has refused', async () => {
    const loading: Script = (words, raw) => (words[0] === 'INCRBY' ? '-LOADING data\r\n' : store()(words, raw));
    const { world, client } = await start([loading, loading]);
    const seen = watch(client.increment('n'));
    await world.pass(20);
    expect(seen).toEqual(rejected('LOADING', /data/));
  });
});

describe('routing', () => {
  const half = SLOTS / 2;
  const low = keyIn(0, half - 1);
  const high = keyIn(half, SLOTS - 1);
  const map = slotMap([
    [0, half - 1, 1, 2],
    [half, SLOTS - 1, 2, 1],
  ]);

  it('sends each key straight to the first owner of its slot', async () => {
    const { world, client, servers } = await start([store(map), store(map)], { servers: ['node:1'] });
    const seen = watch(Promise.all([client.set(low, 1), client.set(high, 2), client.getMany([high, low])]));
    await world.pass(20);
    expect(seen).toEqual(fulfilled([undefined, undefined, [2, 1]]));
    expect(servers[0].requests).toEqual([
      ['SET', low, '1'],
      ['MGET', low],
    ]);
    expect(servers[1].requests).toEqual([
      ['SET', high, '2'],
      ['MGET', high],
    ]);
  });

  it('turns to the next owner when the first is lost', async () => {
    const { world, client, servers } = await start([store(map), store(map)], { servers: ['node:1'] });
    world.kill(servers[1]);
    await world.pass(5);
    const seen = watch(client.set(high, 2));
    await world.pass(10);
    expect(seen).toEqual(fulfilled(undefined));
    expect(servers[0].requests).toEqual([['SET', high, '2']]);
  });

  it('learns a new slot map after the interval, joins new servers and leaves old ones', async () => {
    let current = map;
    const { world, client, servers } = await start([store(() => current), store(() => current), store(() => current)], {
      servers: ['node:1'],
    });
    const changes: StateChange[] = [];
    client.onStateChange((change) => changes.push(change));
    current = slotMap([[0, SLOTS - 1, 3]]);
    await world.pass(6000);
    const seen = watch(client.set(low, 1));
    await world.pass(10);
    expect(seen).toEqual(fulfilled(undefined));
    expect(servers[2].requests).toEqual([['SET', low, '1']]);
    expect(world.open(servers[1])).toEqual([]);
    expect(changes).toContainEqual({ type: 'servers-changed', servers: ['node:3'] });
  });

  it('asks for the slot map anew when a server is lost', async () => {
    let current = map;
    const { world, client, servers } = await start([store(() => current), store(() => current)], {
      servers: ['node:1'],
    });
    current = slotMap([[0, SLOTS - 1, 1]]);
    world.kill(servers[1]);
    await world.pass(10);
    expect(servers[0].commands.filter(([name]) => name === 'CLUSTER').length).toBeGreaterThan(1);
    watch(client.set(high, 1));
    await world.pass(10);
    expect(servers[0].requests).toEqual([['SET', high, '1']]);
  });

  it('goes on with the servers given when a slot map is nonsense, and counts it', async () => {
    const { world, client } = await start([store('*1\r\n*3\r\n:5\r\n:1\r\n*0\r\n')]);
    const seen = watch(client.set(low, 1));
    await world.pass(10);
    expect(seen).toEqual(fulfilled(undefined));
    expect(client.stats().badSlotMaps).toBe(1);
  });

  it('splits a long list of keys into commands of bounded length, and keeps the order', async () => {
    const { world, client, servers } = await start([store()]);
    const keys = Array.from({ length: 1200 }, (_, at) => `key${at}`);
    const seen = watch(client.setMany(keys.map((key, at) => ({ key, value: at }))).then(() => client.getMany(keys)));
    await world.pass(20);
    expect(seen).toEqual(fulfilled(keys.map((_, at) => at)));
    expect(servers[0].requests.filter(([name]) => name === 'MGET').map((words) => words.length - 1)).toEqual([
      500, 500, 200,
    ]);
  });
});

describe('the handshake', () => {
  it('sends password and name before any request', async () => {
    const { servers } = await start([store()], { password: 'secret', name: 'web-1' });
    expect(servers[0].commands[0]).toEqual(['HELLO', '3', 'AUTH', 'default', 'secret', 'SETNAME', 'web-1']);
  });

  it('falls back to RESP2 for a server that does not know HELLO', async () => {
    const old: Script = (words, raw) => {
      if (words[0] === 'HELLO') return '-ERR unknown command\r\n';
      if (words[0] === 'AUTH' || words[0] === 'CLIENT') return '+OK\r\n';
      return words[0] === 'GET' ? '$-1\r\n' : store()(words, raw);
    };
    const { world, client, servers } = await start([old], { password: 'secret', onError: 'throw' });
    const seen = watch(client.get('a'));
    await world.pass(10);
    expect(seen).toEqual(fulfilled(undefined));
    expect(servers[0].commands.slice(1, 3)).toEqual([
      ['AUTH', 'secret'],
      ['CLIENT', 'SETNAME', 'hearsay-client'],
    ]);
  });

  it('that is refused tells every call why', async () => {
    const { world, client } = await start([() => '-WRONGPASS bad password\r\n'], { password: 'wrong' });
    const seen = watch(client.set('a', 1));
    await world.pass(1);
    expect(seen).toEqual(rejected('WRONGPASS', /bad password; nothing was sent/));
  });

  it('asks for a level on a connection of its own, before the request', async () => {
    const { world, client, servers } = await start([store()]);
    const seen = [watch(client.set('a', 1, { consistency: 'quorum' })), watch(client.set('b', 2))];
    await world.pass(10);
    expect(seen).toEqual([fulfilled(undefined), fulfilled(undefined)]);
    expect(world.open(servers[0]).length).toBe(2);
    const words = servers[0].commands.map(([name]) => name);
    expect(servers[0].commands).toContainEqual(['HEARSAY.CONSISTENCY', 'READ', 'quorum', 'WRITE', 'quorum']);
    expect(words.lastIndexOf('HEARSAY.CONSISTENCY')).toBeLessThan(words.lastIndexOf('SET'));
  });

  it('refuses a level that the server does not have, and nothing else', async () => {
    const plain: Script = (words, raw) =>
      words[0].startsWith('HEARSAY') ? '-ERR unknown command\r\n' : store()(words, raw);
    const { world, client } = await start([plain]);
    const seen = [watch(client.set('a', 1, { consistency: 'all' })), watch(client.set('b', 2))];
    await world.pass(10);
    expect(seen).toEqual([rejected('ERR', /unknown command/), fulfilled(undefined)]);
  });
});

describe('limits', () => {
  const mute: Script = (words, raw) => (['HELLO', 'CLUSTER'].includes(words[0]) ? store()(words, raw) : null);

  it('refuse a call too many with BUSY, and take calls again when others have settled', async () => {
    const { world, client, servers } = await start([mute], { maxInFlight: 2, onError: 'throw' });
    const seen = [watch(client.get('a')), watch(client.get('b')), watch(client.get('c'))];
    await world.pass(5);
    expect(seen.map(({ state }) => state)).toEqual(['pending', 'pending', 'rejected']);
    expect(seen[2]).toEqual(rejected('BUSY', /nothing was sent/));
    world.open(servers[0])[0].deliver(Buffer.from(bulk('A') + bulk('B')));
    await world.pass(5);
    expect(seen.slice(0, 2)).toEqual([fulfilled('A'), fulfilled('B')]);
    expect(client.stats()).toMatchObject({ refusedBusy: 1, inFlight: 0 });
  });

  it('hold for requests that wait on a connection after their calls have settled', async () => {
    const { world, client } = await start([mute], { maxInFlight: 2, onError: 'throw' });
    const trickle = world.sockets[0];
    watch(client.get('a'));
    watch(client.get('b'));
    await world.pass(200);
    trickle.deliver(Buffer.from('$1'));
    await world.pass(100);
    const seen = watch(client.get('c'));
    await world.pass(0);
    expect(seen).toEqual(rejected('BUSY', /too much is queued/));
  });

  it('keep the process alive for a pending call, and for nothing else', async () => {
    const { world, client } = await start([mute]);
    expect(world.holding).toBe(0);
    watch(client.get('a'));
    expect(world.holding).toBe(1);
    await world.pass(300);
    expect(world.holding).toBe(0);
  });

  it('of the options are reported all at once', () => {
    const bad = {
      servers: ['no-port', 'a:1'],
      requestTimeout: -1,
      maxInFlight: 0,
      name: 'a b',
      onError: 'x' as 'miss',
    };
    expect(() => resolveOptions(bad)).toThrowError(
      expect.objectContaining({
        code: 'CONFIG',
        message: expect.stringMatching(/requestTimeout.*"no-port".*name must.*onError must.*maxInFlight must/),
      }),
    );
  });

  it('of the backoff double from the minimum to the maximum, with full jitter', () => {
    const bounds = { reconnectMinMs: 50, reconnectMaxMs: 2000 };
    const ceilings = [1, 2, 3, 4, 5, 6, 7, 100].map((failures) => backoffMs(failures, 1, bounds));
    expect(ceilings).toEqual([50, 100, 200, 400, 800, 1600, 2000, 2000]);
    expect(backoffMs(3, 0, bounds)).toBe(0);
  });
});

describe('an abort', () => {
  it('rejects a read with its reason even under onError miss, and the late reply goes to nobody', async () => {
    const { world, client } = await start([store()]);
    const controller = new AbortController();
    const seen = watch(client.get('a', { signal: controller.signal }));
    controller.abort(new Error('enough'));
    const next = watch(client.has('a'));
    await world.pass(10);
    expect(seen).toEqual({ state: 'rejected', error: new Error('enough') });
    expect(next).toEqual(fulfilled(false));
  });

  it('before the call sends nothing', async () => {
    const { world, client, servers } = await start([store()]);
    const seen = watch(client.set('a', 1, { signal: AbortSignal.abort() }));
    await world.pass(10);
    expect(seen).toMatchObject({ state: 'rejected', error: { name: 'AbortError' } });
    expect(servers[0].requests).toEqual([]);
  });
});

describe('the end', () => {
  it('waits for calls under way, then closes every connection', async () => {
    const { world, client, servers } = await start([store()]);
    const changes: StateChange[] = [];
    client.onStateChange((change) => changes.push(change));
    const seen = [watch(client.set('a', 1)), watch(client.close()), watch(client.set('b', 1))];
    await world.pass(10);
    expect(seen).toEqual([fulfilled(undefined), fulfilled(undefined), rejected('CLOSED')]);
    expect(world.open(servers[0])).toEqual([]);
    expect(changes).toEqual([{ type: 'closed' }]);
    await world.pass(10_000);
    expect(servers[0].connects).toBe(1);
  });

  it('without draining fails calls under way', async () => {
    const { world, client } = await start([store()]);
    const seen = [watch(client.set('a', 1)), watch(client.get('a')), watch(client.close({ drain: false }))];
    await world.pass(0);
    expect(seen).toEqual([rejected('CLOSED', /may have been applied/), fulfilled(undefined), fulfilled(undefined)]);
  });

  it('of a drain comes even if the server is silent, and a second close waits for the same', async () => {
    const { world, client, servers } = await start([store()]);
    servers[0].mode = 'frozen';
    watch(client.set('a', 1));
    const seen = [watch(client.close()), watch(client[Symbol.asyncDispose]())];
    await world.pass(10);
    expect(seen.map(({ state }) => state)).toEqual(['pending', 'pending']);
    await world.pass(300);
    expect(seen).toEqual([fulfilled(undefined), fulfilled(undefined)]);
  });
});

describe('state listeners', () => {
  it('hear of servers found and lost, once for each', async () => {
    const { world, client, servers } = await start([store()]);
    const changes: StateChange[] = [];
    const remove = client.onStateChange((change) => changes.push(change));
    world.kill(servers[0]);
    await world.pass(5000);
    expect(changes.map(({ type }) => type)).toEqual(['node-down']);
    servers[0].mode = 'up';
    await world.pass(5000);
    expect(changes.map(({ type }) => type)).toEqual(['node-down', 'node-up']);
    remove();
    world.kill(servers[0]);
    await world.pass(100);
    expect(changes.length).toBe(2);
  });

  it('that throw are counted and stop nothing', async () => {
    const { world, client, servers } = await start([store()]);
    client.onStateChange(() => {
      throw new Error('bad listener');
    });
    const changes: StateChange[] = [];
    client.onStateChange((change) => changes.push(change));
    world.kill(servers[0]);
    await world.pass(5);
    expect(changes.length).toBe(1);
    expect(client.stats().listenerFailures).toBe(1);
  });
});

describe('bytes on the wire', () => {
  it('carry values as the codec makes them', async () => {
    const world = new VirtualConnector();
    const stored: Buffer[] = [];
    world.addServer('node:1', (words, raw) => {
      if (words[0] === 'SET') stored.push(Buffer.from(raw[2]));
      return '%0\r\n';
    });
    const client = new Client({ connector: world }, resolveOptions({ servers: ['node:1'] }));
    watch(
      client.setMany([
        { key: 'ключ', value: Buffer.from([0, 0xff]) },
        { key: 'b', value: new Map([[1, 2]]) },
      ]),
    );
    await world.pass(20);
    expect(stored).toEqual([encodeValue(Buffer.from([0, 0xff])), encodeValue(new Map([[1, 2]]))]);
  });
});
