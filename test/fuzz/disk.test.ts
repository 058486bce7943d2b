/** Logs, images, manifests and backup files under the grammar of disk.ts, mutated: a start takes what is sound and never more than that. */
import fc from 'fast-check';
import { describe, expect } from 'vitest';
import { HearsayError } from '../../src/core/base/errors.js';
import { BackupTally, decodeBackupHeader, encodeBackupHeader } from '../../src/core/wal/backup-file.js';
import { decodeManifest, encodeManifest, freshManifest } from '../../src/core/wal/manifest.js';
import { surveyDirectory } from '../../src/core/wal/survey.js';
import { directoryOf, filesOf, putRecord, replaceFile, story } from './disk.js';
import { allocatedBy } from './meter.js';
import { applyChanges, changes } from './mutations.js';
import { law } from './room.js';

const WINDOW_BYTES = 1024 * 1024;

/** What `body` refuses by name; anything else that is thrown fails. */
function refusalOf(body: () => void): string | null {
  try {
    body();
    return null;
  } catch (error) {
    if (error instanceof HearsayError) return error.code;
    throw error;
  }
}

describe('data directories from outside', () => {
  law(
    'give what they held, or are refused by name, whatever was changed in one file; and the same at the next start',
    120,
    fc.property(story, fc.nat(20), changes, (plot, which, list) => {
      const bench = directoryOf(plot);
      const held = plot.values.map((_bytes, index) => index + 1);
      const names = filesOf(bench);
      const name = names[which % names.length];
      const before = bench.disk.contents(name);
      const other = bench.disk.contents(names[(which + 1) % names.length]);
      const spoiled = applyChanges(before, other, list);
      replaceFile(bench, name, spoiled);
      const fileBytes = names.reduce((most, each) => Math.max(most, bench.disk.contents(each).length), 0);
      let refused: string | null = null;
      const { most } = allocatedBy(() => {
        refused = refusalOf(() => surveyDirectory(bench.disk));
      });
      expect(most).toBeLessThanOrEqual(Math.max(fileBytes, WINDOW_BYTES));
      expect(refusalOf(() => bench.start())).toBe(refused);
      if (refused !== null) return;
      // No record that was never written; none of a later version than was written.
      for (const id of bench.ids) expect(held).toContain(id);
      if (spoiled.equals(before)) expect(new Set(bench.ids)).toEqual(new Set(held));
      const first = new Set(bench.ids);
      bench.disk.kill();
      bench.start();
      expect(new Set(bench.ids)).toEqual(first);
      // It can be written on.
      bench.turn([99]);
      bench.pass(20);
      bench.disk.kill();
      expect(bench.start().ids).toContain(99);
    }),
  );

  law(
    'have a manifest that comes back as it was, or is refused by name',
    300,
    fc.property(
      fc.record({ nodeId: fc.string(), boot: fc.nat(), durableBatch: fc.maxSafeInteger() }),
      changes,
      ({ nodeId, boot, durableBatch }, list) => {
        const manifest = { ...freshManifest(), durableBatch };
        manifest.state = { ...manifest.state, nodeId, boot };
        const bytes = encodeManifest(manifest);
        expect(decodeManifest(bytes)).toEqual(manifest);
        const spoiled = applyChanges(bytes, bytes, list);
        if (spoiled.equals(bytes)) return;
        expect(refusalOf(() => decodeManifest(spoiled))).toBe('DATADIR');
      },
    ),
  );
});

describe('backup files from outside', () => {
  const header = {
    salt: 0x12345678,
    startHlc: 3_500_000_000_000_000,
    sinceHlc: 3_499_000_000_000_000,
    createdMs: 1_700_000_000_000,
    partitions: 1,
    replicas: 3,
    clusterId: '0123456789abcdef',
    version: '0.1.0',
  };
  const bytes = (most: number) => fc.uint8Array({ maxLength: most }).map((each) => Buffer.from(each));
  const file = fc
    .tuple(fc.string({ maxLength: 20 }), fc.array(fc.tuple(bytes(30), bytes(200)), { maxLength: 5 }))
    .map(([cluster, entries]) => {
      const tally = new BackupTally({ ...header, cluster });
      const records = entries.map(([key, value], index) => {
        const record = putRecord(key, value, index + 1);
        return Buffer.concat([record, Buffer.alloc((8 - (record.length % 8)) % 8)]);
      });
      const parts = [encodeBackupHeader({ ...header, cluster }), tally.encode(Buffer.concat(records), -1)];
      parts.push(tally.encode(Buffer.alloc(0), -1));
      parts.push(tally.encodeFooter({ endHlc: 9, flushedHlc: 0, flushedActor: 0, finishedMs: 9 }));
      return { whole: Buffer.concat(parts), headerBytes: parts[0].length, records: entries.length };
    });

  /** Reads all of it; whether it was whole. */
  const read = (whole: Buffer): { complete: boolean; records: number } => {
    const tally = new BackupTally(decodeBackupHeader(whole.subarray(0, whole.readUInt32LE(8))));
    let at = tally.position;
    while (tally.footer === null && at < whole.length) {
      const room = Buffer.concat([whole.subarray(at), Buffer.alloc(48)]);
      if (tally.frameBytes(room, 0) > whole.length - at) break;
      tally.take(room, 0);
      at = tally.position;
    }
    return { complete: tally.footer !== null && at === whole.length, records: tally.records };
  };

  law(
    'come out as they went in, and are never taken for whole when a byte of them changed',
    200,
    fc.property(file, file, changes, ({ whole, records }, other, list) => {
      expect(read(whole)).toEqual({ complete: true, records });
      const spoiled = applyChanges(whole, other.whole, list);
      if (spoiled.equals(whole) || spoiled.equals(other.whole) || spoiled.length < 16) return;
      let complete = false;
      refusalOf(() => {
        complete = read(spoiled).complete;
      });
      expect(complete).toBe(false);
    }),
  );
});
