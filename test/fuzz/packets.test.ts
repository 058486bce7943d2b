/** Packets, control messages and frames under the grammar of packets.ts, valid and mutated. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32 } from '../../src/core/base/crc32.js';
import { decodeControl, encodeControl } from '../../src/core/gossip/codec.js';
import { encodeFrame, FrameReader } from '../../src/core/gossip/frames.js';
import { answer, greet, openAnswer, openGreeting } from '../../src/core/gossip/hello.js';
import { PACKET_HEADER_BYTES, PacketReader } from '../../src/core/gossip/packet.js';
import { readWord, writeWord } from '../../src/core/record/record.js';
import { allocatedBy, WorkCount } from './meter.js';
import { applyChanges, changes, cuts, mutated, piecesOf } from './mutations.js';
import { ACTOR, CLUSTER, frames, message, packetOf, ringOf, sections, streamOf, TARGET } from './packets.js';
import { law } from './room.js';

function walk(reader: PacketReader): [number, string][] {
  const out: [number, string][] = [];
  while (reader.next()) out.push([reader.kind, reader.bytes.latin1Slice(reader.bodyStart, reader.bodyEnd)]);
  return out;
}

/** The sum made right again: whoever can send packets can do that. */
function resummed(bytes: Buffer): Buffer {
  if (bytes.length >= PACKET_HEADER_BYTES) writeWord(bytes, 4, crc32(bytes, 8, bytes.length) ^ readWord(bytes, 0));
  return bytes;
}

describe.each([false, true])('packets from outside, sealed %s', (sealed) => {
  law(
    'come out as they went in',
    150,
    fc.property(sections, (list) => {
      const reader = new PacketReader(CLUSTER, TARGET, ringOf(sealed));
      expect(reader.open(packetOf(list, sealed))).toBeNull();
      expect([reader.actor, reader.target]).toEqual([ACTOR, TARGET]);
      const fitting = walk(reader);
      expect(fitting).toEqual(list.slice(0, fitting.length).map(([kind, body]) => [kind, body.toString('latin1')]));
    }),
  );

  law(
    'are refused by name when anything in them changed, and cost no more memory than they have bytes',
    300,
    fc.property(mutated(sections.map((list) => packetOf(list, sealed))), fc.boolean(), (bytes, sums) => {
      const reader = new PacketReader(CLUSTER, TARGET, ringOf(sealed));
      const packet = sums && !sealed ? resummed(bytes) : bytes;
      const { all } = allocatedBy(() => {
        if (reader.open(packet) === null) walk(reader);
      });
      expect(all).toBeLessThanOrEqual(4 * bytes.length + 256);
    }),
  );
});

describe('control messages from outside', () => {
  law(
    'come out as they went in',
    200,
    fc.property(message, (list) => {
      const bytes = encodeControl(list);
      expect(decodeControl(bytes, 0, bytes.length)).toEqual(list);
    }),
  );

  law(
    'are plain data or null whatever changed, and take memory for what came',
    600,
    fc.property(mutated(message.map((list) => encodeControl(list))), (bytes) => {
      let decoded: unknown = null;
      const { all } = allocatedBy(() => {
        decoded = decodeControl(bytes, 0, bytes.length);
      });
      expect(all).toBeLessThanOrEqual(4 * bytes.length + 256);
      expect(itemsOf(decoded)).toBeLessThanOrEqual(bytes.length + 1);
    }),
  );
});

/** How many values there are; throws at what is no plain data. */
function itemsOf(value: unknown): number {
  if (Array.isArray(value)) return value.reduce((sum: number, each) => sum + itemsOf(each), 1);
  if (Buffer.isBuffer(value) || value instanceof Uint8Array) return 1;
  if (value !== null && typeof value === 'object') throw new Error(`decoded ${JSON.stringify(value)}`);
  return 1;
}

describe('greetings from outside', () => {
  const facts = { clusterName: 'shop', settings: 's', hashMark: '0123456789abcdef', host: '10.0.0.1', port: 17_000 };
  law(
    'and their answers are refused by name whatever changed in them',
    200,
    fc.property(fc.boolean(), changes, changes, (sealed, first, second) => {
      const ring = ringOf(sealed);
      const greeting = greet({ ...facts, id: 'a', actor: 7 }, ring);
      const opened = openGreeting(greeting.body, ring);
      if (typeof opened === 'string') throw new Error(opened);
      const answered = answer({ ...facts, id: 'b', actor: 8, refusal: '' }, opened, ring, greeting.body.length);
      if (answered === null) throw new Error('no room for an answer');
      const spoiled = applyChanges(greeting.body, answered.body, first);
      const seen = openGreeting(spoiled, ring);
      // With a secret nothing but a change that changes nothing is let in.
      if (sealed && !spoiled.equals(greeting.body)) expect(typeof seen).toBe('string');
      openAnswer(applyChanges(answered.body, greeting.body, second), ring, greeting);
    }),
  );
});

describe('frames from outside', () => {
  const readAll = (pieces: readonly Buffer[]): { out: [number, string][]; broken: string | null } => {
    const reader = new FrameReader(4096);
    const out: [number, string][] = [];
    for (const piece of pieces) {
      reader.push(piece, 0, piece.length);
      while (reader.next()) out.push([reader.kind, reader.body.toString('latin1')]);
      piece.fill(0xee);
    }
    return { out, broken: reader.broken };
  };

  law(
    'mean the same however they are cut, come out as they went in, and take memory for what came',
    250,
    fc.property(frames, cuts, changes, fc.boolean(), (list, at, spoil, sound) => {
      const valid = streamOf(list);
      const bytes = sound ? valid : applyChanges(valid, valid, spoil);
      const whole = readAll(piecesOf(bytes, []));
      if (sound) {
        expect(whole).toEqual({ out: list.map(([kind, body]) => [kind, body.toString('latin1')]), broken: null });
      }
      for (const pieces of [piecesOf(bytes, at), piecesOf(bytes, null)]) {
        let cut = whole;
        const { most } = allocatedBy(() => {
          cut = readAll(pieces);
        });
        expect(cut).toEqual(whole);
        expect(most).toBeLessThanOrEqual(Math.max(4096, 2 * bytes.length));
      }
    }),
  );

  it('cost work in proportion to their length, byte by byte too', () => {
    const bytes = Buffer.concat([
      encodeFrame(3, Buffer.alloc(6000, 1)),
      ...Array(300).fill(encodeFrame(2, Buffer.alloc(8))),
    ]);
    for (const pieceBytes of [1, 7, 100_000]) {
      const work = new WorkCount();
      work.run(() => {
        const reader = new FrameReader(16_384);
        for (let from = 0; from < bytes.length; from += pieceBytes) {
          const lent = work.lend(bytes.subarray(from, from + pieceBytes));
          reader.push(lent, 0, lent.length);
          while (reader.next());
        }
      });
      // A header is looked at again with each piece.
      expect(work.bytes).toBeLessThanOrEqual(40 * bytes.length);
    }
  });
});
