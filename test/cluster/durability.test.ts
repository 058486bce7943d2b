/**
 * kill -9 at any moment under `--durability always`: what was acknowledged is there after the restart. One node, fifty kills
 * at random moments of a pipelined load of new keys and overwrites; every key is read back after every restart.
 */
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DirectReader } from '../../cluster/direct-reader.js';
import { freePorts } from '../../cluster/free-ports.js';
import { type CommandProcess, HOST, removeDirectory, startNode, temporaryDirectory } from './harness.js';

const KILLS = 50;
const KEYS = 400;
const PIPELINE = 64;
const LOAD_MS = [20, 200] as const;

const directory = temporaryDirectory();
let port = 0;

beforeAll(async () => {
  port = await freePorts(HOST, 2);
});

afterAll(() => removeDirectory(directory));

test('fifty kills at random moments lose no acknowledged write', async () => {
  /** Per key: the number acknowledged last, and the number sent last. */
  const acknowledged = new Array<number>(KEYS).fill(0);
  const sent = new Array<number>(KEYS).fill(0);
  let total = 0;
  let node: CommandProcess = await startNode(port, directory, ['--durability', 'always']);
  for (let kill = 0; kill < KILLS; kill++) {
    total += await loadUntilKilled(node, sent, acknowledged);
    node = await startNode(port, directory, ['--durability', 'always']);
    expect(await violations(sent, acknowledged), `after kill ${kill + 1}`).toEqual([]);
  }
  await node.kill('SIGKILL');
  console.log(`durability: ${KILLS} kills, ${total} acknowledged writes, 0 lost`);
  expect(total).toBeGreaterThan(KILLS * PIPELINE);
}, 170_000);

/** Writes in pipelines until the node, killed after a random time, closes the connection; gives back how many were acknowledged. */
async function loadUntilKilled(node: CommandProcess, sent: number[], acknowledged: number[]): Promise<number> {
  const socket = connect({ host: HOST, port });
  const inFlight: { key: number; value: number }[] = [];
  let text = '';
  let count = 0;
  const send = (): void => {
    let batch = '';
    for (let index = 0; index < PIPELINE; index++) {
      const key = Math.floor(Math.random() * KEYS);
      const value = ++sent[key];
      inFlight.push({ key, value });
      batch += `SET key:${key} ${value}\r\n`;
    }
    socket.write(batch);
  };
  socket.on('connect', () => {
    send();
    send();
    setTimeout(() => node.child.kill('SIGKILL'), LOAD_MS[0] + Math.random() * (LOAD_MS[1] - LOAD_MS[0]));
  });
  socket.on('data', (bytes) => {
    text += bytes.toString('latin1');
    for (let end = text.indexOf('\r\n'); end >= 0; end = text.indexOf('\r\n')) {
      const line = text.slice(0, end);
      text = text.slice(end + 2);
      if (line !== '+OK') throw new Error(`unexpected reply ${line}`);
      const write = inFlight.shift() as { key: number; value: number };
      acknowledged[write.key] = write.value;
      count++;
      if (count % PIPELINE === 0) send();
    }
  });
  socket.on('error', () => {});
  await Promise.all([new Promise((resolve) => socket.once('close', resolve)), node.ended]);
  return count;
}

/** Keys whose value is older than what was acknowledged, or newer than what was sent. */
async function violations(sent: readonly number[], acknowledged: number[]): Promise<string[]> {
  const reader = await DirectReader.open(HOST, port);
  const values = await reader.values(sent.map((_, key) => `key:${key}`));
  reader.close();
  return values.flatMap((value, key) => {
    const found = value === undefined ? 0 : Number(value);
    const expected = `acknowledged ${acknowledged[key]}, sent ${sent[key]}`;
    if (found < acknowledged[key] || found > sent[key]) return [`key:${key} is ${found}; ${expected}`];
    // What a restart has shown once stays.
    acknowledged[key] = found;
    return [];
  });
}
