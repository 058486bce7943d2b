/**
 * Plays the seeds of `hearsay simulate`, or the plan of a file, and tells what broke. main.ts calls `playSeeds` with words that are checked.
 * Guarded: every failure comes with the one command that replays it; who stops it gets the summary of what was played; how
 * far it came goes to standard error, so that what is printed depends on the seeds alone but for the speed in the last line.
 */
import { writeFileSync } from 'node:fs';
import { describe } from './checkers.js';
import { hearsayFactories } from './hearsay.js';
import type { SimulateDoors } from './main.js';
import { type RunResult, runPlan } from './run.js';
import { drawPlan, type Plan } from './schedule.js';
import { SeedProgress } from './seed-progress.js';
import { shellWord } from './shell-word.js';
import { type Shrunk, shrinkSteps } from './shrink.js';

const SHRINK_RUNS_MAX = 1_000;
const PASSED = 0;
const FAILED = 1;
const STOPPED = 3;

export interface SeedsAsked {
  from: number;
  to: number;
  mutation: string;
  shrink: boolean;
  planFile: string | null;
  replay: { file: string; plan: Plan } | null;
  key: string | null;
  logLines: number;
}

type Play = (plan: Plan) => RunResult;

/** The exit code: 0 all passed, 1 one failed, 3 it was stopped before one failed. */
export function playSeeds(asked: SeedsAsked, doors: SimulateDoors): Promise<number> {
  return new SeedRun(asked, doors).run();
}

class SeedRun {
  private readonly total = { seeds: 0, failed: 0, events: 0, virtualMs: 0 };
  private readonly marks: Record<string, number> = {};
  private readonly progress: SeedProgress;
  private readonly play: Play;
  private readonly from: number;
  private readonly to: number;
  private stopped = false;

  constructor(
    private readonly asked: SeedsAsked,
    private readonly doors: SimulateDoors,
  ) {
    const mutations = new Set(asked.mutation.split('+').filter((name) => name !== ''));
    this.play = (plan) => runPlan(hearsayFactories(mutations), plan);
    this.from = asked.replay?.plan.seed ?? asked.from;
    this.to = asked.replay?.plan.seed ?? asked.to;
    this.progress = new SeedProgress(doors.progress, doors.isLive, this.to - this.from + 1);
  }

  async run(): Promise<number> {
    const { asked, doors, total } = this;
    doors.onStop(() => {
      this.stopped = true;
    });
    const startedMs = performance.now();
    for (let seed = this.from; seed <= this.to && !this.stopped && doors.isRead(); seed++) {
      await this.playOne(asked.replay?.plan ?? drawPlan(seed));
      this.progress.played(total.seeds, total.failed, performance.now() - startedMs);
      await letSignalsIn();
    }
    this.progress.end();
    this.summary((performance.now() - startedMs) / 1_000);
    if (total.failed > 0) return FAILED;
    return this.stopped && total.seeds < this.to - this.from + 1 ? STOPPED : PASSED;
  }

  private async playOne(plan: Plan): Promise<void> {
    const { asked, total, marks } = this;
    total.seeds++;
    let result: RunResult;
    try {
      result = this.play(plan);
    } catch (error) {
      // A mistake of the simulator's own: it takes this seed, not those after it.
      total.failed++;
      this.print(`seed ${plan.seed}: threw: ${(error as Error).stack ?? error}`);
      this.print(`  replay: ${this.replayLine(plan)}`);
      return;
    }
    total.events += result.events;
    total.virtualMs += result.virtualMs;
    for (const [mark, count] of Object.entries(result.marks)) marks[mark] = (marks[mark] ?? 0) + count;
    if (result.ok) return;
    total.failed++;
    this.report(plan, result);
    if (total.failed > 1) return;
    if (asked.key !== null) this.explainKey(result, asked.key);
    for (const line of asked.logLines === 0 ? [] : result.log.slice(-asked.logLines)) {
      const fields = JSON.stringify(line.fields ?? {});
      this.print(`  ${line.atMs.toFixed(1)} node ${line.node} ${line.level} ${line.event} ${fields}`);
    }
    if (asked.shrink) await this.shrink(plan, result.violations[0].kind);
  }

  private summary(seconds: number): void {
    const { total } = this;
    for (const [mark, count] of Object.entries(this.marks).sort()) this.print(`  ${mark}: ${count}`);
    this.print(
      `${total.seeds} seeds, ${total.failed} failed; ${total.events} events, ${Math.round(total.events / seconds)} a second; ` +
        `${Math.round(total.virtualMs / 1_000)} virtual seconds in ${seconds.toFixed(1)}`,
    );
    const left = this.to - this.from + 1 - total.seeds;
    if (!this.stopped || left === 0) return;
    this.print(`stopped before seed ${this.from + total.seeds}; those left: ${this.doors.program} ${this.wordsLeft()}`);
  }

  private wordsLeft(): string {
    const { mutation, replay } = this.asked;
    const which =
      replay === null ? `--from ${this.from + this.total.seeds} --to ${this.to}` : `--replay ${shellWord(replay.file)}`;
    return `simulate ${which}${mutation === '' ? '' : ` --mutation ${mutation}`}`;
  }

  private report(plan: Plan, result: RunResult): void {
    this.print(`seed ${plan.seed}: ${plan.nodes} nodes, durability ${plan.durability}, trace ${result.traceHash}`);
    for (const violation of result.violations.slice(0, 5)) {
      this.print(`  ${violation.atMs.toFixed(1)} ms ${violation.kind}: ${violation.message}`);
    }
    this.print(`  replay: ${this.replayLine(plan)}`);
  }

  private replayLine({ seed }: Plan): string {
    const { mutation, replay } = this.asked;
    const planted = mutation === '' ? '' : ` --mutation ${mutation}`;
    const which = replay === null ? `--from ${seed} --to ${seed}` : `--replay ${shellWord(replay.file)}`;
    return `${this.doors.program} simulate ${which}${planted}`;
  }

  private explainKey(result: RunResult, key: string): void {
    const done = [...(result.history.byKey.get(key) ?? []), ...result.history.changesOf(key)];
    const ordered = [...new Set(done)].sort((left, right) => left.invokedMs - right.invokedMs);
    for (const operation of ordered) this.print(`  ${describe(operation)}`);
  }

  /** Who stops it gets what was taken out so far, and its plan. */
  private async shrink(plan: Plan, kind: string): Promise<void> {
    const search = shrinkSteps(plan, SHRINK_RUNS_MAX);
    let next = search.next();
    let shrunk: Shrunk | null = null;
    while (shrunk === null) {
      if (next.done === true) shrunk = next.value;
      else if (this.stopped) shrunk = { plan: next.value.least, runs: next.value.runs - 1 };
      else {
        const { plan: candidate, least, runs } = next.value;
        this.progress.shrinking(runs, least.steps.length);
        next = search.next(this.play(candidate).violations.some((violation) => violation.kind === kind));
        await letSignalsIn();
      }
    }
    const words = `${plan.steps.length} to ${shrunk.plan.steps.length} steps in ${shrunk.runs} runs`;
    this.print(`  shrunk from ${words}${this.stopped ? ', then stopped' : ''}:`);
    for (const each of shrunk.plan.steps) this.print(`    ${JSON.stringify(each).slice(0, 200)}`);
    for (const violation of this.play(shrunk.plan).violations.slice(0, 3)) {
      this.print(`    ${violation.kind}: ${violation.message}`);
    }
    const { planFile } = this.asked;
    if (planFile === null) return;
    writeFileSync(planFile, `${JSON.stringify(shrunk.plan)}\n`);
    this.print(`  replay: ${this.doors.program} simulate --replay ${shellWord(planFile)}`);
  }

  private print(line: string): void {
    this.progress.clear();
    this.doors.out(line);
  }
}

/** A seed is played without a pause: what the system has to say waits until here. */
function letSignalsIn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
