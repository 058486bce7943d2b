/**
 * Keyed randomness: every decision of the simulated world is a hash of (seed, sender, counter, purpose).
 * The network and the schedule draw here. Guarded: a decision depends on nothing but its key, so taking one step out of a
 * schedule leaves the fate of every other message as it was, which is what lets shrinking reach a handful of steps.
 */
import { mix32 } from '../core/base/hash.js';

/** What a draw is for: part of its key. */
export const PURPOSE = {
  loss: 1,
  duplicate: 2,
  corrupt: 3,
  corruptAt: 4,
  truncate: 5,
  truncateAt: 6,
  lag: 7,
  duplicateLag: 8,
  connectLag: 9,
  segmentLag: 10,
  segmentCut: 11,
  segmentOneByte: 12,
  reset: 13,
  retransmit: 14,
  turnDelay: 15,
  turnCost: 16,
  machineSeed: 17,
  plan: 18,
  crash: 19,
  resolve: 20,
  disk: 21,
  start: 22,
  salt: 28,
  replay: 23,
  replayWhat: 24,
  replayTo: 25,
  replayLag: 26,
  replayFlip: 27,
  spread: 40,
  echoDatagram: 41,
  echoMessage: 42,
  echoLag: 43,
} as const;

export type Purpose = (typeof PURPOSE)[keyof typeof PURPOSE];

/** Quantiles of the exponential distribution with mean 1 in sixteenths: a table, so that no platform's logarithm matters. */
const EXPONENTIAL = [
  0, 0.065, 0.134, 0.208, 0.288, 0.375, 0.47, 0.575, 0.694, 0.827, 0.981, 1.163, 1.386, 1.674, 2.079, 2.773, 5,
];

export class Draws {
  private readonly seed: number;

  constructor(seed: number) {
    this.seed = mix32(seed, 0x51ed270b);
  }

  /** A uniform 32-bit word. */
  word(sender: number, counter: number, purpose: Purpose): number {
    return mix32(mix32(this.seed, sender * 64 + purpose), counter);
  }

  /** Uniform in [0, 1). */
  unit(sender: number, counter: number, purpose: Purpose): number {
    return this.word(sender, counter, purpose) / 0x100000000;
  }

  chance(probability: number, sender: number, counter: number, purpose: Purpose): boolean {
    return probability > 0 && this.unit(sender, counter, purpose) < probability;
  }

  /** Exponential with the given mean, cut off at five times it. */
  exponential(mean: number, sender: number, counter: number, purpose: Purpose): number {
    const word = this.word(sender, counter, purpose);
    const cell = word >>> 28;
    const within = (word & 0xfffffff) / 0x10000000;
    return mean * (EXPONENTIAL[cell] + (EXPONENTIAL[cell + 1] - EXPONENTIAL[cell]) * within);
  }
}
