/**
 * Makes room: one call empties one segment, by cleaning it (what lives is copied to a survivor head and the rest is given
 * up) or, where eviction is allowed, by evicting the oldest. The store calls it when no segment is free. Cleaning comes
 * first as long as some segment is a quarter dead, so that overwriting one key never evicts another. Survivors never
 * share a head with fresh writes, and keep the mean age of where they came from. Evicted values leave silently and make
 * their partition lossy; tombstones are moved instead.
 *
 * Guarded: with one free segment on entry there is one on return, because what lives in one segment fits into the rest of
 * the survivor head and one more. The segment being written is open and the held one is passed by, so neither is ever
 * emptied. After RAMCloud's cleaner (Rumble et al., FAST'14), section 3.
 */
import { TYPE_TOMBSTONE } from '../record/record.js';
import type { Entries } from './entries.js';
import { FREE, type Segments } from './segments.js';
import { deadBytesMin, ENVELOPE_BYTES, footprint, SEGMENT_HEADER_BYTES } from './sizes.js';
import { findLocation } from './subtable.js';

/** The envelope's second word holds the partition, and flags above it. */
const PARTITION_MASK = 0xffff;
const NONE = -1;
/** Longer runs of words are copied by the native call. */
const LOOP_WORDS_MAX = 128;

export class Reclaimer {
  evictions = 0;
  /** Bytes copied to survivors. */
  cleanedBytes = 0;
  private survivors = NONE;
  /** Sum over survivors of bytes x birth, for the mean. */
  private birthBytes = 0;
  private readonly entries: Entries;
  private readonly segments: Segments;
  private readonly evicts: boolean;
  private readonly deadBytesMin: number;

  constructor(entries: Entries, segments: Segments, evicts: boolean) {
    this.entries = entries;
    this.segments = segments;
    this.evicts = evicts;
    this.deadBytesMin = deadBytesMin(segments.segmentBytes, evicts);
  }

  /** Empties one segment other than `held`; false when none may be emptied. */
  reclaim(held: number, wallMs: number): boolean {
    const dead = this.segments.mostDead(this.deadBytesMin, held);
    if (dead !== NONE) {
      this.empty(dead, false, wallMs);
      return true;
    }
    if (!this.evicts) return false;
    const oldest = this.segments.oldest(held);
    if (oldest === NONE) return false;
    this.empty(oldest, true, wallMs);
    return true;
  }

  /** The segments have been cleared: there is no survivor head. */
  clear(): void {
    this.survivors = NONE;
    this.birthBytes = 0;
  }

  private empty(victim: number, evict: boolean, wallMs: number): void {
    const { entries, segments } = this;
    const words = segments.words[victim];
    const end = segments.used[victim];
    let at = SEGMENT_HEADER_BYTES;
    while (at < end && segments.live[victim] > 0) {
      const hash = words[at >>> 2] >>> 0;
      const partition = words[(at >>> 2) + 1] & PARTITION_MASK;
      const offset = at + ENVELOPE_BYTES;
      at += footprint(words[(offset >>> 2) + 1]);
      const home = entries.partitions[partition];
      if (home === null) continue;
      const table = home.directory.tableOf(hash);
      const slot = findLocation(table, hash, segments.locate(victim, offset));
      if (slot === 0 || entries.dropIfGone(home, table, slot, wallMs)) continue;
      if (evict && (words[(offset >>> 2) + 2] & 0xff) !== TYPE_TOMBSTONE) {
        entries.drop(home, table, slot);
        home.lossy = true;
        this.evictions++;
      } else {
        this.move(victim, offset, table, slot);
      }
    }
    if (segments.state[victim] > FREE) segments.release(victim);
  }

  /** Copies a record with its envelope to the survivor head. */
  private move(victim: number, offset: number, table: Uint32Array, slot: number): void {
    const { segments } = this;
    const source = segments.words[victim];
    const bytes = footprint(source[(offset >>> 2) + 1]);
    const segment = this.survivorsWithRoom(bytes);
    const target = segments.words[segment];
    const from = (offset - ENVELOPE_BYTES) >>> 2;
    const to = segments.used[segment] >>> 2;
    const words = bytes >>> 2;
    if (words > LOOP_WORDS_MAX) target.set(source.subarray(from, from + words), to);
    else for (let index = 0; index < words; index++) target[to + index] = source[from + index];
    this.entries.relink(table, slot, segment, segments.used[segment] + ENVELOPE_BYTES);
    segments.used[segment] += bytes;
    this.birthBytes += bytes * segments.birth[victim];
    this.cleanedBytes += bytes;
  }

  private survivorsWithRoom(bytes: number): number {
    const { segments } = this;
    if (this.survivors !== NONE) {
      const used = segments.used[this.survivors];
      if (used + bytes <= segments.segmentBytes) return this.survivors;
      segments.birth[this.survivors] = this.birthBytes / (used - SEGMENT_HEADER_BYTES);
      segments.seal(this.survivors);
      this.birthBytes = 0;
    }
    this.survivors = segments.open();
    return this.survivors;
  }
}
