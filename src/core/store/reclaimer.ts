/**
 * Makes room by emptying segments, a slice at a time: what lives moves to a survivor head, or, where the segment is evicted,
 * leaves unless it was used. The store runs slices at the end of turns, and finishes the one under way when a write finds no
 * room. victims.ts says which segment and how. Values leave silently and make their partition lossy; tombstones move.
 *
 * S3-FIFO (Yang et al., SOSP'23) at the grain of segments: a value used while in the admission pool is copied to the main pool; one
 * that was not leaves, and the ghost remembers it. In the main pool each use counted is one more round.
 *
 * Guarded: with one free segment at the start of a victim there is one at its end, because all that moves out of it goes to one
 * head, and fits into the rest of that and one more. A slice looks at no more records, and copies little more bytes, than it was
 * told, unless it took the last free segment. Open heads and the held segment are never emptied.
 */
import type { Hasher } from '../base/hash.js';
import { recordKeyEnd, recordKeyStart, TYPE_TOMBSTONE } from '../record/record.js';
import { type Entries, FREQUENCY_MASK, FREQUENCY_SHIFT, PARTITION_MASK } from './entries.js';
import type { Ghost } from './ghost.js';
import { CLEANED, CLEANED_MAIN, type HeadKind, type Heads, SPARED } from './heads.js';
import { ADMISSION, JUMBO, type Segments } from './segments.js';
import {
  ENVELOPE_BYTES,
  FREQUENCY_MAX,
  footprint,
  GAINLESS_MAX,
  PROMOTION_USES,
  SEGMENT_HEADER_BYTES,
} from './sizes.js';
import { Victims } from './victims.js';

const NONE = -1;
/** Longer runs of words are copied by the native call. */
const LOOP_WORDS_MAX = 128;
/** A slice stops after copying so much: as long as looking at its records takes. */
const SLICE_BYTES_MAX = 256 * 1024;

export class Reclaimer {
  evictions = 0;
  /** Bytes copied to survivors. */
  cleanedBytes = 0;
  /** Records the last slice looked at. */
  examined = 0;
  private readonly hasher: Hasher;
  private readonly victims: Victims;
  private readonly entries: Entries;
  private readonly segments: Segments;
  private readonly heads: Heads;
  private readonly ghost: Ghost;
  /** The segment being emptied, and where its next record lies. */
  private victim = NONE;
  private position = 0;
  private evicts = false;
  /** Uses that a value in the main pool needs to stay, less one. More than 0 after victims that gave next to nothing. */
  private grace = 0;
  private gainless = 0;
  private leftBytes = 0;

  constructor(entries: Entries, segments: Segments, heads: Heads, ghost: Ghost, hasher: Hasher, evicts: boolean) {
    this.entries = entries;
    this.segments = segments;
    this.heads = heads;
    this.ghost = ghost;
    this.hasher = hasher;
    this.victims = new Victims(segments, evicts);
  }

  /**
   * Looks at up to `recordsMax` records of the segment under way, or of the next; false when there is none. With `onlyClean` no
   * value leaves that has not expired.
   */
  slice(recordsMax: number, held: number, wallMs: number, onlyClean: boolean): boolean {
    this.examined = 0;
    if (onlyClean && this.evicts) this.victim = NONE;
    if (!this.begin(held, wallMs)) return false;
    if (onlyClean && this.evicts) {
      this.victim = NONE;
      return false;
    }
    this.empty(recordsMax, SLICE_BYTES_MAX, wallMs);
    return true;
  }

  /** Empties one segment to its end; false when there is none. */
  finish(held: number, wallMs: number): boolean {
    this.examined = 0;
    if (!this.begin(held, wallMs)) return false;
    this.empty(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, wallMs);
    return true;
  }

  /** The segments have been cleared: none is being emptied. */
  clear(): void {
    this.victim = NONE;
  }

  private begin(held: number, wallMs: number): boolean {
    // The one under way may have come to be held: it is found again later, and what is left of it emptied then.
    if (this.victim !== NONE && this.victim !== held) return true;
    this.victim = this.victims.next(held, this.entries.liveBytes, wallMs);
    if (this.victim === NONE) return false;
    this.evicts = this.victims.evicts;
    this.position = SEGMENT_HEADER_BYTES;
    this.leftBytes = 0;
    return true;
  }

  private empty(recordsMax: number, bytesMax: number, wallMs: number): void {
    const { entries, segments, victim } = this;
    const words = segments.words[victim];
    const buffer = segments.buffers[victim];
    const end = segments.used[victim];
    const isJumbo = segments.state[victim] === JUMBO;
    const copiedMax = this.cleanedBytes + bytesMax;
    let at = this.position;
    while (at < end && segments.live[victim] > 0) {
      const isEnough = this.examined >= recordsMax || this.cleanedBytes >= copiedMax;
      // What is left half empty may come to be held, and another is emptied before it, for which a segment must be free.
      if (isEnough && segments.freeCount > 0) {
        this.position = at;
        return;
      }
      this.examined++;
      const envelope = words[at >>> 2];
      const offset = at + ENVELOPE_BYTES;
      at += footprint(words[(offset >>> 2) + 1]);
      const home = entries.partitions[envelope & PARTITION_MASK];
      if (home === null) continue;
      const hash = this.hasher.hash(buffer, recordKeyStart(buffer, offset), recordKeyEnd(buffer, offset));
      const slot = home.directory.findLocation(hash, segments.locate(victim, offset));
      const index = home.directory.words;
      if (slot === 0 || entries.dropIfGone(home, index, slot, wallMs)) continue;
      if (!this.evicts || (words[(offset >>> 2) + 2] & 0xff) === TYPE_TOMBSTONE) {
        if (isJumbo) {
          // It has just lapsed. No head takes it: it stays as it lies, and is no more past than other lapsed records.
          segments.latestMs[victim] = Number.POSITIVE_INFINITY;
          break;
        }
        this.move(offset, index, slot);
      } else if (this.spares(at - footprint(words[(offset >>> 2) + 1]), envelope)) {
        if (isJumbo) {
          segments.reprieve(victim);
          break;
        }
        this.move(offset, index, slot);
      } else {
        const left = footprint(words[(offset >>> 2) + 1]);
        entries.drop(home, index, slot);
        home.lossy = true;
        this.leftBytes += left;
        this.evictions++;
        this.ghost.add(hash, entries.keys);
      }
    }
    this.end(victim, isJumbo);
  }

  /** Whether a value that is to be evicted stays for its uses; they are counted down where it lies. */
  private spares(envelopeAt: number, envelope: number): boolean {
    const { segments, victim } = this;
    const uses = (envelope >>> FREQUENCY_SHIFT) & FREQUENCY_MASK;
    const isAdmission = segments.pool[victim] === ADMISSION;
    if (uses < (isAdmission ? PROMOTION_USES : 1 + this.grace)) return false;
    const left = isAdmission ? 0 : Math.min(uses, FREQUENCY_MAX) - 1;
    const words = segments.words[victim];
    // Read anew: the record may have lapsed since.
    const word = envelopeAt >>> 2;
    words[word] = (words[word] & ~(FREQUENCY_MASK << FREQUENCY_SHIFT)) | (left << FREQUENCY_SHIFT);
    return true;
  }

  private end(victim: number, isJumbo: boolean): void {
    const { segments } = this;
    this.victim = NONE;
    if (segments.live[victim] === 0 && !isJumbo) segments.release(victim);
    if (!this.evicts || segments.pool[victim] === ADMISSION) return;
    if (this.leftBytes * 8 >= segments.segmentBytes) {
      this.gainless = 0;
      this.grace = 0;
    } else if (++this.gainless >= GAINLESS_MAX) {
      this.gainless = 0;
      this.grace = Math.min(this.grace + 1, FREQUENCY_MAX);
    }
  }

  /** Copies a record with its envelope to the survivor head. */
  private move(offset: number, index: Uint32Array, slot: number): void {
    const { segments, heads, victim } = this;
    const kind: HeadKind = this.evicts ? SPARED : segments.pool[victim] === ADMISSION ? CLEANED : CLEANED_MAIN;
    const lane = segments.lane[victim];
    const source = segments.words[victim];
    const bytes = footprint(source[(offset >>> 2) + 1]);
    let segment = heads.withRoom(kind, lane, bytes);
    if (segment === NONE) segment = heads.advance(kind, lane);
    const target = segments.words[segment];
    const from = (offset - ENVELOPE_BYTES) >>> 2;
    const to = segments.used[segment] >>> 2;
    const words = bytes >>> 2;
    if (words > LOOP_WORDS_MAX) target.set(source.subarray(from, from + words), to);
    else for (let index = 0; index < words; index++) target[to + index] = source[from + index];
    this.entries.relink(index, slot, segment, segments.used[segment] + ENVELOPE_BYTES);
    segments.used[segment] += bytes;
    heads.noteBirth(kind, lane, bytes, segments.birth[victim]);
    this.cleanedBytes += bytes;
  }
}
