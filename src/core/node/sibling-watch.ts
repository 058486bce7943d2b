/**
 * Who is warned of keys with many siblings: once a minute per key, for up to 64 keys at a time. The host asks it before it writes a log
 * line. Guarded: a bounded list, oldest first; past it warnings are counted and dropped.
 */

const EVERY_MS = 60_000;
export const KEYS_MAX = 64;

export class SiblingWatch {
  /** Writes that left many siblings, lines that were due, and those that there was no place for. */
  noted = 0;
  warned = 0;
  dropped = 0;
  /** Hash of a key, and when it was warned of; in that order. */
  private readonly warnedAtMs = new Map<number, number>();

  /** Keys that were warned of a short while ago. */
  get size(): number {
    return this.warnedAtMs.size;
  }

  /** Whether a line is due for the key of this hash. */
  note(hash: number, nowMs: number): boolean {
    this.noted++;
    for (const [known, atMs] of this.warnedAtMs) {
      if (nowMs - atMs < EVERY_MS) break;
      this.warnedAtMs.delete(known);
    }
    if (this.warnedAtMs.has(hash)) return false;
    if (this.warnedAtMs.size >= KEYS_MAX) {
      this.dropped++;
      return false;
    }
    this.warnedAtMs.set(hash, nowMs);
    this.warned++;
    return true;
  }
}
