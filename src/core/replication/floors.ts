/**
 * Floors: per partition the stamp up to which deletes, and values that expired, have been forgotten here. The spine surveys with it what the members
 * are known to have, the store forgets below it, and every way in asks it whether an old record may still come.
 *
 *     passable  every member with a say has what is stamped up to here, less a margin; known in memory only
 *     wanted    the newest thing at or below that which the store would forget
 *     floor     raised to what is wanted, written to the log, and only then forgotten below
 *
 * The floor binds the sender: a record at or below it, of a key that is absent here, is taken only from a source whose own floor is as
 * high. Whoever's is lower was away, or its disk went back in time: it may hold what was deleted since, so absence here beats it.
 * Guarded: a floor never falls while its partition is held; it never passes a member with a say that was heard within `graceMs`; it never
 * passes this node's clock or that of a member it was proved with; below it this node lacks nothing but what it evicted.
 * After "Dynamo"-like stores' grace periods (ap-stores, zombie data), with a proof in the place of the bet.
 */
import { HLC_TICKS, hlcFromMs, hlcToMs } from '../base/hlc.js';
import type { Peer } from './peers.js';

/** Between surveys of what the members have: a pass over members and partitions. */
const SURVEY_INTERVAL_MS = 250;
/** Between raises, each of which is one record in the log. */
const RAISE_INTERVAL_MS = 1000;
/** A backup keeps what it may have to tell of for this long after it last asked for records. */
export const BACKUP_HOLD_MS = 600_000;

/** What this node is to its partitions, as a survey sees it. */
export interface FloorView {
  owns(partition: number): boolean;
  isReady(partition: number): boolean;
}

/** A member with a say, at a survey: whether it is heard now. */
export interface Voice {
  readonly peer: Peer;
  readonly heard: boolean;
}

export interface FloorsOptions {
  partitions: number;
  marginMs: number;
  graceMs: number;
  mutations: ReadonlySet<string>;
}

/** Why a partition's floor does not rise further: who has not been proved to have more. */
export interface Holder {
  id: string;
  /** How long ago what it is known to have was stamped, ms. */
  behindMs: number;
}

export class Floors {
  nowMs = 0;
  wallMs = 0;
  /** This node's clock is wrong: nothing is forgotten by it. */
  drifted = false;
  readonly floor: Float64Array;
  /** Per partition: every member with a say has what is stamped up to here. */
  readonly passable: Float64Array;
  /** No other member has a say. */
  alone = true;
  /** Who is least known to have what this node holds; null while nobody is behind more than the margin and a round. */
  holder: Holder | null = null;
  /** Age of the oldest passable stamp over the partitions owned here, ms. */
  lagMs = 0;
  /** The same, nobody excused for its silence and nothing assumed after a time: what was proved. */
  private readonly proven: Float64Array;
  private readonly adopted: Float64Array;
  private readonly ignored: boolean;
  private readonly forgetsAtOnce: boolean;
  private adoptedCount = 0;
  /** Members with a say: when each was last heard. */
  private readonly heardAtMs = new Map<string, number>();
  private startedAtMs = Number.NaN;
  private nextSurveyAtMs = 0;
  private nextRaiseAtMs = 0;
  private heldHlc = Number.POSITIVE_INFINITY;
  private heldUntilMs = 0;
  readonly stats = { raises: 0, adopted: 0, recordsBelowFloor: 0, recordsGone: 0, goneUnproved: 0, excused: 0 };

  constructor(private readonly options: FloorsOptions) {
    this.floor = new Float64Array(options.partitions);
    this.passable = new Float64Array(options.partitions);
    this.proven = new Float64Array(options.partitions);
    this.adopted = new Float64Array(options.partitions);
    this.ignored = options.mutations.has('floor-ignored');
    this.forgetsAtOnce = options.mutations.has('tombstone-dropped-at-once');
  }

  /** Whether a stamp is one that all owners have passed. */
  isBelow(partition: number, hlc: number): boolean {
    return hlc <= this.floor[partition] && !this.ignored;
  }

  /** Whether a record of a key that is absent here, from this peer, is something this node has forgotten on purpose. */
  refuses(peer: Peer, partition: number, hlc: number): boolean {
    if (hlc > this.floor[partition] || this.ignored) return false;
    return (peer.floors[partition] ?? 0) < this.floor[partition];
  }

  /** Deletes stamped up to here are forgotten in a partition, or may be. */
  forgottenBelow(partition: number): number {
    return Math.max(this.floor[partition], this.forgottenAnyway());
  }

  /**
   * Deletes stamped before this are forgotten though no floor says so: a node that starts again and again within the grace, beside an
   * owner that has evicted, would else keep them for ever.
   */
  forgottenAnyway(): number {
    return this.forgetsAtOnce ? Number.MAX_SAFE_INTEGER : (this.wallMs - 2 * this.options.graceMs) * HLC_TICKS;
  }

  get isDue(): boolean {
    return this.nowMs >= this.nextSurveyAtMs;
  }

  /** Finds per partition up to where every member with a say has everything. Returns the members given up on since the last time. */
  survey(view: FloorView, voices: readonly Voice[]): string[] {
    const { nowMs, wallMs, options } = this;
    if (Number.isNaN(this.startedAtMs)) this.startedAtMs = nowMs;
    this.nextSurveyAtMs = nowMs + SURVEY_INTERVAL_MS;
    const excused = this.listen(voices);
    const heeded = voices.filter(({ peer, heard }) => heard || !this.isExcused(peer.id));
    this.alone = heeded.length === 0;
    const unproven = nowMs - this.startedAtMs > options.graceMs ? wallMs - options.graceMs : 0;
    const mostHlc = this.isHeld ? this.heldHlc : Number.POSITIVE_INFINITY;
    let leastMs = Number.POSITIVE_INFINITY;
    let least: Peer | null = null;
    for (let partition = 0; partition < options.partitions; partition++) {
      const mine = view.owns(partition) && view.isReady(partition);
      let knownMs = mine ? wallMs : 0;
      for (const { peer, heard } of heeded) {
        const provedMs = heard ? Math.max(peer.passedWallMs[partition], unproven) : peer.passedWallMs[partition];
        if (provedMs < knownMs) knownMs = provedMs;
        if (mine && provedMs < leastMs) {
          leastMs = provedMs;
          least = peer;
        }
      }
      const hlc = this.drifted ? 0 : hlcFromMs(Math.max(0, knownMs - options.marginMs));
      this.passable[partition] = Math.min(hlc, mostHlc);
      let provenMs = knownMs;
      for (const { peer } of voices) provenMs = Math.min(provenMs, peer.passedWallMs[partition]);
      this.proven[partition] = hlcFromMs(Math.max(0, provenMs - options.marginMs));
    }
    this.lagMs = least === null ? 0 : Math.max(0, wallMs - leastMs);
    this.holder = least === null ? null : { id: least.id, behindMs: this.lagMs };
    return excused;
  }

  /** Every member with a say was found to have what is stamped up to here. */
  settledThrough(partition: number): number {
    return Math.min(this.passable[partition], this.proven[partition]);
  }

  /** Notes who is heard; returns those whose silence has just become too long to wait for. */
  private listen(voices: readonly Voice[]): string[] {
    const excused: string[] = [];
    const known = new Set<string>();
    for (const { peer, heard } of voices) {
      known.add(peer.id);
      const since = this.heardAtMs.get(peer.id);
      if (heard || since === undefined) {
        this.heardAtMs.set(peer.id, this.nowMs);
      } else if (since !== Number.NEGATIVE_INFINITY && this.nowMs - since > this.patienceMs) {
        this.heardAtMs.set(peer.id, Number.NEGATIVE_INFINITY);
        this.stats.excused++;
        excused.push(peer.id);
      }
    }
    for (const id of this.heardAtMs.keys()) if (!known.has(id)) this.heardAtMs.delete(id);
    return excused;
  }

  private get patienceMs(): number {
    return this.options.mutations.has('floor-past-silent') ? 0 : this.options.graceMs;
  }

  private isExcused(id: string): boolean {
    return this.heardAtMs.get(id) === Number.NEGATIVE_INFINITY;
  }

  /** Found equal in a partition, or the peer has gone through all that is here: this node has what the peer's floor stands for. */
  adopt(partition: number, hlc: number): void {
    if (hlc <= this.floor[partition] || hlc <= this.adopted[partition]) return;
    if (!this.mayAdopt(hlc)) return;
    if (this.adopted[partition] === 0) this.adoptedCount++;
    this.adopted[partition] = hlc;
  }

  /** A node whose clock is known to be wrong stamps nothing and judges by others: only one that trusts its own looks at it. */
  mayAdopt(hlc: number): boolean {
    return !this.isHeld && (this.drifted || hlc <= hlcFromMs(this.wallMs));
  }

  /** Whether `raise` would have anything to look at now. */
  get raisesNow(): boolean {
    return this.adoptedCount > 0 || this.nowMs >= this.nextRaiseAtMs;
  }

  /**
   * Floors to be raised: `[partition, stamp]`, out of what the store would forget and what was adopted. `wanted` is emptied. They count
   * once `set` is called for them, after they were written to the log.
   */
  raise(wanted: Float64Array): [partition: number, hlc: number][] {
    const raised: [number, number][] = [];
    const atAll = this.nowMs >= this.nextRaiseAtMs;
    if (atAll) this.nextRaiseAtMs = this.nowMs + RAISE_INTERVAL_MS;
    for (let partition = 0; partition < this.options.partitions; partition++) {
      let hlc = this.adopted[partition];
      if (hlc > 0) {
        this.adopted[partition] = 0;
        this.adoptedCount--;
        if (hlc > this.floor[partition]) this.stats.adopted++;
      }
      if (atAll) {
        if (wanted[partition] <= this.passable[partition]) hlc = Math.max(hlc, wanted[partition]);
        wanted[partition] = 0;
      }
      if (hlc > this.floor[partition]) raised.push([partition, hlc]);
    }
    if (raised.length > 0) this.stats.raises++;
    return raised;
  }

  /** A floor is in the log now; 0 for a partition that was given away: what is absent of it here says nothing any more. */
  set(partition: number, hlc: number): void {
    this.floor[partition] = hlc;
  }

  private get isHeld(): boolean {
    return this.nowMs < this.heldUntilMs;
  }

  /** A backup reads here: deletes from a while before now on are not forgotten until it has not asked for some time. */
  hold(keptMs: number): void {
    if (!this.isHeld) this.heldHlc = hlcFromMs(this.wallMs - keptMs);
    this.heldUntilMs = this.nowMs + BACKUP_HOLD_MS;
  }

  /** Whether every delete that is stamped after `hlc` is remembered since a backup began to read, or ever. */
  keepsSince(partition: number, hlc: number): boolean {
    return (this.isHeld && this.heldHlc <= hlc) || this.forgottenBelow(partition) <= hlc;
  }

  /** Two owners hold the same of a partition as of `wallMs`: the peer has everything stamped until then. */
  proved(peer: Peer, partition: number, wallMs: number): void {
    const provedMs = Math.min(wallMs, peer.saidWallMs);
    if (provedMs > peer.passedWallMs[partition]) peer.passedWallMs[partition] = provedMs;
  }

  /** Age of the oldest floor over the partitions that have one, ms. */
  oldestMs(): number {
    let oldest = Number.POSITIVE_INFINITY;
    for (const hlc of this.floor) if (hlc > 0 && hlc < oldest) oldest = hlc;
    return oldest === Number.POSITIVE_INFINITY ? 0 : Math.max(0, this.wallMs - hlcToMs(oldest));
  }
}
