import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/core/base/random.js';
import { KeyRing } from '../../../src/core/gossip/key-ring.js';
import {
  PACKET_BYTES_MAX,
  PACKET_HEADER_BYTES,
  PacketReader,
  PacketSender,
  PacketWriter,
  SECTION_ACKS,
  SECTION_BYTES_MAX,
  SECTION_CONTROL,
  SECTION_PADDING,
  SECTION_RECORDS,
} from '../../../src/core/gossip/packet.js';
import { SimSecrets } from '../../../src/sim/secrets.js';

const CLUSTER = [0x01020304, 0xfffefdfc] as const;
const ACTOR = 0x123456789abc;
const TARGET = 0xfedcba987654;
const SECRET = ['one secret'];

function ringOf(words: readonly string[] | null): KeyRing | null {
  return words === null ? null : new KeyRing(new SimSecrets(words, 1), 'shop');
}

function senderOf(words: readonly string[] | null, actor = ACTOR): PacketSender {
  return new PacketSender(CLUSTER, actor, ringOf(words), new Random(actor));
}

function readerOf(words: readonly string[] | null, cluster: readonly [number, number] = CLUSTER): PacketReader {
  return new PacketReader(cluster, TARGET, ringOf(words));
}

type Sections = readonly (readonly [number, Buffer])[];

function packetOf(sections: Sections, sender: PacketSender): Buffer {
  const writer = new PacketWriter(sender, TARGET);
  for (const [kind, body] of sections) writer.add(kind, body, 0, body.length);
  return writer.take();
}

const SECTIONS: Sections = [
  [SECTION_CONTROL, Buffer.from('hello')],
  [SECTION_ACKS, Buffer.from('12345678')],
];

describe.each([
  ['in the clear', null],
  ['sealed', SECRET],
])('a packet %s', (_name, words) => {
  it('gives back the sections that were put in, in order, its sender and whom it is meant for', () => {
    const kinds = fc.constantFrom(SECTION_CONTROL, SECTION_RECORDS, SECTION_ACKS);
    const section = fc.tuple(
      kinds,
      fc.uint8Array({ minLength: 0, maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    );
    const sender = senderOf(words);
    const reader = readerOf(words);
    fc.assert(
      fc.property(fc.array(section, { maxLength: 5 }), (sections) => {
        const bytes = packetOf(sections, sender);
        const asSent = Buffer.from(bytes);
        expect(reader.open(bytes)).toBeNull();
        expect([reader.actor, reader.target]).toEqual([ACTOR, TARGET]);
        for (const [kind, body] of sections) {
          expect(reader.next()).toBe(true);
          expect(reader.kind).toBe(kind);
          expect(reader.bytes.subarray(reader.bodyStart, reader.bodyEnd).equals(body)).toBe(true);
        }
        expect(reader.next()).toBe(false);
        expect(bytes.equals(asSent)).toBe(true);
      }),
    );
  });

  it('never exceeds its budget when the writer is asked for room first', () => {
    const writer = new PacketWriter(senderOf(words), 0);
    const body = Buffer.alloc(SECTION_BYTES_MAX, 7);
    expect(writer.room).toBe(SECTION_BYTES_MAX);
    writer.add(SECTION_RECORDS, body, 0, body.length);
    const { packetBytes } = writer;
    const bytes = writer.take();
    expect(bytes.length).toBe(packetBytes);
    expect(bytes.length).toBe(words === null ? PACKET_BYTES_MAX - 16 : PACKET_BYTES_MAX);
  });

  it('is padded up to the length asked for, with a section that says nothing', () => {
    const writer = new PacketWriter(senderOf(words), 0);
    writer.add(SECTION_CONTROL, Buffer.from('x'), 0, 1);
    writer.bytesMin = 400;
    const { packetBytes } = writer;
    const bytes = writer.take();
    expect(bytes.length).toBe(packetBytes);
    expect(bytes.length).toBeGreaterThanOrEqual(400);
    const reader = readerOf(words);
    expect(reader.open(bytes)).toBeNull();
    expect([reader.next(), reader.kind, reader.next(), reader.kind]).toEqual([
      true,
      SECTION_CONTROL,
      true,
      SECTION_PADDING,
    ]);
  });

  it('is refused by name when it is of another cluster, another version or too short', () => {
    const bytes = packetOf(SECTIONS, senderOf(words));
    expect(readerOf(words, [1, 2]).open(bytes)).toBe('foreign');
    const reader = readerOf(words);
    expect(reader.open(bytes.subarray(0, PACKET_HEADER_BYTES - 1))).toBe('malformed');
    const future = Buffer.from(bytes);
    future[1] = 99;
    expect(reader.open(future)).toBe('version');
    expect(reader.open(Buffer.alloc(0))).toBe('malformed');
  });

  it('is refused whole when any bit of it is flipped, and whatever its end is cut to', () => {
    const bytes = packetOf(SECTIONS, senderOf(words));
    const reader = readerOf(words);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] ^= 1 << (bit & 7);
      expect(reader.open(flipped), `bit ${bit}`).not.toBeNull();
    }
    for (let end = 0; end < bytes.length; end++) expect(reader.open(bytes.subarray(0, end))).not.toBeNull();
    expect(reader.open(bytes)).toBeNull();
  });

  it('is refused, without a throw, whatever bytes arrive', () => {
    const reader = readerOf(words);
    const like = packetOf(SECTIONS, senderOf(words));
    const noise = fc.uint8Array({ maxLength: 1300 }).map((bytes) => Buffer.from(bytes));
    // Header as it should be, noise behind it: what gets past the first looks.
    const dressed = noise.map((bytes) => Buffer.concat([like.subarray(0, PACKET_HEADER_BYTES), bytes]));
    fc.assert(
      fc.property(fc.oneof(noise, dressed), (bytes) => {
        expect(reader.open(bytes)).not.toBeNull();
      }),
    );
  });
});

describe('a sealed packet', () => {
  it('counts once, whatever came between', () => {
    const sender = senderOf(SECRET);
    const reader = readerOf(SECRET);
    const packets = Array.from({ length: 50 }, () => packetOf(SECTIONS, sender));
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 49 }), { maxLength: 100 }), (order) => {
        const fresh = readerOf(SECRET);
        const met = new Set<number>();
        for (const index of order) {
          expect(fresh.open(packets[index])).toBe(met.has(index) ? 'replayed' : null);
          met.add(index);
        }
      }),
      { numRuns: 30 },
    );
    expect(reader.open(packets[0])).toBeNull();
    reader.checksReplay = false;
    expect(reader.open(packets[0])).toBeNull();
  });

  it('shows nothing of its sections', () => {
    expect(packetOf(SECTIONS, senderOf(SECRET)).includes('hello')).toBe(false);
    expect(packetOf(SECTIONS, senderOf(null)).includes('hello')).toBe(true);
  });

  it('is refused by name under another key, without a secret here or there, and when it comes back to its sender', () => {
    const sealed = packetOf(SECTIONS, senderOf(SECRET));
    expect(readerOf(['another']).open(sealed)).toBe('wrong-key');
    expect(readerOf(null).open(sealed)).toBe('sealed');
    expect(readerOf(SECRET).open(packetOf(SECTIONS, senderOf(null)))).toBe('unsealed');
    expect(readerOf(SECRET).open(packetOf(SECTIONS, senderOf(SECRET, TARGET)))).toBe('replayed');
    const elsewhere = new KeyRing(new SimSecrets(SECRET, 1), 'another name');
    expect(new PacketReader(CLUSTER, TARGET, elsewhere).open(sealed)).toBe('forged');
  });

  it('opens through every step of a rotation: added everywhere, used, removed', () => {
    const secrets = new SimSecrets(['old'], 1);
    const ring = new KeyRing(secrets, 'shop');
    const sender = new PacketSender(CLUSTER, ACTOR, ring, new Random(5));
    const turn = (words: readonly string[]): void => {
      secrets.place(words);
      expect(secrets.reload()).toBe(true);
      ring.adopt();
    };
    const behind = { old: readerOf(['old']), both: readerOf(['old', 'new']), next: readerOf(['new']) };
    expect(behind.old.open(packetOf(SECTIONS, sender))).toBeNull();
    turn(['old', 'new']);
    expect(behind.old.open(packetOf(SECTIONS, sender))).toBeNull();
    expect(behind.both.open(packetOf(SECTIONS, sender))).toBeNull();
    turn(['new', 'old']);
    expect(behind.both.open(packetOf(SECTIONS, sender))).toBeNull();
    expect(behind.next.open(packetOf(SECTIONS, sender))).toBeNull();
    expect(behind.old.open(packetOf(SECTIONS, sender))).toBe('wrong-key');
    turn(['new']);
    expect(behind.both.open(packetOf(SECTIONS, sender))).toBeNull();
    expect(ring.find(new SimSecrets(['old'], 1).keys[0].id)).toBeUndefined();
  });
});
