import { describe, expect, it } from 'vitest';
import { FRAME_HEADER_BYTES, KIND_BATCH, readFrameHeader, sealFrame } from '../../../src/core/wal/frame.js';
import { pruneRuns, saltOf, withRun } from '../../../src/core/wal/manifest.js';
import { namedFiles } from '../../../src/core/wal/names.js';

const place = { file: 3, offset: 1024, salt: 0x9abcdef0 };

function sealed(): Buffer {
  const bytes = Buffer.alloc(FRAME_HEADER_BYTES + 16, 0x11);
  sealFrame(bytes, 0, KIND_BATCH, 16, 2 ** 40 + 5, 2 ** 40 + 3, place);
  return bytes;
}

function readable(bytes: Buffer, at: typeof place): boolean {
  return readFrameHeader(bytes, 0, at, { kind: 0, bodyBytes: 0, batch: 0, durable: 0, bodyCrc: 0 });
}

describe('a frame', () => {
  it('has these bytes', () => {
    const header = '48534630 10000000 05000000 00010000 03000000 00010000 03000000 00040000';
    const seal = 'f0debc9a 01000000 5837c968 77993975';
    expect(sealed().toString('hex')).toBe(`${header}${seal}${'11'.repeat(16)}`.replaceAll(' ', ''));
  });

  it('is read back with its batch and durable mark, past 32 bits', () => {
    const header = { kind: 0, bodyBytes: 0, batch: 0, durable: 0, bodyCrc: 0 };
    expect(readFrameHeader(sealed(), 0, place, header)).toBe(true);
    expect(header).toMatchObject({ kind: KIND_BATCH, bodyBytes: 16, batch: 2 ** 40 + 5, durable: 2 ** 40 + 3 });
  });

  it('counts nowhere but in its own file, at its own offset, in its own use', () => {
    expect(readable(sealed(), { ...place, file: 4 })).toBe(false);
    expect(readable(sealed(), { ...place, offset: 1032 })).toBe(false);
    expect(readable(sealed(), { ...place, salt: 1 })).toBe(false);
    expect(readable(Buffer.alloc(FRAME_HEADER_BYTES), { file: 0, offset: 0, salt: 0 })).toBe(false);
  });

  it('is refused with any bit of its header flipped', () => {
    for (let bit = 0; bit < FRAME_HEADER_BYTES * 8; bit++) {
      const bytes = sealed();
      bytes[bit >> 3] ^= 1 << (bit & 7);
      expect(readable(bytes, place), `bit ${bit}`).toBe(false);
    }
  });
});

describe('the salts of runs', () => {
  it('differ by file and by run, and runs without files are forgotten', () => {
    const run = (from: number, salt: number) => ({ from, salt, madeFrom: from, madeBytes: 4096 });
    const runs = withRun(withRun([], [], run(1, 77)), [1, 2], run(3, 88));
    expect(runs).toEqual([run(1, 77), run(3, 88)]);
    expect(new Set([saltOf(runs, 1), saltOf(runs, 2), saltOf(runs, 3)]).size).toBe(3);
    expect(saltOf([run(1, 78)], 1)).not.toBe(saltOf(runs, 1));
    expect(withRun(runs, [1, 2], run(3, 99))).toEqual([run(1, 77), run(3, 99)]);
    expect(pruneRuns(runs, 2)).toEqual(runs);
    expect(pruneRuns(runs, 3)).toEqual([run(3, 88)]);
  });
});

describe('names in a data directory', () => {
  it('are ours only when they are written as we write them', () => {
    const names = [
      'log-00000002',
      'log-1',
      'image-00000001',
      'spare-00000009-1',
      'rot-00000001-512',
      'notes.txt',
      'manifest',
    ];
    expect(namedFiles(names).map((file) => file.name)).toEqual(['image-00000001', 'rot-00000001-512', 'log-00000002']);
  });
});
