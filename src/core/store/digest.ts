/**
 * Digests of partitions: each record adds a 64-bit element to the sum of its leaf (the top 8 bits of the key's hash), and
 * the root mixes the 256 sums. The entries add and subtract elements; repair compares sums. Sums modulo 2^32 per word
 * commute, so a digest depends on the records held and not on how they came; the element holds the record's own CRC, so
 * equal digests mean equal bytes. Forerunner: riak_core's hashtree.erl.
 */
import { mix32 } from '../base/hash.js';

export const LEAVES = 256;
/** Words of one partition's sums: [low, high] a leaf. */
export const LEAF_WORDS = LEAVES * 2;

export function elementLow(hash: number, crc: number): number {
  return mix32(crc, hash);
}

export function elementHigh(hash: number, crc: number, hlcLow: number): number {
  return mix32(hlcLow ^ ((hash << 16) | (hash >>> 16)), crc);
}

export function rootLow(sums: Uint32Array): number {
  let root = 0;
  for (let at = 0; at < LEAF_WORDS; at += 2) root = mix32(root ^ sums[at], sums[at + 1] + at);
  return root;
}

export function rootHigh(sums: Uint32Array): number {
  let root = 1;
  for (let at = 0; at < LEAF_WORDS; at += 2) root = mix32(root ^ sums[at + 1], sums[at] + at);
  return root;
}
