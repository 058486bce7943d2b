/** `simulate` as its doors show it: what it says while it goes on, when it is stopped, and how a failure is replayed. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { simulate } from '../../src/sim/main.js';
import { progressOf, SeedProgress } from '../../src/sim/seed-progress.js';

interface Played {
  code: number;
  out: string;
}

/** Plays, and stops it during the first seed if asked. */
async function play(words: string, stopsAtOnce = false): Promise<Played> {
  let out = '';
  const code = await simulate(words.split(' '), {
    out: (line) => {
      out += `${line}\n`;
    },
    complain: (line) => {
      out += `${line}\n`;
    },
    progress: () => {},
    isLive: false,
    isRead: () => true,
    // The system's signal comes while the first seed is played.
    onStop: (listener) => void (stopsAtOnce && setImmediate(listener)),
    program: 'npx hearsay',
  });
  return { code, out };
}

describe('seeds that are played', () => {
  it('end with a summary and how to go on when they are stopped', async () => {
    const { code, out } = await play('--from 3 --to 50 --mutation no-hints+no-anti-entropy', true);
    expect(out).toMatch(/^\d seeds, \d failed; /m);
    const [, next] =
      /^stopped before seed (\d+); those left: npx hearsay simulate --from \1 --to 50 --mutation no-hints\+/m.exec(
        out,
      ) ?? [null, 0];
    expect(Number(next)).toBeGreaterThan(3);
    expect(code).toBe(out.includes(' 0 failed') ? 3 : 1);
  });

  it('come with the command that replays a failure, as the program was started', async () => {
    const place = mkdtempSync(join(tmpdir(), 'hearsay-played-'));
    onTestFinished(() => rmSync(place, { recursive: true, force: true }));
    const file = join(place, 'plan.json');
    const words = 'simulate --from 1 --to 1 --mutation no-anti-entropy+no-hints';
    const flags = words.replace('simulate ', '');
    const { code, out } = await play(flags);
    expect(code).toBe(1);
    expect(out).toContain(`  replay: npx hearsay ${words}\n`);
    // Stopped while it shrinks: what was found so far is there, and fails.
    const stopped = await play(`${flags} --shrink --plan ${file}`, true);
    expect(stopped.code).toBe(1);
    expect(stopped.out).toMatch(/shrunk from \d+ to \d+ steps in \d+ runs, then stopped:/);
    expect(stopped.out).toContain(`  replay: npx hearsay simulate --replay ${file}\n`);
    expect(JSON.parse(readFileSync(file, 'utf8')).seed).toBe(1);
  });
});

describe('the progress of seeds', () => {
  it('says how many are done, how fast, and what is left', () => {
    expect(progressOf(40, 500, 1, 16_000)).toBe('40 of 500 seeds, 1 failed, 2.5 a second, 3 min 4 s left');
    expect(progressOf(1, 3, 0, 500)).toBe('1 of 3 seeds, 0 failed, 2.0 a second, 1 s left');
  });

  it.each([
    [true, '\r\x1b[2K3 of 9 seeds, 0 failed, 1.0 a second, 6 s left', '\r\x1b[2K', 250],
    [false, '3 of 9 seeds, 0 failed, 1.0 a second, 6 s left\n', '', 10_000],
  ])('is a line that is drawn over for who looks on (%s), else one now and then', (isLive, line, cleared, afterMs) => {
    let text = '';
    let nowMs = 0;
    const progress = new SeedProgress(
      (part) => {
        text += part;
      },
      isLive,
      9,
      () => nowMs,
    );
    nowMs = afterMs - 100;
    progress.played(2, 0, 2000);
    expect(text).toBe('');
    nowMs = afterMs;
    progress.played(3, 0, 3000);
    progress.played(4, 0, 4000);
    expect(text).toBe(line);
    progress.end();
    expect(text).toBe(line + cleared);
  });
});
