/** The grammar of what nodes say to each other: packets of sections, control messages, frames; in the clear and sealed. */
import fc from 'fast-check';
import { Random } from '../../src/core/base/random.js';
import { type ControlMessage, encodeControl } from '../../src/core/gossip/codec.js';
import { encodeFrame, FRAME_KINDS } from '../../src/core/gossip/frames.js';
import { KeyRing } from '../../src/core/gossip/key-ring.js';
import {
  PacketSender,
  PacketWriter,
  SECTION_ACKS,
  SECTION_CONTROL,
  SECTION_PADDING,
  SECTION_RECORDS,
} from '../../src/core/gossip/packet.js';
import { SimSecrets } from '../../src/sim/secrets.js';

export const CLUSTER = [0x01020304, 0xfffefdfc] as const;
export const ACTOR = 0x123456789abc;
export const TARGET = 0xfedcba987654;

export type Sections = [kind: number, body: Buffer][];

const bytes = fc.uint8Array({ maxLength: 200 }).map((each) => Buffer.from(each));

/** Zero has one sign: what is whole travels as an integer. */
const double = fc.double({ noNaN: true }).map((each) => each + 0);

/** Plain data as control messages have it. */
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.oneof(fc.maxSafeInteger(), fc.boolean(), fc.constant(null), double),
    fc.string({ maxLength: 40, unit: 'binary' }),
    fc.constantFrom('__proto__', 'constructor', 'node-a', '10.0.0.1'),
    bytes,
    fc.array(tie('value'), { maxLength: 5 }),
  ),
}));

export const message: fc.Arbitrary<ControlMessage> = fc.array(value, { maxLength: 6 });

export const sections: fc.Arbitrary<Sections> = fc.array(
  fc.oneof(
    message.map((each): [number, Buffer] => [SECTION_CONTROL, encodeControl(each).subarray(0, 250)]),
    fc.tuple(fc.constantFrom(SECTION_RECORDS, SECTION_ACKS, SECTION_PADDING), bytes),
  ),
  { maxLength: 4 },
);

export function ringOf(sealed: boolean): KeyRing | null {
  return sealed ? new KeyRing(new SimSecrets(['one secret'], 1), 'shop') : null;
}

export function packetOf(list: Sections, sealed: boolean): Buffer {
  const writer = new PacketWriter(new PacketSender(CLUSTER, ACTOR, ringOf(sealed), new Random(ACTOR)), TARGET);
  for (const [kind, body] of list) if (body.length <= writer.room) writer.add(kind, body, 0, body.length);
  return writer.take();
}

export type Frames = [kind: number, body: Buffer][];

export const frames: fc.Arbitrary<Frames> = fc.array(
  fc.tuple(
    fc.integer({ min: 1, max: FRAME_KINDS }),
    fc.uint8Array({ minLength: 1, maxLength: 300 }).map((each) => Buffer.from(each)),
  ),
  { maxLength: 5 },
);

export function streamOf(list: Frames): Buffer {
  return Buffer.concat(list.map(([kind, body]) => encodeFrame(kind, body)));
}
