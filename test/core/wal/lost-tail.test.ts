/** Log files that were cut short or went missing: what a crash cannot leave is told as a loss, what it can leave is not. */
import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/core/base/random.js';
import { isSound, surveyDirectory } from '../../../src/core/wal/survey.js';
import { FaultyDisk, type Files } from './pitfalls/faulty-disk.js';
import { POLICIES, type Policy, Rig } from './pitfalls/rig.js';

const FILE_BYTES = 4096;
/** Four to a file: the last one is begun. */
const COUNT = 14;

/** A log over several files, as a node leaves it that was killed, or that was stopped. */
function saved(durability: Policy, { stop = false, count = COUNT } = {}): { rig: Rig; files: Files } {
  const rig = new Rig(new FaultyDisk(), { durability, fileBytes: FILE_BYTES }).start();
  for (let write = 1; write <= count; write++) {
    rig.write(`key-${write}`, 700);
    rig.pass(15);
  }
  if (stop) rig.wal.close();
  return { rig, files: rig.disk.contents() };
}

/** Log files that have frames, in order. */
function used(files: Files): string[] {
  return [...files.keys()]
    .filter((name) => name.startsWith('log-') && files.get(name)?.some((byte) => byte !== 0))
    .sort();
}

function cut(files: Files, name: string, length: number): Files {
  return new Map(files).set(name, Buffer.from(files.get(name)?.subarray(0, length) as Buffer));
}

function without(files: Files, name: string): Files {
  return new Map([...files].filter(([each]) => each !== name));
}

describe.each(POLICIES)('a log file that is shorter than it was made, under %s', (durability) => {
  it('is told, wherever behind its first frame it ends, and a start treats it as rot', () => {
    const { rig, files } = saved(durability);
    const name = used(files).at(-1) as string;
    for (let length = 1024; length < FILE_BYTES; length += 8) {
      const damaged = cut(files, name, length);
      const survey = surveyDirectory(new FaultyDisk(damaged));
      expect(isSound(survey), `cut at ${length}`).toBe(false);
      expect(survey.fold.notes.join('\n')).toContain(`${name} is cut short`);
      const next = rig.next(damaged).start();
      expect(next.recovery.rotFrames, `cut at ${length}`).toBeGreaterThan(0);
      expect(next.write('more')).toBe(true);
      next.pass(25);
      const third = next.next(next.disk.contents(), 3).start();
      for (const hlc of next.found.keys()) expect(third.found.has(hlc)).toBe(true);
      expect(third.found.size).toBe(next.found.size + 1);
    }
  });

  it('in the middle loses its own batches and none behind them', () => {
    const { rig, files } = saved(durability);
    const [first] = used(files);
    const next = rig.next(cut(files, first, 1800)).start();
    expect(next.recovery.rotFrames).toBeGreaterThan(0);
    expect(next.recovery.notes.join('\n')).toMatch(new RegExp(`${first} is damaged between \\d+ and 1800: `));
    expect(next.found.size).toBe(COUNT - next.recovery.rotFrames);
  });

  it('but closed in order, or followed by the next batch, has lost nothing that was written', () => {
    const { rig, files } = saved(durability, { stop: true });
    const name = used(files).at(-1) as string;
    const survey = surveyDirectory(new FaultyDisk(cut(files, name, FILE_BYTES - 512)));
    expect(isSound(survey)).toBe(false);
    const next = rig.next(cut(files, name, FILE_BYTES - 512)).start();
    expect(next.recovery).toMatchObject({ rotFrames: 0, cleanShutdown: true });
    expect(next.found.size).toBe(COUNT);
  });

  it('is no concern while nothing was ever written to it', () => {
    const { files } = saved(durability);
    const blank = [...files.keys()].filter((name) => name.startsWith('log-') && !used(files).includes(name));
    expect(blank.length).toBeGreaterThan(0);
    for (const name of blank) {
      expect(isSound(surveyDirectory(new FaultyDisk(cut(files, name, 100))))).toBe(true);
      expect(isSound(surveyDirectory(new FaultyDisk(without(files, name))))).toBe(true);
    }
  });
});

describe.each(['always', 'interval'] as const)('a log without its last batches, under %s', (durability) => {
  it('is told after a stop in order: the manifest knows what was durable', () => {
    const { rig, files } = saved(durability, { stop: true });
    const names = used(files);
    const emptied = new Map(files).set(names.at(-1) as string, Buffer.alloc(FILE_BYTES));
    for (const damaged of [without(files, names.at(-1) as string), emptied]) {
      const survey = surveyDirectory(new FaultyDisk(damaged));
      expect(isSound(survey)).toBe(false);
      expect(survey.fold.notes.join('\n')).toMatch(/2 batches that were durable are lost/);
      const next = rig.next(damaged).start();
      expect(next.found.size).toBe(COUNT - next.recovery.rotFrames);
      expect(next.recovery.cleanShutdown).toBe(false);
      expect(next.write('more')).toBe(true);
      next.pass(25);
      expect(next.next(next.disk.contents(), 3).start().found.size).toBe(next.found.size + 1);
    }
    const bare = new Map([...files].filter(([name]) => !name.startsWith('log-')));
    expect(rig.next(bare).start().recovery).toMatchObject({ rotFrames: COUNT, records: 0 });
  });

  it('is told by what the manifest of a start or of a checkpoint knew', () => {
    const { rig, files } = saved(durability);
    const second = rig.next(files).start();
    expect(rig.next(without(second.disk.contents(), used(files)[1])).start().recovery.rotFrames).toBeGreaterThan(0);
    second.write('late');
    second.pass(25);
    second.wal.setState({ nodeId: 'n' });
    const late = second.disk.contents();
    const lost = rig.next(without(late, used(late).at(-1) as string)).start();
    expect(lost.recovery.rotFrames).toBeGreaterThan(0);
  });
});

it('a log without a file in the middle is damaged, and what stands behind it is read', () => {
  const { rig, files } = saved('interval');
  const [, second] = used(files);
  const survey = surveyDirectory(new FaultyDisk(without(files, second)));
  expect(isSound(survey)).toBe(false);
  expect(survey.fold.notes.join('\n')).toMatch(/before log-\d+: 4 batches that were durable are lost/);
  expect(rig.next(without(files, second)).start().found.size).toBe(COUNT - survey.fold.rotFrames);
});

it.each(POLICIES)(
  'a kill while the first file is made, and a loss of power later, cut nothing short, under %s',
  (durability) => {
    for (let kill = 1, killed = true; killed; kill++) {
      const disk = new FaultyDisk();
      // A file is made in several writes, and so is its size.
      disk.options.shortCalls = new Random(5);
      const rig = new Rig(disk, { durability });
      killed = killedAt(rig, kill);
      disk.kill();
      const next = new Rig(disk, { durability }, [], undefined, 2).start();
      next.write('key', 700);
      if (durability === 'off') next.pass(15);
      else next.turn();
      disk.crashStates(1000, next.random, (files) => {
        const { rotFrames, notes } = next.next(files, 3).start().recovery;
        expect(rotFrames, `killed at ${kill}: ${notes}`).toBe(0);
      });
    }
  },
);

/** Whether the start got as far as change `kill` of the disk, and ended there. */
function killedAt(rig: Rig, kill: number): boolean {
  const end = new Error('killed');
  let changes = 0;
  rig.disk.observe = () => {
    if (++changes === kill) throw end;
  };
  try {
    rig.start();
    return false;
  } catch (error) {
    if (error !== end) throw error;
    return true;
  } finally {
    rig.disk.observe = null;
  }
}
