import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeControl, encodeControl } from '../../../src/core/gossip/codec.js';
import {
  encodeFrame,
  FRAME_BODY_BYTES_MAX,
  FRAME_CONTROL,
  FRAME_KINDS,
  FRAME_RECORDS,
  FrameReader,
} from '../../../src/core/gossip/frames.js';

function readAll(reader: FrameReader): [number, string][] {
  const frames: [number, string][] = [];
  while (reader.next()) frames.push([reader.kind, reader.body.toString('latin1')]);
  return frames;
}

describe('frames on a peer stream', () => {
  it('come out as they went in however the stream is cut', () => {
    const frame = fc.tuple(
      fc.integer({ min: 1, max: FRAME_KINDS }),
      fc.uint8Array({ minLength: 1, maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    );
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 97 }), { minLength: 1, maxLength: 20 }),
        (frames, cuts) => {
          const stream = Buffer.concat(frames.map(([kind, body]) => encodeFrame(kind, body)));
          const reader = new FrameReader();
          const read: [number, string][] = [];
          for (let at = 0, cut = 0; at < stream.length; cut++) {
            const end = Math.min(stream.length, at + cuts[cut % cuts.length]);
            // The world lends one buffer for all pieces and writes over it.
            const lent = Buffer.from(stream.subarray(at, end));
            reader.push(lent, 0, lent.length);
            read.push(...readAll(reader));
            lent.fill(0xee);
            at = end;
          }
          expect(reader.broken).toBeNull();
          expect(read).toEqual(frames.map(([kind, body]) => [kind, body.toString('latin1')]));
        },
      ),
    );
  });

  it('break the stream by name on a bad checksum, an unknown kind and a length beyond the bound', () => {
    const sound = encodeFrame(FRAME_CONTROL, Buffer.from('body'));
    const cases: [string, (bytes: Buffer) => void][] = [
      ['checksum', (bytes) => bytes.writeUInt8(bytes[13] ^ 1, 13)],
      ['kind', (bytes) => bytes.writeUInt32LE(FRAME_KINDS + 1, 4)],
      ['frame of', (bytes) => bytes.writeUInt32LE(FRAME_BODY_BYTES_MAX + 1, 0)],
      ['frame of', (bytes) => bytes.writeUInt32LE(0, 0)],
    ];
    for (const [why, spoil] of cases) {
      const bytes = Buffer.from(sound);
      spoil(bytes);
      const reader = new FrameReader();
      reader.push(bytes, 0, bytes.length);
      expect(reader.next()).toBe(false);
      expect(reader.broken).toContain(why);
      expect(reader.next()).toBe(false);
    }
  });

  it('keep no more than what has arrived, whatever a length claims', () => {
    const reader = new FrameReader();
    const head = Buffer.alloc(12);
    head.writeUInt32LE(FRAME_BODY_BYTES_MAX, 0);
    head.writeUInt32LE(FRAME_RECORDS, 4);
    const before = process.memoryUsage().arrayBuffers;
    for (let index = 0; index < 100; index++) {
      const each = new FrameReader();
      each.push(head, 0, head.length);
      expect(each.next()).toBe(false);
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024);
    expect(reader.broken).toBeNull();
  });
});

describe('control messages', () => {
  it('come back as they were', () => {
    const message = [1, 'node-a', 0x123456789abc, [true, null, -5], 1.5];
    const bytes = encodeControl(message);
    expect(decodeControl(bytes, 0, bytes.length)).toEqual(message);
  });

  it('are refused without a throw when they are no array, cut short or random bytes', () => {
    const map = Buffer.from([0x81, 0xa1, 0x61, 0x01]);
    expect(decodeControl(map, 0, map.length)).toBeNull();
    const bytes = encodeControl([1, 'abc', [2, 3]]);
    for (let end = 0; end < bytes.length; end++) expect(decodeControl(bytes, 0, end)).toBeNull();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (random) => {
        const value = decodeControl(Buffer.from(random), 0, random.length);
        expect(value === null || Array.isArray(value)).toBe(true);
      }),
    );
    const recordDefinition = Buffer.from([0x92, 0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61]);
    expect(decodeControl(recordDefinition, 0, recordDefinition.length)).toBeNull();
    const trailing = Buffer.concat([bytes, Buffer.from([0])]);
    expect(decodeControl(trailing, 0, trailing.length)).toBeNull();
    const nested = Buffer.alloc(5000, 0x91);
    expect(decodeControl(nested, 0, nested.length)).toBeNull();
  });
});
