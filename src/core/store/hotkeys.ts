/**
 * The hottest keys, from a sample of the uses: space-saving (Metwally et al., 2005) over 128 keys. The store offers one use in
 * SAMPLED; HEARSAY.HOTKEYS visits them. Guarded: bounded, and nothing is allocated by a use; an estimate is never below the uses
 * sampled, and above by at most what the key that left its place had.
 */
export const SAMPLED = 64;
const PLACES = 128;
/** Keys tried for the least before one leaves: sampled, as the exact least costs a pass over all. */
const TRIES = 16;
/** At so many sampled uses every count is halved, so that what was hot yesterday gives way. */
const HALVING_USES = 64 * 1024;

/** Lent a record, with the uses its key is thought to have had lately: it writes nothing, and keeps nothing of the buffer. */
export type HotVisitor = (buffer: Buffer, offset: number, uses: number) => void;

export class HotKeys {
  private readonly hashes = new Uint32Array(PLACES);
  private readonly partitions = new Uint16Array(PLACES);
  private readonly counts = new Uint32Array(PLACES);
  private uses = 0;
  private hand = 0;

  /** One sampled use. */
  note(partition: number, hash: number): void {
    if (++this.uses >= HALVING_USES) this.halve();
    for (let place = 0; place < PLACES; place++) {
      if (this.hashes[place] !== hash || this.partitions[place] !== partition || this.counts[place] === 0) continue;
      this.counts[place]++;
      return;
    }
    const place = this.leastOf(TRIES);
    this.hashes[place] = hash;
    this.partitions[place] = partition;
    this.counts[place]++;
  }

  /** Visits the keys, the hottest first. */
  visit(visitor: (partition: number, hash: number, uses: number) => void): void {
    const places = Array.from(this.counts.keys()).filter((place) => this.counts[place] > 0);
    places.sort((left, right) => this.counts[right] - this.counts[left] || left - right);
    for (const place of places) visitor(this.partitions[place], this.hashes[place], this.counts[place] * SAMPLED);
  }

  clear(): void {
    this.counts.fill(0);
    this.uses = 0;
  }

  private leastOf(tries: number): number {
    let least = this.hand;
    for (let step = 0; step < tries; step++) {
      if (this.counts[this.hand] < this.counts[least]) least = this.hand;
      this.hand = (this.hand + 1) % PLACES;
    }
    return least;
  }

  private halve(): void {
    this.uses = 0;
    for (let place = 0; place < PLACES; place++) this.counts[place] >>>= 1;
  }
}
