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

const STATES: readonly State[] = ['image', 'worst'];
const TITLES = { image: 'just checkpointed', worst: 'killed at the worst point' } as const;

export const RESTART_DEFAULT: readonly string[] = [
  'restart-1m-image',
  'restart-1m-worst',
  'restart-3m-image',
  'restart-3m-worst',
];

export function restartGroups(): CaseGroup[] {
  return (Object.keys(COUNTS) as Count[]).map((count) => ({
    names: STATES.map((state) => `restart-${count}-${state}`),
    run: (context: BenchContext, wanted: readonly string[]) => measure(context, count, wanted),
  }));
}

/** What lies on disk; Hearsay's worst point is made from its best. */
interface Prepared {
  directory: string;
  /** Overwrites since every key was written once. */
  overwrites: number;
  note: string;
}

async function measure(context: BenchContext, count: Count, wanted: readonly string[]): Promise<Row[]> {
  const keys = (context.quick ? QUICK_COUNTS : COUNTS)[count];
  const entries: Entries = { keys, valueBytes: VALUE_BYTES };
  const rows: Row[] = [];
  let hearsay: Prepared | null = null;
  for (const state of STATES.filter((one) => wanted.includes(`restart-${count}-${one}`))) {
    const figures = noFigures();
    const notes: string[] = [];
    const directories: Partial<Record<Side, string>> = {};
    await alternate(context, context.rounds, notes, async (side, round) => {
      if (round === 0) {
        context.print(`  ${side}: ${keys} entries on disk, ${state}`);
        const prepared: Prepared =
          side === 'hearsay'
            ? await prepareHearsay(context, state, entries, hearsay)
            : await prepareRedis(context, state, entries, hearsay?.overwrites ?? 0);
        if (side === 'hearsay') hearsay = prepared;
        directories[side] = prepared.directory;
        notes.push(prepared.note);
      }
      figures[side].push(await restartMs(context, side, state, keys, directories[side] as string));
    });
    rows.push(
      rowFrom({
        name: `restart-${count}-${state}`,
        title: `restart to first answer, ${keys} entries of ${VALUE_BYTES} B, ${TITLES[state]}`,
        unit: 'ms',
        better: 'lower',
        target: count === '3m' && state === 'image' ? { kind: 'ratio', limit: 1 } : null,
        figures,
        notes,
      }),
    );
  }
  return rows;
}

/** Starts a process on a directory; ms until it answered a GET of the last key. Throws when an entry is missing. */
async function restartMs(
  context: BenchContext,
  side: Side,
  state: State,
  keys: number,
  directory: string,
): Promise<number> {
  const lastKey = `key:${String(keys - 1).padStart(12, '0')}`;
  const server = await BenchServer.launch(context, side, { ...optionsFor(side, state), directory });
  try {
    const answeredMs = await server.firstAnswerMs('GET', lastKey);
    await server.untilReady();
    const held = Number(await server.ask('DBSIZE'));
    if (held !== keys) throw new Error(`${held} of ${keys} entries came back`);
    return answeredMs;
  } finally {
    await server.stop(signalFor(state));
  }
}

function signalFor(state: State): 'SIGTERM' | 'SIGKILL' {
  return state === 'image' ? 'SIGTERM' : 'SIGKILL';
}

function optionsFor(side: Side, state: State): ServerOptions {
  const durability = side === 'redis' && state === 'image' ? 'off' : 'interval';
  return { durability, memoryBytes: MEMORY_BYTES, redisWords: NO_REWRITE };
}

async function prepareHearsay(
  context: BenchContext,
  state: State,
  entries: Entries,
  before: Prepared | null,
): Promise<Prepared> {
  const options = optionsFor('hearsay', state);
  let overwrites = before?.overwrites ?? 0;
  const server = await BenchServer.start(context, 'hearsay', { ...options, directory: before?.directory });
  if (before === null) {
    await fill(context, server.port, { from: 0, to: entries.keys, valueBytes: entries.valueBytes });
    overwrites += await untilCheckpointed(context, server, entries);
  }
  if (state === 'worst') overwrites += await untilLogFull(context, server, entries, LOG_SHARE);
  const { logBytes, imageRecords } = await server.status();
  await server.stop(signalFor(state));
  const log = `${(logBytes / 2 ** 20).toFixed(0)} MiB of log`;
  const note = `hearsay starts from an image of ${imageRecords} records and ${log}`;
  return { directory: server.directory, overwrites, note };
}

/** Overwrites as often as Hearsay did on its way to the worst point. */
async function prepareRedis(
  context: BenchContext,
  state: State,
  entries: Entries,
  overwrites: number,
): Promise<Prepared> {
  const server = await BenchServer.start(context, 'redis', optionsFor('redis', state));
  await fill(context, server.port, { from: 0, to: entries.keys, valueBytes: entries.valueBytes });
  if (state === 'image') await server.ask('SAVE');
  else if (overwrites > 0) await overwrite(context, server, entries, overwrites);
  await server.stop(signalFor(state));
  const what = state === 'image' ? 'dump.rdb' : `an AOF of ${entries.keys} SETs and ${overwrites} overwrites`;
  return { directory: server.directory, overwrites, note: `redis starts from ${what}` };
}
