import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/core/base/random.js';
import { isSound, surveyDirectory, walkFrames } from '../../../src/core/wal/survey.js';
import { Bench, range } from './harness.js';

describe('a survey of a data directory', () => {
  it('says sound exactly when recovery then reports no damage, and changes nothing', () => {
    const seen = { sound: 0, damaged: 0 };
    for (let seed = 1; seed <= 150; seed++) {
      const random = new Random(seed, 5);
      const bench = new Bench({ durability: 'interval', fileBytes: 4096 }, { garbledSectors: true }, seed).start();
      const written = random.between(1, 40);
      for (const id of range(1, written)) {
        bench.turn([id], random.below(300));
        if (random.chance(0.5)) bench.pass(random.below(60));
        if (id === 20) bench.checkpoint(range(1, 20));
      }
      bench.disk.crash(random);
      const logs = bench.disk.list().filter((name) => /^(log|image)-/.test(name));
      if (logs.length > 0 && random.chance(0.5)) {
        const name = logs[random.below(logs.length)];
        const size = bench.disk.contents(name).length;
        if (size > 0) bench.disk.flipBit(name, random.below(Math.min(size, 600)), random.below(8));
      }
      const before = bench.disk.list().map((name) => `${name} ${bench.disk.contents(name).toString('latin1')}`);
      const survey = surveyDirectory(bench.disk);
      expect(bench.disk.list().map((name) => `${name} ${bench.disk.contents(name).toString('latin1')}`)).toEqual(
        before,
      );
      bench.start();
      const { rotFrames, tornTailBytes, notes, records } = bench.recovery;
      expect(isSound(survey), `seed ${seed}`).toBe(rotFrames === 0 && tornTailBytes === 0 && notes.length === 0);
      expect(survey.fold.records).toBe(records);
      seen[isSound(survey) ? 'sound' : 'damaged']++;
    }
    expect(seen.sound).toBeGreaterThan(20);
    expect(seen.damaged).toBeGreaterThan(20);
  });

  it('walks the records where they stand', () => {
    const bench = new Bench().start();
    bench.turn([1, 2]);
    bench.pass(20);
    bench.turn([3]);
    const found: string[] = [];
    walkFrames(bench.disk, false, {
      frame: ({ header }) => header.batch < 3,
      record(frame, position, buffer, offset, length) {
        const stored = bench.disk.contents(frame.file).subarray(position, position + length);
        expect(stored.equals(buffer.subarray(offset, offset + length))).toBe(true);
        found.push(`${frame.header.batch}`);
        return true;
      },
    });
    expect(found).toEqual(['1', '1', '2']);
  });
});
