import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  PACKET_BYTES_MAX,
  PACKET_HEADER_BYTES,
  PacketReader,
  PacketWriter,
  SECTION_ACKS,
  SECTION_BYTES_MAX,
  SECTION_CONTROL,
  SECTION_RECORDS,
} from '../../../src/core/gossip/packet.js';

const CLUSTER = [0x01020304, 0xfffefdfc] as const;
const ACTOR = 0x123456789abc;

function packetOf(sections: readonly (readonly [number, Buffer])[]): Buffer {
  const writer = new PacketWriter(CLUSTER, ACTOR);
  for (const [kind, body] of sections) writer.add(kind, body, 0, body.length);
  return writer.take();
}

describe('a packet', () => {
  it('gives back the sections that were put in, in order, and the sender', () => {
    const kinds = fc.constantFrom(SECTION_CONTROL, SECTION_RECORDS, SECTION_ACKS);
    const section = fc.tuple(
      kinds,
      fc.uint8Array({ minLength: 0, maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    );
    fc.assert(
      fc.property(fc.array(section, { maxLength: 5 }), (sections) => {
        const bytes = packetOf(sections);
        const reader = new PacketReader();
        expect(reader.open(bytes, CLUSTER)).toBeNull();
        expect(reader.actor).toBe(ACTOR);
        for (const [kind, body] of sections) {
          expect(reader.next()).toBe(true);
          expect(reader.kind).toBe(kind);
          expect(bytes.subarray(reader.bodyStart, reader.bodyEnd).equals(body)).toBe(true);
        }
        expect(reader.next()).toBe(false);
      }),
    );
  });

  it('never exceeds its budget when the writer is asked for room first', () => {
    const writer = new PacketWriter(CLUSTER, ACTOR);
    const body = Buffer.alloc(SECTION_BYTES_MAX, 7);
    expect(writer.room).toBe(SECTION_BYTES_MAX);
    writer.add(SECTION_RECORDS, body, 0, body.length);
    expect(writer.take().length).toBe(PACKET_BYTES_MAX);
  });

  it('is refused by name when it is of another cluster, another version or too short', () => {
    const bytes = packetOf([[SECTION_CONTROL, Buffer.from('x')]]);
    const reader = new PacketReader();
    expect(reader.open(bytes, [1, 2])).toBe('foreign');
    expect(reader.open(bytes.subarray(0, PACKET_HEADER_BYTES - 1), CLUSTER)).toBe('malformed');
    const future = Buffer.from(bytes);
    future[1] = 99;
    expect(reader.open(future, CLUSTER)).toBe('version');
    expect(reader.open(Buffer.alloc(0), CLUSTER)).toBe('malformed');
  });

  it('is refused whole when any bit of it is flipped', () => {
    const bytes = packetOf([
      [SECTION_CONTROL, Buffer.from('hello')],
      [SECTION_ACKS, Buffer.from('12345678')],
    ]);
    const reader = new PacketReader();
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      // Bytes 2 and 3 are reserved: nobody reads them.
      if (bit >> 3 === 2 || bit >> 3 === 3) continue;
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] ^= 1 << (bit & 7);
      expect(reader.open(flipped, CLUSTER)).not.toBeNull();
    }
  });

  it('is refused, without a throw, whatever bytes arrive', () => {
    const reader = new PacketReader();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1300 }), (bytes) => {
        expect(reader.open(Buffer.from(bytes), CLUSTER)).not.toBeNull();
      }),
    );
  });
});
