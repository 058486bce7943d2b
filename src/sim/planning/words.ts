/**
 * The words of `simulate --nodes N`: what they mean, their bounds, their defaults. main.ts of this folder asks here before anything runs.
 * Guarded: every word that is wrong is named at once, with what was expected; none is taken in silence.
 */
import { accessSync, constants, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { MEMBERSHIP_TIMINGS } from '../../core/membership/options.js';
import { type ClusterPlan, NODES_MAX, NODES_MIN, SCENARIOS, type ScenarioName } from './plan.js';

export interface PlanningWords {
  plan: ClusterPlan;
  json: boolean;
  svgFile: string | null;
}

const LOSS_MAX = 0.9;
const SHARE_OF_DEATHS = '10%';
const SHARE_CUT_OFF = '50%';
const OPTIONS = {
  nodes: { type: 'string', default: '100' },
  scenario: { type: 'string', default: 'spread' },
  loss: { type: 'string', default: '0%' },
  fanout: { type: 'string', default: String(MEMBERSHIP_TIMINGS.gossipFanout) },
  seed: { type: 'string', default: '1' },
  latency: { type: 'string', default: '1' },
  interval: { type: 'string', default: String(MEMBERSHIP_TIMINGS.gossipIntervalMs) },
  share: { type: 'string' },
  cut: { type: 'string', default: '60' },
  duration: { type: 'string', default: '300' },
  json: { type: 'boolean', default: false },
  svg: { type: 'string' },
} as const;
export const PLANNING_FLAGS: readonly string[] = Object.keys(OPTIONS);

/** The words as a plan; null, and a line in `problems` for each that is wrong. */
export function planningWords(words: readonly string[], problems: string[]): PlanningWords | null {
  const values = parsed(words, problems);
  if (values === null) return null;
  const { scenario } = values;
  const isKnown = SCENARIOS.includes(scenario as ScenarioName);
  if (!isKnown) problems.push(`--scenario: ${scenario} is none of ${SCENARIOS.join(', ')}`);
  const whole = (flag: string, text: string, least: number, most: number): number => {
    const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (number >= least && number <= most) return number;
    problems.push(`--${flag}: ${text} is no whole number from ${least} to ${most}`);
    return least;
  };
  const plan: ClusterPlan = {
    scenario: scenario as ScenarioName,
    nodes: whole('nodes', values.nodes, NODES_MIN, NODES_MAX),
    seed: whole('seed', values.seed, 0, Number.MAX_SAFE_INTEGER),
    loss: share('loss', values.loss, LOSS_MAX, problems),
    fanout: whole('fanout', values.fanout, 1, 32),
    latencyMs: whole('latency', values.latency, 0, 1_000),
    gossipIntervalMs: whole('interval', values.interval, MEMBERSHIP_TIMINGS.tickIntervalMs, 10_000),
    probeIntervalMs: MEMBERSHIP_TIMINGS.probeIntervalMs,
    share: share('share', values.share ?? (scenario === 'crash' ? SHARE_OF_DEATHS : SHARE_CUT_OFF), 0.9, problems),
    cutMs: whole('cut', values.cut, 1, 3_600) * 1_000,
    durationMs: whole('duration', values.duration, 1, 3_600) * 1_000,
  };
  if (values.share !== undefined && isKnown && scenario !== 'crash' && scenario !== 'partition')
    problems.push(`--share is of crash and partition: in ${scenario} nobody dies or is cut off`);
  if (values.svg !== undefined) checkPlace(values.svg, problems);
  return problems.length > 0 ? null : { plan, json: values.json, svgFile: values.svg ?? null };
}

function parsed(words: readonly string[], problems: string[]) {
  try {
    return parseArgs({ args: [...words], options: OPTIONS }).values;
  } catch (error) {
    problems.push((error as Error).message.split('\n')[0]);
    return null;
  }
}

/** `5%` or `0.05`. */
function share(flag: string, text: string, most: number, problems: string[]): number {
  const parts = /^(\d{1,3}(?:\.\d{1,6})?|\.\d{1,6})(%?)$/.exec(text);
  const value = parts === null ? Number.NaN : Number(parts[1]) / (parts[2] === '%' ? 100 : 1);
  if (value >= 0 && value <= most) return value;
  problems.push(`--${flag}: ${text} is no share from 0 to ${most * 100}%, as 5% or 0.05`);
  return 0;
}

/** A run of a large cluster takes minutes: that its picture can be written is seen before. */
function checkPlace(file: string, problems: string[]): void {
  try {
    const stats = statSync(file, { throwIfNoEntry: false });
    if (stats?.isDirectory()) throw new Error('is a directory');
    accessSync(stats === undefined ? dirname(file) : file, constants.W_OK);
  } catch (error) {
    problems.push(`--svg: ${file} can not be written: ${(error as Error).message}`);
  }
}
