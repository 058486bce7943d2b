/**
 * The ring: which members may own partitions, as a set of records joined per id. The spine joins what peers send, proposes
 * changes of its own with a higher version, and hands the members that are in to placement.ts; messages about entries carry
 * `hash()`, so that two nodes with different rings notice and exchange records.
 * Guarded: join is the maximum of one total order (version, state, zone, weight, ended boot), so rings that saw the same records in any
 * order, any number of times, are equal. Suspicion and death are no business of the ring; a slow node keeps its place. Of more
 * members than partitions can be placed on, those that come first by id are placed: every node leaves the same ones out.
 *
 *     state       place   say over what may be forgotten   comes from
 *     in          yes     yes                              the member itself
 *     out         no      yes                              whoever saw it dead past the grace
 *     left        no      no                               the member itself, once others hold what it held
 *     forgotten   no      no                               an operator
 *
 * Members remember each other's ends in memory alone; the ring is on disk, so it keeps up to which boot the lives of an id have ended. A new
 * life carries that on.
 */
import { assert } from '../base/assert.js';
import { crc32 } from '../base/crc32.js';

export type RingState = 'in' | 'out' | 'left' | 'forgotten';

/** States in the order of their rank at equal versions, which is also their number on the wire. */
const RING_STATES: readonly RingState[] = ['in', 'out', 'left', 'forgotten'];

export interface RingRecord {
  id: string;
  /** Failure domain: owners of a partition lie in distinct zones as far as there are any. May be empty. */
  zone: string;
  /** Relative share of partitions, in (0, 1024]. */
  weight: number;
  state: RingState;
  /** Raised by whoever changes the record. */
  version: number;
  /** Lives of this id up to this boot have ended, and none of them is met again; 0: that is known of none. */
  endedBoot: number;
}

/** What placement needs to know of a member. */
export interface RingMember {
  id: string;
  zone: string;
  weight: number;
}

/** Longest id or zone in characters. */
export const RING_NAME_LENGTH_MAX = 128;
export const RING_WEIGHT_MAX = 1024;
const RECORDS_MAX = 4096;
/** Versions are below this: whoever answers a record about itself by the next higher version has to be understood by everybody. */
const VERSION_MAX = 2 ** 40;
/** The next life begins above it, within the bound of boots on the wire. */
export const ENDED_BOOT_MAX = 2 ** 40 - 2;

/** Order of two records of one id: negative, 0 or positive as left is before, equal to or after right. */
export function compareRingRecords(left: RingRecord, right: RingRecord): number {
  if (left.version !== right.version) return left.version - right.version;
  if (left.state !== right.state) return RING_STATES.indexOf(left.state) - RING_STATES.indexOf(right.state);
  if (left.zone !== right.zone) return left.zone < right.zone ? -1 : 1;
  if (left.weight !== right.weight) return left.weight - right.weight;
  return left.endedBoot - right.endedBoot;
}

/** A record as it travels: `[id, zone, weight, number of the state, version, boot of the last life that has ended]`. */
export function encodeRingRecord(record: RingRecord): readonly unknown[] {
  const { id, zone, weight, state, version, endedBoot } = record;
  return [id, zone, weight, RING_STATES.indexOf(state), version, endedBoot];
}

/** A record from outside, or null if any field is not what it must be. */
export function decodeRingRecord(value: unknown): RingRecord | null {
  if (!Array.isArray(value) || value.length < 6) return null;
  const [id, zone, weight, state, version, endedBoot] = value as unknown[];
  if (typeof id !== 'string' || id.length === 0 || id.length > RING_NAME_LENGTH_MAX) return null;
  if (typeof zone !== 'string' || zone.length > RING_NAME_LENGTH_MAX) return null;
  if (typeof weight !== 'number' || !(weight > 0) || weight > RING_WEIGHT_MAX) return null;
  if (typeof state !== 'number' || RING_STATES[state] === undefined) return null;
  if (typeof version !== 'number' || !Number.isInteger(version)) return null;
  if (version < 0 || version >= VERSION_MAX) return null;
  if (typeof endedBoot !== 'number' || !Number.isInteger(endedBoot)) return null;
  if (endedBoot < 0 || endedBoot > ENDED_BOOT_MAX) return null;
  return { id, zone, weight, state: RING_STATES[state], version, endedBoot };
}

export class Ring {
  /** Records refused because the ring was full of members that are in, or because they were malformed. */
  refused = 0;
  /** Records of members without a place, let go to make room. */
  forgotten = 0;
  private readonly byId = new Map<string, RingRecord>();
  private readonly recordsMax: number;
  private readonly membersMax: number;
  private sorted: readonly RingRecord[] | null = null;
  private cachedHash = -1;
  private withSay: readonly string[] | null = null;

  /** `membersMax`: as many as can be placed. */
  constructor(recordsMax = RECORDS_MAX, membersMax = recordsMax) {
    this.recordsMax = recordsMax;
    this.membersMax = membersMax;
  }

  /** Takes a record over if it is later than the one held for its id; true if that changed anything. */
  join(record: RingRecord): boolean {
    assert(record.weight > 0 && record.id.length > 0, 'a ring record has an id and a positive weight');
    const held = this.byId.get(record.id);
    if (held !== undefined && compareRingRecords(record, held) <= 0) return false;
    if (held === undefined && this.byId.size >= this.recordsMax && !this.makeRoom()) {
      this.refused++;
      return false;
    }
    this.byId.set(record.id, { ...record });
    this.sorted = null;
    this.withSay = null;
    this.cachedHash = -1;
    return true;
  }

  get(id: string): Readonly<RingRecord> | undefined {
    return this.byId.get(id);
  }

  /** Up to which boot the lives of this id have ended; 0 where nothing is known of that. */
  endedBootOf(id: string): number {
    return this.byId.get(id)?.endedBoot ?? 0;
  }

  /** All records, sorted by id. */
  records(): readonly RingRecord[] {
    this.sorted ??= [...this.byId.values()].sort((left, right) => (left.id < right.id ? -1 : 1));
    return this.sorted;
  }

  /** The members that are in, sorted by id, as many as can be placed: what placement takes. */
  members(): RingMember[] {
    return this.records()
      .filter((record) => record.state === 'in')
      .slice(0, this.membersMax)
      .map(({ id, zone, weight }) => ({ id, zone, weight }));
  }

  /** Members that are in and own nothing, because there are more than can be placed. */
  get unplaced(): number {
    const { length } = this.records().filter((record) => record.state === 'in');
    return Math.max(0, length - this.membersMax);
  }

  /** Ids of those without whom nothing may be forgotten: everybody with a place, and who lost it by mere silence. */
  idsWithSay(): readonly string[] {
    this.withSay ??= this.records()
      .filter((record) => record.state === 'in' || record.state === 'out')
      .map(({ id }) => id);
    return this.withSay;
  }

  /** 32 bits over the members that are placed: equal rings have equal hashes whatever their history. */
  hash(): number {
    if (this.cachedHash < 0) {
      const text = JSON.stringify(this.members().map(({ id, zone, weight }) => [id, zone, weight]));
      const bytes = Buffer.from(text, 'utf8');
      this.cachedHash = crc32(bytes, 0, bytes.length);
    }
    return this.cachedHash;
  }

  /** Lets go of a record of somebody without a place, the lowest version first; false if every member is in. */
  private makeRoom(): boolean {
    let oldest: RingRecord | null = null;
    for (const record of this.records()) {
      if (record.state !== 'in' && (oldest === null || record.version < oldest.version)) oldest = record;
    }
    if (oldest === null) return false;
    this.byId.delete(oldest.id);
    this.forgotten++;
    return true;
  }
}
