/**
 * `hearsay chaos kill|pause|partition`: a checked load on a cluster of its own while a script disturbs it.
 * It checks the flags, leaves the run to cluster/chaos/run.ts, prints timeline and verdict; exit code 1 on a violation.
 */
import { randomInt } from 'node:crypto';
import { CHAOS_SCRIPTS, describeReport, runChaos } from '../../cluster/chaos/run.js';
import type { Terminal } from './terminal.js';
import { UsageError } from './terminal.js';

const NODES_MAX = 15;
const DURATION_MS_MAX = 3_600_000;
const SEED_MAX = 2 ** 32 - 1;

export async function runChaosVerb(
  name: string,
  options: Readonly<Record<string, unknown>>,
  terminal: Terminal,
): Promise<number> {
  if (terminal.launcher === null) throw new UsageError(['chaos: start it by bin/hearsay.js']);
  const problems: string[] = [];
  if (!Object.hasOwn(CHAOS_SCRIPTS, name)) {
    problems.push(`chaos: ${name} is none of ${Object.keys(CHAOS_SCRIPTS).join(', ')}`);
  }
  const nodes = wholeNumber(options.nodes);
  if (!(nodes >= 2 && nodes <= NODES_MAX)) problems.push(`--nodes: ${options.nodes} is not from 2 to ${NODES_MAX}`);
  const durationMs = millisecondsOf(String(options.duration));
  if (!(durationMs >= 1000 && durationMs <= DURATION_MS_MAX)) {
    problems.push(`--duration: ${options.duration} is not from 1s to 60m`);
  }
  const seed = options.seed === undefined ? randomInt(SEED_MAX) : wholeNumber(options.seed);
  if (!(seed >= 0 && seed <= SEED_MAX)) problems.push(`--seed: ${options.seed} is not from 0 to ${SEED_MAX}`);
  if (problems.length > 0) throw new UsageError(problems);

  const stop = new AbortController();
  terminal.onStopSignal(() => stop.abort(new Error('stopped')));
  const print = (line: string): void => terminal.out(`${line}\n`);
  print(`chaos ${name}: ${nodes} nodes, ${durationMs / 1000} s, seed ${seed}`);
  const script = CHAOS_SCRIPTS[name];
  const command = [process.execPath, terminal.launcher, 'serve'];
  try {
    const report = await runChaos({ script, nodes, durationMs, seed, command, signal: stop.signal }, print);
    for (const line of describeReport(report)) print(line);
    return report.violations.length === 0 ? 0 : 1;
  } catch (error) {
    terminal.error(`hearsay: chaos ${name}, seed ${seed}: ${(error as Error).message}\n`);
    return 1;
  }
}

function wholeNumber(raw: unknown): number {
  return /^\d{1,10}$/.test(String(raw)) ? Number(raw) : Number.NaN;
}

/** `20s`, `500ms`, `2m`. */
function millisecondsOf(text: string): number {
  const match = /^(\d{1,9})(ms|s|m)$/.exec(text);
  if (match === null) return Number.NaN;
  return Number(match[1]) * (match[2] === 'ms' ? 1 : match[2] === 's' ? 1000 : 60_000);
}
