/**
 * Control messages between nodes as MessagePack arrays of fixed positions (package msgpackr, records and extensions off).
 * The packet and the frame call it; what it decodes is plain data that its receiver still validates field by field.
 * Guarded: bytes from outside never throw past here, and nothing decoded aliases the buffer it came from.
 */
import { Packr, Unpackr } from 'msgpackr';

export type ControlMessage = readonly unknown[];

const packr = new Packr({ useRecords: false, encodeUndefinedAsNil: true, variableMapSize: true });
const unpackr = new Unpackr({ useRecords: false, int64AsType: 'number', copyBuffers: true });

/** Extensions could define record readers: type bytes 0xc7-0xc9 and 0xd4-0xd8 have no place in a control message. */
const BYTES_MAX = 1 << 20;

export function encodeControl(message: ControlMessage): Buffer {
  const packed = packr.pack(message);
  // The packer hands out slices of a pool that it writes on into; ours outlive the call.
  return Buffer.from(packed);
}

/** The message, or null when the bytes are no well-formed array or are too many. */
export function decodeControl(bytes: Buffer, start: number, end: number): ControlMessage | null {
  if (end - start > BYTES_MAX || end <= start) return null;
  const first = bytes[start];
  const isArray = (first & 0xf0) === 0x90 || first === 0xdc || first === 0xdd;
  if (!isArray) return null;
  try {
    const value: unknown = unpackr.unpack(bytes.subarray(start, end));
    return Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}
