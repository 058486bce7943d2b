/** The client's siblings over a scripted server: what it sends for `cget`, `cput` and `cdel`, and what it makes of the replies. */
import { describe, expect, it } from 'vitest';
import { Client } from '../../src/client/client.js';
import { resolveOptions } from '../../src/client/client-options.js';
import { encodeValue } from '../../src/client/values.js';
import { bulk, type Script, VirtualConnector } from './virtual-connector.js';

async function start(script: Script) {
  const world = new VirtualConnector();
  const server = world.addServer('node:1', script);
  const client = new Client({ connector: world }, resolveOptions({ servers: ['node:1'] }));
  await world.pass(20);
  return { world, client, server };
}

function settled<T>(promise: Promise<T>): Promise<unknown> {
  return promise.catch((error: unknown) => error);
}

describe('siblings of the client', () => {
  it('are read with their context, put in its place, and deleted by it', async () => {
    const { world, client, server } = await start(([name]) => {
      if (name === 'CGET') return `*3\r\n${bulk('token')}${bulk(encodeValue(['a']).toString('latin1'))}${bulk('7')}`;
      if (name === 'CPUT') return bulk('next');
      return name === 'CDEL' ? ':2\r\n' : '%0\r\n';
    });
    const work = (async () => {
      const { values, context } = await client.cget('cart');
      const next = await client.cput('cart', ['a', 'b'], { context, ttl: '2s' });
      const deleted = await client.cdel('cart', context);
      return { values, context, next, deleted };
    })();
    await world.pass(100);
    const context = { key: 'cart', token: 'token' };
    expect(await work).toEqual({ values: [['a'], 7], context, next: { key: 'cart', token: 'next' }, deleted: 2 });
    expect(server.requests.map((words) => words.filter((_, at) => at !== 3))).toEqual([
      ['CGET', 'cart'],
      ['CPUT', 'cart', 'token', 'PX', '2000'],
      ['CDEL', 'cart', 'token'],
    ]);
  });

  it('are put blindly without a context, and say so when others stand beside', async () => {
    const { world, client, server } = await start(([name]) => (name === 'CPUT' ? '_\r\n' : '%0\r\n'));
    const put = client.cput('cart', 'v');
    await world.pass(100);
    expect(await put).toBeUndefined();
    expect(server.requests).toEqual([['CPUT', 'cart', '', 'v']]);
  });

  it('refuse the context of another key before anything is sent, and reject with the code of an error reply', async () => {
    const { world, client, server } = await start(([name]) =>
      name === 'CPUT' ? '-SIBLINGS 100 values\r\n' : '%0\r\n',
    );
    const context = { key: 'other', token: 'token' };
    const wrong = [settled(client.cput('cart', 'v', { context })), settled(client.cdel('cart', context))];
    await world.pass(20);
    for (const one of wrong) expect(await one).toMatchObject({ code: 'CONTEXT' });
    expect(server.requests).toEqual([]);
    const full = settled(client.cput('cart', 'v'));
    await world.pass(100);
    expect(await full).toMatchObject({ code: 'SIBLINGS', message: '100 values' });
  });
});
