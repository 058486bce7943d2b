/**
 * The bytes of what nodes tell each other of floors: FLOORS and GONE. The floor desk speaks them; nothing else knows the offsets. All
 * little endian.
 *
 *     FLOORS  0 f64 the sender's wall clock, ms   8 u16 partitions less one   10 u8[6] zero   16 f64 floor per partition, then a bit per
 *             partition, lowest first: the sender neither owns it nor holds anything of it
 *     GONE    0 u16 partition   2 u8[6] zero   8 f64 the sender's floor   16 hashes of keys: u32 low, u32 high
 */
/** Of a key's hash: two words. */
const HASH_BYTES = 8;

const FLOORS_HEADER_BYTES = 16;
const GONE_HEADER_BYTES = 16;

export interface FloorsSaid {
  wallMs: number;
  floors: Float64Array;
  isClear(partition: number): boolean;
}

export function encodeFloors(wallMs: number, floors: Float64Array, isClear: (partition: number) => boolean): Buffer {
  const bits = FLOORS_HEADER_BYTES + floors.length * 8;
  const body = Buffer.alloc(bits + Math.ceil(floors.length / 8));
  body.writeDoubleLE(wallMs, 0);
  body.writeUInt16LE(floors.length - 1, 8);
  for (let partition = 0; partition < floors.length; partition++) {
    body.writeDoubleLE(floors[partition], FLOORS_HEADER_BYTES + partition * 8);
    if (isClear(partition)) body[bits + (partition >>> 3)] |= 1 << (partition & 7);
  }
  return body;
}

/** Null unless the bytes are the floors of so many partitions. */
export function readFloors(body: Buffer, partitions: number): FloorsSaid | null {
  const bits = FLOORS_HEADER_BYTES + partitions * 8;
  if (body.length !== bits + Math.ceil(partitions / 8) || body.readUInt16LE(8) !== partitions - 1) return null;
  const wallMs = body.readDoubleLE(0);
  if (!Number.isSafeInteger(wallMs) || wallMs < 0) return null;
  const floors = new Float64Array(partitions);
  for (let partition = 0; partition < partitions; partition++) {
    const hlc = body.readDoubleLE(FLOORS_HEADER_BYTES + partition * 8);
    if (!Number.isSafeInteger(hlc) || hlc < 0) return null;
    floors[partition] = hlc;
  }
  const clear = Buffer.from(body.subarray(bits));
  return { wallMs, floors, isClear: (partition) => ((clear[partition >>> 3] >>> (partition & 7)) & 1) === 1 };
}

export interface GoneSaid {
  partition: number;
  hlc: number;
  /** Hashes, low and high by turns. */
  hashes: number[];
}

export function encodeGone({ partition, hlc, hashes }: GoneSaid): Buffer {
  const body = Buffer.alloc(GONE_HEADER_BYTES + hashes.length * (HASH_BYTES / 2));
  body.writeUInt16LE(partition, 0);
  body.writeDoubleLE(hlc, 8);
  for (let index = 0; index < hashes.length; index++) body.writeUInt32LE(hashes[index], GONE_HEADER_BYTES + index * 4);
  return body;
}

/** Null unless the bytes are well formed. */
export function readGone(body: Buffer, partitions: number): GoneSaid | null {
  if (body.length < GONE_HEADER_BYTES || (body.length - GONE_HEADER_BYTES) % HASH_BYTES !== 0) return null;
  const partition = body.readUInt16LE(0);
  const hlc = body.readDoubleLE(8);
  if (partition >= partitions || !Number.isSafeInteger(hlc) || hlc < 0) return null;
  const hashes: number[] = [];
  for (let at = GONE_HEADER_BYTES; at < body.length; at += 4) hashes.push(body.readUInt32LE(at));
  return { partition, hlc, hashes };
}
