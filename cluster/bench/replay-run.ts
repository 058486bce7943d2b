/**
 * A run that replays traces, from its first process to its table. `hearsay bench --trace`, `--zipf` and `--hit-ratios` call it.
 * Guarded as a benchmark run is (run.ts): nothing is left behind, and what could not be replayed is an error.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HitLine, ReplayOptions } from './hit-ratio.js';
import { hitRatioMatrix, hitTable, pointsAbove, replayAtMemory } from './hit-ratio.js';
import { describeMachine, type Machine } from './machine.js';
import { type BenchDoors, type BenchOptions, withContext } from './run.js';

/** Exit code: 0 replayed. */
export async function runReplays(
  plan: ReplayOptions & { readonly matrix: boolean },
  options: Omit<BenchOptions, 'cases'>,
  doors: BenchDoors,
): Promise<number> {
  return withContext(options, doors, async (context) => {
    const machine = describeMachine(doors.version, doors.command[doors.command.length - 1], context.redisServer);
    if (plan.peer && context.redisServer === null) doors.out('redis-server is not on PATH: Hearsay alone is measured');
    const lines = await (plan.matrix ? hitRatioMatrix(context, plan) : replayAtMemory(context, plan));
    const text = [...headOf(machine, plan.matrix, context.pinning.description), '', ...hitTable(lines), ''];
    for (const line of text) doors.out(line);
    const json = `${JSON.stringify({ machine, setup: headOf(machine, plan.matrix, context.pinning.description), lines: lines.map(withPoints) }, null, 2)}\n`;
    if (options.jsonFile !== null) writeFileSync(options.jsonFile, json);
    if (options.reportDirectory !== null) {
      writeFileSync(join(options.reportDirectory, 'hit-ratios.json'), json);
      writeFileSync(
        join(options.reportDirectory, 'hit-ratios.md'),
        ['# Hit ratios', '', '```', ...text, '```', ''].join('\n'),
      );
    }
    return 0;
  });
}

function withPoints(line: HitLine): HitLine & { points: number | null } {
  return { ...line, points: pointsAbove(line) };
}

function headOf(machine: Machine, matrix: boolean, pinning: string): string[] {
  const commit = machine.commit === null ? '' : ` (commit ${machine.commit})`;
  return [
    `hearsay ${machine.hearsay}${commit}, redis-server ${machine.redis ?? 'not found'}, Node ${machine.node}; ${machine.date}`,
    `${machine.cpu}, ${machine.cores} cores, Linux ${machine.kernel}; ${pinning}`,
    'cache-aside: GET, on a miss SET of the same key; keys of 16 B, values of one size that do not compress; durability off',
    matrix
      ? 'memory is a share of what all keys take in Redis, above what each server takes empty: equal for all; points: Hearsay above the better of both policies'
      : 'memory is the limit each server was given (--max-memory, maxmemory), what it takes empty included',
  ];
}
