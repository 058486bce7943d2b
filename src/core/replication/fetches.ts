/**
 * Partitions that this node may not answer for before it has heard out every source: of whom it has had what they had seen. Either it has come
 * to own the partition and fetches it, or it holds a copy that may lack its newest writes (standings.ts: its tail may be lost).
 * anti-entropy.ts notes what was had, and asks whether that is enough; round-choice.ts asks with whom a round may bring more.
 *
 * Equal vectors prove nothing to a node that begins with nothing: what everybody has had for long is left out of them, with the starts
 * that wrote it. So the first thing is a whole walk over what a source holds, begun when it was one; behind that walk, vectors tell. Where
 * only a tail may be lost, they tell from the beginning. And every source that can be reached counts, not the first: a write that a
 * quorum acknowledged lies at one of them, not at each. A node that looks for its tail hears those too that catch up themselves:
 * what they hold was acknowledged as well.
 * Guarded: what was noted before the partition was owned anew, or of a start of a peer that has ended, counts for nothing.
 * Bounded: nobody is waited for without end, neither who answers and brings nothing nor who can not be asked.
 */
import type { CatchUp } from './catch-up.js';
import type { Ownership } from './ownership.js';
import type { Peer, Peers } from './peers.js';

/** A source that was asked, and has brought nothing for so long, is not waited for; nor one that could not be asked, ten times as long. */
const PATIENCE_MS = 30_000;
const UNASKED_MS = 10 * PATIENCE_MS;
/** An owner that lives and can not be asked yet, or has not said what it holds, is waited for this long. */
const SILENT_MS = 10_000;
/** The same for one that has stopped and may be coming back, or of whom a node that has just started knows nothing. */
const UNKNOWN_MS = 1_000;

interface Fetch {
  /** Which of this node's ownings of the partition it belongs to. */
  readonly owning: number;
  readonly beganAtMs: number;
  /** By id: of whom this node has had everything. */
  readonly had: Set<string>;
  /** By id: since when others have owed an answer: the first question, or the last thing that anybody brought. */
  readonly askedAtMs: Map<string, number>;
  /** By id: since when it can not be asked. */
  readonly silentSinceMs: Map<string, number>;
}

export class Fetches {
  private readonly fetches = new Map<number, Fetch>();

  constructor(
    private readonly ownership: Ownership,
    private readonly peers: Peers,
    private readonly catchUp: Pick<CatchUp, 'isPulling'>,
    private readonly options: { mutations: ReadonlySet<string> },
  ) {}

  /** Whether a partition is newly owned: ready only behind a walk, by what is noted here. */
  isFetching(partition: number): boolean {
    return this.ownership.fetching[partition] === 1;
  }

  /** Whether what is here was whole, and may lack its tail. */
  isTorn(partition: number): boolean {
    return this.ownership.isTorn(partition) && !this.options.mutations.has('torn-tail-trusted');
  }

  /** Whether the first walk is over. */
  isWalked(partition: number): boolean {
    return this.isFetching(partition) && this.current(partition) !== undefined;
  }

  /** A whole walk over what a source held is merged; it began in this owning. */
  walked(partition: number, peer: Peer, nowMs: number): void {
    if (!this.isFetching(partition)) return;
    if (!this.isWalked(partition)) this.begin(partition, nowMs);
    this.had(partition, peer, nowMs);
  }

  /** Behind the first walk, or where none is needed: this node has seen what another had seen. */
  had(partition: number, peer: Peer, nowMs: number): void {
    const fetch = this.open(partition, nowMs);
    if (fetch === undefined || fetch.had.has(peer.id)) return;
    fetch.had.add(peer.id);
    goesOn(fetch, nowMs);
  }

  /** A round that names the partition begins. */
  asked(partition: number, peer: Peer, nowMs: number): void {
    const fetch = this.open(partition, nowMs);
    if (fetch !== undefined && !fetch.askedAtMs.has(peer.id)) fetch.askedAtMs.set(peer.id, nowMs);
  }

  /** A slice of the partition came: what others have is asked for behind it. */
  heard(partition: number, nowMs: number): void {
    const fetch = this.current(partition);
    if (fetch !== undefined) goesOn(fetch, nowMs);
  }

  /** Whether this node has had everything of a source, behind the first walk. */
  hasHad(partition: number, peer: Peer): boolean {
    return this.current(partition)?.had.has(peer.id) === true;
  }

  /** Whether comparing with a peer may bring nearer that a partition is ready. */
  counts(partition: number, peer: Peer): boolean {
    const { ownership } = this;
    if (ownership.isSource(peer, partition)) return true;
    if (!this.isTorn(partition) || !ownership.otherOwners(partition).includes(peer)) return false;
    return ownership.readiness.of(peer)?.ringHash === ownership.ringHash;
  }

  /** Whether everybody who counts and can be reached has been heard out. */
  isEnough(partition: number, nowMs: number): boolean {
    const fetch = this.open(partition, nowMs);
    if (fetch === undefined) return false;
    for (const peer of this.ownership.otherOwners(partition)) {
      if (!fetch.had.has(peer.id) && this.isAwaited(fetch, partition, peer, nowMs)) return false;
    }
    // Those who owned it before and hand it over.
    for (const peer of this.peers.all()) {
      if (!this.ownership.isSource(peer, partition) || fetch.had.has(peer.id)) continue;
      if (this.isAwaited(fetch, partition, peer, nowMs)) return false;
    }
    return true;
  }

  private isAwaited(fetch: Fetch, partition: number, peer: Peer, nowMs: number): boolean {
    const forMs = nowMs - fetch.beganAtMs;
    if (peer.state === 'dead' || peer.state === 'left') {
      return forMs < UNKNOWN_MS && (peer.state !== 'dead' || peer.actor === 0);
    }
    if (this.isSilent(partition, peer)) {
      const sinceMs = fetch.silentSinceMs.get(peer.id) ?? nowMs;
      fetch.silentSinceMs.set(peer.id, sinceMs);
      return nowMs - sinceMs < SILENT_MS;
    }
    fetch.silentSinceMs.delete(peer.id);
    if (!this.counts(partition, peer)) return false;
    // What this one has is asked for when that is in, whoever brings it.
    if (this.catchUp.isPulling(partition)) return true;
    const askedAtMs = fetch.askedAtMs.get(peer.id);
    return askedAtMs === undefined ? forMs <= UNASKED_MS : nowMs - askedAtMs <= PATIENCE_MS;
  }

  /** Whether a member that may live can not be asked yet, or has not said what it holds by the ring that this node goes by. */
  private isSilent(partition: number, peer: Peer): boolean {
    const report = this.ownership.readiness.of(peer);
    if (!peer.connected || report === undefined) return true;
    return this.isTorn(partition) && report.ringHash !== this.ownership.ringHash && !this.counts(partition, peer);
  }

  /** The partition is ready. */
  end(partition: number): void {
    this.fetches.delete(partition);
  }

  /** A new start of a peer, or a member forgotten. */
  forget(peer: Peer): void {
    for (const { had, askedAtMs, silentSinceMs } of this.fetches.values()) {
      had.delete(peer.id);
      askedAtMs.delete(peer.id);
      silentSinceMs.delete(peer.id);
    }
  }

  /** What is noted of this owning. What is fetched begins with its walk, the search for a tail with the first look at it. */
  private open(partition: number, nowMs: number): Fetch | undefined {
    return this.current(partition) ?? (this.isTorn(partition) ? this.begin(partition, nowMs) : undefined);
  }

  private current(partition: number): Fetch | undefined {
    const fetch = this.fetches.get(partition);
    return fetch?.owning === this.ownership.ownings[partition] ? fetch : undefined;
  }

  private begin(partition: number, nowMs: number): Fetch {
    const owning = this.ownership.ownings[partition];
    const had = new Set<string>();
    const fetch: Fetch = { owning, beganAtMs: nowMs, had, askedAtMs: new Map(), silentSinceMs: new Map() };
    this.fetches.set(partition, fetch);
    return fetch;
  }
}

/** Something came: whoever was asked is waited for from now on. */
function goesOn({ askedAtMs }: Fetch, nowMs: number): void {
  for (const id of askedAtMs.keys()) askedAtMs.set(id, nowMs);
}
