/** The client library under faults: what it promises of calls, retries, sessions, recovery and its end holds in every seed. */
import { expect, it } from 'vitest';
import { runLibrary } from './library-run.js';

/** More of them: HEARSAY_LIBRARY=2000; or from one to another, as what fails is printed: HEARSAY_LIBRARY=17-17. */
const [FROM, TO] = seedsOf(process.env.HEARSAY_LIBRARY);

it(`keeps its promises in seeds ${FROM} to ${TO}`, async () => {
  const marks: Record<string, number> = {};
  const failed: string[] = [];
  for (let seed = FROM; seed <= TO; seed++) {
    const result = await runLibrary(seed);
    for (const [name, count] of Object.entries(result.marks)) marks[name] = (marks[name] ?? 0) + count;
    for (const line of result.violations.slice(0, 3)) failed.push(`HEARSAY_LIBRARY=${seed}-${seed}: ${line}`);
  }
  if (process.env.HEARSAY_LIBRARY !== undefined) process.stdout.write(`${JSON.stringify(marks, null, 1)}\n`);
  expect(failed).toEqual([]);
}, 3_600_000);

function seedsOf(text = '16'): [number, number] {
  const [first, last] = text.split('-').map(Number);
  return last === undefined ? [1, first] : [first, last];
}
