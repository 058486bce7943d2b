/**
 * How many pulls may be under way at one peer at a time. catch-up.ts asks it. Most partitions of a cluster that begins, or of a node that was
 * away for a moment, take one small slice each: one after another they would cost a round trip each, of two busy event loops. So the window
 * opens by one with every small slice that comes, and a large one closes it to a single pull again.
 * Guarded: what is under way at a peer in small slices is no more than one full slice; full ones come one at a time, but for those that were
 * asked for before the first of them was seen.
 */

/** Pulls at most. */
export const PULLS_PER_PEER_MAX = 16;
/** A slice up to this length is small: as many as there may be make a full one. */
const SMALL_BYTES = 16 * 1024;

export class CatchUpWindow {
  private width = 1;
  private underWay = 0;

  /** Whether another pull may begin. */
  get isOpen(): boolean {
    return this.underWay < this.width;
  }

  get isEmpty(): boolean {
    return this.underWay === 0;
  }

  began(): void {
    this.underWay++;
  }

  ended(): void {
    this.underWay--;
  }

  /** A slice of this length has come. */
  came(bytes: number): void {
    this.width = bytes > SMALL_BYTES ? 1 : Math.min(this.width + 1, PULLS_PER_PEER_MAX);
  }
}
