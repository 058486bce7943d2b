/**
 * What ails the paths between nodes beyond what NetworkOptions says of all of them: longer ways, datagrams that overtake each other, narrow
 * streams, datagrams that pass one way only, listeners that refuse or take their time, processes that read no stream. network.ts and streams.ts ask it for every message;
 * around.ts sets it. Guarded: two troubles of one path add up and end one by one; a path without any costs a look into an empty map.
 */

/** Pairs of hosts as one number: from * this + to. */
const HOSTS_MAX = 256;

/** How often something is so: faults of one kind overlap. */
class Counts {
  private readonly counts = new Map<number, number>();

  has(what: number): boolean {
    return this.counts.size > 0 && this.counts.has(what);
  }

  begin(what: number): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  /** True if it is over. */
  end(what: number): boolean {
    const left = (this.counts.get(what) ?? 0) - 1;
    if (left > 0) this.counts.set(what, left);
    else this.counts.delete(what);
    return left <= 0;
  }

  all(): number[] {
    return [...this.counts.keys()];
  }

  clear(): void {
    this.counts.clear();
  }
}

/** Amounts by what they hold for; what comes back to nothing is forgotten. */
class Amounts {
  private readonly amounts = new Map<number, number>();

  of(what: number): number {
    return this.amounts.size === 0 ? 0 : (this.amounts.get(what) ?? 0);
  }

  add(what: number, amount: number): void {
    const sum = this.of(what) + amount;
    if (sum > 0) this.amounts.set(what, sum);
    else this.amounts.delete(what);
  }

  clear(): void {
    this.amounts.clear();
  }
}

export class PathTroubles {
  /** Nodes whose processes read no stream of another node. */
  readonly deaf = new Counts();
  private readonly mutes = new Counts();
  private readonly lags = new Amounts();
  private readonly spreads = new Amounts();
  /** ms per byte. */
  private readonly widths = new Amounts();
  private readonly freeAtMs = new Map<number, number>();
  private readonly refusing = new Counts();
  private readonly accepting = new Amounts();

  lag(from: number, to: number, byMs: number): void {
    this.lags.add(from * HOSTS_MAX + to, byMs);
  }

  /** What this path takes longer than others, ms. */
  lagMs(from: number, to: number): number {
    return this.lags.of(from * HOSTS_MAX + to);
  }

  shuffle(node: number, byMs: number): void {
    this.spreads.add(node, byMs);
  }

  /** Datagrams of this node take up to so much longer, ms. */
  spreadMs(node: number): number {
    return this.spreads.of(node);
  }

  narrow(from: number, to: number, msPerByte: number): void {
    this.widths.add(from * HOSTS_MAX + to, msPerByte);
  }

  /** Datagrams from one host to the other are lost; streams pass, and datagrams the other way. */
  mute(from: number, to: number): void {
    this.mutes.begin(from * HOSTS_MAX + to);
  }

  unmute(from: number, to: number): void {
    this.mutes.end(from * HOSTS_MAX + to);
  }

  isMute(from: number, to: number): boolean {
    return this.mutes.has(from * HOSTS_MAX + to);
  }

  /** How long a segment of a stream waits for those before it and takes itself, ms; takes its place in the queue. */
  queueMs(from: number, to: number, bytes: number, nowMs: number): number {
    const pair = from * HOSTS_MAX + to;
    const msPerByte = this.widths.of(pair);
    if (msPerByte === 0) return 0;
    const freeAtMs = Math.max(nowMs, this.freeAtMs.get(pair) ?? 0) + bytes * msPerByte;
    this.freeAtMs.set(pair, freeAtMs);
    return freeAtMs - nowMs;
  }

  /** Null: new streams are refused; else they stand this much later. */
  welcome(node: number, delayMs: number | null): void {
    if (delayMs === null) this.refusing.begin(node);
    else this.accepting.add(node, delayMs);
  }

  endWelcome(node: number, delayMs: number | null): void {
    if (delayMs === null) this.refusing.end(node);
    else this.accepting.add(node, -delayMs);
  }

  refuses(node: number): boolean {
    return this.refusing.has(node);
  }

  acceptMs(node: number): number {
    return this.accepting.of(node);
  }

  clear(): void {
    this.mutes.clear();
    this.lags.clear();
    this.spreads.clear();
    this.widths.clear();
    this.freeAtMs.clear();
    this.refusing.clear();
    this.accepting.clear();
    this.deaf.clear();
  }
}
