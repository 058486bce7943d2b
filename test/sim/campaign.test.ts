/** Hundreds of small clusters under loss, partitions, crashes and restarts: no promise is broken, no fault is missing, and a seed played twice goes the same way. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { BLOCK_SEEDS } from '../../src/cli/campaign-state.js';

const LAUNCHER = fileURLToPath(new URL('../../bin/hearsay.js', import.meta.url));
const SEEDS = 1_000;
const TIMEOUT_MS = 900_000;

it(
  `keeps every promise in ${SEEDS} seeds, and meets every fault and outcome in their course`,
  async () => {
    const words = ['--to', String(SEEDS), '--dir', temporaryDirectory(), '--jobs', '2', '--no-shrink'];
    const { code, text } = await campaign(...words);
    expect(text.match(/^seed \d+ fails\n.*/gm) ?? []).toEqual([]);
    expect(text.split('\n').filter((line) => line.startsWith('never happened'))).toEqual([]);
    expect(text).toMatch(/^1,000 seeds, 0 failed/m);
    expect(code).toBe(0);
  },
  TIMEOUT_MS,
);

it(
  'is resumed where it was stopped, and tells what it had played',
  async () => {
    const directory = temporaryDirectory();
    const words = ['--dir', directory, '--jobs', '1', '--no-shrink'];
    const first = await campaign('--to', String(BLOCK_SEEDS), ...words);
    expect(first.text).toMatch(/^20 seeds, /m);
    const second = await campaign('--to', String(2 * BLOCK_SEEDS), ...words);
    expect(second.code).toBe(0);
    expect(second.text).toMatch(/goes on after 20 seeds of this build/);
    expect(second.text).toMatch(/^40 seeds, /m);
    const less = await campaign('--to', String(BLOCK_SEEDS), ...words);
    expect(less.code).toBe(2);
    expect(less.text).toMatch(
      /--to: .* has played seeds up to 40, and its verdict is of them all; say --to 40 or more/,
    );
  },
  TIMEOUT_MS,
);

it('that is stopped before a block is whole says that nothing of it is kept', async () => {
  const { code, text } = await stoppedCampaign('--dir', temporaryDirectory(), '--jobs', '1');
  expect(code).toBe(3);
  expect(text).toMatch(/^stopped before the first 20 seeds were played: nothing of it is kept$/m);
});

it('refuses words that make no sense before it plays anything', async () => {
  const { code, text } = await campaign('--to', 'many', '--jobs', '0');
  expect(code).toBe(2);
  expect(text).toMatch(/--to: many is not a whole number/);
  expect(text).toMatch(/--jobs: 0 is not a whole number/);
});

function campaign(...words: string[]): Promise<{ code: number; text: string }> {
  return endOf(started(words));
}

/** Ctrl-C as soon as it says what it is about to do. */
function stoppedCampaign(...words: string[]): Promise<{ code: number; text: string }> {
  const child = started(['--to', '100000', ...words]);
  child.stdout.once('data', () => child.kill('SIGINT'));
  return endOf(child);
}

function started(words: readonly string[]): ChildProcessByStdio<null, Readable, Readable> {
  const child = spawn(process.execPath, [LAUNCHER, 'campaign', ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => {
    child.kill();
  });
  return child;
}

async function endOf(child: ChildProcessByStdio<null, Readable, Readable>): Promise<{ code: number; text: string }> {
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes) => (text += bytes));
  const [code] = await once(child, 'close');
  return { code, text };
}

function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'hearsay-campaign-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
