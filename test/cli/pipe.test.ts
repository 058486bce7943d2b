/** The command line as a process whose reader goes away, as behind `| head -1`. `npm test` builds before it runs this. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { freePorts } from '../../cluster/free-ports.js';

const launcher = fileURLToPath(new URL('../../bin/hearsay.js', import.meta.url));
const place = mkdtempSync(join(tmpdir(), 'hearsay-pipe-'));
afterAll(() => rmSync(place, { recursive: true, force: true }));

/** Exit code and standard error of a command line whose standard output nobody reads from the beginning. */
async function unread(...words: string[]): Promise<[number, string]> {
  const child = spawn(process.execPath, [launcher, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.destroy();
  let error = '';
  child.stderr.on('data', (bytes) => {
    error += bytes;
  });
  const [code] = await once(child, 'close');
  return [code, error];
}

it('ends quietly when nobody reads what it prints', async () => {
  expect(await unread('settings')).toEqual([0, '']);
});

it('stops a cluster in order when nobody reads what it prints', async () => {
  const port = await freePorts('127.0.0.1', 1);
  const words = ['--nodes', '1', '--port', String(port), '--data', place, '--max-memory', '16mb'];
  expect(await unread('cluster', ...words)).toEqual([0, '']);
});
