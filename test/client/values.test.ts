/** The codec of values: what goes in comes out, what others wrote is read, and damaged bytes are refused. */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { addExtension, Packr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { NESTING_MAX } from '../../src/client/packing.js';
import { decodeValue, encodeValue } from '../../src/client/values.js';

const there = (value: unknown): unknown => decodeValue(encodeValue(value));
const bytes = (...parts: (number | string | Uint8Array)[]): Buffer =>
  Buffer.concat(parts.map((part) => (typeof part === 'number' ? Buffer.from([part]) : Buffer.from(part as string))));

const text = fc.string({ unit: 'binary' });
const key = fc.oneof(text, fc.constantFrom('__proto__', 'constructor', 'toJSON', 'hasOwnProperty', 'length', '1'));
const scalar = fc.oneof(
  text,
  fc.double().filter((value) => !Object.is(value, -0)),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.bigInt(),
  fc.boolean(),
  fc.constant(null),
  fc.constant(undefined),
  fc.date({ noInvalidDate: true }),
  fc.uint8Array().map((value) => Buffer.from(value)),
  fc.float64Array(),
  fc.int16Array(),
  fc.bigUint64Array(),
);
/** Own field by own field, so that `__proto__` is a field like any other. */
const object = (entries: [string, unknown][]): object => {
  const made = {};
  for (const [name, value] of entries) {
    Object.defineProperty(made, name, { value, enumerable: true, configurable: true, writable: true });
  }
  return made;
};
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    scalar,
    fc.array(tie('tree'), { maxLength: 5 }),
    fc.array(fc.tuple(key, tie('tree')), { maxLength: 5 }).map(object),
    fc.array(fc.tuple(tie('tree'), tie('tree')), { maxLength: 4 }).map((entries) => new Map(entries)),
    fc.array(tie('tree'), { maxLength: 4 }).map((items) => new Set(items)),
  ),
}));

describe('values', () => {
  it('come back as they went in', () => {
    fc.assert(
      fc.property(
        tree.filter((value) => value !== undefined),
        (value) => {
          // Compares prototypes, where vitest asks for a field named `constructor`.
          expect(isDeepStrictEqual(there(value), value)).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  });

  it('keep a date that is none, which no comparison calls equal to another', () => {
    const back = there([new Date(Number.NaN)]) as Date[];
    expect(back[0]).toBeInstanceOf(Date);
    expect(back[0]?.getTime()).toBeNaN();
  });

  it('keep a field named __proto__ without touching a prototype', () => {
    const value = object([
      ['__proto__', { admin: true }],
      ['a', 1],
    ]);
    const back = there(value) as Record<string, unknown>;
    expect(Object.keys(back)).toEqual(['__proto__', 'a']);
    expect(back.admin).toBeUndefined();
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype);
  });

  it('are readable to others where they are text or whole numbers', () => {
    expect(encodeValue('grüße').toString()).toBe('grüße');
    expect(encodeValue(42).toString()).toBe('42');
    expect(encodeValue(-7).toString()).toBe('-7');
    expect(encodeValue('').length).toBe(0);
  });

  it('tell text that looks like a number from a number', () => {
    for (const value of ['42', '-7', '0', '9007199254740991']) expect(there(value)).toBe(value);
    for (const value of ['042', '1.5', '+1', '-0', '1e3', ' 1', '9007199254740992']) {
      expect(encodeValue(value).toString()).toBe(value);
      expect(there(value)).toBe(value);
    }
  });

  it('that others wrote are numbers, text or bytes by what they are', () => {
    expect(decodeValue(Buffer.from('10'))).toBe(10);
    expect(decodeValue(Buffer.from('9007199254740993'))).toBe('9007199254740993');
    expect(decodeValue(Buffer.from('hello'))).toBe('hello');
    expect(decodeValue(Buffer.from('\ufffd\ufeffx'))).toBe('\ufffd\ufeffx');
    expect(decodeValue(bytes(0x89, 'PNG', 0xff))).toEqual(bytes(0x89, 'PNG', 0xff));
  });

  it('share no bytes with what they were decoded from', () => {
    const stored = encodeValue({ inner: Buffer.from('abc') });
    const raw = encodeValue(Buffer.from('abc'));
    const values = [decodeValue(stored), decodeValue(raw)];
    stored.fill(0);
    raw.fill(0);
    expect(values).toEqual([{ inner: Buffer.from('abc') }, Buffer.from('abc')]);
  });

  it('take what toJSON gives, and the own fields of other instances', () => {
    class Point {
      x = 1;
      twice(): number {
        return this.x * 2;
      }
    }
    expect(there({ at: new URL('http://a.example/') })).toEqual({ at: 'http://a.example/' });
    expect(there(new Point())).toStrictEqual({ x: 1 });
    expect(there(Object.assign(Object.create(null), { a: 1 }))).toStrictEqual({ a: 1 });
  });

  it.each([
    ['undefined', undefined],
    ['a function', () => 1],
    ['a symbol inside', { a: Symbol('a') }],
    ['a promise', Promise.resolve(1)],
    ['an error', new Error('x')],
    ['a regular expression', [/x/]],
    ['a weak map', new WeakMap()],
    ['a DataView', new DataView(new ArrayBuffer(1))],
  ])('refuse %s', (_, value) => {
    expect(() => encodeValue(value)).toThrowError(expect.objectContaining({ code: 'ERR' }));
  });

  it('refuse what contains itself, what is nested too deep, and what is too large', () => {
    const circle: unknown[] = [];
    circle.push(circle);
    let deep: unknown = 'bottom';
    for (let level = 0; level < NESTING_MAX; level++) deep = new Map([['next', deep]]);
    expect(there(deep)).toStrictEqual(deep);
    expect(() => encodeValue([deep])).toThrowError(/nested deeper/);
    expect(() => encodeValue(circle)).toThrowError(/contains itself/);
    expect(() => encodeValue(Buffer.alloc(16 * 1024 * 1024))).toThrowError(/at most/);
  });

  it('refuse damaged bytes with an error of their own and nothing else', () => {
    fc.assert(
      fc.property(tree, fc.nat(), fc.uint8Array({ maxLength: 12 }), (value, position, noise) => {
        const stored = encodeValue({ value });
        const at = 1 + (position % (stored.length - 1));
        const damaged = Buffer.concat([stored.subarray(0, at), noise, stored.subarray(at + noise.length)]);
        try {
          decodeValue(damaged);
        } catch (error) {
          expect(error).toMatchObject({ name: 'HearsayError', code: 'ERR' });
        }
      }),
      { numRuns: 1000 },
    );
  });

  it.each([
    ['nothing after the mark', bytes(0xc1)],
    ['a cut list', bytes(0xc1, 0x92, 0x01)],
    ['bytes after the end', bytes(0xc1, 0xc0, 0xc0)],
    ['a list of four billion', bytes(0xc1, 0xdd, 0xff, 0xff, 0xff, 0xff)],
    ['a text of four billion', bytes(0xc1, 0xdb, 0xff, 0xff, 0xff, 0xff, 'a')],
    ['bytes of four billion', bytes(0xc1, 0xc6, 0xff, 0xff, 0xff, 0xff, 'a')],
    ['a map of four billion', bytes(0xc1, 0xdf, 0xff, 0xff, 0xff, 0xff)],
    ['nesting without end', Buffer.concat([bytes(0xc1), Buffer.alloc(100_000, 0x91)])],
    ['a map with keys of two kinds', bytes(0xc1, 0x82, 0x01, 0x90, 0xa1, 'a', 0x90)],
    ['an unknown tag', bytes(0xc1, 0x81, 0x63, 0x90)],
    ['a typed array of a broken length', bytes(0xc1, 0x81, 0x03, 0x92, 0x09, 0xc4, 0x03, 'abc')],
    ['a pointer to an earlier object', bytes(0xc1, 0xd6, 0x70, 0, 0, 0, 1)],
    ['a regular expression', bytes(0xc1, 0xd4, 0x78, 0x00, 0x92, 0xa1, 'a', 0xa0)],
  ])('refuse %s', (_, stored) => {
    expect(() => decodeValue(stored)).toThrowError(expect.objectContaining({ code: 'ERR' }));
  });

  it('refuse record definitions, which the unpacker would compile', () => {
    const record = new Packr({ useRecords: true }).pack({ a: 1 });
    expect(record[0]).toBe(0xd4);
    expect(() => decodeValue(bytes(0xc1, record))).toThrowError(/extension 114/);
  });

  it('refuse extensions that another part of the process registered', () => {
    addExtension({ type: 40, unpack: () => 'not ours' });
    expect(() => decodeValue(bytes(0xc1, 0xd4, 40, 0))).toThrowError(/extension 40/);
  });
});
