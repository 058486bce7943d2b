/** The bounds of one client over real sockets, each with the least that its setting allows. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { completeConfig } from '../../src/core/config.js';
import { type RunningNode, startNode } from '../../src/system/serve.js';
import { encode } from '../core/session/harness.js';
import { silent } from '../core/wal/harness.js';

const place = mkdtempSync(join(tmpdir(), 'hearsay-limits-'));
let node: RunningNode;

beforeAll(async () => {
  const { config, violations } = completeConfig({
    port: 0,
    data: place,
    maxMemory: '16mb',
    walFileBytes: '1mb',
    password: 'a secret',
    maxClients: 3,
    clientArgumentsMax: 16,
    clientBulkBytesMax: '64kb',
    clientQueryBytesMax: '1mb',
    clientOutputBytesMax: '2112kb',
    clientPartialCommandMs: 100,
  });
  if (config === null) throw new Error(JSON.stringify(violations));
  node = await startNode(config, silent);
});

afterAll(async () => {
  await node?.stop();
  rmSync(place, { recursive: true, force: true });
});

async function dial(): Promise<Socket> {
  const socket = connect(node.port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

/** Everything that comes until the node closes the connection. */
async function untilClosed(socket: Socket): Promise<string> {
  const parts: Buffer[] = [];
  socket.on('data', (bytes) => parts.push(bytes as Buffer));
  socket.on('error', () => {});
  await once(socket, 'close');
  return Buffer.concat(parts).toString('latin1');
}

async function afterAuth(input: Buffer | string): Promise<string> {
  const socket = await dial();
  socket.write(encode('AUTH', 'a secret'));
  await once(socket, 'data');
  const all = untilClosed(socket);
  socket.write(input);
  return all;
}

it('a command of too many arguments, or one too long, is refused by name and the connection closed', async () => {
  expect(await afterAuth('*17\r\n')).toBe('-ERR Protocol error: invalid multibulk length\r\n');
  expect(await afterAuth('*1\r\n$65537\r\n')).toBe('-ERR Protocol error: invalid bulk length\r\n');
});

it('half a command is waited for as long as the setting says, and input without end is cut off', async () => {
  expect(await afterAuth('*2\r\n$3\r\nGET\r\n')).toBe('');
  expect(await afterAuth(Buffer.alloc(70_000, 'a'))).toBe('-ERR Protocol error: too big inline request\r\n');
});

it('a stranger gets ten arguments of 16 KiB, and what a browser sends is dropped without a word', async () => {
  for (const [input, answer] of [
    ['*11\r\n', '-ERR Protocol error: unauthenticated multibulk length\r\n'],
    ['*2\r\n$4\r\nAUTH\r\n$16385\r\n', '-ERR Protocol error: unauthenticated bulk length\r\n'],
    ['POST / HTTP/1.1\r\nHost: x\r\n\r\n', ''],
    ['Host: x\r\n', ''],
  ]) {
    const socket = await dial();
    const all = untilClosed(socket);
    socket.write(input);
    expect(await all, input).toBe(answer);
  }
});

it('one client more than there may be is told so, and there is room again when one has gone', async () => {
  const first = [await dial(), await dial(), await dial()];
  for (const socket of first) {
    socket.write('PING\r\n');
    await once(socket, 'data');
  }
  expect(await untilClosed(await dial())).toBe('-ERR max number of clients reached\r\n');
  for (const socket of first) {
    const gone = once(socket, 'close');
    socket.write('QUIT\r\n');
    await gone;
  }
  const again = await dial();
  again.write('PING\r\n');
  const [bytes] = await once(again, 'data');
  expect(String(bytes)).toMatch(/^-NOAUTH/);
  again.destroy();
});

it('a client that reads nothing is closed when one reply makes more wait for it than it may have, and counted', async () => {
  const slow = await dial();
  slow.on('error', () => {});
  slow.pause();
  const piece = 'v'.repeat(65_536);
  slow.write(Buffer.concat([encode('AUTH', 'a secret'), ...[1, 2, 3].map(() => encode('APPEND', 'large', piece))]));
  const mget = encode('MGET', ...Array.from({ length: 15 }, () => 'large'));
  const closed = async (): Promise<number> => {
    const info = await afterAuth(Buffer.concat([encode('INFO', 'stats'), encode('QUIT')]));
    return Number(/client_output_buffer_limit_disconnections:(\d+)/.exec(info)?.[1]);
  };
  // What the sockets of both sides take is not known, so it goes on asking until it is closed.
  for (let asked = 0; (await closed()) === 0; asked++) {
    expect(asked).toBeLessThan(500);
    slow.write(mget);
  }
  expect(await closed()).toBe(1);
  const gone = once(slow, 'close');
  slow.resume();
  await gone;
  await afterAuth(Buffer.concat([encode('DEL', 'large'), encode('QUIT')]));
});

it('keys that are names of a prototype, numbers or bytes are kept apart, and come back as they went in', async () => {
  const keys = ['__proto__', 'constructor', 'toString', '0', '4294967295', '-1', '\xff\x00\r\n', ''];
  const commands = keys.flatMap((key, index) => [encode('SET', key, `value ${index}`)]);
  const answers = await afterAuth(
    Buffer.concat([...commands, encode('MGET', ...keys), encode('DBSIZE'), encode('QUIT')]),
  );
  const values = keys.map((_key, index) => `$7\r\nvalue ${index}\r\n`).join('');
  expect(answers).toBe(`${'+OK\r\n'.repeat(keys.length)}*${keys.length}\r\n${values}:${keys.length}\r\n+OK\r\n`);
});
