/**
 * Control messages between nodes as MessagePack arrays of fixed positions (package msgpackr, records and extensions off).
 * The packet and the frame call it; what it decodes is plain data that its receiver still validates field by field.
 * Guarded: the decoder meets only bytes that were walked from end to end: arrays, text, bytes, numbers, booleans and nil, every
 * length inside the message, nesting bounded. Maps and extensions have no place in one, so record definitions, which msgpackr
 * would compile to code, never reach it. Nothing decoded aliases the buffer it came from.
 */
import { Packr } from 'msgpackr';

export type ControlMessage = readonly unknown[];

const packr = new Packr({ useRecords: false, encodeUndefinedAsNil: true, int64AsType: 'number', copyBuffers: true });
const MESSAGE_BYTES_MAX = 1 << 20;
const DEPTH_MAX = 8;
const REFUSED = -1;

export function encodeControl(message: ControlMessage): Buffer {
  // The packer hands out slices of a pool that it writes on into; ours outlive the call.
  return Buffer.from(packr.pack(message));
}

/** The message, or null when the bytes are no well-formed array of plain data or are too many. */
export function decodeControl(bytes: Buffer, start: number, end: number): ControlMessage | null {
  if (end <= start || end - start > MESSAGE_BYTES_MAX) return null;
  const first = bytes[start];
  if ((first & 0xf0) !== 0x90 && first !== 0xdc && first !== 0xdd) return null;
  if (skipValue(bytes, start, end, 0) !== end) return null;
  try {
    const value: unknown = packr.unpack(bytes.subarray(start, end));
    return Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

/** Where the value at `at` ends; REFUSED if it is not plain data within `end`. */
function skipValue(bytes: Buffer, at: number, end: number, depth: number): number {
  if (at >= end || depth > DEPTH_MAX) return REFUSED;
  const head = bytes[at];
  if (head <= 0x7f || head >= 0xe0 || head === 0xc0 || head === 0xc2 || head === 0xc3) return at + 1;
  if ((head & 0xf0) === 0x90) return skipItems(bytes, at + 1, end, head & 0x0f, depth);
  if ((head & 0xe0) === 0xa0) return within(at + 1 + (head & 0x1f), end);
  switch (head) {
    case 0xc4: // bin 8
    case 0xd9: // str 8
      return at + 2 > end ? REFUSED : within(at + 2 + bytes[at + 1], end);
    case 0xc5: // bin 16
    case 0xda: // str 16
      return at + 3 > end ? REFUSED : within(at + 3 + bigEndian(bytes, at + 1, 2), end);
    case 0xc6: // bin 32
    case 0xdb: // str 32
      return at + 5 > end ? REFUSED : within(at + 5 + bigEndian(bytes, at + 1, 4), end);
    case 0xcc: // unsigned and signed integers, floats
    case 0xd0:
      return within(at + 2, end);
    case 0xcd:
    case 0xd1:
      return within(at + 3, end);
    case 0xca:
    case 0xce:
    case 0xd2:
      return within(at + 5, end);
    case 0xcb:
    case 0xcf:
    case 0xd3:
      return within(at + 9, end);
    case 0xdc: // array 16
      return at + 3 > end ? REFUSED : skipItems(bytes, at + 3, end, bigEndian(bytes, at + 1, 2), depth);
    case 0xdd: // array 32
      return at + 5 > end ? REFUSED : skipItems(bytes, at + 5, end, bigEndian(bytes, at + 1, 4), depth);
    default:
      return REFUSED;
  }
}

function skipItems(bytes: Buffer, start: number, end: number, count: number, depth: number): number {
  // Every item takes a byte at least.
  if (count > end - start) return REFUSED;
  let at = start;
  for (let item = 0; item < count && at !== REFUSED; item++) at = skipValue(bytes, at, end, depth + 1);
  return at;
}

function within(at: number, end: number): number {
  return at <= end ? at : REFUSED;
}

function bigEndian(bytes: Buffer, at: number, count: number): number {
  let value = 0;
  for (let index = 0; index < count; index++) value = value * 256 + bytes[at + index];
  return value;
}
