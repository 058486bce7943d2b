/** Signals of callers over scripted servers: what a call rejects with, and that one signal serves any number of calls. */
import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { Aborts } from '../../src/client/aborts.js';
import { Client } from '../../src/client/client.js';
import { resolveOptions } from '../../src/client/client-options.js';
import { type Script, store, VirtualConnector } from './virtual-connector.js';

async function start(script: Script) {
  const world = new VirtualConnector();
  const server = world.addServer('node:1', script);
  const client = new Client({ connector: world }, resolveOptions({ servers: ['node:1'] }));
  await world.pass(20);
  return { world, client, server };
}

/** Greets, and answers nothing else. */
const silent: Script = (words, raw) => (['HELLO', 'CLUSTER'].includes(words[0]) ? store()(words, raw) : null);
const failure = (call: Promise<unknown>): Promise<unknown> => call.catch((error: unknown) => error);

describe('a signal', () => {
  it.each([
    ['an AbortError', undefined, { name: 'AbortError' }],
    ['the reason that is given', new Error('enough'), { message: 'enough' }],
  ])('rejects reads, writes and calls of many keys alike, with %s', async (_what, reason, expected) => {
    const { world, client } = await start(silent);
    const ending = new AbortController();
    const { signal } = ending;
    const session = client.session();
    const calls = [
      client.get('a', { signal }),
      client.get('a', { signal, receipt: true }),
      client.has('a', { signal }),
      client.ttl('a', { signal }),
      client.getMany(['a', 'b'], { signal }),
      client.set('a', 1, { signal }),
      client.setMany([{ key: 'a', value: 1 }], { signal }),
      client.deleteMany(['a'], { signal }),
      client.increment('a', 1, { signal }),
      client.cget('a', { signal }),
      client.command('GET', 'a', { signal }),
      session.get('a', { signal }),
    ].map(failure);
    await world.pass(5);
    ending.abort(reason);
    for (const call of calls) {
      const error = await call;
      expect(error).toBe(signal.reason);
      expect(error).toMatchObject(expected);
    }
    expect(client.stats()).toMatchObject({ inFlight: 0, failedReads: 0 });
  });

  it('rejects with its reason before anything is sent if it was aborted earlier', async () => {
    const { world, client, server } = await start(store());
    const signal = AbortSignal.abort();
    const calls = [client.get('a', { signal }), client.set('a', 1, { signal })].map(failure);
    await world.pass(20);
    for (const call of calls) expect(await call).toBe(signal.reason);
    expect(server.requests).toEqual([]);
  });

  it('has one listener however many calls share it, and none when they are settled', async () => {
    const { world, client } = await start(store());
    const { signal } = new AbortController();
    const calls = Promise.all(Array.from({ length: 50 }, (_, at) => client.set(`k${at}`, at, { signal })));
    expect(getEventListeners(signal, 'abort').length).toBe(1);
    await world.pass(20);
    await calls;
    expect(getEventListeners(signal, 'abort').length).toBe(0);
  });

  it('ends only the calls under way that it was given to', () => {
    const aborts = new Aborts();
    const ended: string[] = [];
    const [first, second] = [new AbortController(), new AbortController()];
    const call = (name: string) => ({ fail: (reason: unknown) => ended.push(`${name} ${String(reason)}`) });
    const [one, two, three] = [call('one'), call('two'), call('three')];
    aborts.add(first.signal, one);
    aborts.add(first.signal, two);
    aborts.add(second.signal, three);
    aborts.remove(first.signal, one);
    aborts.remove(first.signal, one);
    first.abort('now');
    expect(ended).toEqual(['two now']);
    aborts.remove(first.signal, two);
    aborts.remove(second.signal, three);
    expect(aborts.signals).toBe(0);
  });
});
