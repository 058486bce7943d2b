/**
 * Times, protocol errors and patterns beside a real redis-server: the replies are equal to the byte. Sequences of every command are sent to
 * both by test/fuzz/redis.test.ts. Needs redis-server on the PATH.
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encode, Harness } from '../session/harness.js';

let redis: ChildProcess;
let directory: string;
let port: number;
let marks = 0;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

async function dial(): Promise<Socket> {
  for (let attempt = 0; ; attempt++) {
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      return socket;
    } catch (error) {
      if (attempt === 200) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

beforeAll(async () => {
  port = await freePort();
  directory = mkdtempSync(join(tmpdir(), 'hearsay-redis-'));
  redis = spawn('redis-server', ['--port', `${port}`, '--save', '', '--appendonly', 'no', '--bind', '127.0.0.1'], {
    cwd: directory,
    stdio: 'ignore',
  });
  await new Promise<void>((resolve, reject) => {
    redis.once('error', reject);
    redis.once('spawn', resolve);
  });
  (await dial()).destroy();
});

afterAll(async () => {
  if (redis?.pid !== undefined) {
    const ended = once(redis, 'exit');
    redis.kill('SIGKILL');
    await ended;
  }
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
});

/** Sends everything and reads until the echo of a mark, or until the server closes. */
async function askRedis(socket: Socket, bytes: Buffer): Promise<string> {
  const mark = `<mark ${++marks}>`;
  const ending = Buffer.from(`$${mark.length}\r\n${mark}\r\n`);
  return new Promise((resolve, reject) => {
    let got = Buffer.alloc(0);
    const finish = (text: string): void => {
      socket.removeAllListeners('data');
      socket.removeAllListeners('close');
      socket.removeAllListeners('error');
      resolve(text);
    };
    socket.once('error', reject);
    socket.once('close', () => finish(`${got.toString('latin1')}<closed>`));
    socket.on('data', (piece) => {
      got = Buffer.concat([got, Buffer.from(piece as Buffer)]);
      if (got.subarray(-ending.length).equals(ending)) finish(got.subarray(0, -ending.length).toString('latin1'));
    });
    socket.write(Buffer.concat([bytes, encode('ECHO', mark)]));
  });
}

function askHearsay(bytes: Buffer): string {
  const harness = new Harness((host) => {
    host.keyspace.wallMs = Date.now();
    host.settings = { ...host.settings, topology: 'off' };
  });
  harness.receive(bytes);
  harness.settle();
  return harness.output() + (harness.streams.closes.has(1) ? '<closed>' : '');
}

const past = '1000000000';
const future = '4000000000';

function sequence(commands: readonly (readonly string[])[], protocol: number): Buffer {
  const first = [encode('RESET'), encode('HELLO', `${protocol}`), encode('FLUSHALL')];
  return Buffer.concat([...first, ...commands.map((words) => encode(...words))]);
}

/** What differs by nature: ids and versions in HELLO's answer. */
function comparable(text: string): string {
  return text
    .replace(/7\.0\.\d+|7\.4\.0/, 'VERSION')
    .replace(/\$\d\r\nVERSION/, 'VERSION')
    .replace(/\$2\r\nid\r\n:\d+/, 'ID');
}

describe('beside a redis-server', () => {
  it('keeps absolute expiries to the millisecond', async () => {
    const socket = await dial();
    const bytes = sequence(
      [
        ['SET', 'a', '1', 'PXAT', `${future}123`],
        ['PEXPIRETIME', 'a'],
        ['EXPIRETIME', 'a'],
        ['SET', 'a', '2', 'KEEPTTL'],
        ['PEXPIRETIME', 'a'],
        ['INCR', 'a'],
        ['APPEND', 'a', '0'],
        ['PEXPIRETIME', 'a'],
        ['EXPIREAT', 'a', future, 'LT'],
        ['PEXPIRETIME', 'a'],
        ['PEXPIREAT', 'a', `${future}999`, 'GT'],
        ['EXPIRETIME', 'a'],
        ['GETEX', 'a', 'PERSIST'],
        ['PEXPIRETIME', 'a'],
        ['PTTL', 'a'],
        ['PTTL', 'none'],
        ['GETEX', 'a', 'EXAT', past],
        ['EXISTS', 'a'],
      ],
      2,
    );
    const [theirs, ours] = [await askRedis(socket, bytes), askHearsay(bytes)];
    expect(comparable(ours)).toBe(comparable(theirs));
    socket.destroy();
  });

  it.each([
    '*x\r\n',
    '* 1\r\n',
    '*+1\r\n',
    '*99999999999999999999999\r\n',
    '*1\r\n$x\r\n',
    '*1\r\n$-1\r\n',
    '*1\r\n$99999999999\r\n',
    '*2\r\nfoo\r\n',
    'set "a\r\n',
    'set "a"b\r\n',
    'post / HTTP/1.1\r\n',
    'Host: x\r\n',
    '*1\r\n$4\r\nPING\r\nQUIT\r\nPING\r\n',
  ])('closes after %j with the same words', async (text) => {
    const socket = await dial();
    const theirs = await askRedis(socket, Buffer.from(text, 'latin1'));
    socket.destroy();
    expect(theirs).toMatch(/<closed>$/);
    expect(askHearsay(Buffer.from(text, 'latin1'))).toBe(theirs);
  });

  it('matches glob patterns as Redis does', async () => {
    const socket = await dial();
    const part = fc.constantFrom('*', '?', '[', ']', '^', '-', '\\', 'a', 'b', 'c', '[a-c]', '[^a]', '**', '[c-a]');
    const name = fc.array(fc.constantFrom('a', 'b', 'c', '[', '\\', '-', '^', ']'), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(part, { maxLength: 8 }).map((parts) => parts.join('')),
        fc.array(
          name.map((parts) => parts.join('')),
          { minLength: 1, maxLength: 6 },
        ),
        async (pattern, names) => {
          const found: string[] = [];
          for (const at of new Set(names)) {
            const bytes = Buffer.concat([encode('FLUSHALL'), encode('SET', at, '1'), encode('KEYS', pattern)]);
            found.push(askHearsay(bytes));
            expect(await askRedis(socket, bytes), `${pattern} ~ ${at}`).toBe(found.at(-1));
          }
        },
      ),
      { numRuns: 300 },
    );
    socket.destroy();
  });
});
