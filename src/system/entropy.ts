/**
 * Randomness of the Node world: seeds from the system's generator, drawn once at a start.
 * The world's owner (serve.ts) hands the seed to the node, which draws everything else from it (core/base/random.ts).
 */
import { randomBytes } from 'node:crypto';

/** Three 32-bit words, the state that `new Random(...seed)` starts from. */
export type Seed = readonly [number, number, number];

export function drawSeed(): Seed {
  const bytes = randomBytes(12);
  return [bytes.readUInt32LE(0), bytes.readUInt32LE(4), bytes.readUInt32LE(8)];
}
