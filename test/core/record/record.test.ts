import { crc32 as zlibCrc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isExpired, isExpiryRecord, namedActor, namedHlc, recordIsExpired } from '../../../src/core/record/expiry.js';
import {
  FLAG_EXPIRY,
  FLAG_EXPIRY_VERSION,
  RECORD_BYTES_MAX,
  type RecordFields,
  recordActor,
  recordBytes,
  recordEnd,
  recordExpireAtMs,
  recordExpiryActor,
  recordExpiryHlc,
  recordFlags,
  recordHlc,
  recordKeyEnd,
  recordKeyStart,
  recordLength,
  recordSequence,
  recordType,
  sealRecord,
  TYPE_EXPIRY,
  TYPE_FLUSH,
  TYPE_HINT,
  TYPE_PUT,
  TYPE_TOMBSTONE,
  verifyRecord,
  writeRecord,
} from '../../../src/core/record/record.js';
import { expiryRecord, record } from './records.js';

const HLC = 0x0d_4f2a_1b3c_4d5e;
const DOT = { hlc: HLC, actor: 0xa1b2_c3d4_e5f6, sequence: 0x0102_0304_0506 };
const EXPIRY = 0x0192_0304_0506;
const LATER = { expiryHlc: HLC + 1, expiryActor: 0x0a0b_0c0d_0e0f };

/** Header words, then what follows the header. */
const GOLDEN: [string, Buffer, string][] = [
  [
    'a value',
    record(DOT, 'key', 'value'),
    `470c7f7e 28000000 01000300 5e4d3c1b 2a4f0d00 f6e5d4c3 06050403 b2a10201
    6b6579 76616c7565`,
  ],
  [
    'an empty key and value',
    record(DOT, ''),
    `993d39ce 20000000 01000000 5e4d3c1b 2a4f0d00 f6e5d4c3 06050403 b2a10201
    `,
  ],
  [
    'a value with an expiry',
    record({ ...DOT, expireAtMs: EXPIRY }, 'key', 'value'),
    `9f1a2eb3 30000000 01010300 5e4d3c1b 2a4f0d00 f6e5d4c3 06050403 b2a10201
    0605040392010000 6b6579 76616c7565`,
  ],
  [
    'a value with an expiry of its own version',
    record({ ...DOT, ...LATER, expireAtMs: EXPIRY }, 'key', 'value'),
    `578c4de7 40000000 01030300 5e4d3c1b 2a4f0d00 f6e5d4c3 06050403 b2a10201
    0605040392010000 5f4d3c1b2a4f0d00 0f0e0d0c0b0a0000 6b6579 76616c7565`,
  ],
  [
    'a persisted value',
    record({ ...DOT, ...LATER }, 'key', 'value'),
    `9a89b763 40000000 01030300 5e4d3c1b 2a4f0d00 f6e5d4c3 06050403 b2a10201
    0000000000000000 5f4d3c1b2a4f0d00 0f0e0d0c0b0a0000 6b6579 76616c7565`,
  ],
  [
    'a tombstone',
    record({ ...DOT, type: TYPE_TOMBSTONE }, 'key'),
    `4d4aeed8 23000000 02000300 5e4d3c1b 2a4f0d00 f6e5d4c3 06050403 b2a10201
    6b6579`,
  ],
  [
    'an expiry change',
    expiryRecord({ ...DOT, expireAtMs: EXPIRY }, 'key', HLC - 1, LATER.expiryActor),
    `94865e6a 3b000000 03010300 5e4d3c1b 2a4f0d00 f6e5d4c3 06050403 b2a10201
    0605040392010000 6b6579 5d4d3c1b2a4f0d00 0f0e0d0c0b0a0000`,
  ],
  [
    'a persist',
    expiryRecord(DOT, 'key', HLC - 1, LATER.expiryActor),
    `66dd3f7a 33000000 03000300 5e4d3c1b 2a4f0d00 f6e5d4c3 06050403 b2a10201
    6b6579 5d4d3c1b2a4f0d00 0f0e0d0c0b0a0000`,
  ],
  [
    'a flush',
    record({ ...DOT, type: TYPE_FLUSH }, ''),
    `e1c61a26 20000000 04000000 5e4d3c1b 2a4f0d00 f6e5d4c3 06050403 b2a10201
    `,
  ],
  [
    'a hint',
    record({ ...DOT, type: TYPE_HINT }, 'key', Buffer.from([7, 0, 1, 110, 50])),
    `a369e2c9 28000000 10000300 5e4d3c1b 2a4f0d00 f6e5d4c3 06050403 b2a10201
    6b6579 0700016e32`,
  ],
];

const fields: fc.Arbitrary<RecordFields> = fc
  .record({
    type: fc.constantFrom(TYPE_PUT, TYPE_TOMBSTONE, TYPE_EXPIRY, TYPE_FLUSH, TYPE_HINT),
    hlc: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    actor: fc.integer({ min: 1, max: 2 ** 48 - 1 }),
    sequence: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
    expireAtMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 2 ** 48 - 1 })),
    expiryHlc: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })),
    expiryActor: fc.integer({ min: 1, max: 2 ** 48 - 1 }),
  })
  .map((drawn) => (drawn.expiryHlc === 0 ? { ...drawn, expiryActor: 0 } : drawn));

describe('the record format, v0', () => {
  it.each(GOLDEN)('has fixed bytes for %s', (_name, bytes, golden) => {
    expect(bytes.toString('hex')).toBe(golden.replaceAll(/\s/g, ''));
    expect(bytes.readUInt32LE(0)).toBe(zlibCrc32(bytes.subarray(4)));
    expect(verifyRecord(bytes, 0, bytes.length)).toBe(bytes.length);
  });

  it('reads back every field it wrote, at any place in a buffer', () => {
    const bytes = fc.uint8Array({ maxLength: 60 });
    fc.assert(
      fc.property(fields, bytes, fc.uint8Array({ maxLength: 600 }), fc.nat(20), (written, key, value, at) => {
        const buffer = Buffer.alloc(at + 900, 0xee);
        const length = writeRecord(buffer, at, written, key, 0, key.length, value, 0, value.length);
        expect(verifyRecord(buffer, at, buffer.length)).toBe(length);
        expect(verifyRecord(buffer, at, at + length)).toBe(length);
        expect(recordBytes(buffer, at)).toBe(length);
        expect(length).toBe(recordLength(key.length, value.length, recordFlags(buffer, at)));
        expect({
          type: recordType(buffer, at),
          hlc: recordHlc(buffer, at),
          actor: recordActor(buffer, at),
          sequence: recordSequence(buffer, at),
          expireAtMs: recordExpireAtMs(buffer, at),
        }).toEqual({
          type: written.type,
          hlc: written.hlc,
          actor: written.actor,
          sequence: written.sequence,
          expireAtMs: written.expireAtMs,
        });
        expect(recordExpiryHlc(buffer, at)).toBe(written.expiryHlc || written.hlc);
        expect(recordExpiryActor(buffer, at)).toBe(written.expiryHlc ? written.expiryActor : written.actor);
        const keyEnd = recordKeyEnd(buffer, at);
        expect(buffer.subarray(recordKeyStart(buffer, at), keyEnd).equals(key)).toBe(true);
        expect(buffer.subarray(keyEnd, recordEnd(buffer, at)).equals(value)).toBe(true);
        expect(buffer[at + length]).toBe(0xee);
      }),
    );
  });

  it('is refused with any one bit flipped', () => {
    for (const [, golden] of GOLDEN) {
      for (let bit = 0; bit < golden.length * 8; bit++) {
        const flipped = Buffer.from(golden);
        flipped[bit >> 3] ^= 1 << (bit & 7);
        expect(verifyRecord(flipped, 0, flipped.length)).toBe(0);
      }
    }
    fc.assert(
      fc.property(
        fields,
        fc.uint8Array({ maxLength: 40 }),
        fc.uint8Array({ maxLength: 400 }),
        fc.nat(),
        (f, k, v, n) => {
          const flipped = record(f, k, v);
          const bit = n % (flipped.length * 8);
          flipped[bit >> 3] ^= 1 << (bit & 7);
          expect(verifyRecord(flipped, 0, flipped.length)).toBe(0);
        },
      ),
    );
  });

  it('is refused when it does not lie wholly within the limit', () => {
    const whole = record(DOT, 'key', 'value');
    for (let limit = 0; limit < whole.length; limit++) expect(verifyRecord(whole, 0, limit)).toBe(0);
  });

  it('is refused when its checksum holds but its form does not', () => {
    const reseal = (change: (bytes: Buffer) => void) => {
      const bytes = Buffer.concat([record(DOT, 'key', 'value'), Buffer.alloc(64)]);
      change(bytes);
      const length = bytes.readUInt32LE(4);
      if (length >= 8 && length <= bytes.length) sealRecord(bytes, 0, length);
      return verifyRecord(bytes, 0, bytes.length);
    };
    expect(reseal(() => undefined)).toBe(40);
    expect(reseal((bytes) => bytes.writeUInt8(0, 8))).toBe(0);
    expect(reseal((bytes) => bytes.writeUInt8(4, 9))).toBe(0);
    expect(reseal((bytes) => bytes.writeUInt8(8, 9))).toBe(0);
    expect(reseal((bytes) => bytes.writeUInt8(FLAG_EXPIRY_VERSION, 9))).toBe(0);
    expect(reseal((bytes) => bytes.writeUInt16LE(9, 10))).toBe(0);
    expect(reseal((bytes) => bytes.writeUInt32LE(0x200000, 16))).toBe(0);
    expect(reseal((bytes) => bytes.writeUInt32LE(31, 4))).toBe(0);
    expect(reseal((bytes) => bytes.writeUInt32LE(RECORD_BYTES_MAX + 1, 4))).toBe(0);
    expect(verifyRecord(Buffer.alloc(4096), 0, 4096)).toBe(0);
  });
});

describe('an expiry', () => {
  it('ends an entry with the millisecond it names, and 0 names none', () => {
    expect([isExpired(0, 1e15), isExpired(1000, 999), isExpired(1000, 1000)]).toEqual([false, false, true]);
    const ending = record({ expireAtMs: EXPIRY }, 'key');
    expect([recordIsExpired(ending, 0, EXPIRY - 1), recordIsExpired(ending, 0, EXPIRY)]).toEqual([false, true]);
    expect(recordIsExpired(record({}, 'key'), 0, Number.MAX_SAFE_INTEGER)).toBe(false);
    const persisted = record({ expiryHlc: 9, expiryActor: 9 }, 'key');
    expect(recordFlags(persisted, 0)).toBe(FLAG_EXPIRY | FLAG_EXPIRY_VERSION);
    expect(recordIsExpired(persisted, 0, Number.MAX_SAFE_INTEGER)).toBe(false);
  });

  it('change names the value version it saw, and is malformed in any other form', () => {
    const change = expiryRecord(DOT, 'key', HLC - 1, 0xffff_0000_0001);
    expect(isExpiryRecord(change, 0)).toBe(true);
    expect([namedHlc(change, 0), namedActor(change, 0)]).toEqual([HLC - 1, 0xffff_0000_0001]);
    expect(isExpiryRecord(record(DOT, 'key', 'sixteen bytes it'), 0)).toBe(false);
    expect(isExpiryRecord(record({ type: TYPE_EXPIRY }, 'key', 'fifteen bytes i'), 0)).toBe(false);
    expect(isExpiryRecord(record({ type: TYPE_EXPIRY }, 'key', 'seventeen bytes i'), 0)).toBe(false);
    expect(isExpiryRecord(record({ type: TYPE_EXPIRY }, 'key', Buffer.alloc(16, 0xff)), 0)).toBe(false);
  });
});
