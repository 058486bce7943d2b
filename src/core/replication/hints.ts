/**
 * What one peer is owed: the keys of writes that could not be handed to it. The coordinator owns the entries, so a hint is a
 * reference: on delivery the key's current record is sent, and one hint stands for any number of overwrites.
 * Guarded: bounded in bytes; past the bound a hint is dropped, counted, and becomes work for anti-entropy, never a refused write.
 * created = settled + dropped + pending.
 */

/** Rough cost of one hint beyond its key. */
const HINT_OVERHEAD_BYTES = 96;

export class Hints {
  /** Key as latin-1 text -> partition. Insertion order is delivery order. */
  private readonly owed = new Map<string, number>();
  /** The coordinator's count of writes when the oldest of what is owed now was added. */
  owedSince = 0;
  bytes = 0;
  created = 0;
  settled = 0;
  dropped = 0;

  constructor(private readonly bytesMax: number) {}

  get pending(): number {
    return this.owed.size;
  }

  /** Notes a key, at the coordinator's count of writes; true if it was not owed before and there was room. */
  add(key: string, partition: number, count: number): boolean {
    if (this.owed.has(key)) return false;
    if (this.owed.size === 0) this.owedSince = count;
    this.created++;
    const cost = key.length + HINT_OVERHEAD_BYTES;
    if (this.bytes + cost > this.bytesMax) {
      this.dropped++;
      return false;
    }
    this.bytes += cost;
    this.owed.set(key, partition);
    return true;
  }

  /** The peer has the key, or nothing is left to give. */
  settle(key: string): void {
    if (!this.owed.delete(key)) return;
    this.bytes -= key.length + HINT_OVERHEAD_BYTES;
    this.settled++;
  }

  /** Up to `count` owed keys, oldest first; they stay owed until settled. */
  first(count: number): [key: string, partition: number][] {
    const keys: [string, number][] = [];
    for (const entry of this.owed) {
      if (keys.length >= count) break;
      keys.push(entry);
    }
    return keys;
  }

  entries(): IterableIterator<[string, number]> {
    return this.owed.entries();
  }
}
