/**
 * Pitfalls of storage that only real processes show: descriptors that run out, a shutdown under load, a copied directory, a
 * clock that went back, rot on one node of three, a slow reader of memory that is used again. The table of all of them is
 * test/core/wal/PITFALLS.md.
 */
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { DirectReader } from '../../cluster/direct-reader.js';
import { freePorts } from '../../cluster/free-ports.js';
import {
  ask,
  type CommandProcess,
  HOST,
  removeDirectory,
  run,
  startCluster,
  startNode,
  statusOf,
  temporaryDirectory,
  until,
} from './harness.js';

const DESCRIPTORS = 64;
const CLIENTS = 100;
const MIB = 1024 * 1024;

const started: CommandProcess[] = [];
const directories: string[] = [];
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(started.splice(0).map((node) => (node.child.exitCode === null ? node.kill('SIGKILL') : null)));
  for (const directory of directories.splice(0)) removeDirectory(directory);
});

function directory(): string {
  const path = temporaryDirectory();
  directories.push(path);
  return path;
}

async function node(port: number, data: string, flags: readonly string[] = [], wrap: readonly string[] = []) {
  const process = await startNode(port, data, flags, wrap);
  started.push(process);
  return process;
}

function client(port: number): Socket {
  const socket = connect({ host: HOST, port });
  socket.on('error', () => {});
  sockets.push(socket);
  return socket;
}

/** Log files of this size make a node change files within a few writes. */
async function withSmallLogFiles<T>(act: () => Promise<T>): Promise<T> {
  process.env.HEARSAY_WAL_FILE_BYTES = String(MIB);
  return act().finally(() => delete process.env.HEARSAY_WAL_FILE_BYTES);
}

test('a hundred clients on sixty-four descriptors starve no log: nothing is refused, and what is acknowledged stays', async () => {
  const port = await freePorts(HOST, 2);
  const data = directory();
  const flags = ['--durability', 'always'];
  const wrap = ['prlimit', `--nofile=${DESCRIPTORS}:${DESCRIPTORS}`];
  const first = await withSmallLogFiles(() => node(port, data, flags, wrap));
  const writer = await DirectReader.open(HOST, port);
  const crowd = Array.from({ length: CLIENTS }, () => client(port));
  await Promise.all(crowd.map((socket) => new Promise((done) => socket.once('connect', done).once('close', done))));

  const value = 'v'.repeat(100_000);
  const keys = Array.from({ length: 60 }, (_, write) => `k:${write}`);
  for (const key of keys) expect(await writer.command('SET', key, value)).toBe('OK');

  for (const socket of crowd) socket.destroy();
  writer.close();
  await first.kill('SIGKILL');
  await node(port, data, flags);
  expect(await ask(port, ...keys.map((key) => ['STRLEN', key]))).toEqual(keys.map(() => value.length));
}, 90_000);

test.each(['always', 'interval', 'off'])(
  'SIGTERM under load loses nothing acknowledged, and the log says it was closed in order, under %s',
  async (durability) => {
    const port = await freePorts(HOST, 2);
    const data = directory();
    const first = await node(port, data, ['--durability', durability]);
    const socket = client(port);
    let sent = 0;
    let acknowledged = 0;
    const load = () => {
      let batch = '';
      for (let index = 0; index < 200; index++) batch += `SET key:${sent} ${sent++}\r\n`;
      socket.write(batch);
    };
    let rest = '';
    const closed = new Promise((done) => socket.once('close', done));
    const busy = new Promise<void>((done) => {
      socket.on('data', (bytes) => {
        const lines = (rest + bytes.toString('latin1')).split('\r\n');
        rest = lines.pop() ?? '';
        acknowledged += lines.filter((line) => line === '+OK').length;
        if (acknowledged > 2000) done();
        if (sent - acknowledged < 400) load();
      });
    });
    load();
    load();
    await busy;
    expect(await first.kill('SIGTERM')).toBe(0);
    await closed;
    const again = await node(port, data, ['--durability', durability]);
    expect(JSON.parse(await again.line(/"msg":"recovered"/))).toMatchObject({
      cleanShutdown: true,
      rotFrames: 0,
      tornTailBytes: 0,
    });
    const reader = await DirectReader.open(HOST, port);
    const keys = Array.from({ length: acknowledged }, (_, key) => `key:${key}`);
    const values = await reader.values(keys);
    reader.close();
    expect(values.filter((value, key) => Number(value) !== key)).toEqual([]);
  },
  60_000,
);

test('a copy of a data directory does not live beside the original: one of the two yields, and says why', async () => {
  const port = await freePorts(HOST, 6);
  const data = directory();
  const copy = join(directory(), 'copy');
  const original = await node(port, data);
  await node(port + 2, directory(), ['--join', `${HOST}:${port + 1}`]);
  await until('both see each other', 20_000, async () => (await statusOf(port)).members_alive === 2);
  expect(await ask(port, ['SET', 'k', 'v'])).toEqual(['OK']);
  cpSync(data, copy, { recursive: true });
  const words = ['serve', '--port', String(port + 4), '--gossip-port', String(port + 5), '--data', copy];
  const second = run([...words, '--join', `${HOST}:${port + 3}`, '--stop-with-stdin', '--log-format', 'json']);
  started.push(second);
  const [ended, other] = await Promise.race([
    second.ended.then(() => [second, port] as const),
    original.ended.then(() => [original, port + 4] as const),
  ]);
  expect(ended.lines.join('\n')).toContain('another node with the id');
  expect(await ask(other, ['GET', 'k'], ['SET', 'k', 'w'])).toEqual(['v', 'OK']);
}, 60_000);

test('a clock that went back between two runs makes no write older than what was there', async () => {
  const port = await freePorts(HOST, 2);
  const data = directory();
  const flags = ['--enable-fault-injection', '--durability', 'always'];
  const hourMs = 3_600_000;
  const first = await node(port, data, flags);
  expect(
    await ask(port, ['HEARSAY.FAULT', 'CLOCK', String(hourMs)], ['SET', 'k', 'ahead'], ['SET', 'gone', 'x']),
  ).toContain('OK');
  await first.kill('SIGKILL');
  const second = await node(port, data, flags);
  expect(await ask(port, ['GET', 'k'], ['SET', 'k', 'behind'], ['DEL', 'gone'])).toEqual(['ahead', 'OK', 1]);
  await second.kill('SIGKILL');
  await node(port, data, flags);
  expect(await ask(port, ['GET', 'k'], ['EXISTS', 'gone'], ['SET', 'k', 'last'], ['GET', 'k'])).toEqual([
    'behind',
    0,
    'OK',
    'last',
  ]);
}, 60_000);

test('rot on one node of three is reported and made good by its peers', async () => {
  const cluster = await startCluster(3, ['--durability', 'always']);
  try {
    const keys = Array.from({ length: 400 }, (_, key) => `k:${key}`);
    await ask(
      cluster.nodes[0].port,
      ['HEARSAY.CONSISTENCY', 'WRITE', 'ALL'],
      ...keys.map((key) => ['SET', key, `${key}=1`]),
    );
    const rotten = cluster.nodes[2];
    await cluster.kill(2);
    const folder = readdirSync(cluster.directory).find((name) => name.endsWith('3')) as string;
    const log = readdirSync(join(cluster.directory, folder))
      .filter((name) => name.startsWith('log-'))
      .sort()[0];
    const path = join(cluster.directory, folder, log);
    const bytes = readFileSync(path);
    for (let at = 1024; at < 60_000; at += 1024) bytes[at] ^= 0x10;
    writeFileSync(path, bytes);
    cluster.start(2);
    await cluster.untilReady();
    const reader = await DirectReader.open(HOST, rotten.port);
    await until('the node holds every key again', 30_000, async () => {
      const values = await reader.values(keys);
      return values.every((value, key) => value === `k:${key}=1`);
    });
    reader.close();
    const digests = await Promise.all(cluster.nodes.map((_, index) => cluster.ask(index, 'HEARSAY.DIGEST')));
    expect(digests).toHaveLength(3);
  } finally {
    await cluster.stop();
  }
}, 120_000);

test('a slow reader gets the bytes it asked for, though memory was evicted and used again meanwhile', async () => {
  const port = await freePorts(HOST, 2);
  await node(port, directory(), ['--max-memory', '16mb', '--durability', 'off']);
  const writer = await DirectReader.open(HOST, port);
  const keys = Array.from({ length: 40 }, (_, key) => String.fromCharCode(48 + key));
  // Some lie in segments, some have memory of their own.
  const size = (key: string): number => (key < 'H' ? 60_000 : 3_000);
  for (const key of keys) await writer.command('SET', `slow:${key}`, key.repeat(size(key)));
  const slow = client(port);
  await new Promise((done) => slow.once('connect', done));
  slow.pause();
  slow.write(keys.map((key) => `GET slow:${key}\r\n`).join(''));
  await until('the reads were taken', 20_000, async () => {
    const [info] = await ask(port, ['INFO', 'commandstats']);
    return String(info).includes('cmdstat_get:');
  });
  const flood = Array.from({ length: 900 }, (_, write) => `flood:${write}`);
  for (const key of keys) await writer.command('SET', `slow:${key}`, '!'.repeat(size(key)));
  for (const key of flood) await writer.command('SET', key, '#'.repeat(60_000));
  const [left] = await ask(port, ['EXISTS', ...flood]);
  expect(Number(left)).toBeLessThan(flood.length / 2);
  writer.close();

  let bytes = Buffer.alloc(0);
  const replies: string[] = [];
  await new Promise<void>((done) => {
    slow.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      for (let end = bytes.indexOf('\r\n'); end >= 0; end = bytes.indexOf('\r\n')) {
        const length = Number(bytes.toString('latin1', 1, end));
        const taken = length < 0 ? end + 2 : end + 4 + length;
        if (bytes.length < taken) break;
        replies.push(length < 0 ? '' : bytes.toString('latin1', end + 2, end + 2 + length));
        bytes = bytes.subarray(taken);
      }
      if (replies.length === keys.length) done();
    });
    slow.resume();
  });
  const wrong = keys.filter((key, at) => !['', key.repeat(size(key)), '!'.repeat(size(key))].includes(replies[at]));
  expect(wrong).toEqual([]);
  expect(replies[0]).toBe('0'.repeat(size('0')));
}, 60_000);
