/**
 * Disk bytes per user byte: what the device has written when all is written out (or, where it is not known, what the kernel counts for
 * the server and its children) while a steady load overwrites the same keys, over the bytes of the keys and values sent. Durability `interval` against an AOF synced every second with its own
 * rewrites. One round of some gigabytes.
 * Guarded: it is measured in steady state, over several checkpoints or rewrites and after several more, so that files made ahead once,
 * to be used again from then on, are not counted.
 */
import { deviceWriteBytes } from './accounting.js';
import type { BenchContext, CaseGroup, Row } from './context.js';
import { fill, runLoadClient } from './load-client.js';
import { overwrite } from './log-state.js';
import { alternate, noFigures, rowFrom } from './rows.js';
import { BenchServer } from './server.js';

const KEYS = 200_000;
const KEY_BYTES = 16;
const MEMORY_BYTES = 2 ** 30;
const SETTLE_MS = 2000;
const SYNC_LIMIT_MS = 120_000;
const SIZES = {
  'disk-100b': { valueBytes: 100, warmUpRequests: 4_000_000, requests: 8_000_000, quickRequests: 800_000 },
  'disk-1kib': { valueBytes: 1024, warmUpRequests: 1_000_000, requests: 2_000_000, quickRequests: 150_000 },
} as const;

type Size = keyof typeof SIZES;

export const DISK_DEFAULT: readonly string[] = Object.keys(SIZES);

export function diskGroups(): CaseGroup[] {
  return (Object.keys(SIZES) as Size[]).map((name) => ({
    names: [name],
    run: async (context: BenchContext) => [await measure(context, name)],
  }));
}

async function measure(context: BenchContext, name: Size): Promise<Row> {
  const { valueBytes, warmUpRequests } = SIZES[name];
  const requests = context.quick ? SIZES[name].quickRequests : SIZES[name].requests;
  const entries = { keys: KEYS, valueBytes };
  const figures = noFigures();
  const notes: string[] = [];
  await alternate(context, 1, notes, async (side) => {
    const server = await BenchServer.start(context, side, { durability: 'interval', memoryBytes: MEMORY_BYTES });
    try {
      await fill(context, server.port, { from: 0, to: KEYS, valueBytes });
      await overwrite(context, server, entries, context.quick ? KEYS / 4 : warmUpRequests);
      const before = await bytesWritten(context, server, notes);
      const load = { ...entries, port: server.port, connections: 8, pipeline: 16, requests, seed: 7 };
      const done = await runLoadClient(context, load);
      await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
      const written = (await bytesWritten(context, server, notes)) - before;
      if (written <= 0) throw new Error('the kernel counts no bytes written');
      figures[side].push(written / (done.requests * (KEY_BYTES + valueBytes)));
    } finally {
      await server.discard();
    }
  });
  return rowFrom({
    name,
    title: `disk bytes per user byte, ${requests} overwrites of ${KEYS} keys, ${valueBytes} B, interval`,
    unit: 'B/B',
    better: 'lower',
    target: valueBytes === 100 ? { kind: 'ratio', limit: 1 } : { kind: 'figure', limit: 2.2 },
    figures,
    notes,
  });
}

/** With everything written out that waits in the page cache: what the device has written, else what the kernel counts for the server. */
async function bytesWritten(context: BenchContext, server: BenchServer, notes: string[]): Promise<number> {
  await context.children.runTool(['sync'], SYNC_LIMIT_MS);
  const bytes = deviceWriteBytes(server.directory);
  const note = bytes === null ? 'counted as handed to the page cache' : 'counted at the device';
  if (!notes.includes(note)) notes.push(note);
  return bytes ?? server.diskWriteBytes();
}
