/** Digests beside those of the reference implementation (libxxhash 0.8.1, XXH3_64bits) of the first bytes of one sequence. */
import { expect, it } from 'vitest';
import { digestOf } from '../../../src/core/base/xxh3.js';

const BYTES = Buffer.from(Array.from({ length: 70_000 }, (_, index) => (index * 131 + 7) & 255));

it.each([
  [0, '2d06800538d394c2'],
  [1, '4c5cca45d0f4811f'],
  [2, '29c60963cbfa4e6e'],
  [3, '6e3e2670e61106ac'],
  [4, '5c4c63133443d03f'],
  [7, '46a5c724d51fe43f'],
  [8, 'f9fd4dd0b04d78f5'],
  [9, '7c20df9712c26edf'],
  [15, 'b345a7b2698ba575'],
  [16, '86abf6baccea0858'],
  [17, 'b58bf5dc5022d071'],
  [32, 'e3712ed84c04a66e'],
  [33, 'a4dee99b093e1f73'],
  [64, '1291d2d4042330dd'],
  [65, '97c6bf83217e5ec9'],
  [96, '81296929fc063365'],
  [97, 'f145a45b658ab9dd'],
  [127, 'ed4cf62104020db5'],
  [128, '10d17f72c0ccba41'],
  [129, '1648bdc3db49d1a2'],
  [143, 'd05ced598f7f87b3'],
  [144, 'b46dbfc6d9e31aba'],
  [200, 'c0fbc0f4e181c826'],
  [239, 'f0d154819adb16cd'],
  [240, 'b6cfaf343fab81e6'],
  [241, '956cae592c67279e'],
  [255, '64a6073025eb7929'],
  [256, 'b15e550733c5dfac'],
  [1023, 'a94ffcd2254368e4'],
  [1024, '70bd377d9574f4bb'],
  [1025, '66c4487c41e127a7'],
  [1088, 'f43dc77e28a9acbc'],
  [2048, '8b46caa67dab3a30'],
  [2049, '581cd184fd9b76c5'],
  [4096, '9ddd66c14af0daff'],
  [65537, '44695d3cd219e355'],
] as const)('%i bytes have the digest %s', (length, digest) => {
  expect(digestOf(BYTES, 0, length)).toBe(digest);
  // Wherever they lie in their buffer.
  const moved = Buffer.concat([Buffer.from('abc'), BYTES.subarray(0, length), Buffer.from('d')]);
  expect(digestOf(moved, 3, 3 + length)).toBe(digest);
});
