/**
 * What happens to valid bytes before a decoder meets them: cut short, bits flipped, length fields that lie, pieces put in, taken out or said
 * twice, two valid ones spliced; and the pieces that a stream may come in. The grammars of this room are handed to `mutated`.
 * Guarded: a mutation depends on its draws alone, so that a case that fails can be shrunk and run again.
 */
import fc from 'fast-check';

/** Draws of one change; `at` and `size` are taken modulo what there is. */
export interface Change {
  kind: 'cut' | 'flip' | 'byte' | 'word' | 'digits' | 'insert' | 'remove' | 'repeat' | 'splice';
  at: number;
  size: number;
  value: number;
  bytes: Uint8Array;
}

/** Lengths and counts at which decoders have been wrong. */
const LIES = [
  0, 1, 2, 3, 7, 8, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0xffffff, 0x1000000, 0x7fffffff,
  0x80000000, 0xfffffff8, 0xffffffff,
];
const DIGITS = ['0', '1', '-1', '-0', '+1', '01', '1e3', '2147483647', '4294967296', '99999999999999999999', '', ' 1'];

const change: fc.Arbitrary<Change> = fc.record({
  kind: fc.constantFrom('cut', 'flip', 'byte', 'word', 'word', 'digits', 'insert', 'remove', 'repeat', 'splice'),
  at: fc.nat(1 << 20),
  size: fc.nat(64),
  value: fc.oneof(fc.constantFrom(...LIES), fc.nat(1500)),
  bytes: fc.uint8Array({ maxLength: 12 }),
});

/** Bytes of `valid`, changed up to four times; unchanged now and then. */
export function mutated(valid: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> {
  return fc
    .tuple(valid, valid, fc.array(change, { maxLength: 4 }))
    .map(([bytes, other, changes]) => changes.reduce((now, each) => applyChange(now, other, each), bytes));
}

/** The same change to every valid one it is given, for bytes that were recorded and not drawn. */
export const changes = fc.array(change, { minLength: 1, maxLength: 3 });

export function applyChanges(bytes: Buffer, other: Buffer, list: readonly Change[]): Buffer {
  return list.reduce((now, each) => applyChange(now, other, each), bytes);
}

function applyChange(bytes: Buffer, other: Buffer, { kind, at, size, value, bytes: drawn }: Change): Buffer {
  const here = bytes.length === 0 ? 0 : at % bytes.length;
  const until = Math.min(bytes.length, here + size);
  const out = Buffer.from(bytes);
  switch (kind) {
    case 'cut':
      return out.subarray(0, here);
    case 'flip':
      if (out.length > 0) out[here] ^= 1 << (value & 7);
      return out;
    case 'byte':
      if (out.length > 0) out[here] = value;
      return out;
    case 'word':
      return writeLie(out, here, size, value);
    case 'digits':
      return replaceDigits(out, at, DIGITS[value % DIGITS.length]);
    case 'insert':
      return Buffer.concat([out.subarray(0, here), drawn, out.subarray(here)]);
    case 'remove':
      return Buffer.concat([out.subarray(0, here), out.subarray(until)]);
    case 'repeat':
      return Buffer.concat([out.subarray(0, until), out.subarray(here)]);
    case 'splice':
      return Buffer.concat([out.subarray(0, here), other.subarray(other.length === 0 ? 0 : value % other.length)]);
  }
}

function writeLie(out: Buffer, at: number, form: number, value: number): Buffer {
  const wide = at + 4 <= out.length;
  if (wide && form % 4 === 0) out.writeUInt32LE(value >>> 0, at);
  else if (wide && form % 4 === 1) out.writeUInt32BE(value >>> 0, at);
  else if (at + 2 <= out.length && form % 2 === 0) out.writeUInt16LE(value & 0xffff, at);
  else if (at + 2 <= out.length) out.writeUInt16BE(value & 0xffff, at);
  return out;
}

/** Puts `text` in the place of the run of digits that is next behind `at`. */
function replaceDigits(out: Buffer, at: number, text: string): Buffer {
  const runs = [...out.toString('latin1').matchAll(/\d+/g)];
  if (runs.length === 0) return out;
  const run = runs[at % runs.length];
  return Buffer.concat([
    out.subarray(0, run.index),
    Buffer.from(text, 'latin1'),
    out.subarray(run.index + run[0].length),
  ]);
}

/** Where a stream is cut; positions are taken modulo its length. */
export const cuts = fc.array(fc.nat(4000), { maxLength: 12 });

/** The pieces of `bytes`, each in memory of its own. `at` null: byte by byte. */
export function piecesOf(bytes: Buffer, at: readonly number[] | null): Buffer[] {
  const every = at === null ? Array.from({ length: bytes.length }, (_unused, index) => index) : at;
  const ends = [...new Set(every.map((cut) => cut % (bytes.length + 1))), bytes.length].sort((a, b) => a - b);
  const pieces: Buffer[] = [];
  let from = 0;
  for (const to of ends) {
    if (to > from) pieces.push(Buffer.from(bytes.subarray(from, to)));
    from = to;
  }
  return pieces;
}
