/**
 * A full disk, by a limit on file size that is set on the running process: no new log file can be made, so writes are
 * refused by name before they are applied, reads go on, and all is well again once there is room.
 */
import { execFileSync } from 'node:child_process';
import { afterAll, expect, test } from 'vitest';
import { freePorts } from '../../cluster/free-ports.js';
import { ask, HOST, removeDirectory, startNode, statusOf, temporaryDirectory, until } from './harness.js';

const LOG_FILE_BYTES = 1024 * 1024;
/** Ten frames of it fill a log file, and none reaches into its last page. */
const VALUE = 'x'.repeat(100_000);
const WRITES_MAX = 200;

const directory = temporaryDirectory();
afterAll(() => removeDirectory(directory));

test('a full disk refuses writes by name, keeps reads, and heals', async () => {
  const port = await freePorts(HOST, 2);
  const flags = ['--durability', 'always'];
  process.env.HEARSAY_WAL_FILE_BYTES = String(LOG_FILE_BYTES);
  const node = await startNode(port, directory, flags).finally(() => delete process.env.HEARSAY_WAL_FILE_BYTES);
  const limitFiles = (bytes: string): void => {
    execFileSync('prlimit', ['--pid', String(node.child.pid), `--fsize=${bytes}:unlimited`]);
  };
  limitFiles(String(LOG_FILE_BYTES - 4096));

  const kept: string[] = [];
  let refusal = '';
  for (let write = 0; write < WRITES_MAX && refusal === ''; write++) {
    const [reply] = await ask(port, ['SET', `big:${write}`, VALUE]);
    if (reply === 'OK') kept.push(`big:${write}`);
    else refusal = String(reply);
  }
  expect(refusal).toMatch(/NOSPACE/);
  expect(kept.length).toBeGreaterThan(0);
  expect((await statusOf(port)).log_refusal).toBe('NOSPACE');
  const lengths = kept.map((key) => ['STRLEN', key]);
  expect(await ask(port, ...lengths)).toEqual(kept.map(() => VALUE.length));
  expect(await ask(port, ['EXISTS', `big:${kept.length}`])).toEqual([0]);

  limitFiles('unlimited');
  await until('a write is taken again', 15_000, async () => (await ask(port, ['SET', 'after', 'v']))[0] === 'OK');
  await node.kill('SIGKILL');
  const again = await startNode(port, directory, flags);
  expect(await ask(port, ['GET', 'after'], ...lengths)).toEqual(['v', ...kept.map(() => VALUE.length)]);
  await again.kill('SIGKILL');
}, 40_000);
