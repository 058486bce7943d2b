/**
 * `hearsay simulate`: runs seeds of the simulator and says what broke. Called from a command line with the words below; the
 * exit code is 0 if every seed passed, 1 if one failed, 2 for wrong words. Guarded: words are checked before anything runs; every
 * failure comes with the one command that replays it, and nothing but this file and planning/main.ts reads arguments or the real clock.
 * With --nodes or --scenario the words are those of planning/: what a large cluster would do, instead of seeds.
 */
import { accessSync, constants, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { describe } from './checkers.js';
import { hearsayFactories } from './hearsay.js';
import { isPlanning, PLANNING_USAGE, planCluster } from './planning/main.js';
import { type RunResult, runPlan } from './run.js';
import { completePlan, drawPlan, type Plan } from './schedule.js';
import { shrinkPlan } from './shrink.js';

export const USAGE = `Two uses. Seeds try the real node under faults and say what broke; --nodes or --scenario says what a large cluster would do:
  hearsay simulate --from 1 --to 500
  hearsay simulate --nodes 1000 --loss 5% --scenario crash --svg crash.svg

simulate [--from SEED] [--to SEED] [--mutation NAME[+NAME]] [--shrink] [--plan FILE] [--replay FILE] [--key KEY] [--log LINES]
  --from, --to   seeds to run, both included (1 to 100)
  --mutation     plants bugs by name, to try the checkers
  --shrink       takes steps out of the first failing plan while it still fails
  --plan         where the shrunk plan goes as JSON
  --replay       plays such a plan instead of seeds
  --key          prints what was done to one key in the first failing run
  --log          prints so many of the last log lines of the first failing run

${PLANNING_USAGE}`;

/** The bugs that the core lets itself be given. */
export const MUTATIONS: readonly string[] = [
  'ack-before-log',
  'actor-reused-after-restart',
  'asymmetric-tie-break',
  'context-ignored',
  'counter-adds-parts',
  'cover-as-of-the-end',
  'cover-before-records',
  'directory-of-another-taken',
  'dismissed-as-heard',
  'dots-reused',
  'doubt-ignored',
  'expiry-not-kept',
  'failed-sync-acknowledged',
  'failed-sync-repeated',
  'floor-ignored',
  'floor-past-silent',
  'former-life-returns',
  'former-life-trusted',
  'former-owners-unasked',
  'hearsay-moves-members',
  'hints-uncounted',
  'hlc-ignores-received',
  'no-anti-entropy',
  'no-hints',
  'old-address-kept',
  'pending-unbounded',
  'reads-ignore-flushes',
  'refusal-ignored',
  'replay-window-off',
  'ring-kept-to-itself',
  'ring-mismatch-ignored',
  'rot-passed-over',
  'session-ignored',
  'session-reads-unnoted',
  'sketch-takes-less',
  'stall-ignored',
  'streams-believed',
  'tombstone-dropped-at-once',
  'torn-tail-trusted',
  'ttl-restarted-per-hop',
  'unready-copies-ignored',
  'versions-believed',
  'wait-counts-unacknowledged',
];

const SHRINK_RUNS_MAX = 1_000;

/** Where text goes; `isRead` is false once nobody reads it any more, and then no further seed is begun. */
export interface SimulateDoors {
  out(line: string): void;
  complain(line: string): void;
  isRead(): boolean;
}

type Print = (line: string) => void;

interface Words {
  from: number;
  to: number;
  mutation: string;
  shrink: boolean;
  planFile: string | null;
  replay: { file: string; plan: Plan } | null;
  key: string | null;
  logLines: number;
}

export function simulate(words: readonly string[], doors: SimulateDoors): number {
  if (isPlanning(words)) return planCluster(words, doors);
  const problems: string[] = [];
  const asked = wordsIn(words, problems);
  for (const problem of problems) doors.complain(`simulate: ${problem}`);
  if (asked === null || problems.length > 0) return 2;
  return run(asked, doors);
}

/** The words as values; adds a line to `problems` for each that is wrong. */
function wordsIn(words: readonly string[], problems: string[]): Words | null {
  const values = parsed(words, problems);
  if (values === null) return null;
  const count = (flag: string, text: string): number => {
    if (!/^\d{1,15}$/.test(text)) problems.push(`--${flag}: ${text} is not a whole number`);
    return Number(text);
  };
  const [from, to, logLines] = [count('from', values.from), count('to', values.to), count('log', values.log)];
  if (problems.length === 0 && from > to) problems.push(`--from ${from} is above --to ${to}: there is no seed to run`);
  for (const name of values.mutation.split('+').filter(Boolean)) {
    if (!MUTATIONS.includes(name)) problems.push(`--mutation: ${name} is none of ${MUTATIONS.join(', ')}`);
  }
  if (values.plan !== undefined) checkPlace(values.plan, problems);
  const plan = values.replay === undefined ? null : planIn(values.replay, problems);
  const replay = plan === null ? null : { file: values.replay ?? '', plan };
  const { mutation, shrink } = values;
  return { from, to, mutation, shrink, planFile: values.plan ?? null, replay, key: values.key ?? null, logLines };
}

function parsed(words: readonly string[], problems: string[]) {
  try {
    return parseArgs({
      args: [...words],
      options: {
        from: { type: 'string', default: '1' },
        to: { type: 'string', default: '100' },
        mutation: { type: 'string', default: '' },
        shrink: { type: 'boolean', default: false },
        plan: { type: 'string' },
        replay: { type: 'string' },
        key: { type: 'string' },
        log: { type: 'string', default: '0' },
      },
    }).values;
  } catch (error) {
    problems.push((error as Error).message.split('\n')[0]);
    return null;
  }
}

/** Shrinking takes minutes: that its plan can be written is seen before. */
function checkPlace(file: string, problems: string[]): void {
  try {
    const stats = statSync(file, { throwIfNoEntry: false });
    if (stats?.isDirectory()) throw new Error('is a directory');
    accessSync(stats === undefined ? dirname(file) : file, constants.W_OK);
  } catch (error) {
    problems.push(`--plan: ${file} can not be written: ${(error as Error).message}`);
  }
}

function planIn(file: string, problems: string[]): Plan | null {
  try {
    const held = JSON.parse(readFileSync(file, 'utf8')) as (Partial<Plan> & { plan?: Partial<Plan> }) | null;
    // A fixture says what it found beside its plan.
    const plan = held?.plan ?? held;
    if (typeof plan?.seed === 'number' && Array.isArray(plan.steps) && Array.isArray(plan.clients))
      return completePlan({ ...plan, seed: plan.seed, steps: plan.steps, clients: plan.clients });
    problems.push(`--replay: ${file} holds no plan`);
  } catch (error) {
    problems.push(`--replay: ${file} can not be read: ${(error as Error).message}`);
  }
  return null;
}

function run(asked: Words, doors: SimulateDoors): number {
  const { replay, mutation } = asked;
  const print = doors.out;
  const from = replay?.plan.seed ?? asked.from;
  const to = replay?.plan.seed ?? asked.to;
  const mutations = new Set(mutation.split('+').filter((name) => name !== ''));
  const play = (plan: Plan): RunResult => runPlan(hearsayFactories(mutations), plan);
  const total = { seeds: 0, failed: 0, events: 0, virtualMs: 0 };
  const marks: Record<string, number> = {};
  const startedMs = performance.now();
  for (let seed = from; seed <= to && doors.isRead(); seed++) {
    const plan = replay?.plan ?? drawPlan(seed);
    const result = play(plan);
    total.seeds++;
    total.events += result.events;
    total.virtualMs += result.virtualMs;
    for (const [mark, count] of Object.entries(result.marks)) marks[mark] = (marks[mark] ?? 0) + count;
    if (result.ok) continue;
    total.failed++;
    report(plan, result, asked, print);
    if (total.failed > 1) continue;
    if (asked.key !== null) explainKey(result, asked.key, print);
    for (const line of asked.logLines === 0 ? [] : result.log.slice(-asked.logLines)) {
      const fields = JSON.stringify(line.fields ?? {});
      print(`  ${line.atMs.toFixed(1)} node ${line.node} ${line.level} ${line.event} ${fields}`);
    }
    if (asked.shrink) shrink(plan, play, result.violations[0].kind, asked.planFile, print);
  }
  const seconds = (performance.now() - startedMs) / 1_000;
  for (const [mark, count] of Object.entries(marks).sort()) print(`  ${mark}: ${count}`);
  print(
    `${total.seeds} seeds, ${total.failed} failed; ${total.events} events, ${Math.round(total.events / seconds)} a second; ` +
      `${Math.round(total.virtualMs / 1_000)} virtual seconds in ${seconds.toFixed(1)}`,
  );
  return total.failed === 0 ? 0 : 1;
}

function report(plan: Plan, result: RunResult, { mutation, replay }: Words, print: Print): void {
  print(`seed ${plan.seed}: ${plan.nodes} nodes, durability ${plan.durability}, trace ${result.traceHash}`);
  for (const violation of result.violations.slice(0, 5)) {
    print(`  ${violation.atMs.toFixed(1)} ms ${violation.kind}: ${violation.message}`);
  }
  const planted = mutation === '' ? '' : ` --mutation ${mutation}`;
  const which = replay === null ? `--from ${plan.seed} --to ${plan.seed}` : `--replay ${JSON.stringify(replay.file)}`;
  print(`  replay: hearsay simulate ${which}${planted}`);
}

function explainKey(result: RunResult, key: string, print: Print): void {
  const done = [...(result.history.byKey.get(key) ?? []), ...result.history.changesOf(key)];
  const ordered = [...new Set(done)].sort((left, right) => left.invokedMs - right.invokedMs);
  for (const operation of ordered) print(`  ${describe(operation)}`);
}

function shrink(plan: Plan, play: (plan: Plan) => RunResult, kind: string, file: string | null, print: Print): void {
  const fails = (candidate: Plan): boolean => play(candidate).violations.some((violation) => violation.kind === kind);
  const shrunk = shrinkPlan(plan, fails, SHRINK_RUNS_MAX);
  print(`  shrunk from ${plan.steps.length} to ${shrunk.plan.steps.length} steps in ${shrunk.runs} runs:`);
  for (const step of shrunk.plan.steps) print(`    ${JSON.stringify(step).slice(0, 200)}`);
  for (const violation of play(shrunk.plan).violations.slice(0, 3))
    print(`    ${violation.kind}: ${violation.message}`);
  if (file !== null) writeFileSync(file, `${JSON.stringify(shrunk.plan)}\n`);
}
