/**
 * Random draws from a seed (mulberry32): plans of disturbances and the choices of a load come from here, so that a seed
 * names a schedule. Guarded: equal seeds give equal draws.
 */
export class Draws {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  /** Uniform, at least 0 and below 1. */
  fraction(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** A whole number below `limit`. */
  below(limit: number): number {
    return Math.floor(this.fraction() * limit);
  }

  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** `count` of the numbers below `limit`, each once. */
  some(count: number, limit: number): number[] {
    const left = Array.from({ length: limit }, (_, index) => index);
    return Array.from({ length: Math.min(count, limit) }, () => left.splice(this.below(left.length), 1)[0]);
  }
}
