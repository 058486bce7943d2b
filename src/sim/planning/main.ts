/**
 * `hearsay simulate --nodes N`: what a cluster larger than any test bed would do. src/sim/main.ts hands over the words; the exit code is 0
 * if all came to know, 1 if not within the duration or the picture could not be written, 2 for wrong words. Guarded: what is printed
 * depends on the words alone, but for the last line of the table, which says what the run took here.
 */
import { writeFileSync } from 'node:fs';
import type { SimulateDoors } from '../main.js';
import { chartOf } from './chart.js';
import { jsonOf, tableOf } from './report.js';
import { playScenario } from './scenarios.js';
import { planningWords } from './words.js';

export const PLANNING_USAGE = `simulate --nodes NUMBER [--scenario spread|crash|partition|join-storm] [--loss SHARE] [--fanout NUMBER] [--seed SEED]
         [--latency MS] [--interval MS] [--share SHARE] [--cut SECONDS] [--duration SECONDS] [--json] [--svg FILE]
  --nodes        members of the cluster, 3 to 2000 (100)
  --scenario     spread: one node has news; crash: nodes die at once; partition: nodes are cut off and come back;
                 join-storm: all start at once by two contact points (spread)
  --loss         share of the datagrams that is lost, as 5% or 0.05 (0%)
  --fanout       members gossiped to per interval, 1 to 32 (3, as a node does)
  --interval     of gossip, 25 to 10000 ms (200)
  --latency      mean one-way delay between nodes, 0 to 1000 ms (1)
  --seed         of every draw: the same words give the same output (1)
  --share        of the nodes: those that die (10%) or are cut off (50%)
  --cut          how long they are cut off, 1 to 3600 s (60)
  --duration     virtual seconds after the event in which it has to be over, 1 to 3600 (300)
  --json         prints the outcome as JSON
  --svg          where the share that knows goes, over time, with the bound of the theory`;

/** Whether these words ask for a plan of a cluster instead of seeds. */
export function isPlanning(words: readonly string[]): boolean {
  return words.some((word) => /^--(nodes|scenario)(=|$)/.test(word));
}

export function planCluster(words: readonly string[], doors: SimulateDoors): number {
  const problems: string[] = [];
  const asked = planningWords(words, problems);
  for (const problem of problems) doors.complain(`simulate: ${problem}`);
  if (asked === null) return 2;
  const startedMs = performance.now();
  const outcome = playScenario(asked.plan);
  if (asked.json) doors.out(jsonOf(outcome));
  else {
    for (const line of tableOf(outcome)) doors.out(line);
    const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
    doors.out(`  It took ${seconds} s here, and ${Math.round(process.memoryUsage().rss / 2 ** 20)} MiB of memory.`);
  }
  if (asked.svgFile !== null) {
    try {
      writeFileSync(asked.svgFile, chartOf(outcome));
    } catch (error) {
      doors.complain(`simulate: --svg: ${asked.svgFile} was not written: ${(error as Error).message}`);
      return 1;
    }
  }
  return outcome.converged ? 0 : 1;
}
