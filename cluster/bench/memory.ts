/**
 * Memory per entry: the slope of proportional set size (parent and children) between two numbers of entries, so that what an empty
 * server takes does not count. One round: the figure does not vary from run to run as a speed does.
 * Guarded: a slope that is not positive is no measurement; what each side says of itself stands beside it.
 */
import type { BenchContext, CaseGroup, Row } from './context.js';
import { fill } from './load-client.js';
import { alternate, noFigures, rowFrom } from './rows.js';
import { BenchServer } from './server.js';

const TTL_SECONDS = 86_400;
const SPANS = { '1m': [500_000, 1_000_000], '5m': [4_000_000, 5_000_000] } as const;
const QUICK_SPANS = { '1m': [100_000, 200_000], '5m': [200_000, 400_000] } as const;
const SETTLE_MS = 1000;
const MEMORY_BYTES = 12 * 2 ** 30;
const QUICK_MEMORY_BYTES = 2 ** 30;

type SpanName = keyof typeof SPANS;

export const MEMORY_DEFAULT: readonly string[] = [
  ...['memory-16b-1m', 'memory-16b-ttl-1m', 'memory-100b-1m', 'memory-100b-ttl-1m', 'memory-1000b-1m'],
  ...['memory-1000b-ttl-1m', 'memory-100b-5m', 'memory-100b-ttl-5m'],
];

export function memoryGroups(): CaseGroup[] {
  return [16, 100, 1000].flatMap((valueBytes) =>
    [0, TTL_SECONDS].map((ttlSeconds) => {
      const prefix = `memory-${valueBytes}b${ttlSeconds > 0 ? '-ttl' : ''}`;
      return {
        names: [`${prefix}-1m`, `${prefix}-5m`],
        run: (context: BenchContext, wanted: readonly string[]) =>
          measure(context, wanted, prefix, valueBytes, ttlSeconds),
      };
    }),
  );
}

async function measure(
  context: BenchContext,
  wanted: readonly string[],
  prefix: string,
  valueBytes: number,
  ttlSeconds: number,
): Promise<Row[]> {
  const spans = context.quick ? QUICK_SPANS : SPANS;
  const names = (Object.keys(spans) as SpanName[]).filter((name) => wanted.includes(`${prefix}-${name}`));
  const slopes = { '1m': noFigures(), '5m': noFigures() };
  const own = { '1m': noFigures(), '5m': noFigures() };
  const notes: string[] = [];
  await alternate(context, 1, notes, async (side) => {
    const memoryBytes = context.quick ? QUICK_MEMORY_BYTES : MEMORY_BYTES;
    const server = await BenchServer.start(context, side, { durability: 'off', memoryBytes });
    try {
      let filled = 0;
      const fillTo = async (to: number) => {
        if (to > filled) await fill(context, server.port, { from: filled, to, valueBytes, ttlSeconds });
        filled = Math.max(filled, to);
        await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
        return { pss: server.pssBytes(), own: await ownBytes(server) };
      };
      for (const name of names) {
        const [from, to] = spans[name];
        const low = await fillTo(from);
        const high = await fillTo(to);
        const slope = (high.pss - low.pss) / (to - from);
        if (!(slope > 0)) throw new Error(`memory did not grow from ${from} to ${to} entries`);
        slopes[name][side].push(slope);
        own[name][side].push((high.own - low.own) / (to - from));
      }
    } finally {
      await server.discard();
    }
  });
  const limit = valueBytes !== 100 ? null : ttlSeconds > 0 ? 0.77 : 0.9;
  return names.map((name) =>
    rowFrom({
      name: `${prefix}-${name}`,
      title: `memory per entry, 16 B key, ${valueBytes} B value${ttlSeconds > 0 ? ', EX 86400' : ''}, from ${spans[name][0]} to ${spans[name][1]} entries`,
      unit: 'B',
      better: 'lower',
      target: limit === null ? null : { kind: 'ratio', limit },
      figures: slopes[name],
      details: [{ name: 'by its own account', unit: 'B', figures: own[name] }],
      notes,
    }),
  );
}

async function ownBytes(server: BenchServer): Promise<number> {
  return server.side === 'redis' ? server.info('used_memory') : (await server.status()).memory_bytes;
}
