/**
 * `hearsay simulate`: runs seeds of the simulator and says what broke. Called from a command line with the words below; the
 * exit code is 0 if every seed passed, 1 if one failed, 2 for wrong words. Guarded: every failure comes with the one command
 * that replays it, and nothing but this file reads arguments or the real clock.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { describe } from './checkers.js';
import { hearsayFactories } from './hearsay.js';
import { type RunResult, runPlan } from './run.js';
import { drawPlan, type Plan } from './schedule.js';
import { shrinkPlan } from './shrink.js';

export const USAGE = `simulate [--from SEED] [--to SEED] [--mutation NAME[+NAME]] [--shrink] [--plan FILE] [--replay FILE] [--key KEY] [--log LINES]
  --from, --to   seeds to run, both included (1 to 100)
  --mutation     plants bugs by name, to try the checkers
  --shrink       takes steps out of the first failing plan while it still fails
  --plan         where the shrunk plan goes as JSON
  --replay       plays such a plan instead of seeds
  --key          prints what was done to one key in the first failing run
  --log          prints so many of the last log lines of the first failing run`;

const SHRINK_RUNS_MAX = 1_000;

export function simulate(words: string[]): number {
  const { values } = parseArgs({
    args: words,
    options: {
      from: { type: 'string', default: '1' },
      to: { type: 'string', default: '100' },
      mutation: { type: 'string', default: '' },
      shrink: { type: 'boolean', default: false },
      plan: { type: 'string' },
      replay: { type: 'string' },
      key: { type: 'string' },
      log: { type: 'string', default: '0' },
      help: { type: 'boolean', default: false },
    },
  });
  const replayed = values.replay === undefined ? null : (JSON.parse(readFileSync(values.replay, 'utf8')) as Plan);
  const from = replayed?.seed ?? Number(values.from);
  const to = replayed?.seed ?? Number(values.to);
  if (values.help || !Number.isSafeInteger(from) || !Number.isSafeInteger(to)) {
    process.stdout.write(`${USAGE}\n`);
    return values.help ? 0 : 2;
  }
  const mutations = new Set(values.mutation.split('+').filter((name) => name !== ''));
  const play = (plan: Plan): RunResult => runPlan(hearsayFactories(mutations), plan);
  const total = { failed: 0, events: 0, virtualMs: 0 };
  const marks: Record<string, number> = {};
  const startedMs = performance.now();
  for (let seed = from; seed <= to; seed++) {
    const plan = replayed ?? drawPlan(seed);
    const result = play(plan);
    total.events += result.events;
    total.virtualMs += result.virtualMs;
    for (const [mark, count] of Object.entries(result.marks)) marks[mark] = (marks[mark] ?? 0) + count;
    if (result.ok) continue;
    total.failed++;
    report(plan, result, values.mutation);
    if (total.failed > 1) continue;
    if (values.key !== undefined) explainKey(result, values.key);
    for (const line of result.log.slice(-Number(values.log) || result.log.length)) {
      if (values.log === '0') break;
      const fields = JSON.stringify(line.fields ?? {});
      print(`  ${line.atMs.toFixed(1)} node ${line.node} ${line.level} ${line.event} ${fields}`);
    }
    if (values.shrink) shrink(plan, play, result.violations[0].kind, values.plan);
  }
  const seconds = (performance.now() - startedMs) / 1_000;
  for (const [mark, count] of Object.entries(marks).sort()) print(`  ${mark}: ${count}`);
  print(
    `${to - from + 1} seeds, ${total.failed} failed; ${total.events} events, ${Math.round(total.events / seconds)} a second; ` +
      `${Math.round(total.virtualMs / 1_000)} virtual seconds in ${seconds.toFixed(1)}`,
  );
  return total.failed === 0 ? 0 : 1;
}

function report(plan: Plan, result: RunResult, mutation: string): void {
  print(`seed ${plan.seed}: ${plan.nodes} nodes, durability ${plan.durability}, trace ${result.traceHash}`);
  for (const violation of result.violations.slice(0, 5)) {
    print(`  ${violation.atMs.toFixed(1)} ms ${violation.kind}: ${violation.message}`);
  }
  const planted = mutation === '' ? '' : ` --mutation ${mutation}`;
  print(`  replay: hearsay simulate --from ${plan.seed} --to ${plan.seed}${planted}`);
}

function explainKey(result: RunResult, key: string): void {
  const done = [...(result.history.byKey.get(key) ?? []), ...result.history.changesOf(key)];
  const ordered = [...new Set(done)].sort((left, right) => left.invokedMs - right.invokedMs);
  for (const operation of ordered) print(`  ${describe(operation)}`);
}

function shrink(plan: Plan, play: (plan: Plan) => RunResult, kind: string, file?: string): void {
  const fails = (candidate: Plan): boolean => play(candidate).violations.some((violation) => violation.kind === kind);
  const shrunk = shrinkPlan(plan, fails, SHRINK_RUNS_MAX);
  print(`  shrunk from ${plan.steps.length} to ${shrunk.plan.steps.length} steps in ${shrunk.runs} runs:`);
  for (const step of shrunk.plan.steps) print(`    ${JSON.stringify(step).slice(0, 200)}`);
  for (const violation of play(shrunk.plan).violations.slice(0, 3))
    print(`    ${violation.kind}: ${violation.message}`);
  if (file !== undefined) writeFileSync(file, `${JSON.stringify(shrunk.plan)}\n`);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
