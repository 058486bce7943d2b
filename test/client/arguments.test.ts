/** What the verbs refuse before anything is sent, and what createClient refuses: each by its name, with what was probably meant. */
import { describe, expect, it } from 'vitest';
import { Client } from '../../src/client/client.js';
import { type ClientOptions, resolveOptions } from '../../src/client/client-options.js';
import { createClient } from '../../src/client/create-client.js';
import { settingNamed } from '../../src/core/config.js';
import { store, VirtualConnector } from './virtual-connector.js';

/** The client as plain JavaScript sees it. */
type Untyped = Record<string, (...words: unknown[]) => Promise<unknown>>;

async function start(options: ClientOptions = {}) {
  const world = new VirtualConnector();
  const server = world.addServer('node:1', store());
  const client = new Client({ connector: world }, resolveOptions({ servers: ['node:1'], ...options }));
  await world.pass(20);
  return { world, client, untyped: client as unknown as Untyped, server };
}

const REFUSED: [verb: string, words: unknown[], code: string, message: RegExp][] = [
  ['set', ['k', 'v', { tll: '1s' }], 'ERR', /^set\(key, value, options\): unknown option 'tll': did you mean 'ttl'\?$/],
  ['set', ['k', 'v', { EX: 60 }], 'ERR', /'EX': did you mean 'ttl'/],
  ['set', ['k', 'v', { requestTimeout: 60 }], 'ERR', /'requestTimeout': did you mean 'timeout'/],
  ['set', ['k', 'v', { zebra: 60 }], 'ERR', /'zebra': there are ttl, receipt, signal, timeout, consistency$/],
  ['set', ['k', 'v', 60], 'ERR', /options must be an object; got 60$/],
  ['set', ['k', 'v', 'EX', 60], 'ERR', /options must be an object; got 'EX'$/],
  ['set', ['k', 'v', null], 'ERR', /options must be an object; got null$/],
  ['set', ['k', 'v', new Map([['ttl', 1]])], 'ERR', /options must be an object; got Map$/],
  ['set', ['k', 'v', { ttl: null }], 'ERR', /^ttl must be/],
  ['set', ['k', 'v', { receipt: 'yes' }], 'ERR', /receipt must be true; got 'yes'$/],
  ['set', ['k'], 'ERR', /^value must not be undefined/],
  ['set', ['k', () => 1], 'ERR', /^value must not hold a function$/],
  ['set', [undefined, 1], 'ERR', /^set\(key, value, options\): key must be text; got undefined$/],
  ['get', ['k', { ttl: '1s' }], 'ERR', /^get\(key, options\): unknown option 'ttl'/],
  ['get', ['k', new AbortController().signal], 'ERR', /options must be an object; got AbortSignal$/],
  ['get', ['k', { signal: new AbortController() }], 'ERR', /signal must be an AbortSignal; got AbortController$/],
  ['get', [Buffer.from('k')], 'ERR', /key must be text; got Uint8Array$/],
  ['delete', ['a', 'b'], 'ERR', /^delete\(key, options\): options must be an object; got 'b'$/],
  ['has', ['a', { timeout: null }], 'ERR', /^timeout must be/],
  ['ttl', ['a', { consistency: 'most' }], 'ERR', /consistency must be 'one', 'quorum' or 'all'; got 'most'$/],
  ['getMany', ['a', 'b'], 'ERR', /options must be an object; got 'b'$/],
  ['getMany', ['ab'], 'ERR', /^getMany\(keys, options\): keys must be an array; got 'ab'$/],
  ['getMany', [new Array(1)], 'ERR', /key must be text; got undefined$/],
  ['deleteMany', [new Set(['a'])], 'ERR', /keys must be an array; got Set$/],
  ['setMany', [{ a: 1 }], 'ERR', /entries must be an array; got Object$/],
  ['setMany', [[['a', 1]]], 'ERR', /each of entries must be \{ key, value, ttl \}; got Array$/],
  ['setMany', [new Array(1)], 'ERR', /each of entries must be \{ key, value, ttl \}; got undefined$/],
  ['setMany', [[{ key: 'a', val: 1 }]], 'ERR', /in an entry, unknown option 'val': did you mean 'value'\?$/],
  ['setMany', [[{ key: 'a', value: 1 }], { ttl: 1 }], 'ERR', /^setMany\(entries, options\): unknown option 'ttl'/],
  ['increment', ['n', { timeout: 1 }], 'ERR', /^increment\(key, by, options\): by must be a whole number; got Object$/],
  ['decrement', ['n', '5'], 'ERR', /^decrement\(key, by, options\): by must be a whole number; got '5'$/],
  ['decrement', ['n', null], 'ERR', /by must be a whole number; got null$/],
  ['decrement', ['n', Symbol('five')], 'ERR', /by must be a whole number; got symbol$/],
  ['cget', ['k', { receipt: true }], 'ERR', /^cget\(key, options\): unknown option 'receipt'/],
  ['cput', ['k', '', 'v'], 'ERR', /^cput\(key, value, options\): options must be an object; got 'v'$/],
  ['cput', ['k', { key: 'k', token: 't' }, 'v'], 'ERR', /options must be an object; got 'v'$/],
  ['cput', ['k', { key: 'k', token: 't' }, { name: 1 }], 'ERR', /unknown option 'name'/],
  ['cput', ['k', { key: 'k', token: 't' }, {}], 'ERR', /value is the context of this key; it belongs into/],
  ['cput', ['k', 'v', { key: 'k', token: 't' }], 'ERR', /unknown option 'key'/],
  ['cput', ['k', 'v', { context: 't' }], 'CONTEXT', /context must be what cget or cput gave; got 't'$/],
  ['cput', ['k', 'v', { context: null }], 'CONTEXT', /context must be what cget or cput gave; got null$/],
  ['cput', ['k', 'v', { context: { key: 'j', token: 't' } }], 'CONTEXT', /context belongs to another key, j$/],
  ['cdel', ['k'], 'CONTEXT', /^cdel\(key, context, options\): context must be .* got undefined$/],
  ['cdel', ['k', { timeout: 5 }], 'CONTEXT', /context must be what cget or cput gave; got Object$/],
  ['command', ['GET', 'k', { ttl: 5 }], 'ERR', /^command\(\.\.\.words, options\): unknown option 'ttl'/],
  ['command', ['MGET', ['a', 'b']], 'ERR', /options must be an object; got Array$/],
  ['command', ['GET', null], 'ERR', /text, numbers and bytes; got null$/],
  ['close', [{ force: true }], 'ERR', /^close\(options\): unknown option 'force': there are drain$/],
  ['close', [{ drain: 'no' }], 'ERR', /drain must be true or false$/],
];

describe('a verb refuses before anything is sent', () => {
  it.each(REFUSED)('%s with %o: %s %s', async (verb, words, code, message) => {
    const { world, untyped, server } = await start({ onError: 'miss' });
    const outcome = untyped[verb](...words).then(
      (value) => ({ value }),
      (error: unknown) => error,
    );
    await world.pass(300);
    expect(await outcome).toMatchObject({ name: 'HearsayError', code, message: expect.stringMatching(message) });
    expect(server.requests).toEqual([]);
  });

  it('but takes options of a class, without a prototype, inherited, and those that are undefined', async () => {
    class Options {
      ttl = '1s' as const;
    }
    const { world, client, server } = await start();
    const bare: { ttl: '1s' } = Object.assign(Object.create(null), { ttl: '1s' });
    const unused = { ttl: '1s', px: undefined } as { ttl: '1s' };
    const all = [new Options(), bare, Object.create({ ttl: '1s' }) as object, unused];
    const stored = Promise.all(all.map((options) => client.set('k', 'v', options)));
    await world.pass(20);
    await stored;
    expect(server.requests).toEqual(all.map(() => ['SET', 'k', 'v', 'PX', '1000']));
  });

  it('but takes what looks like a context as the value of another key', async () => {
    const { world, client, server } = await start();
    client.cput('other', { key: 'k', token: 't' }).catch(() => undefined);
    await world.pass(20);
    expect(server.requests.map(([name]) => name)).toEqual(['CPUT']);
  });

  it('a listener that is no function', async () => {
    const { untyped } = await start();
    expect(() => untyped.onStateChange({})).toThrowError(/listener must be a function$/);
  });
});

describe('createClient', () => {
  it('without options talks to the port that a node has by default, on this machine', async () => {
    expect(resolveOptions().servers).toEqual([`127.0.0.1:${settingNamed('port')?.fallback}`]);
    expect(resolveOptions({ servers: undefined })).toEqual(resolveOptions());
    const client = createClient();
    await client.close({ drain: false });
    expect(client.stats().inFlight).toBe(0);
  });

  it.each([
    [{ sever: ['a:1'] }, /unknown option 'sever': did you mean 'servers'\?/],
    [{ host: 'a', port: 1 }, /'host': did you mean 'servers'\?; unknown option 'port': did you mean 'servers'\?/],
    [{ timeout: 100, servers: [] }, /'timeout': did you mean 'requestTimeout'\?; servers must list 1 to 64/],
    [{ ttl: '1s' }, /unknown option 'ttl': there are servers, password/],
    [{ servers: 'a:1' }, /servers must list/],
    [{ servers: [7n] }, /servers must be like 'host:port'; got bigint/],
    [{ name: 12 }, /name must be 1 to 64 printable/],
    [null, /options must be an object such as/],
    ['127.0.0.1:7379', /options must be an object such as/],
    [['127.0.0.1:7379'], /options must be an object such as/],
  ])('refuses %o by name', (options, message) => {
    expect(() => createClient(options as ClientOptions)).toThrowError(
      expect.objectContaining({ name: 'HearsayError', code: 'CONFIG', message: expect.stringMatching(message) }),
    );
  });
});
