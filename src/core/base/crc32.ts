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
  for (; at + 8 <= end; at += 8) {
    crc =
      TABLE[1792 + ((crc ^ bytes[at]) & 0xff)] ^
      TABLE[1536 + (((crc >>> 8) ^ bytes[at + 1]) & 0xff)] ^
      TABLE[1280 + (((crc >>> 16) ^ bytes[at + 2]) & 0xff)] ^
      TABLE[1024 + ((crc >>> 24) ^ bytes[at + 3])] ^
      TABLE[768 + bytes[at + 4]] ^
      TABLE[512 + bytes[at + 5]] ^
      TABLE[256 + bytes[at + 6]] ^
      TABLE[bytes[at + 7]];
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ TABLE[(crc ^ bytes[at]) & 0xff];
  return ~crc >>> 0;
}

/** Eight tables of 256 words: slicing by eight (Kounavis and Berry, 2005). */
function buildTables(): Int32Array {
  const table = new Int32Array(2048);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    table[byte] = crc;
  }
  for (let byte = 0; byte < 256; byte++) {
    for (let slice = 1; slice < 8; slice++) {
      const previous = table[(slice - 1) * 256 + byte];
      table[slice * 256 + byte] = (previous >>> 8) ^ table[previous & 0xff];
    }
  }
  return table;
}
