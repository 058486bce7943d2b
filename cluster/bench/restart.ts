/**
 * Restart to the first answer: from the start of the process to a GET of the last key. `image`: just checkpointed (Hearsay: an
 * image and a clean stop; Redis: SAVE). `worst`: killed with an image and a log nearly as long as it gets (Redis: the same writes
 * in an AOF that was never rewritten). Processes are cold, the page cache is warm, sides alternate.
 * Guarded: every restart must hold every key; what lay on disk is said.
 */
import type { BenchContext, CaseGroup, Row } from './context.js';
import { fill } from './load-client.js';
import { type Entries, overwrite, untilCheckpointed, untilLogFull } from './log-state.js';
import { alternate, noFigures, rowFrom } from './rows.js';
import { BenchServer, type ServerOptions, type Side } from './server.js';

const VALUE_BYTES = 64;
const COUNTS = { '1m': 1_000_000, '3m': 3_000_000 } as const;
const QUICK_COUNTS = { '1m': 100_000, '3m': 200_000 } as const;
const MEMORY_BYTES = 4 * 2 ** 30;
const LOG_SHARE = 0.85;
const NO_REWRITE = ['--auto-aof-rewrite-percentage', '0'];

type Count = keyof typeof COUNTS;
type State = 'image' | 'worst';

export const RESTART_DEFAULT: readonly string[] = [
  'restart-1m-image',
  'restart-1m-worst',
  'restart-3m-image',
  'restart-3m-worst',
];

export function restartGroups(): CaseGroup[] {
  return (Object.keys(COUNTS) as Count[]).flatMap((count) =>
    (['image', 'worst'] as const).map((state) => ({
      names: [`restart-${count}-${state}`],
      run: async (context: BenchContext) => [await measure(context, count, state)],
    })),
  );
}

async function measure(context: BenchContext, count: Count, state: State): Promise<Row> {
  const keys = (context.quick ? QUICK_COUNTS : COUNTS)[count];
  const entries: Entries = { keys, valueBytes: VALUE_BYTES };
  const figures = noFigures();
  const notes: string[] = [];
  const directories: Partial<Record<Side, string>> = {};
  let overwrites = 0;
  const lastKey = `key:${String(keys - 1).padStart(12, '0')}`;
  await alternate(context, context.rounds, notes, async (side, round) => {
    if (round === 0) {
      context.print(`  ${side}: ${keys} entries on disk`);
      const prepared = await prepare(context, side, state, entries, overwrites);
      directories[side] = prepared.directory;
      overwrites = prepared.overwrites;
      notes.push(...prepared.notes);
    }
    const server = await BenchServer.launch(context, side, {
      ...optionsFor(side, state),
      directory: directories[side],
    });
    try {
      figures[side].push(await server.firstAnswerMs('GET', lastKey));
      await server.untilReady();
      const held = Number(await server.ask('DBSIZE'));
      if (held !== keys) throw new Error(`${held} of ${keys} entries came back`);
    } catch (error) {
      figures[side].length = 0;
      throw error;
    } finally {
      await server.stop(state === 'image' ? 'SIGTERM' : 'SIGKILL');
    }
  });
  const title = state === 'image' ? 'just checkpointed' : 'killed at the worst point';
  return rowFrom({
    name: `restart-${count}-${state}`,
    title: `restart to first answer, ${keys} entries of ${VALUE_BYTES} B, ${title}`,
    unit: 'ms',
    better: 'lower',
    target: count === '3m' && state === 'image' ? { kind: 'ratio', limit: 1 } : null,
    figures,
    notes,
  });
}

function optionsFor(side: Side, state: State): ServerOptions {
  const durability = side === 'redis' && state === 'image' ? 'off' : 'interval';
  return { durability, memoryBytes: MEMORY_BYTES, redisWords: NO_REWRITE };
}

/** Leaves the wanted state in a directory. Redis overwrites as often as Hearsay did before it. */
async function prepare(
  context: BenchContext,
  side: Side,
  state: State,
  entries: Entries,
  overwrites: number,
): Promise<{ directory: string; overwrites: number; notes: string[] }> {
  const server = await BenchServer.start(context, side, optionsFor(side, state));
  await fill(context, server.port, { from: 0, to: entries.keys, valueBytes: entries.valueBytes });
  const { directory } = server;
  if (side === 'redis') {
    if (state === 'image') await server.ask('SAVE');
    else if (overwrites > 0) await overwrite(context, server, entries, overwrites);
    await server.stop(state === 'image' ? 'SIGTERM' : 'SIGKILL');
    const what = state === 'image' ? 'dump.rdb' : `an AOF of ${entries.keys} SETs and ${overwrites} overwrites`;
    return { directory, overwrites, notes: [`redis starts from ${what}`] };
  }
  let written = await untilCheckpointed(context, server, entries);
  if (state === 'worst') written += await untilLogFull(context, server, entries, LOG_SHARE);
  const { logBytes, imageRecords } = await server.status();
  await server.stop(state === 'image' ? 'SIGTERM' : 'SIGKILL');
  const log = `${(logBytes / 2 ** 20).toFixed(0)} MiB of log`;
  return {
    directory,
    overwrites: written,
    notes: [`hearsay starts from an image of ${imageRecords} records and ${log}`],
  };
}
