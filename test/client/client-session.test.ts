/** Sessions and receipts of the client over scripted servers in virtual time: what goes on the wire around a command, what comes of it. */
import { describe, expect, it } from 'vitest';
import type { CacheSession } from '../../src/client/cache.js';
import { Client } from '../../src/client/client.js';
import { resolveOptions } from '../../src/client/client-options.js';
import { SessionToken } from '../../src/core/commands/session-token.js';
import { bulk, type Script, store, VirtualConnector } from './virtual-connector.js';

const CLUSTER = '0123456789abcdef';

function tokenOf(...sequences: number[]): string {
  const token = new SessionToken();
  for (const sequence of sequences) token.note(sequence, 7, sequence, sequence * 1000);
  return token.encode(CLUSTER);
}

function receipt(level: string, version: string | null): string {
  const facts = ['level', level, 'met', true, 'owners', 2, 'fallbacks', 1, 'synced', 0, 'version', version];
  const items = facts.map((fact) => {
    if (typeof fact === 'boolean') return '#t\r\n';
    return typeof fact === 'number' ? `:${fact}\r\n` : bulk(fact);
  });
  return `%6\r\n${items.join('')}`;
}

/** A store that knows sessions: END gives the tokens of the list in turn. */
function knowing(tokens: string[], version: string | null = 'v1'): Script {
  const plain = store();
  return (words, raw) => {
    if (words[0] === 'HEARSAY.RECEIPT') return receipt('quorum', version);
    if (words[0] !== 'HEARSAY.SESSION') return plain(words, raw);
    return words[1] === 'END' ? bulk(tokens.shift() ?? '') : '+OK\r\n';
  };
}

async function start(script: Script) {
  const world = new VirtualConnector();
  const server = world.addServer('node:1', script);
  const client = new Client({ connector: world }, resolveOptions({ servers: ['node:1'] }));
  await world.pass(20);
  return { world, client, server };
}

async function run<T>(world: VirtualConnector, work: Promise<T>): Promise<unknown> {
  const settled = work.catch((error: unknown) => error);
  await world.pass(300);
  return settled;
}

describe('a session', () => {
  it('sends a SET once, whatever comes of its connection: a late copy would stand above what it writes next', async () => {
    const world = new VirtualConnector();
    const silent: Script = (words, raw) => (words[0] === 'HELLO' ? store()(words, raw) : null);
    const servers = [silent, knowing([tokenOf(1)])].map((script, at) => world.addServer(`node:${at + 1}`, script));
    const client = new Client({ connector: world }, resolveOptions({ servers: ['node:1', 'node:2'] }));
    await world.pass(20);
    const written = client
      .session()
      .set('a', 1)
      .catch((error: unknown) => error);
    await world.pass(5);
    world.kill(servers[0]);
    await world.pass(300);
    expect(await written).toMatchObject({ code: 'CLOSED', message: expect.stringMatching(/may have been applied/) });
    expect(servers[1].requests).toEqual([]);
  });

  it('stands around each of its commands, in one write, and takes the token of the last reply to the next', async () => {
    const tokens = [tokenOf(1), tokenOf(1, 2)];
    const { world, client, server } = await start(knowing([...tokens]));
    const session = client.session();
    expect(session.token).toBe('');
    await run(world, session.set('a', 1));
    expect(session.token).toBe(tokens[0]);
    const writes = server.writes.length;
    expect(await run(world, session.get('a'))).toBe(1);
    expect(server.writes.length).toBe(writes + 1);
    expect(session.token).toBe(tokens[1]);
    expect(server.requests).toEqual([
      ['HEARSAY.SESSION', 'ON'],
      ['SET', 'a', '1'],
      ['HEARSAY.SESSION', 'END'],
      ['HEARSAY.SESSION', 'RESUME', tokens[0]],
      ['GET', 'a'],
      ['HEARSAY.SESSION', 'END'],
    ]);
  });

  it('goes on with a token that another process was handed', async () => {
    const { world, client, server } = await start(knowing([tokenOf(5)]));
    const session = client.session(tokenOf(3));
    await run(world, session.has('a'));
    expect(server.requests[0]).toEqual(['HEARSAY.SESSION', 'RESUME', tokenOf(3)]);
  });

  it('keeps what each of its overlapping calls has seen', async () => {
    const { world, client } = await start(knowing([tokenOf(1), tokenOf(2), tokenOf(3)]));
    const session = client.session();
    await run(world, Promise.all([session.set('a', 1), session.set('b', 2), session.get('c')]));
    const token = SessionToken.parse(session.token, CLUSTER, 256);
    expect(token?.dots.map(({ sequence }) => sequence).sort()).toEqual([1, 2, 3]);
    expect(token?.hlc).toBe(3000);
  });

  it('leaves calls beside it out of the session', async () => {
    const { world, client, server } = await start(knowing([tokenOf(1)]));
    await run(world, Promise.all([client.get('x'), client.session().get('a'), client.get('y')]));
    expect(server.requests.map((words) => words.slice(0, 2).join(' '))).toEqual([
      'GET x',
      'HEARSAY.SESSION ON',
      'GET a',
      'HEARSAY.SESSION END',
      'GET y',
    ]);
  });

  it('rejects a read that no owner has caught up for, with SESSION, where a read of the client would be a miss', async () => {
    const behind: Script = ([name, word], raw) =>
      name === 'GET' ? '-SESSION no owner\r\n' : knowing([tokenOf(1)])([name, word], raw);
    const { world, client } = await start(behind);
    expect(await run(world, client.session(tokenOf(1)).get('a'))).toMatchObject({ code: 'SESSION' });
    expect(client.stats().failedReads).toBe(0);
    expect(await run(world, client.get('a'))).toBeUndefined();
  });

  it('tells when a node does not take its token, and that a write was applied all the same', async () => {
    const foreign: Script = (words, raw) =>
      words[1] === 'RESUME' ? '-SESSION this is no token of this cluster\r\n' : knowing([])(words, raw);
    const { world, client } = await start(foreign);
    const session = client.session(tokenOf(1));
    expect(await run(world, session.get('a'))).toMatchObject({
      code: 'SESSION',
      message: expect.not.stringMatching(/applied/),
    });
    expect(await run(world, session.set('a', 1))).toMatchObject({
      code: 'SESSION',
      message: expect.stringMatching(/applied/),
    });
    expect(session.token).toBe(tokenOf(1));
  });

  it('is refused with SESSION before anything is sent for what is no token', async () => {
    const { client } = await start(knowing([]));
    for (const text of ['not a token!', 'x'.repeat(5000)]) {
      expect(() => client.session(text)).toThrow(expect.objectContaining({ code: 'SESSION' }));
    }
  });

  it('is sent again whole, with its token, when a connection is lost before the last of its replies', async () => {
    const world = new VirtualConnector();
    const plain = knowing([tokenOf(2)]);
    const first = world.addServer('node:1', (words, raw) => (words[1] === 'END' ? null : plain(words, raw)));
    const second = world.addServer('node:2', plain);
    const client = new Client({ connector: world }, resolveOptions({ servers: ['node:1', 'node:2'] }));
    await world.pass(20);
    const session: CacheSession = client.session(tokenOf(1));
    const reading = session.get('a');
    await world.pass(10);
    world.kill(first);
    expect(await run(world, reading)).toBeUndefined();
    expect(second.requests.map(([name]) => name)).toEqual(['HEARSAY.SESSION', 'GET', 'HEARSAY.SESSION']);
    expect(session.token).toBe(tokenOf(2));
    expect(client.stats().lateReplies).toBe(0);
  });
});

describe('a receipt', () => {
  const rests = { level: 'quorum', met: true, owners: 2, fallbacks: 1, synced: 0 };

  it('comes with the reply it belongs to, in the same round trip', async () => {
    const { world, client, server } = await start(knowing([]));
    const work = (async () => [
      await client.set('a', 1, { receipt: true, ttl: '2s' }),
      await client.get('a', { receipt: true }),
      await client.delete('a', { receipt: true }),
    ])();
    const version = { version: 'v1' };
    expect(await run(world, work)).toEqual([
      { receipt: { ...rests, ...version } },
      { value: 1, receipt: { ...rests, ...version } },
      { value: true, receipt: { ...rests, ...version } },
    ]);
    expect(server.requests.filter(([name]) => name === 'HEARSAY.RECEIPT').length).toBe(3);
    expect(server.writes.at(-1)?.toString()).toContain('HEARSAY.RECEIPT');
  });

  it('names no version where there is none, and comes under a session, too', async () => {
    const { world, client, server } = await start(knowing([tokenOf(1)], null));
    const session = client.session();
    const answer = await run(world, session.get('none', { receipt: true }));
    expect(answer).toEqual({ value: undefined, receipt: { ...rests, version: undefined } });
    expect(server.requests.map(([, word]) => word)).toEqual(['ON', 'none', undefined, 'END']);
    expect(session.token).toBe(tokenOf(1));
  });

  it('makes a read that fails reject instead of being a miss', async () => {
    const { world, client } = await start((words, raw) =>
      words[0] === 'GET' ? '-NOQUORUM 1 of 2\r\n' : knowing([])(words, raw),
    );
    expect(await run(world, client.get('a', { receipt: true }))).toMatchObject({ code: 'NOQUORUM' });
  });

  it('is refused with the words of a server that gives none', async () => {
    const { world, client } = await start(store());
    expect(await run(world, client.set('a', 1, { receipt: true }))).toMatchObject({ code: 'ERR' });
  });
});

describe('a node that is busy', () => {
  /** Says BUSY to the first commands on keys. */
  function busy(times: number): Script {
    const plain = store();
    let left = times;
    return (words, raw) => {
      const asks = !['HELLO', 'CLUSTER'].includes(words[0]);
      return asks && left-- > 0 ? '-BUSY too many writes wait\r\n' : plain(words, raw);
    };
  }

  it('is asked again after a while, INCR too, for nothing was done', async () => {
    const { world, client, server } = await start(busy(3));
    const counting = client.increment('n');
    await world.pass(2);
    expect(server.requests.length).toBe(1);
    expect(await run(world, counting)).toBe(1);
    expect(server.requests.length).toBe(4);
    expect(client.stats()).toMatchObject({ busyRetries: 3, retries: 0, inFlight: 0 });
  });

  it('is left out while there is another', async () => {
    const world = new VirtualConnector();
    const first = world.addServer('node:1', busy(1000));
    const second = world.addServer('node:2', store());
    const client = new Client({ connector: world }, resolveOptions({ servers: ['node:1', 'node:2'] }));
    await world.pass(20);
    expect(await run(world, client.set('a', 1))).toBeUndefined();
    expect([first.requests.length, second.requests.length]).toEqual([1, 1]);
  });

  it('is told to the caller with its own words when the time of the call is over, and not later', async () => {
    const { world, client } = await start(busy(1000));
    const began = world.nowMs();
    let ended = 0;
    const writing = client.set('a', 1, { timeout: '100ms' }).finally(() => {
      ended = world.nowMs() - began;
    });
    expect(await run(world, writing)).toMatchObject({ code: 'BUSY', message: 'too many writes wait' });
    expect(ended).toBeLessThanOrEqual(100);
    expect(world.holding).toBe(0);
  });

  it('is told at once to whom gave the command word by word', async () => {
    const { world, client, server } = await start(busy(1));
    expect(await run(world, client.command('SET', 'a', '1'))).toMatchObject({ code: 'BUSY' });
    expect(server.requests.length).toBe(1);
  });

  it('is not asked again for a call that its signal has ended', async () => {
    const { world, client, server } = await start(busy(1000));
    const ending = new AbortController();
    const writing = client.set('a', 1, { signal: ending.signal });
    const failed = writing.catch((error: unknown) => error);
    await world.pass(3);
    ending.abort(new Error('enough'));
    const asked = server.requests.length;
    await world.pass(300);
    expect(await failed).toMatchObject({ message: 'enough' });
    expect(server.requests.length).toBe(asked);
    expect(world.holding).toBe(0);
  });
});
