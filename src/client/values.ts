/**
 * The codec of values: what a JavaScript value is as the bytes of an entry, so that redis-cli can read what this client
 * wrote and this client can read what others wrote. The client encodes before a SET and decodes after a GET.
 *
 *     value                            bytes                                     redis-cli sees
 *     text                             UTF-8                                     the text
 *     whole number (safe integer)      decimal digits, so that INCR works        the number
 *     text that looks like the above   0xC1, MessagePack text                    marked bytes
 *     Buffer, Uint8Array               0xC1 0xC1, the bytes                      marked bytes
 *     anything else                    0xC1, MessagePack (packing.ts)            marked bytes
 *
 * 0xC1 begins no UTF-8 text and no MessagePack item, so the first two bytes decide and nothing is mistaken. Bytes that
 * others wrote come back as a number if they are the canonical digits of a safe integer, as text if they are UTF-8, and as
 * a Buffer otherwise.
 */
import { HearsayError } from '../core/base/errors.js';
import { VALUE_BYTES_MAX } from '../core/record/record.js';
import { packTree, unpackTree } from './packing.js';

const MARK = 0xc1;
const DIGITS = /^(?:0|-?[1-9]\d{0,15})$/;
const REPLACEMENT = '\ufffd';

/** The bytes to store. Throws HearsayError ERR for `undefined`, functions, symbols, and what exceeds 16 MiB. */
export function encodeValue(value: unknown): Buffer {
  if (value === undefined) throw new HearsayError('ERR', 'value must not be undefined: a read of it would be a miss');
  const bytes = encode(value);
  if (bytes.length > VALUE_BYTES_MAX) {
    throw new HearsayError('ERR', `value is ${bytes.length} bytes; at most ${VALUE_BYTES_MAX} can be stored`);
  }
  return bytes;
}

/** The value of an entry's bytes, sharing none of them. Throws HearsayError ERR for marked bytes that are damaged. */
export function decodeValue(bytes: Buffer): unknown {
  if (bytes[0] === MARK) {
    return bytes[1] === MARK ? Buffer.from(bytes.subarray(2)) : unpackTree(bytes.subarray(1));
  }
  const text = bytes.toString('utf8', 0, bytes.length);
  if (isWholeNumber(text)) return Number(text);
  // Invalid UTF-8 decodes with replacement characters; text that holds a real one encodes to the same bytes again.
  return text.includes(REPLACEMENT) && !Buffer.from(text).equals(bytes) ? Buffer.from(bytes) : text;
}

function encode(value: unknown): Buffer {
  if (typeof value === 'string' && !isWholeNumber(value)) return Buffer.from(value);
  if (typeof value === 'number' && Number.isSafeInteger(value)) return Buffer.from(String(value));
  if (value instanceof Uint8Array) return marked(value, 2);
  return marked(packTree(value), 1);
}

function marked(body: Uint8Array, marks: number): Buffer {
  const bytes = Buffer.allocUnsafe(marks + body.length);
  for (let at = 0; at < marks; at++) bytes[at] = MARK;
  bytes.set(body, marks);
  return bytes;
}

function isWholeNumber(text: string): boolean {
  return text.length > 0 && text.length <= 17 && DIGITS.test(text) && Number.isSafeInteger(Number(text));
}
