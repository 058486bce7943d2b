/**
 * Key -> slot -> partition, as Redis Cluster has it: CRC16 (XMODEM) of the key or of its `{hash tag}`, modulo 16,384, and
 * each partition a contiguous range of slots. Sessions, the client and the spine call it on every key; it allocates nothing.
 * Guarded: a stock cluster client computes the same slot, and every slot belongs to exactly one partition.
 */

/** Slots of a cluster, as the Redis Cluster specification fixes them. */
export const SLOTS = 16384;

/** Slots from `first` to `last`, both included. */
export interface SlotRange {
  first: number;
  last: number;
}

const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const TABLE = buildTable();

/** CRC16 of `bytes[start, end)`, polynomial 0x1021, initial value 0, not reflected (XMODEM). */
export function crc16(bytes: Uint8Array, start: number, end: number): number {
  let crc = 0;
  for (let at = start; at < end; at++) crc = ((crc << 8) & 0xffff) ^ TABLE[(crc >>> 8) ^ bytes[at]];
  return crc;
}

/**
 * The slot of the key `bytes[start, end)`. Only what stands between the first `{` and the next `}` is hashed, if both are
 * there and something is between them; so keys with the same tag share a slot.
 */
export function slotOf(bytes: Uint8Array, start: number, end: number): number {
  let crc = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at];
    if (byte === OPEN_BRACE) return taggedSlotOf(bytes, start, at, end);
    crc = ((crc << 8) & 0xffff) ^ TABLE[(crc >>> 8) ^ byte];
  }
  return crc & (SLOTS - 1);
}

function taggedSlotOf(bytes: Uint8Array, start: number, open: number, end: number): number {
  let close = open + 1;
  while (close < end && bytes[close] !== CLOSE_BRACE) close++;
  const isTagged = close < end && close > open + 1;
  return (isTagged ? crc16(bytes, open + 1, close) : crc16(bytes, start, end)) & (SLOTS - 1);
}

/** Whether a cluster can have this many partitions: a divisor of 16,384, at least 1. */
export function partitionsAreValid(partitions: number): boolean {
  return Number.isInteger(partitions) && partitions >= 1 && partitions <= SLOTS && SLOTS % partitions === 0;
}

/** The partition that holds `slot`, of `partitions` (a divisor of 16,384). */
export function partitionOfSlot(slot: number, partitions: number): number {
  return (slot * partitions) >>> 14;
}

/** The partition of the key `bytes[start, end)`. */
export function partitionOf(bytes: Uint8Array, start: number, end: number, partitions: number): number {
  return partitionOfSlot(slotOf(bytes, start, end), partitions);
}

/** The slots of one partition. */
export function slotsOfPartition(partition: number, partitions: number): SlotRange {
  const width = SLOTS / partitions;
  return { first: partition * width, last: (partition + 1) * width - 1 };
}

function buildTable(): Uint16Array {
  const table = new Uint16Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
    table[byte] = crc;
  }
  return table;
}
