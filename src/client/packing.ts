/**
 * MessagePack for values that are neither text, whole numbers nor bytes: any tree of plain data, packed by msgpackr.
 * values.ts calls `packTree` and `unpackTree`; both give back what was put in, or throw HearsayError ERR.
 *
 * What MessagePack has no word for is written as a map with one numeric key, which no object can have:
 *
 *     {1: [k, v, ...]} Map    {2: [v, ...]} Set    {3: [kind, bytes]} typed array    {4: nil} invalid Date
 *
 * Guarded: a decoder meets only bytes that `survey` has walked from end to end: nesting bounded, every length inside the
 * bytes, no extension but undefined (0), big integers (0x42) and timestamps (-1). So record definitions, which msgpackr
 * honours even without `useRecords` and compiles to code, never reach it.
 * Lone surrogates become U+FFFD and -0 becomes 0; class instances come back as plain objects of their own fields.
 */
import { Packr } from 'msgpackr';
import { HearsayError } from '../core/base/errors.js';

/** Levels of nesting that a value may have. */
export const NESTING_MAX = 100;
/** Parts (scalars and containers) that a value may have: a part is a byte at least, and a value is at most 16 MiB. */
const PARTS_MAX = 16 * 1024 * 1024;

const TAG_MAP = 1;
const TAG_SET = 2;
const TAG_TYPED_ARRAY = 3;
const TAG_INVALID_DATE = 4;

const EXTENSION_UNDEFINED = 0;
const EXTENSION_BIGINT = 0x42;
const EXTENSION_TIMESTAMP = 0xff;

/** Field names that msgpackr takes for something else when it meets them on an object. */
const RESERVED_NAMES: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'toJSON']);

type TypedArrayConstructor = new (buffer: ArrayBuffer) => ArrayBufferView;
/** Position is the kind on the wire: append only. 0 is an ArrayBuffer. */
const TYPED_ARRAYS: readonly TypedArrayConstructor[] = [
  Uint8Array,
  Int8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
];

const shared = {
  useRecords: false,
  structuredClone: false,
  moreTypes: false,
  copyBuffers: true,
  variableMapSize: true,
  int64AsType: 'bigint',
  useBigIntExtension: true,
} as const;
const plain = new Packr({ ...shared, mapsAsObjects: true });
/** Reads every map as a Map, so that `revive` sees tags and `__proto__` as they were written. */
const literal = new Packr({ ...shared, mapsAsObjects: false });

/** The packed bytes: a slice of msgpackr's pool, to be copied before the next call. Throws ERR for what is not data. */
export function packTree(value: unknown): Buffer {
  const flattened = new Flattener().flatten(value, 0);
  try {
    return plain.pack(flattened);
  } catch (error) {
    throw new HearsayError('ERR', `value cannot be packed: ${(error as Error).message}`);
  }
}

/** The value of packed bytes from anywhere; throws ERR for bytes that `packTree` could not have written. */
export function unpackTree(bytes: Buffer): unknown {
  const survey = new Survey(bytes);
  if (survey.skip(0, 0) !== bytes.length) throw refusal('bytes after its end');
  try {
    return survey.tagged ? revive(literal.unpack(bytes)) : plain.unpack(bytes);
  } catch (error) {
    if (error instanceof HearsayError) throw error;
    throw refusal((error as Error).message);
  }
}

/** Replaces what MessagePack has no word for; what needs nothing is handed on as it is, without a copy. */
class Flattener {
  private parts = 0;

  flatten(value: unknown, depth: number): unknown {
    if (++this.parts > PARTS_MAX) throw new HearsayError('ERR', 'value has too many parts');
    switch (typeof value) {
      case 'function':
      case 'symbol':
        throw new HearsayError('ERR', `value must not hold a ${typeof value}`);
      case 'object':
        return value === null ? null : this.flattenObject(value, depth);
      default:
        return value;
    }
  }

  private flattenObject(value: object, depth: number): unknown {
    if (depth >= NESTING_MAX) {
      throw new HearsayError('ERR', `value is nested deeper than ${NESTING_MAX} levels, or contains itself`);
    }
    if (Array.isArray(value)) return this.flattenItems(value, depth);
    if (Buffer.isBuffer(value)) return value;
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? new Map([[TAG_INVALID_DATE, null]]) : value;
    if (value instanceof Map) return new Map([[TAG_MAP, this.flattenItems([...value].flat(1), depth)]]);
    if (value instanceof Set) return new Map([[TAG_SET, this.flattenItems([...value], depth)]]);
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return flattenBytes(value);
    const asJson = (value as { toJSON?: unknown }).toJSON;
    if (typeof asJson === 'function') {
      const replaced: unknown = asJson.call(value, '');
      if (replaced !== value) return this.flatten(replaced, depth + 1);
    }
    if (value instanceof Error || value instanceof RegExp || value instanceof Promise || isWeak(value)) {
      throw new HearsayError('ERR', `value must not hold a ${value.constructor.name}`);
    }
    return this.flattenFields(value, depth);
  }

  private flattenItems(items: unknown[], depth: number): unknown[] {
    let copy: unknown[] | null = null;
    for (let at = 0; at < items.length; at++) {
      const flat = this.flatten(items[at], depth + 1);
      if (copy === null && !Object.is(flat, items[at])) copy = items.slice();
      if (copy !== null) copy[at] = flat;
    }
    return copy ?? items;
  }

  /** An ordinary object stays; one of a class, with replaced fields or a reserved one becomes a Map of its own fields. */
  private flattenFields(value: object, depth: number): unknown {
    let copied = Object.getPrototypeOf(value) !== Object.prototype;
    const fields = new Map<string, unknown>();
    for (const [name, field] of Object.entries(value)) {
      const flat = this.flatten(field, depth + 1);
      copied ||= RESERVED_NAMES.has(name) || !Object.is(flat, field);
      fields.set(name, flat);
    }
    return copied ? fields : value;
  }
}

function flattenBytes(value: ArrayBufferView | ArrayBuffer): unknown {
  if (value instanceof ArrayBuffer) return new Map([[TAG_TYPED_ARRAY, [0, Buffer.from(value)]]]);
  const kind = TYPED_ARRAYS.indexOf(value.constructor as TypedArrayConstructor);
  if (kind < 0) throw new HearsayError('ERR', `value must not hold a ${value.constructor.name}`);
  const bytes = Buffer.from(value.buffer as ArrayBuffer, value.byteOffset, value.byteLength);
  return new Map([[TAG_TYPED_ARRAY, [kind + 1, bytes]]]);
}

function isWeak(value: object): boolean {
  return value instanceof WeakMap || value instanceof WeakSet || value instanceof WeakRef;
}

/** Turns maps read literally back into objects, and tags into what they stand for. */
function revive(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(revive);
  if (!(value instanceof Map)) return value;
  if (value.size === 1) {
    const [tag, body] = value.entries().next().value as [unknown, unknown];
    if (typeof tag === 'number') return reviveTag(tag, body);
  }
  const object: Record<string, unknown> = {};
  for (const [name, field] of value) {
    if (typeof name !== 'string') throw refusal('a map with keys that are not text');
    const revived = revive(field);
    if (name === '__proto__') {
      Object.defineProperty(object, name, { value: revived, enumerable: true, configurable: true, writable: true });
    } else {
      object[name] = revived;
    }
  }
  return object;
}

function reviveTag(tag: number, body: unknown): unknown {
  if (tag === TAG_INVALID_DATE) return new Date(Number.NaN);
  if (!Array.isArray(body)) throw refusal('a tag without its list');
  if (tag === TAG_SET) return new Set(body.map(revive));
  if (tag === TAG_MAP && body.length % 2 === 0) {
    const map = new Map<unknown, unknown>();
    for (let at = 0; at < body.length; at += 2) map.set(revive(body[at]), revive(body[at + 1]));
    return map;
  }
  const [kind, bytes] = body as unknown[];
  if (tag !== TAG_TYPED_ARRAY || typeof kind !== 'number' || !Buffer.isBuffer(bytes)) throw refusal('an unknown tag');
  const buffer = new ArrayBuffer(bytes.length);
  new Uint8Array(buffer).set(bytes);
  if (kind === 0) return buffer;
  const TypedArray = TYPED_ARRAYS[kind - 1];
  if (TypedArray === undefined) throw refusal('an unknown typed array');
  return new TypedArray(buffer);
}

/** Walks MessagePack without building anything; linear in the bytes. */
class Survey {
  /** A map with a key that is not text, or is `__proto__`, was met. */
  tagged = false;

  constructor(private readonly bytes: Buffer) {}

  /** The position after the item at `at`. */
  skip(at: number, depth: number): number {
    const token = this.byte(at);
    if (token < 0x80 || token >= 0xe0 || token === 0xc0 || token === 0xc2 || token === 0xc3) return at + 1;
    if (token < 0x90) return this.skipItems(at + 1, token & 0x0f, true, depth);
    if (token < 0xa0) return this.skipItems(at + 1, token & 0x0f, false, depth);
    if (token < 0xc0) return this.within(at + 1 + (token & 0x1f));
    switch (token) {
      case 0xc4:
      case 0xd9:
        return this.within(at + 2 + this.byte(at + 1));
      case 0xc5:
      case 0xda:
        return this.within(at + 3 + this.uint16(at + 1));
      case 0xc6:
      case 0xdb:
        return this.within(at + 5 + this.uint32(at + 1));
      case 0xc7:
        return this.skipExtension(at + 2, this.byte(at + 1));
      case 0xc8:
        return this.skipExtension(at + 3, this.uint16(at + 1));
      case 0xcc:
      case 0xd0:
        return this.within(at + 2);
      case 0xcd:
      case 0xd1:
        return this.within(at + 3);
      case 0xca:
      case 0xce:
      case 0xd2:
        return this.within(at + 5);
      case 0xcb:
      case 0xcf:
      case 0xd3:
        return this.within(at + 9);
      case 0xd4:
      case 0xd5:
      case 0xd6:
      case 0xd7:
      case 0xd8:
        return this.skipExtension(at + 1, 1 << (token - 0xd4));
      case 0xdc:
        return this.skipItems(at + 3, this.uint16(at + 1), false, depth);
      case 0xdd:
        return this.skipItems(at + 5, this.uint32(at + 1), false, depth);
      case 0xde:
        return this.skipItems(at + 3, this.uint16(at + 1), true, depth);
      case 0xdf:
        return this.skipItems(at + 5, this.uint32(at + 1), true, depth);
      default:
        throw refusal(`token ${token}`);
    }
  }

  private skipItems(at: number, count: number, keyed: boolean, depth: number): number {
    // A tagged Map takes two levels for one of the value's own.
    if (depth > 2 * NESTING_MAX) throw refusal('nesting too deep');
    let next = at;
    for (let item = 0; item < count; item++) {
      if (keyed) {
        const end = this.skip(next, depth + 1);
        this.noteKey(next, end);
        next = end;
      }
      next = this.skip(next, depth + 1);
    }
    return next;
  }

  private noteKey(start: number, end: number): void {
    const token = this.bytes[start];
    const text = (token >= 0xa0 && token < 0xc0) || (token >= 0xd9 && token <= 0xdb);
    // '__proto__' is nine bytes, so its header is one, two, three or five; the text itself ends the key either way.
    if (
      !text ||
      (end - start >= 10 && end - start <= 14 && this.bytes.toString('latin1', end - 9, end) === '__proto__')
    ) {
      this.tagged = true;
    }
  }

  private skipExtension(at: number, length: number): number {
    const type = this.byte(at);
    if (type !== EXTENSION_UNDEFINED && type !== EXTENSION_BIGINT && type !== EXTENSION_TIMESTAMP) {
      throw refusal(`extension ${type}`);
    }
    if (type === EXTENSION_BIGINT && length === 0) throw refusal('an empty integer');
    return this.within(at + 1 + length);
  }

  private byte(at: number): number {
    if (at >= this.bytes.length) throw refusal('its end is missing');
    return this.bytes[at];
  }

  private uint16(at: number): number {
    return this.byte(at) * 0x100 + this.byte(at + 1);
  }

  private uint32(at: number): number {
    return this.uint16(at) * 0x10000 + this.uint16(at + 2);
  }

  private within(end: number): number {
    if (end > this.bytes.length) throw refusal('its end is missing');
    return end;
  }
}

function refusal(why: string): HearsayError {
  return new HearsayError('ERR', `a stored value is not readable: ${why}`);
}
