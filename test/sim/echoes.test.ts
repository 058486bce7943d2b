/** What a late network brings: the sample of it that a run keeps, and what must not come of it. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { Draws, PURPOSE } from '../../src/sim/draws.js';
import { Sample } from '../../src/sim/echoes.js';
import type { Host } from '../../src/sim/events.js';
import { hearsayFactories } from '../../src/sim/hearsay.js';
import { runPlan } from '../../src/sim/run.js';
import { completePlan } from '../../src/sim/schedule.js';
import { Scenario } from './scenario.js';

it('keeps a bounded sample in which early and late have the same share, and makes only what it keeps', () => {
  let made = 0;
  let late = 0;
  for (let seed = 1; seed <= 50; seed++) {
    const sample = new Sample<number>(new Draws(seed), 20, PURPOSE.echoDatagram);
    for (let number = 0; number < 400; number++) {
      sample.offer(() => {
        made++;
        return number;
      });
    }
    expect(sample.kept.length).toBe(20);
    late += sample.kept.filter((number) => number >= 200).length;
  }
  expect(made).toBeLessThan(50 * 120);
  expect(late).toBeGreaterThan(400);
  expect(late).toBeLessThan(600);
});

/** Deletes what was written, waits until nobody remembers the delete, and lets all datagrams of the write come once more. */
function echoDeleted(mutations: ReadonlySet<string>): string[] {
  const scenario = new Scenario({ nodes: 3, seed: 21, mutations });
  const { network } = scenario.cluster;
  const kept: { from: Host; to: Host; bytes: Buffer }[] = [];
  network.sent = (from, to, bytes) => {
    if (bytes.includes('the-key')) kept.push({ from, to, bytes: Buffer.from(bytes) });
  };
  scenario.text(0, 'SET', 'the-key', 'written');
  scenario.rest(200);
  network.sent = null;
  expect(kept.length).toBeGreaterThan(0);
  scenario.text(0, 'DEL', 'the-key');
  scenario.until(60_000, () => {
    const left = [0, 1, 2].filter((node) => scenario.fact(node, 'tombstones') !== '0');
    return left.length === 0 ? null : `node ${left[0]} still has a tombstone`;
  });
  for (const { from, to, bytes } of kept) network.repeatTo(from, to, bytes, 1);
  scenario.rest(1_000);
  return [0, 1, 2].map((node) => scenario.text(node, 'GET', 'the-key'));
}

it('a datagram that comes after its value was deleted, and the delete forgotten by all, brings nothing back', () => {
  expect(echoDeleted(new Set())).toEqual(['null', 'null', 'null']);
});

it('the same without floors brings it back', () => {
  expect(echoDeleted(new Set(['floor-ignored']))).toContain('written');
});

it('where a former life may follow one that is gone, a late datagram brings it back: the watch and the end of the run say so', () => {
  const file = new URL('../fixtures/plans/former-life-came-back.json', import.meta.url);
  const { plan } = JSON.parse(readFileSync(file, 'utf8'));
  // Two things keep it away: the tombstone, and what the ring knows of its end.
  const planted = new Set(['former-life-returns', 'ended-met-again']);
  const { violations } = runPlan(hearsayFactories(planted), completePlan(plan));
  const kinds = violations.map(({ kind }) => kind);
  expect(kinds).toContain('member');
  expect(kinds).toContain('echo');
});
