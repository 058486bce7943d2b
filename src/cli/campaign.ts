/**
 * `hearsay campaign`: many seeds of the simulator in several processes, resumed where it was stopped, with one verdict at the end.
 * `npm run campaign` and the tests run it. Failing seeds come with the command that replays them; in the end they are shrunk and written beside the state.
 * Guarded: exit code 0 means that every seed was played by this very build, none broke a promise, and everything that must happen in a
 * campaign did happen.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { playBlock, shrinkSeed } from '../sim/block.js';
import { shellWord } from '../sim/shell-word.js';
import { marksMissed, newTally, type SeedFailure, type Tally } from '../sim/tally.js';
import {
  BLOCK_SEEDS,
  blockCount,
  blockDone,
  type CampaignState,
  newState,
  readState,
  seedsNoted,
  seedsOf,
  writeState,
} from './campaign-state.js';
import { DONE, FAILED, UNWELL } from './exit-codes.js';
import { lockFile } from './file-lock.js';
import { directoryProblem } from './places.js';
import { durationText } from './progress.js';
import type { Terminal } from './terminal.js';
import { UsageError } from './terminal.js';

/** So many seeds at least before it is asked whether everything happened. */
const MARKS_SEEDS = 300;
const JOBS_MAX = 64;
const SEEDS_MAX = 1e9;
const STATE_FILE = 'state.json';
const PROGRESS_INTERVAL_MS = 10_000;
const SHRINK_RUNS_MAX = 400;
/** Failures that are shrunk; those after are only named. */
const SHRUNK_MAX = 5;
/** Failures after which no new block is begun: whatever is wrong is wrong everywhere. */
const FAILURES_MAX = 50;

export interface CampaignFlags {
  to: string;
  jobs: string;
  dir: string;
  anew?: boolean;
  /** False: plans of failing seeds are left as they are. */
  shrink?: boolean;
}

type Order = { play: [number, number] } | { shrink: number };

export async function runCampaign(flags: CampaignFlags, terminal: Terminal): Promise<number> {
  if (terminal.launcher === null) throw new UsageError(['campaign: start it by bin/hearsay.js']);
  const problems: string[] = [];
  const count = (flag: string, text: string, most: number): number => {
    const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= 1 && value <= most)) problems.push(`--${flag}: ${text} is not a whole number from 1 to ${most}`);
    return value;
  };
  const [to, jobs] = [count('to', flags.to, SEEDS_MAX), count('jobs', flags.jobs, JOBS_MAX)];
  const problem = directoryProblem(flags.dir);
  if (problem !== null) problems.push(`--dir: ${problem}`);
  if (problems.length > 0) throw new UsageError(problems);
  const unlock = await lockFile(join(flags.dir, STATE_FILE), 'another campaign');
  try {
    const state = stateFor(flags, Math.ceil(to / BLOCK_SEEDS) * BLOCK_SEEDS);
    return await new Campaign(terminal, terminal.launcher, flags, state).run(jobs, flags.shrink !== false);
  } finally {
    await unlock();
  }
}

/** Where to go on: with what is there, if this build began it. */
function stateFor({ dir, anew }: CampaignFlags, to: number): CampaignState {
  const build = createHash('sha256')
    .update(readFileSync(fileURLToPath(import.meta.url)))
    .digest('hex');
  let state: CampaignState | null;
  try {
    state = anew === true ? null : readState(join(dir, STATE_FILE));
  } catch (error) {
    throw new UsageError([`--dir: ${(error as Error).message}; --anew begins one`]);
  }
  if (state === null) return newState(build, to);
  if (state.build !== build) {
    const line = `--dir: ${dir} holds a campaign of another build, ${state.tally.seeds} seeds so far; --anew begins one in its place`;
    throw new UsageError([line]);
  }
  const notedTo = seedsNoted(state);
  if (to < notedTo) {
    const line = `--to: ${dir} holds a campaign that has played seeds up to ${notedTo}, and its verdict is of them all; say --to ${notedTo} or more, another --dir, or --anew`;
    throw new UsageError([line]);
  }
  return { ...state, to };
}

class Campaign {
  private readonly terminal: Terminal;
  private readonly launcher: string;
  private readonly directory: string;
  private readonly isAnew: boolean;
  private readonly state: CampaignState;
  private readonly startedMs = performance.now();
  private readonly earlierMs: number;
  private readonly seedsBefore: number;
  private readonly begun = new Set<number>();
  private readonly children = new Set<ChildProcess>();
  private stopped = false;

  constructor(terminal: Terminal, launcher: string, { dir, anew }: CampaignFlags, state: CampaignState) {
    this.terminal = terminal;
    this.launcher = launcher;
    this.directory = dir;
    this.isAnew = anew === true;
    this.state = state;
    this.earlierMs = state.elapsedMs;
    this.seedsBefore = state.tally.seeds;
  }

  async run(jobs: number, shrinks: boolean): Promise<number> {
    const { state, terminal } = this;
    terminal.onStopSignal(() => this.stop());
    const processes = Math.min(jobs, blockCount(state));
    const by = processes === 1 ? 'one process' : `${processes} processes`;
    this.print(`seeds 1 to ${text(state.to)} by ${by}; noted in ${this.directory} after every ${BLOCK_SEEDS}`);
    if (this.seedsBefore > 0) this.print(`goes on after ${text(this.seedsBefore)} seeds of this build`);
    const timer = setInterval(() => this.print(this.progress()), PROGRESS_INTERVAL_MS);
    try {
      await Promise.all(Array.from({ length: Math.min(jobs, blockCount(state)) }, () => this.work()));
      if (shrinks) await this.shrinkFailures();
    } finally {
      clearInterval(timer);
      for (const child of this.children) child.kill('SIGKILL');
    }
    return this.verdict();
  }

  /** One process plays block after block. */
  private async work(): Promise<void> {
    let child: ChildProcess | null = null;
    try {
      for (let block = this.nextBlock(); block !== null; block = this.nextBlock()) {
        child ??= this.newChild();
        const tally: Tally | ChildEnded = await ask<Tally>(child, { play: seedsOf(block) });
        if (this.stopped) return;
        if (tally instanceof ChildEnded) child = null;
        const counted = tally instanceof ChildEnded ? this.lostBlock(block, tally) : tally;
        blockDone(this.state, block, counted);
        this.save();
        for (const failure of counted.failures) this.tell(failure);
      }
    } finally {
      child?.kill();
    }
  }

  /** A block whose process ended: none of its seeds counts as played. */
  private lostBlock(block: number, ended: ChildEnded): Tally {
    const [from, to] = seedsOf(block);
    return {
      ...newTally(),
      failures: [{ seed: from, violations: [`ended: ${ended.why}, at seeds ${from} to ${to}`] }],
    };
  }

  /** Those of the first failures that no earlier run of this campaign has shrunk. */
  private async shrinkFailures(): Promise<void> {
    let child: ChildProcess | null = null;
    for (const { seed } of this.state.tally.failures.slice(0, SHRUNK_MAX)) {
      const file = join(this.directory, `plan-${seed}.json`);
      if (this.stopped || existsSync(file)) continue;
      child ??= this.newChild();
      this.print(`shrinking seed ${seed}`);
      const shrunk: ReturnType<typeof shrinkSeed> | ChildEnded = await ask(child, { shrink: seed });
      if (shrunk instanceof ChildEnded) child = null;
      else if (shrunk !== null) writeFileSync(file, `${JSON.stringify(shrunk)}\n`);
    }
    child?.kill();
  }

  private nextBlock(): number | null {
    if (this.stopped || this.state.tally.failures.length >= FAILURES_MAX) return null;
    const { floor, done } = this.state;
    for (let block = floor; block < blockCount(this.state); block++) {
      if (done.includes(block) || this.begun.has(block)) continue;
      this.begun.add(block);
      return block;
    }
    return null;
  }

  private newChild(): ChildProcess {
    const child = fork(this.launcher, ['campaign-child'], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      execArgv: ['--max-semi-space-size=32'],
    });
    this.children.add(child);
    child.once('exit', () => this.children.delete(child));
    return child;
  }

  private tell({ seed, violations }: SeedFailure): void {
    this.print(`seed ${seed} fails`);
    for (const line of violations) this.print(`  ${line}`);
    this.print(`  replay: ${this.terminal.program} simulate --from ${seed} --to ${seed}`);
    const file = join(this.directory, `plan-${seed}.json`);
    if (existsSync(file)) this.print(`  shrunk: ${this.terminal.program} simulate --replay ${shellWord(file)}`);
  }

  private stop(): void {
    if (this.stopped) return;
    this.stopped = true;
    for (const child of this.children) child.kill('SIGKILL');
  }

  private save(): void {
    this.state.elapsedMs = this.earlierMs + performance.now() - this.startedMs;
    writeState(join(this.directory, STATE_FILE), this.state);
  }

  private verdict(): number {
    const { tally, to } = this.state;
    for (const [mark, times] of Object.entries(tally.marks).sort()) this.print(`  ${mark}: ${times}`);
    const missed = tally.seeds < MARKS_SEEDS ? [] : marksMissed(tally);
    for (const mark of missed) this.print(`never happened: ${mark}`);
    for (const failure of tally.failures) this.tell(failure);
    const { elapsedMs } = this.state;
    this.print(
      `${text(tally.seeds)} seeds, ${tally.failures.length} failed; ${text(tally.events)} events, ` +
        `${text((tally.events * 1000) / Math.max(1, tally.workMs))} a second of a processor, ${(tally.virtualMs / 3_600_000).toFixed(1)} virtual hours; ` +
        `${durationText(elapsedMs)}`,
    );
    if (this.stopped) this.print(this.whatGoesOn());
    if (tally.failures.length > 0 || missed.length > 0) return FAILED;
    return tally.seeds >= to ? DONE : UNWELL;
  }

  /** What a campaign that was stopped has, and how to go on: a block that was under way counts for nothing. */
  private whatGoesOn(): string {
    const { tally, to } = this.state;
    if (tally.seeds >= to) return 'stopped; every seed had been played';
    const kept = seedsNoted(this.state);
    if (kept === 0) return `stopped before the first ${BLOCK_SEEDS} seeds were played: nothing of it is kept`;
    const how = this.isAnew ? 'the same command without --anew' : 'the same command';
    return `stopped before ${text(to)} seeds; ${how} goes on after ${text(tally.seeds)}`;
  }

  private progress(): string {
    const { tally, to } = this.state;
    const played = tally.seeds - this.seedsBefore;
    const leftMs = ((performance.now() - this.startedMs) / Math.max(1, played)) * (to - tally.seeds);
    const left = played === 0 ? '' : `, ${durationText(leftMs)} left`;
    return `${text(tally.seeds)} of ${text(to)} seeds, ${tally.failures.length} failed${left}`;
  }

  private print(line: string): void {
    this.terminal.out(`${line}\n`);
  }
}

/** What is had instead of an answer from a process that ended. */
class ChildEnded {
  constructor(readonly why: string) {}
}

/** Asks a process for one thing. */
function ask<Answer>(child: ChildProcess, order: Order): Promise<Answer | ChildEnded> {
  return new Promise((resolve) => {
    const ended = (code: number | null, signal: string | null): void => {
      child.off('message', answered);
      resolve(new ChildEnded(`a process of the campaign ended (${signal ?? `code ${code}`})`));
    };
    const answered = (answer: unknown): void => {
      child.off('exit', ended);
      resolve(answer as Answer);
    };
    child.once('exit', ended);
    child.once('message', answered);
    child.send(order);
  });
}

/** One process of a campaign: does what it is told over its channel until that closes. */
export function runCampaignChild(): Promise<number> {
  if (process.send === undefined) throw new UsageError(['campaign-child: only a campaign starts it']);
  // Ctrl-C reaches every process of a terminal: the campaign says when this one ends.
  process.on('SIGINT', () => {});
  process.on('message', (order: Order) => {
    if ('play' in order) process.send?.(playBlock(order.play[0], order.play[1], workClockMs));
    else process.send?.(shrinkSeed(order.shrink, SHRINK_RUNS_MAX));
  });
  return new Promise((resolve) => process.once('disconnect', () => resolve(DONE)));
}

function workClockMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function text(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
