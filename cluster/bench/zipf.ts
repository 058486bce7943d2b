/**
 * Requests by Zipf's law: the key of rank r is drawn with a probability in proportion to 1 / r^alpha. Ranks are permuted, so that
 * popularity has nothing to do with the key. Drawn from the cumulated law by binary search, which holds for every alpha (Gray's
 * formula holds below 1 only). Guarded: equal seeds give equal requests; memory is 12 bytes a key.
 */
import type { Draws } from '../chaos/draws.js';

export class Zipf {
  private readonly cumulated: Float64Array;
  private readonly keyOfRank: Uint32Array;

  constructor(
    alpha: number,
    readonly keys: number,
    private readonly draws: Draws,
  ) {
    this.cumulated = new Float64Array(keys);
    let sum = 0;
    for (let rank = 0; rank < keys; rank++) {
      sum += 1 / (rank + 1) ** alpha;
      this.cumulated[rank] = sum;
    }
    this.keyOfRank = Uint32Array.from({ length: keys }, (_, rank) => rank);
    for (let rank = keys - 1; rank > 0; rank--) {
      const other = draws.below(rank + 1);
      const key = this.keyOfRank[rank];
      this.keyOfRank[rank] = this.keyOfRank[other];
      this.keyOfRank[other] = key;
    }
  }

  /** From 0, the most popular. */
  rank(): number {
    const wanted = this.draws.fraction() * this.cumulated[this.keys - 1];
    let low = 0;
    let high = this.keys - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.cumulated[middle] > wanted) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  key(): number {
    return this.keyOfRank[this.rank()];
  }
}
