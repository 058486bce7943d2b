/** Bytes that change behind the log's back: cut, flipped, stale, misplaced, swapped. A loss is reported, nothing is invented. */
import { crc32 as crcOf } from 'node:zlib';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Random } from '../../../../src/core/base/random.js';
import { FRAME_HEADER_BYTES, KIND_BATCH, sealFrame } from '../../../../src/core/wal/frame.js';
import { decodeManifest, saltOf } from '../../../../src/core/wal/manifest.js';
import { FrameReader } from '../../../../src/core/wal/reader.js';
import { FaultyDisk, type Files } from './faulty-disk.js';
import { EXHAUSTIVE, judge, type Policy, Rig } from './rig.js';

const TIMEOUT_MS = 600_000;
const FRAMES = 50;

interface Saved {
  rig: Rig;
  files: Files;
}

/** A log of `count` batches of one record each, all durable, in one file. */
function saved(count: number, durability: Policy = 'always', seed = 1, files: Files = new Map()): Saved {
  const rig = new Rig(new FaultyDisk(files), { durability, fileBytes: 32_768 }, [], undefined, seed).start();
  for (let write = 1; write <= count; write++) {
    rig.write(`key-${write}`, (write % 7) * 9);
    rig.turn();
    if (durability === 'always') while (rig.land());
  }
  rig.pass(25);
  expect(rig.promised.durable).toBe(count);
  const spareless = [...rig.disk.contents()].filter(([name]) => !name.startsWith('spare-'));
  return { rig, files: new Map(spareless) };
}

interface Frame {
  start: number;
  end: number;
  batch: number;
}

function framesOf(files: Files, name: string): Frame[] {
  const disk = new FaultyDisk(files);
  const { runs } = decodeManifest(files.get('manifest') as Buffer);
  const number = Number(name.slice(4));
  const reader = new FrameReader({ disk }, disk.open(name, false), number, saltOf(runs, number));
  const frames: Frame[] = [];
  for (let from = 0; reader.find(from); from = reader.end) {
    frames.push({ start: reader.position, end: reader.end, batch: reader.header.batch });
  }
  return frames;
}

/** The log file with the most frames. */
function logOf(files: Files): { name: string; frames: Frame[] } {
  const logs = [...files.keys()].filter((name) => name.startsWith('log-'));
  const all = logs.map((name) => ({ name, frames: framesOf(files, name) }));
  return all.reduce((best, each) => (each.frames.length > best.frames.length ? each : best));
}

function changed(files: Files, name: string, change: (bytes: Buffer) => Buffer | undefined): Files {
  const bytes = Buffer.from(files.get(name) as Buffer);
  return new Map(files).set(name, change(bytes) ?? bytes);
}

function flipped(files: Files, name: string, byte: number, bit: number): Files {
  return changed(files, name, (bytes) => {
    bytes[byte] ^= 1 << bit;
    return bytes;
  });
}

/**
 * Starts from `files`: every record found was written, and a loss of what was durable is reported, but for at most `silent`
 * records: when nothing of the last frame is left to tell, one copy can not know that it was ever there.
 */
function found(saved: Saved, files: Files, silent = 0): Rig {
  const next = saved.rig.next(files).start();
  const written = new Map(saved.rig.ledger.map(({ hlc, crc }) => [hlc, crc]));
  for (const [hlc, crc] of next.found) expect(written.get(hlc)).toBe(crc);
  const { rotFrames, tornTailBytes } = next.recovery;
  const lost = saved.rig.promised.durable - next.found.size;
  if (lost > silent && rotFrames === 0 && tornTailBytes === 0) throw new Error(`${lost} records lost and not a word`);
  return next;
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe('a log that was cut short', () => {
  it.each(['always', 'interval'] as const)(
    'at any byte of its last two frames loses those at most, and says so, under %s',
    (durability) => {
      const log = saved(5, durability);
      const { name, frames } = logOf(log.files);
      const [fourth, fifth] = frames.slice(-2);
      for (let length = fourth.start; length <= fifth.end; length++) {
        const files = changed(log.files, name, (bytes) => bytes.subarray(0, length));
        const next = judge(log.rig, files, { prefix: true, damaged: true }, `cut at ${length}`);
        expect(next.found.size).toBe(
          length < fourth.end ? frames.length - 2 : length < fifth.end ? frames.length - 1 : 5,
        );
        expect(next.recovery.rotFrames).toBeGreaterThan(0);
      }
    },
    TIMEOUT_MS,
  );
});

describe('a flipped bit', () => {
  it(
    'anywhere in one record in the middle is rot: that batch alone is lost, and the loss is told',
    () => {
      const log = saved(8);
      const { name, frames } = logOf(log.files);
      for (let bit = frames[6].start * 8; bit < frames[6].end * 8; bit++) {
        const files = flipped(log.files, name, bit >> 3, bit & 7);
        if (bit % 32 === 0) judge(log.rig, files, { prefix: false, damaged: true }, `bit ${bit}`);
        const next = found(log, files);
        expect(next.found.size, `bit ${bit}`).toBe(7);
        expect(next.recovery).toMatchObject({ rotFrames: 1, tornTailBytes: 0 });
      }
    },
    TIMEOUT_MS,
  );

  it(
    'in any byte of a log of fifty frames cuts nothing but the last one',
    () => {
      const log = saved(FRAMES);
      const { name, frames } = logOf(log.files);
      expect(frames).toHaveLength(FRAMES);
      for (const [index, { start, end }] of frames.entries()) {
        // Every byte of the last frame, and every place in a frame in some frame of five neighbours.
        const step = EXHAUSTIVE || index === FRAMES - 1 ? 1 : 5;
        for (let byte = start + (step === 1 ? 0 : index % 5); byte < end; byte += step) {
          for (const bit of EXHAUSTIVE ? [0, 1, 2, 3, 4, 5, 6, 7] : [byte % 8]) {
            const { found: left, recovery } = found(log, flipped(log.files, name, byte, bit));
            expect(left.size, `byte ${byte}`).toBe(FRAMES - 1);
            expect(recovery.rotFrames, `byte ${byte}`).toBe(index < FRAMES - 1 ? 1 : 0);
            expect(recovery.tornTailBytes > 0, `byte ${byte}`).toBe(index === FRAMES - 1);
          }
        }
      }
    },
    TIMEOUT_MS,
  );

  it(
    'in padding between frames and behind them harms nothing',
    () => {
      const log = saved(6);
      const { name, frames } = logOf(log.files);
      const size = log.files.get(name)?.length ?? 0;
      for (const [index, { end }] of frames.entries()) {
        const until = Math.min(frames[index + 1]?.start ?? size, end + 600);
        for (let byte = end; byte < until; byte += 11) {
          const next = found(log, flipped(log.files, name, byte, byte % 8));
          expect(next.found.size).toBe(6);
          expect(next.recovery).toMatchObject({ rotFrames: 0, tornTailBytes: 0 });
        }
      }
    },
    TIMEOUT_MS,
  );

  it(
    'in a log whose syncs come by interval never passes for a log that is whole',
    () => {
      const log = saved(FRAMES, 'interval');
      const { name, frames } = logOf(log.files);
      const end = (frames.at(-1) as Frame).end;
      for (let byte = 0; byte < end; byte += EXHAUSTIVE ? 1 : 7) {
        const next = found(log, flipped(log.files, name, byte, byte % 8));
        const { rotFrames, tornTailBytes } = next.recovery;
        const whole = next.found.size === FRAMES;
        expect(whole, `byte ${byte}`).toBe(rotFrames === 0 && tornTailBytes === 0);
      }
    },
    TIMEOUT_MS,
  );

  it('in any byte of the manifest refuses the start, and never starts empty', () => {
    const log = saved(3);
    const size = (log.files.get('manifest') as Buffer).length;
    for (let byte = 0; byte < size; byte++) {
      const next = log.rig.next(flipped(log.files, 'manifest', byte, byte % 8));
      expect(() => next.start(), `byte ${byte}`).toThrow(expect.objectContaining({ code: 'DATADIR' }));
    }
  });

  it(
    'among many, longer than a checksum is wide, lets no changed record through',
    () => {
      const log = saved(12);
      const { name, frames } = logOf(log.files);
      const end = (frames.at(-1) as Frame).end;
      const random = new Random(36);
      for (let burst = 0; burst < (EXHAUSTIVE ? 20_000 : 200); burst++) {
        const from = random.below(end);
        const length = random.between(5, 200);
        const files = changed(log.files, name, (bytes) => {
          for (let at = from; at < Math.min(end, from + length); at++) bytes[at] = random.below(256);
          return bytes;
        });
        found(log, files, 1);
      }
    },
    TIMEOUT_MS,
  );
});

describe('bytes from another time or place', () => {
  it('of zeros are no records, in whatever file', () => {
    const log = saved(4);
    const { name } = logOf(log.files);
    const size = (log.files.get(name) as Buffer).length;
    const zeros = changed(log.files, name, () => Buffer.alloc(size));
    expect(log.rig.next(zeros).start().found.size).toBe(0);
    const grown = changed(log.files, name, (bytes) => Buffer.concat([bytes, Buffer.alloc(70_000)]));
    expect(judge(log.rig, grown, { prefix: true }).found.size).toBe(4);
  });

  it('of an earlier use behind the last frame are not read, wherever that frame ends', () => {
    for (let count = 1; count <= 12; count++) {
      const old = saved(40, 'always', 9, saved(1).files);
      const log = saved(count);
      expect(logOf(old.files).name).not.toBe(logOf(log.files).name);
      const stale = old.files.get(logOf(old.files).name) as Buffer;
      const { name, frames } = logOf(log.files);
      const end = (frames.at(-1) as Frame).end;
      const files = changed(log.files, name, (bytes) => {
        stale.copy(bytes, end, end, Math.min(stale.length, bytes.length));
        return bytes;
      });
      const next = judge(log.rig, files, { prefix: true }, `${count} frames`);
      expect(next.found.size).toBe(count);
      expect(next.recovery).toMatchObject({ rotFrames: 0, tornTailBytes: 0 });
    }
  });

  it('of a frame written to the wrong place are not taken for the frame that belongs there', () => {
    const log = saved(10);
    const { name, frames } = logOf(log.files);
    for (const from of frames) {
      for (const to of frames) {
        if (from === to) continue;
        const files = changed(log.files, name, (bytes) => {
          bytes.copy(bytes, to.start, from.start, from.end);
          return bytes;
        });
        const next = found(log, files);
        expect(next.found.size).toBeLessThan(10);
        expect(next.found.has(to.batch)).toBe(false);
      }
    }
  });

  it('of a write that never reached the disk are missed, though what stands there is sound', () => {
    const early = saved(5);
    const log = saved(9);
    const { name, frames } = logOf(log.files);
    const old = early.files.get(name) as Buffer;
    for (const { start, end } of frames.slice(5, 8)) {
      const files = changed(log.files, name, (bytes) => {
        old.copy(bytes, start, start, end);
        return bytes;
      });
      const next = found(log, files);
      expect(next.found.size).toBe(8);
      expect(next.recovery.rotFrames).toBe(1);
    }
  });

  it('of any two log files swapped, and of a log of another node, are told', () => {
    const rig = new Rig(new FaultyDisk()).start();
    for (let write = 1; write <= 30; write++) {
      rig.write(`key-${write}`, 400);
      rig.turn();
      while (rig.land());
    }
    const log = { rig, files: rig.disk.contents() };
    const logs = [...log.files.keys()].filter((name) => name.startsWith('log-'));
    expect(logs.length).toBeGreaterThan(3);
    const used = logs.sort().filter((name) => framesOf(log.files, name).length > 0);
    const newest = used.at(-1);
    for (const left of logs) {
      for (const right of logs) {
        if (left === right) continue;
        const files = new Map(log.files);
        files.set(left, log.files.get(right) as Buffer).set(right, log.files.get(left) as Buffer);
        // Of the newest file nothing else knows: without it the log ends in order one file earlier.
        const silent = left === newest || right === newest ? 30 : 0;
        expect(found(log, files, silent).found.size).toBeLessThan(30);
      }
    }
    const other = saved(30, 'always', 5);
    for (const left of used) {
      const strange = other.files.get(logOf(other.files).name) as Buffer;
      const files = new Map(log.files).set(left, strange);
      expect(found(log, files, left === newest ? 30 : 0).found.size).toBeLessThan(30);
    }
  });
});

describe('files that a crash or a person left behind', () => {
  /** A log behind a checkpoint, and the directory as it was before it. */
  function checkpointed(): Saved & { before: Files } {
    const rig = new Rig(new FaultyDisk()).start();
    for (let write = 1; write <= 12; write++) {
      rig.write(`key-${write % 4}`, 400);
      rig.turn();
      while (rig.land());
    }
    const before = rig.disk.contents();
    rig.checkpoint();
    rig.write('key-1', -1);
    rig.pass(5);
    return { rig, files: rig.disk.contents(), before };
  }

  it('as old logs below the start of the log are ignored and removed: what was deleted since stays deleted', () => {
    const log = checkpointed();
    const files = new Map(log.files);
    for (const [name, bytes] of log.before) if (name.startsWith('log-') && !files.has(name)) files.set(name, bytes);
    expect(files.size).toBeGreaterThan(log.files.size);
    const next = judge(log.rig, files, { prefix: false });
    expect([...next.found.keys()].every((hlc) => hlc > 8)).toBe(true);
    const { walStart } = decodeManifest(files.get('manifest') as Buffer);
    for (const name of next.disk.list()) {
      if (name.startsWith('log-')) expect(Number(name.slice(4))).toBeGreaterThanOrEqual(walStart);
    }
  });

  it('as images that no manifest names are never loaded, whole or not, and removed', () => {
    const log = checkpointed();
    const image = [...log.files.keys()].find((name) => name.startsWith('image-')) as string;
    for (const name of ['image-00000000', 'image-00000099']) {
      const bytes = log.files.get(image) as Buffer;
      for (const length of [bytes.length, bytes.length - 1, 0]) {
        const next = judge(log.rig, new Map(log.files).set(name, bytes.subarray(0, length)), { prefix: false });
        expect(next.disk.list()).not.toContain(name);
        expect(next.recovery.rotFrames).toBe(0);
      }
    }
  });

  it(
    'as an image cut short anywhere are told as rot, and the start is refused without it',
    () => {
      const log = checkpointed();
      const image = [...log.files.keys()].find((name) => name.startsWith('image-')) as string;
      const size = (log.files.get(image) as Buffer).length;
      for (let length = 0; length < size; length += EXHAUSTIVE ? 1 : 13) {
        const files = changed(log.files, image, (bytes) => bytes.subarray(0, length));
        const next = judge(log.rig, files, { prefix: false, damaged: true }, `image of ${length}`);
        expect(next.recovery.rotFrames).toBeGreaterThan(0);
      }
      const none = new Map(log.files);
      none.delete(image);
      expect(() => log.rig.next(none).start()).toThrow(expect.objectContaining({ code: 'DATADIR' }));
    },
    TIMEOUT_MS,
  );

  it(
    'as an image with a flipped byte are told as rot, whichever byte it is',
    () => {
      const log = checkpointed();
      const image = [...log.files.keys()].find((name) => name.startsWith('image-')) as string;
      const size = (log.files.get(image) as Buffer).length;
      for (let byte = 0; byte < size; byte += EXHAUSTIVE ? 1 : 7) {
        const next = log.rig.next(flipped(log.files, image, byte, byte % 8)).start();
        expect(next.recovery.rotFrames, `byte ${byte}`).toBeGreaterThan(0);
      }
    },
    TIMEOUT_MS,
  );

  it('as logs without a manifest are refused, not overwritten', () => {
    const log = saved(3);
    const files = new Map(log.files);
    files.delete('manifest');
    const next = log.rig.next(files);
    expect(() => next.start()).toThrow(expect.objectContaining({ code: 'DATADIR' }));
    expect(next.disk.calls).toEqual([]);
  });
});

describe('lengths that lie', () => {
  const lengths = [8, 2 ** 24 - 8, 2 ** 24, 2 ** 24 + 8, 2 ** 25, 2 ** 31 - 8, 2 ** 31, 2 ** 31 + 8, 2 ** 32 - 8];

  it('in a frame whose header is sealed anew allocate no more than the file has, and end in a report', () => {
    const log = saved(6);
    const { name, frames } = logOf(log.files);
    const { runs } = decodeManifest(log.files.get('manifest') as Buffer);
    const number = Number(name.slice(4));
    const largest = { bytes: 0 };
    for (const allocate of ['alloc', 'allocUnsafe', 'allocUnsafeSlow'] as const) {
      const real = Buffer[allocate].bind(Buffer);
      vi.spyOn(Buffer, allocate).mockImplementation((size: number) => {
        largest.bytes = Math.max(largest.bytes, size);
        return real(size);
      });
    }
    for (const bodyBytes of lengths) {
      for (const { start, batch } of [frames[2], frames[5]]) {
        const files = changed(log.files, name, (bytes) => {
          const place = { file: number, offset: start, salt: saltOf(runs, number) };
          const sealed = Buffer.alloc(FRAME_HEADER_BYTES);
          sealFrame(sealed, 0, KIND_BATCH, 0, batch, batch - 1, place);
          sealed.writeUInt32LE(bodyBytes, 4);
          sealed.writeUInt32LE(crcOf(sealed.subarray(0, 44)), 44);
          sealed.copy(bytes, start);
          return bytes;
        });
        const next = found(log, files);
        expect(next.found.size, `${bodyBytes}`).toBe(5);
      }
    }
    expect(largest.bytes).toBeLessThanOrEqual(1024 * 1024);
  });

  it('in a record inside a sound frame end that frame, and are told as rot', () => {
    const log = saved(6);
    const { name, frames } = logOf(log.files);
    const { runs } = decodeManifest(log.files.get('manifest') as Buffer);
    const number = Number(name.slice(4));
    for (const length of [0, 1, 23, 2 ** 24 - 1, 2 ** 31, 2 ** 32 - 1]) {
      const { start, end, batch } = frames[2];
      const files = changed(log.files, name, (bytes) => {
        bytes.writeUInt32LE(length, start + FRAME_HEADER_BYTES + 4);
        const place = { file: number, offset: start, salt: saltOf(runs, number) };
        sealFrame(bytes, start, KIND_BATCH, end - start - FRAME_HEADER_BYTES, batch, batch - 1, place);
        return bytes;
      });
      const next = found(log, files);
      expect(next.found.size).toBe(5);
      expect(next.recovery.rotFrames).toBe(1);
    }
  });
});
