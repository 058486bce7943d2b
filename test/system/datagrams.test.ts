/** What the socket of datagrams asks of the system. */
import { expect, it } from 'vitest';
import { NodeDatagrams } from '../../src/system/datagrams.js';

it('asks for a receive buffer of 4 MiB, and says what it was given', async () => {
  const said: (Record<string, unknown> | undefined)[] = [];
  const note = (_event: string, fields?: Record<string, unknown>) => void said.push(fields);
  const log = { debug: note, info: note, warn: note, error: note };
  const datagrams = new NodeDatagrams({ datagramArrived: () => {} }, log, { host: '127.0.0.1' });
  await datagrams.bind(0, '127.0.0.1');
  try {
    expect(datagrams.receiveBufferBytes).toBeGreaterThan(100_000);
    const { receiveBufferBytes } = datagrams;
    expect(said).toContainEqual(expect.objectContaining({ receiveBufferBytes, receiveBufferBytesAsked: 4 << 20 }));
  } finally {
    await datagrams.close();
  }
});

it('asks the system for no name that another node gave', async () => {
  const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
  const datagrams = new NodeDatagrams({ datagramArrived: () => {} }, log, { host: '127.0.0.1' });
  const port = await datagrams.bind(0, '127.0.0.1');
  try {
    for (const host of ['localhost', 'a b']) datagrams.send(host, port, Buffer.from('x'));
    await expect.poll(() => datagrams.sendFailures).toBe(2);
  } finally {
    await datagrams.close();
  }
});
