/** The checks that scenarios have of their own, on clusters where nothing is injected: each finds that its fault did not bite. */
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { chooseScenarios } from '../../../cluster/chaos/catalogue.js';
import { runScenario } from '../../../cluster/chaos/run.js';

const LAUNCHER = fileURLToPath(new URL('../../../bin/hearsay.js', import.meta.url));

/** Seed 7 has a disk that takes 565 ms longer: nothing else makes a sync as slow. */
it.each([
  ['partition-halves', /^partition: what node-.* took while cut off was on node-/],
  ['partition-isolate', /^partition: what node-.* took while cut off was on node-/],
  ['clock-jump', /^clock-jump: node-. did not notice that its clock jumped by/],
  ['slow-disk', /^slow-disk: no sync was seen to take longer, with 1 times that it stood/],
  ['disk-error', /^disk-error: no sync of a log was seen to fail, with 1 times that it stood/],
])('the check of %s finds fault where its fault is not injected', async (name, violation) => {
  const [scenario] = chooseScenarios(name) ?? [];
  const command = [process.execPath, LAUNCHER, 'serve'];
  const record = await runScenario({ scenario, nodes: 3, durationMs: 2500, seed: 7, command, blunt: true }, () => {});
  expect(record.verdict).toBe('wrong');
  expect(record.violations).toContainEqual(expect.stringMatching(violation));
});
