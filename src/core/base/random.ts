/**
 * A seeded pseudo-random number generator: sfc32 (Chris Doty-Humphrey, PractRand), 128 bits of state.
 * The core draws every number it needs from one of these, seeded by its world, so a run can be replayed.
 */
export class Random {
  private a: number;
  private b: number;
  private c: number;
  private counter: number;

  constructor(seedA: number, seedB = 0, seedC = 0) {
    this.a = seedA | 0;
    this.b = seedB | 0;
    this.c = seedC | 0;
    this.counter = 1;
    for (let round = 0; round < 12; round++) this.uint32();
  }

  /** A uniform integer in [0, 2^32). */
  uint32(): number {
    const sum = (this.a + this.b + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = ((this.c << 21) | (this.c >>> 11)) + sum;
    this.c |= 0;
    return sum >>> 0;
  }

  /** A uniform integer in [0, bound), bound in [1, 2^32]. */
  below(bound: number): number {
    return Math.floor((this.uint32() / 0x100000000) * bound);
  }

  /** True with the given probability in [0, 1]. */
  chance(probability: number): boolean {
    return this.uint32() < probability * 0x100000000;
  }

  /** An integer in [low, high], both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** A uniform integer in [1, 2^48): an actor, never 0. */
  actor(): number {
    return (this.uint32() & 0xffff) * 0x100000000 + this.uint32() || 1;
  }

  /** Shuffles in place (Fisher and Yates) and returns its argument. */
  shuffle<T>(list: T[]): T[] {
    for (let at = list.length - 1; at > 0; at--) {
      const other = this.below(at + 1);
      const kept = list[at];
      list[at] = list[other];
      list[other] = kept;
    }
    return list;
  }
}
