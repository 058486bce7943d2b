/**
 * XXH3, 64 bits, seed 0 (Yann Collet's xxHash, "XXH3 64-bit" of its specification): the digest of a value that DIGEST and IFDEQ speak of, equal to
 * what other servers and clients compute. Not keyed: it stands for nothing that a stranger must not be able to make.
 * Guarded: up to 240 bytes in BigInts; what is longer in pairs of 32 bits, without an allocation per stripe.
 */

const MASK = 0xffffffffffffffffn;
const PRIME32_1 = 0x9e3779b1;
const PRIME64_1 = 0x9e3779b185ebca87n;
const PRIME64_2 = 0xc2b2ae3d27d4eb4fn;
const PRIME64_3 = 0x165667b19e3779f9n;
const MIX_1 = 0x165667919e3779f9n;
const MIX_2 = 0x9fb21c651e98df25n;
/** What the eight sums of a long value begin with. */
const SUMS = [
  0xc2b2ae3dn,
  PRIME64_1,
  PRIME64_2,
  PRIME64_3,
  0x85ebca77c2b2ae63n,
  0x85ebca77n,
  0x27d4eb2f165667c5n,
  0x9e3779b1n,
];
const STRIPE = 64;
const STRIPES_PER_BLOCK = 16;
const BLOCK = STRIPE * STRIPES_PER_BLOCK;
const SECRET = Buffer.from(
  'b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c' +
    '3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364' +
    'eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e',
  'hex',
);
const SCRAMBLE_AT = SECRET.length - STRIPE;

/** As 16 hexadecimal digits, in lower case. */
export function digestOf(bytes: Buffer, start: number, end: number): string {
  const value = bytes.subarray(start, end);
  return hashOf(value).toString(16).padStart(16, '0');
}

function hashOf(value: Buffer): bigint {
  const { length } = value;
  if (length > 240) return hashLong(value);
  if (length > 128) return hashMiddle(value);
  if (length > 16) return hashShort(value);
  if (length > 8) {
    const low = read64(value, 0) ^ read64(SECRET, 24) ^ read64(SECRET, 32);
    const high = read64(value, length - 8) ^ read64(SECRET, 40) ^ read64(SECRET, 48);
    return avalanche(BigInt(length) + swapped(low) + high + folded(low, high));
  }
  if (length > 3) {
    const both = BigInt(value.readUInt32LE(length - 4)) + (BigInt(value.readUInt32LE(0)) << 32n);
    return mixed(both ^ read64(SECRET, 8) ^ read64(SECRET, 16), BigInt(length));
  }
  if (length === 0) return finished(read64(SECRET, 56) ^ read64(SECRET, 64));
  const joined = ((value[0] << 16) | (value[length >> 1] << 24) | value[length - 1] | (length << 8)) >>> 0;
  return finished(BigInt((joined ^ SECRET.readUInt32LE(0) ^ SECRET.readUInt32LE(4)) >>> 0));
}

/** 17 to 128 bytes: from both ends to the middle. */
function hashShort(value: Buffer): bigint {
  const { length } = value;
  let sum = BigInt(length) * PRIME64_1;
  for (let pair = Math.floor((length - 1) / 32); pair >= 0; pair--) {
    sum += mix16(value, pair * 16, pair * 32) + mix16(value, length - pair * 16 - 16, pair * 32 + 16);
  }
  return avalanche(sum);
}

function hashMiddle(value: Buffer): bigint {
  const { length } = value;
  let sum = BigInt(length) * PRIME64_1;
  for (let at = 0; at < 128; at += 16) sum += mix16(value, at, at);
  sum = avalanche(sum);
  for (let at = 128; at + 16 <= length; at += 16) sum += mix16(value, at, at - 128 + 3);
  return avalanche(sum + mix16(value, length - 16, 136 - 17));
}

function hashLong(value: Buffer): bigint {
  const { length } = value;
  const low = Uint32Array.from(SUMS, (sum) => Number(sum & 0xffffffffn));
  const high = Uint32Array.from(SUMS, (sum) => Number(sum >> 32n));
  const blocks = Math.floor((length - 1) / BLOCK);
  for (let block = 0; block < blocks; block++) {
    for (let stripe = 0; stripe < STRIPES_PER_BLOCK; stripe++) {
      addStripe(low, high, value, block * BLOCK + stripe * STRIPE, stripe * 8);
    }
    scramble(low, high);
  }
  const stripes = Math.floor((length - 1 - blocks * BLOCK) / STRIPE);
  for (let stripe = 0; stripe < stripes; stripe++) {
    addStripe(low, high, value, blocks * BLOCK + stripe * STRIPE, stripe * 8);
  }
  addStripe(low, high, value, length - STRIPE, SCRAMBLE_AT - 7);
  const sums = Array.from(low, (word, lane) => (BigInt(high[lane]) << 32n) | BigInt(word));
  let total = BigInt(length) * PRIME64_1;
  for (let lane = 0; lane < 8; lane += 2) {
    total += folded(sums[lane] ^ read64(SECRET, 11 + lane * 8), sums[lane + 1] ^ read64(SECRET, 19 + lane * 8));
  }
  return avalanche(total);
}

/** Each lane takes the product of its keyed halves, and its neighbour's input. */
function addStripe(low: Uint32Array, high: Uint32Array, value: Buffer, at: number, secretAt: number): void {
  for (let lane = 0; lane < 8; lane++) {
    const inLow = word(value, at + lane * 8);
    const inHigh = word(value, at + lane * 8 + 4);
    add(low, high, lane ^ 1, inLow, inHigh);
    const left = (inLow ^ word(SECRET, secretAt + lane * 8)) >>> 0;
    const right = (inHigh ^ word(SECRET, secretAt + lane * 8 + 4)) >>> 0;
    add(low, high, lane, Math.imul(left, right) >>> 0, highOfProduct(left, right));
  }
}

function scramble(low: Uint32Array, high: Uint32Array): void {
  for (let lane = 0; lane < 8; lane++) {
    const folded47 = high[lane] >>> 15;
    const newLow = (low[lane] ^ folded47 ^ word(SECRET, SCRAMBLE_AT + lane * 8)) >>> 0;
    const newHigh = (high[lane] ^ word(SECRET, SCRAMBLE_AT + lane * 8 + 4)) >>> 0;
    low[lane] = Math.imul(newLow, PRIME32_1);
    high[lane] = highOfProduct(newLow, PRIME32_1) + Math.imul(newHigh, PRIME32_1);
  }
}

function add(low: Uint32Array, high: Uint32Array, lane: number, addedLow: number, addedHigh: number): void {
  const sum = low[lane] + addedLow;
  low[lane] = sum;
  high[lane] = high[lane] + addedHigh + (sum > 0xffffffff ? 1 : 0);
}

/** The upper half of a product of two numbers of 32 bits. */
function highOfProduct(left: number, right: number): number {
  const [leftLow, leftHigh, rightLow, rightHigh] = [left & 0xffff, left >>> 16, right & 0xffff, right >>> 16];
  const first = leftHigh * rightLow + ((leftLow * rightLow) >>> 16);
  const second = leftLow * rightHigh + (first & 0xffff);
  return leftHigh * rightHigh + (first >>> 16) + (second >>> 16);
}

function word(bytes: Buffer, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
}

function read64(bytes: Buffer, at: number): bigint {
  return (BigInt(bytes.readUInt32LE(at + 4)) << 32n) | BigInt(bytes.readUInt32LE(at));
}

function mix16(value: Buffer, at: number, secretAt: number): bigint {
  return folded(read64(value, at) ^ read64(SECRET, secretAt), read64(value, at + 8) ^ read64(SECRET, secretAt + 8));
}

/** Both halves of a product, as one. */
function folded(left: bigint, right: bigint): bigint {
  const product = left * right;
  return (product & MASK) ^ (product >> 64n);
}

function avalanche(sum: bigint): bigint {
  let hash = sum & MASK;
  hash ^= hash >> 37n;
  hash = (hash * MIX_1) & MASK;
  return hash ^ (hash >> 32n);
}

/** The avalanche of XXH64. */
function finished(value: bigint): bigint {
  let hash = value ^ (value >> 33n);
  hash = (hash * PRIME64_2) & MASK;
  hash ^= hash >> 29n;
  hash = (hash * PRIME64_3) & MASK;
  return hash ^ (hash >> 32n);
}

function mixed(value: bigint, length: bigint): bigint {
  let hash = value ^ rotated(value, 49n) ^ rotated(value, 24n);
  hash = (hash * MIX_2) & MASK;
  hash ^= (hash >> 35n) + length;
  hash = (hash * MIX_2) & MASK;
  return hash ^ (hash >> 28n);
}

function rotated(value: bigint, by: bigint): bigint {
  return ((value << by) | (value >> (64n - by))) & MASK;
}

/** Its eight bytes the other way round. */
function swapped(value: bigint): bigint {
  let result = 0n;
  for (let rest = value, byte = 0; byte < 8; byte++, rest >>= 8n) result = (result << 8n) | (rest & 0xffn);
  return result;
}
