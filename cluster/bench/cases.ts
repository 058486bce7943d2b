/**
 * The catalogue of the benchmark suite: every case by its name, and which of them a run without words measures.
 * Guarded: a name is given once and stays what it is, so that reports of different days can be laid side by side.
 */
import { checkpointGroup } from './checkpoint.js';
import type { CaseGroup } from './context.js';
import { DISK_DEFAULT, diskGroups } from './disk-bytes.js';
import { fairnessGroup } from './fairness.js';
import { inProcessGroup } from './in-process.js';
import { MEMORY_DEFAULT, memoryGroups } from './memory.js';
import { PAUSES_DEFAULT, pausesGroup } from './pauses.js';
import { REPLICATION_DEFAULT, replicationGroup } from './replication.js';
import { RESTART_DEFAULT, restartGroups } from './restart.js';
import { THROUGHPUT_DEFAULT, throughputGroups } from './throughput.js';

export const CASE_GROUPS: readonly CaseGroup[] = [
  ...throughputGroups(),
  inProcessGroup(),
  ...memoryGroups(),
  ...restartGroups(),
  checkpointGroup(),
  ...diskGroups(),
  pausesGroup(),
  fairnessGroup(),
  replicationGroup(),
];

const DEFAULT_NAMES: readonly string[] = [
  ...THROUGHPUT_DEFAULT,
  ...['in-process-get', 'in-process-set'],
  ...MEMORY_DEFAULT,
  ...RESTART_DEFAULT,
  ...['checkpoint-p99', 'checkpoint-memory'],
  ...DISK_DEFAULT,
  ...PAUSES_DEFAULT,
  'fairness',
  ...REPLICATION_DEFAULT,
];

/** One of each kind: what a quick run without words measures, in about two minutes. */
const QUICK_NAMES: readonly string[] = [
  ...['set-p16-c50-100b-off', 'get-p16-c50-100b-off', 'set-p1-c50-100b-off', 'get-p1-c50-100b-off'],
  ...['mixed-p16-c50-100b-off', 'set-p16-c50-100b-always', 'in-process-get', 'in-process-set', 'memory-100b-1m'],
  ...['restart-1m-image', 'disk-1kib', 'pause-p999-growth', 'pause-longest', 'fairness'],
  ...['replicated-set-p16', 'replicated-set-wait-p1'],
];

export function allCaseNames(): string[] {
  return CASE_GROUPS.flatMap((group) => group.names);
}

/**
 * The cases that words name: each a name, or how names begin (`get`, `set-p16`, `memory`). No words: the default ones, one
 * of each kind, or all. `unknown` holds words that name nothing.
 */
export function chooseCases(
  words: readonly string[],
  which: 'default' | 'quick' | 'all',
): { names: string[]; unknown: string[] } {
  const known = allCaseNames();
  if (words.length === 0) {
    const usual = which === 'all' ? known : which === 'quick' ? QUICK_NAMES : DEFAULT_NAMES;
    return { names: known.filter((name) => usual.includes(name)), unknown: [] };
  }
  const fits = (name: string, word: string): boolean => name === word || name.startsWith(`${word}-`);
  return {
    names: known.filter((name) => words.some((word) => fits(name, word))),
    unknown: words.filter((word) => !known.some((name) => fits(name, word))),
  };
}
