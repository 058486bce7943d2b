/** The grammar of RESP replies: every kind of RESP2 and RESP3, nested, with attributes and pushes, and what a client makes of each. */
import fc from 'fast-check';
import type { Reply } from '../../src/client/reply-parser.js';
import { HearsayError } from '../../src/core/base/errors.js';

/** Bytes on the wire, and the values that come out of them: none for a push. */
export interface Written {
  wire: Buffer;
  reply: Reply;
}

const line = (text: string): Buffer => Buffer.from(`${text}\r\n`, 'latin1');
const text = fc.string({ unit: fc.constantFrom('a', 'Z', ' ', '_', '9', '-'), maxLength: 20 });
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 60 }).map((each) => Buffer.from(each)),
  fc.nat(2000).map((length) => Buffer.alloc(length, '\r\n')),
);

const scalar: fc.Arbitrary<Written> = fc.oneof(
  text.map((each) => ({ wire: line(`+${each}`), reply: each })),
  text.map((each) => ({ wire: line(`-ERR ${each}`), reply: new HearsayError('ERR', each) })),
  fc.integer().map((each) => ({ wire: line(`:${each}`), reply: each })),
  fc.constantFrom(line('$-1'), line('*-1'), line('_')).map((wire) => ({ wire, reply: null })),
  fc.boolean().map((each) => ({ wire: line(each ? '#t' : '#f'), reply: each })),
  fc.double({ noNaN: true }).map((each) => ({ wire: line(`,${formatDouble(each)}`), reply: each + 0 })),
  fc.bigInt({ max: 1n << 200n, min: -(1n << 200n) }).map((each) => ({ wire: line(`(${each}`), reply: each })),
  bytes.map((each) => ({ wire: Buffer.concat([line(`$${each.length}`), each, line('')]), reply: each })),
  bytes.map((each) => ({
    wire: Buffer.concat([line(`=${each.length + 4}`), Buffer.from('txt:'), each, line('')]),
    reply: each,
  })),
);

function formatDouble(value: number): string {
  return value === Number.POSITIVE_INFINITY ? 'inf' : value === Number.NEGATIVE_INFINITY ? '-inf' : `${value}`;
}

const { reply } = fc.letrec<{ reply: Written }>((tie) => ({
  reply: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    scalar,
    fc.array(tie('reply'), { maxLength: 4 }).map((items) => aggregate('*', items.length, items, items.map(replyOf))),
    fc
      .array(tie('reply'), { maxLength: 4 })
      .map((items) => aggregate('~', items.length, items, new Set(items.map(replyOf)))),
    fc.array(fc.tuple(text, tie('reply')), { maxLength: 4 }).map((pairs) => {
      const items = pairs.flatMap(([key, value]) => [keyOf(key), value]);
      return aggregate('%', pairs.length, items, new Map(pairs.map(([key, value]) => [key, value.reply])));
    }),
    fc.tuple(fc.array(scalar, { maxLength: 2 }), tie('reply')).map(([items, inner]) => {
      const attribute = aggregate(
        '|',
        items.length,
        items.flatMap((item) => [item, item]),
        null,
      );
      return { wire: Buffer.concat([attribute.wire, inner.wire]), reply: inner.reply };
    }),
  ),
}));

function replyOf(written: Written): Reply {
  return written.reply;
}

function keyOf(key: string): Written {
  return { wire: Buffer.concat([line(`$${key.length}`), line(key)]), reply: key };
}

function aggregate(kind: string, count: number, items: readonly Written[], value: Reply): Written {
  return { wire: Buffer.concat([line(`${kind}${count}`), ...items.map((item) => item.wire)]), reply: value };
}

/** Some replies in a row. */
export const replies: fc.Arbitrary<Written[]> = fc.array(reply, { maxLength: 5 });
