/** The grammar of what stands on a disk: data directories that a log wrote, with an image or without, and backup files. */
import fc from 'fast-check';
import { RECORD_HEADER_BYTES, TYPE_PUT, writeRecord } from '../../src/core/record/record.js';
import { Bench, range } from '../core/wal/harness.js';

/** How a directory comes to be: turns of one record each by the size of its value, a checkpoint behind some of them. */
export interface Story {
  values: number[];
  checkpointAfter: number;
  closes: boolean;
}

export const story: fc.Arbitrary<Story> = fc.record({
  values: fc.array(fc.oneof(fc.nat(60), fc.nat(3000)), { minLength: 1, maxLength: 12 }),
  checkpointAfter: fc.nat(14),
  closes: fc.boolean(),
});

/** A directory as the story left it, nobody in it. */
export function directoryOf({ values, checkpointAfter, closes }: Story): Bench {
  const bench = new Bench().start();
  for (const [index, bytes] of values.entries()) {
    bench.turn([index + 1], bytes);
    bench.pass(20);
    if (index === checkpointAfter) bench.checkpoint(range(1, index + 1));
  }
  if (closes) bench.wal.close();
  else bench.disk.kill();
  return bench;
}

/** Files that a start reads, in order of name. */
export function filesOf(bench: Bench): string[] {
  return bench.disk
    .list()
    .filter((name) => /^(log|image)-/.test(name))
    .sort();
}

/** Puts other bytes in the place of a file's. */
export function replaceFile(bench: Bench, name: string, bytes: Buffer): void {
  const file = bench.disk.open(name, false);
  bench.disk.truncate(file, bytes.length);
  if (bytes.length > 0) bench.disk.write(file, 0, bytes, 0, bytes.length);
  bench.disk.close(file);
}

export function putRecord(key: Buffer, value: Buffer, hlc: number): Buffer {
  const bytes = Buffer.alloc(RECORD_HEADER_BYTES + key.length + value.length);
  const fields = { type: TYPE_PUT, hlc, actor: 7, sequence: 1, expireAtMs: 0, expiryHlc: 0, expiryActor: 0 };
  writeRecord(bytes, 0, fields, key, 0, key.length, value, 0, value.length);
  return bytes;
}
