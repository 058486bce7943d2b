/**
 * CRC-32 (IEEE 802.3, reflected polynomial 0xEDB88320), as zlib computes it. Of empty input it is 0, so callers never
 * accept an empty body. A table in JavaScript is faster than a native call below about 350 bytes; the world may hand in
 * the native function for what is longer. Both give the same number, so the choice is invisible.
 */

const TABLE = buildTables();
const NATIVE_FROM_BYTES = 350;

type NativeCrc32 = (bytes: Uint8Array) => number;
let native: NativeCrc32 | null = null;

/** Hands in a faster function with the same result (`zlib.crc32`) for inputs of 350 bytes and more. */
export function accelerateCrc32(crc: NativeCrc32): void {
  native = crc;
}

/** CRC-32 of `bytes[start, end)`, as an unsigned 32-bit number. */
export function crc32(bytes: Uint8Array, start: number, end: number): number {
  if (native !== null && end - start >= NATIVE_FROM_BYTES) return native(bytes.subarray(start, end));
  let crc = -1;
  let at = start;
  for (; at + 4 <= end; at += 4) {
    crc ^= bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    crc =
      TABLE[768 + (crc & 0xff)] ^
      TABLE[512 + ((crc >>> 8) & 0xff)] ^
      TABLE[256 + ((crc >>> 16) & 0xff)] ^
      TABLE[crc >>> 24];
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ TABLE[(crc ^ bytes[at]) & 0xff];
  return ~crc >>> 0;
}

/** Four tables of 256 words: slicing by four (Kounavis and Berry, 2005). */
function buildTables(): Int32Array {
  const table = new Int32Array(1024);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    table[byte] = crc;
  }
  for (let byte = 0; byte < 256; byte++) {
    for (let slice = 1; slice < 4; slice++) {
      const previous = table[(slice - 1) * 256 + byte];
      table[slice * 256 + byte] = (previous >>> 8) ^ table[previous & 0xff];
    }
  }
  return table;
}
