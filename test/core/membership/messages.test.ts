import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeControl } from '../../../src/core/gossip/codec.js';
import { SECTION_BYTES_MAX } from '../../../src/core/gossip/packet.js';
import type { MemberRecord } from '../../../src/core/membership/member.js';
import {
  ACK,
  ack,
  type ControlMessage,
  decodeControl,
  GOSSIP_BYTES,
  messageBytesMax,
  nack,
  PUSH_PULL_REPLY,
  ping,
  pingRequest,
  pushPull,
  update,
} from '../../../src/core/membership/messages.js';
import { World } from './harness.js';

const record: MemberRecord = {
  id: 'n1',
  actor: 77,
  boot: 3,
  incarnation: 2,
  state: 'suspect',
  host: '10.0.0.1',
  port: 17000,
  respPort: 7000,
  zone: 'a',
  weight: 1.5,
  ageMs: 12,
};
const wire = ['n1', 77, 3, 2, 1, '10.0.0.1', 17000, 7000, 'a', 1.5, 12];

const samples: ControlMessage[] = [
  ping(5, record, record),
  ack(5, 1_700_000_000_000, 3.2, record, -3_600_000.4),
  pingRequest(5, 'n2', 700, record),
  nack(5, 'n2'),
  update(record, 'n3'),
  pushPull(PUSH_PULL_REPLY, record, [record, record]),
];

describe('control messages', () => {
  it('have a fixed form on the wire', () => {
    expect(samples).toEqual([
      [1, 5, 'n1', 77, 2, 1, wire],
      [2, 5, 1_700_000_000_000, 3, wire, -3_600_000],
      [3, 5, 'n2', 700, wire],
      [4, 5, 'n2'],
      [6, 'n3', wire],
      [8, wire, [wire, wire]],
    ]);
  });

  it('about a member fit one datagram whatever its names: those that would not are refused', () => {
    const name = (bytes: number) => fc.string({ unit: 'binary', minLength: 1, maxLength: bytes });
    const strange = fc.record({ id: name(140), host: name(260), zone: name(140), accuser: name(140) });
    const longest = { id: 'i'.repeat(128), host: 'h'.repeat(255), zone: 'z'.repeat(128), accuser: 'a'.repeat(128) };
    const seen = { kept: 0 };
    fc.assert(
      fc.property(fc.oneof(strange, fc.constant(longest)), ({ id, host, zone, accuser }) => {
        const other = { ...record, id, host, zone, actor: 2 ** 48 - 1, boot: 2 ** 40 - 1, incarnation: 2 ** 40 - 1 };
        for (const message of [ping(5, other, other), ack(5, 1e12, 9, other), update(other, accuser)]) {
          if (decodeControl(message) === null) continue;
          seen.kept++;
          expect(encodeControl(message).length).toBeLessThanOrEqual(messageBytesMax(message));
          expect(messageBytesMax(message)).toBeLessThanOrEqual(GOSSIP_BYTES);
        }
      }),
    );
    expect(seen.kept).toBeGreaterThan(10);
    expect(GOSSIP_BYTES).toBeLessThan(SECTION_BYTES_MAX);
    expect(decodeControl(update({ ...record, id: 'ü'.repeat(65) }, ''))).toBeNull();
    expect(decodeControl(update({ ...record, id: 'ü'.repeat(64) }, ''))).not.toBeNull();
  });

  it('are read back as they were written, with later elements ignored', () => {
    expect(decodeControl(samples[1])).toEqual({
      kind: ACK,
      jumpedMs: -3_600_000,
      sequence: 5,
      wallMs: 1_700_000_000_000,
      loopLagMs: 3,
      sender: record,
    });
    for (const sample of samples) expect(decodeControl([...sample, 'later'])).toEqual(decodeControl(sample));
    for (const sample of samples) expect(decodeControl(sample)).not.toBeNull();
  });

  it('are refused if any one element is missing or of another type', () => {
    for (const sample of samples) {
      for (let at = 0; at < sample.length; at++) {
        expect(decodeControl(sample.slice(0, at))).toBeNull();
        for (const bad of [undefined, null, true, {}, -1, 0.5, Number.NaN]) {
          // Wall clocks are any finite number.
          if (sample[0] === ACK && (at === 2 || at === 5) && typeof bad === 'number' && Number.isFinite(bad)) continue;
          expect(decodeControl(sample.with(at, bad))).toBeNull();
        }
      }
    }
  });

  it('are refused if a record in them is out of range', () => {
    const bad: [number, unknown][] = [
      [0, ''],
      [0, 'x'.repeat(129)],
      [1, 0],
      [1, 2 ** 48],
      [2, -1],
      [3, 2 ** 40],
      [4, 4],
      [5, ''],
      [5, 'x'.repeat(256)],
      [6, 0],
      [6, 65536],
      [7, 65536],
      [8, 7],
      [9, 0],
      [9, Number.POSITIVE_INFINITY],
      [10, -1],
    ];
    for (const [at, value] of bad) expect(decodeControl([6, '', wire.with(at, value as never)])).toBeNull();
    expect(decodeControl([6, '', wire])).not.toBeNull();
    expect(decodeControl([8, wire, new Array(4097).fill(wire)])).toBeNull();
  });

  it('never make a member throw, whatever they hold', () => {
    const world = new World(1);
    const node = world.start('a');
    node.tick();
    const field = fc.oneof(
      fc.constantFrom<unknown>(...wire, wire, [wire], 'a', ''),
      fc.anything({ maxDepth: 2 }),
      fc.constantFrom(0, 1, 2, 3),
    );
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 9 }),
        fc.array(field, { maxLength: 8 }),
        fc.boolean(),
        (kind, rest, stream) => {
          node.membership.handle([kind, ...rest], '10.0.0.7', 17000, stream, world.nowMs, node.wallMs);
        },
      ),
      { numRuns: 2_000 },
    );
    expect(node.membership.stats().malformed).toBeGreaterThan(0);
    expect(node.membership.self.state).toBe('alive');
  });

  it('know an upper bound of their size', () => {
    for (const sample of samples) expect(messageBytesMax(sample)).toBeGreaterThan(JSON.stringify(sample).length / 2);
    expect(messageBytesMax(['é'])).toBeGreaterThanOrEqual(5 + 5 + 2);
    expect(messageBytesMax(update(record, 'n3'))).toBeLessThan(250);
  });
});
