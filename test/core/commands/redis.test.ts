/** The same commands to Hearsay and to a real redis-server: the replies are equal to the byte. Needs redis-server on the PATH. */
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

const key = fc.constantFrom('a', 'b', 'c', '{t}d');
const number = fc.constantFrom(
  '0',
  '1',
  '-1',
  '7',
  '-12345',
  '01',
  '+1',
  '1.5',
  '',
  'x',
  '9007199254740991',
  '9007199254740993',
  '-9007199254740993',
  '9223372036854775807',
  '-9223372036854775808',
  '9223372036854775808',
);
const value = fc.oneof(number, fc.constantFrom('hello', 'a\r\nb', '\x00\xff', 'v'.repeat(100)));
const seconds = fc.constantFrom('100', '100000', '0', '-1', 'x', '9223372036854775807', '99999999999999999999');
const past = '1000000000';
const future = '4000000000';
const atSeconds = fc.constantFrom(past, future, '0', '-5', 'y', '9223372036854775807');
const atMs = fc.constantFrom(`${past}000`, `${future}123`, '0', '-5', 'y');
const word = (text: string) => fc.constant(text);
const timed = fc.oneof(
  fc.tuple(fc.constantFrom('EX', 'ex'), seconds),
  fc.tuple(word('PX'), fc.constantFrom('100000', '0', 'x', '9223372036854775807')),
  fc.tuple(word('EXAT'), atSeconds),
  fc.tuple(word('PXAT'), atMs),
);
const option = fc.oneof(
  timed,
  fc.constantFrom(['NX'], ['xx'], ['GET'], ['KEEPTTL'], ['EX'], ['FOO'], ['PERSIST']) as fc.Arbitrary<string[]>,
);
const options = fc.array(option, { maxLength: 3 }).map((list) => list.flat());
const condition = fc.array(fc.constantFrom('NX', 'xx', 'GT', 'lt', 'FOO'), { maxLength: 2 });
const keys = fc.array(key, { minLength: 0, maxLength: 4 });

const command: fc.Arbitrary<readonly string[]> = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(fc.constantFrom('GET', 'get', 'STRLEN', 'TYPE', 'GETDEL', 'INCR', 'DECR'), key) },
  { weight: 3, arbitrary: fc.tuple(word('SET'), key, value, options).map(([a, b, c, rest]) => [a, b, c, ...rest]) },
  fc.tuple(fc.constantFrom('INCRBY', 'DECRBY'), key, number),
  fc.tuple(fc.constantFrom('APPEND', 'SETNX', 'GETSET'), key, value),
  fc.tuple(fc.constantFrom('SETEX', 'PSETEX'), key, seconds, value),
  fc.tuple(word('GETEX'), key, options).map(([a, b, rest]) => [a, b, ...rest]),
  fc.tuple(fc.constantFrom('MGET', 'DEL', 'UNLINK', 'EXISTS', 'TOUCH'), keys).map(([a, rest]) => [a, ...rest]),
  fc.tuple(word('MSET'), fc.array(fc.oneof(key, value), { maxLength: 5 })).map(([a, rest]) => [a, ...rest]),
  fc.tuple(word('EXPIRE'), key, seconds, condition).map(([a, b, c, rest]) => [a, b, c, ...rest]),
  fc
    .tuple(word('PEXPIRE'), key, fc.constantFrom('100000', '-1', '0', 'x'), condition)
    .map(([a, b, c, d]) => [a, b, c, ...d]),
  fc.tuple(word('EXPIREAT'), key, atSeconds, condition).map(([a, b, c, rest]) => [a, b, c, ...rest]),
  fc.tuple(word('PEXPIREAT'), key, atMs, condition).map(([a, b, c, rest]) => [a, b, c, ...rest]),
  fc.tuple(fc.constantFrom('TTL', 'PERSIST'), key),
  fc.constantFrom(
    ['PING'],
    ['PING', 'x'],
    ['PING', 'x', 'y'],
    ['ECHO'],
    ['GET'],
    ['NOPE', 'a', 'b\nc'],
    ['SELECT', '0'],
    ['SELECT', 'x'],
    ['SELECT', '99'],
    ['WAIT', 'x', '1'],
    ['WAIT', '1', '-1'],
    ['CLIENT', 'NOPE'],
    ['CLIENT', 'GETNAME'],
    ['CLIENT', 'SETNAME', 'me'],
    ['CLIENT', 'SETNAME', 'a b'],
    ['CLIENT', 'ID', 'x'],
    ['CLIENT', 'KILL', 'x'],
    ['CLIENT', 'KILL', 'ID', 'x'],
    ['CLIENT', 'NO-EVICT', 'x'],
    ['CONFIG', 'GET'],
    ['CONFIG', 'GET', 'save'],
    ['CONFIG', 'NOPE'],
    ['COMMAND', 'GETKEYS', 'MSET', 'a', 'b', 'c', 'd'],
    ['COMMAND', 'GETKEYS', 'GET'],
    ['COMMAND', 'NOPE'],
    ['HELLO', '4'],
    ['HELLO', 'x'],
    ['HELLO', '2', 'x'],
    ['SCAN', 'x'],
    ['SCAN', '0', 'COUNT'],
    ['SCAN', '0', 'COUNT', '0'],
    ['SCAN', '0', 'COUNT', 'x'],
    ['SCAN', '0', 'FOO', 'x'],
    ['KEYS'],
    ['KEYS', 'nothing*'],
    ['FLUSHALL', 'x'],
    ['FLUSHDB', 'ASYNC'],
    ['SCRIPT', 'FLUSH'],
    ['SCRIPT', 'FLUSH', 'x'],
    ['FUNCTION', 'FLUSH', 'x'],
    ['AUTH', 'x'],
    ['AUTH', 'a', 'b'],
    ['AUTH', 'default', 'b'],
    ['AUTH', 'a', 'b', 'c'],
    ['READONLY', 'x'],
    ['TIME', 'x'],
    ['RESET', 'x'],
    ['CLUSTER', 'INFO'],
  ),
);

/** EXPIRETIME of a relative expiry depends on the millisecond; so only absolute ones are asked for, at the end. */
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
  it.each([2, 3])('answers every sequence of commands with the same bytes in RESP%i', async (protocol) => {
    const socket = await dial();
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 40 }), async (commands) => {
        const bytes = sequence(commands, protocol);
        const [theirs, ours] = [await askRedis(socket, bytes), askHearsay(bytes)];
        expect(comparable(ours)).toBe(comparable(theirs));
      }),
      { numRuns: 1200 },
    );
    socket.destroy();
  });

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
