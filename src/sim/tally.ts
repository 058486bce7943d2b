/**
 * What many runs of the simulator came to, as plain data that adds up: seeds, failures, events, and how often each thing happened.
 * `simulate` and the campaign (src/cli/campaign.ts) add runs; a campaign writes it down and goes on from there.
 * Guarded: a campaign in which something that it exists for never happened says so (`marksMissed`): a fault that quietly went away
 * would otherwise look like one that is survived.
 */
import type { RunResult } from './run.js';

export interface Tally {
  seeds: number;
  events: number;
  /** Virtual time of all runs together, ms. */
  virtualMs: number;
  /** Processor time of the runs, ms. */
  workMs: number;
  /** How often each thing happened. */
  marks: Record<string, number>;
  failures: SeedFailure[];
}

export interface SeedFailure {
  seed: number;
  /** The first violations, each `kind: what`. */
  violations: string[];
}

const VIOLATIONS_SHOWN = 3;

/** What some run of a campaign of 300 seeds must have met. */
export const MUST_HAPPEN: readonly string[] = [
  'commands ok',
  'commands indeterminate',
  'commands refused',
  'error NOQUORUM',
  'kill',
  'power',
  'wipe',
  'stop',
  'pause',
  'partition',
  'udp',
  'clock',
  'secret',
  'roll',
  'skew',
  'move',
  'replace',
  'join',
  'leave',
  'forget',
  'lag',
  'shuffle',
  'narrow',
  'mute',
  'halve',
  'deaf',
  'unwelcome',
  'slow',
  'stalls',
  'rate',
  'grain',
  'disk slow',
  'disk write',
  'live cores',
  'versions refused by the other build',
  'versions refused by this build',
  'datagrams lost',
  'datagrams damaged',
  'datagrams replayed',
  'datagrams echoed',
  'messages echoed',
  'members taken for dead',
  'deaths known in time',
  'long deaths known',
  'streams reset',
  'streams halved',
  'segments vanished',
  'segments held by a partition',
  'reads hedged',
  'reads repaired',
  'hints dropped',
  'hints kept over a restart',
  'torn tail cut',
  'rot found',
  'damage reported',
  'rotten manifest met',
  'disk full met',
  'room again met',
  'sync error met',
  'log failed for good',
  'ended for its disk',
  'stale restore met',
  'swap met',
  'command cget',
  'command cput',
  'command cdel',
  'command pfadd',
  'command pfcount',
  'command pfmerge',
  'command getdel',
  'command getex',
  'command pexpireat',
  'command append',
  'command wait',
  'command waitaof',
  'command hearsay.session',
];

export function newTally(): Tally {
  return { seeds: 0, events: 0, virtualMs: 0, workMs: 0, marks: {}, failures: [] };
}

export function addRun(tally: Tally, seed: number, result: RunResult, workMs: number): void {
  const lines = result.violations.slice(0, VIOLATIONS_SHOWN).map(({ kind, message }) => `${kind}: ${message}`);
  addTally(tally, {
    seeds: 1,
    events: result.events,
    virtualMs: result.virtualMs,
    workMs,
    marks: result.marks,
    failures: result.ok ? [] : [{ seed, violations: lines }],
  });
}

/** Adds all of `more` to `tally`. */
export function addTally(tally: Tally, more: Tally): void {
  tally.seeds += more.seeds;
  tally.events += more.events;
  tally.virtualMs += more.virtualMs;
  tally.workMs += more.workMs;
  for (const [mark, count] of Object.entries(more.marks)) tally.marks[mark] = (tally.marks[mark] ?? 0) + count;
  tally.failures.push(...more.failures);
}

/** What must have happened, and did not. */
export function marksMissed(tally: Tally): string[] {
  return MUST_HAPPEN.filter((mark) => !((tally.marks[mark] ?? 0) > 0));
}
