/**
 * What one peer is owed: the keys of writes that could not be handed to it. The coordinator owns the entries, so a hint is a
 * reference: on delivery the key's current record is sent, and one hint stands for any number of overwrites. The replicator
 * adds them, sends them and says what became of them; delivered is what the peer has acknowledged, never what was only sent.
 * Guarded: created = delivered + superseded + expired + dropped + pending, at every moment; bounded in bytes per peer and, over
 * all peers, by `HintRoom`. Past a bound a hint is dropped, and its partition is noted as owing this peer a repair.
 */
import { assert } from '../base/assert.js';

/** Rough cost of one hint beyond its key. */
const HINT_OVERHEAD_BYTES = 128;

/** Bytes that the hints for all peers of a node share. */
export class HintRoom {
  bytes = 0;

  constructor(readonly bytesMax: number) {}
}

interface Hint {
  readonly partition: number;
  /** The coordinator's count of writes when it was added. */
  readonly count: number;
  /** The link's message that carries its record now; 0 for none. */
  message: number;
}

export class Hints {
  /** Key as latin-1 text. Insertion order is delivery order. */
  private readonly owed = new Map<string, Hint>();
  /** Sent and not yet acknowledged. */
  private readonly sent = new Map<string, Hint>();
  /** Owed, and not in the log for want of room in it: a part of what is pending. */
  private readonly unlogged = new Set<string>();
  /** Per partition: when a hint of it was last dropped, by the wall clock; null before the first. */
  private droppedWallMs: Float64Array | null = null;
  /** Per partition: the coordinator's count of writes when there was no room for a hint of it last. */
  private missedThrough: Float64Array | null = null;
  /** No hint that is pending was added before this count of writes. */
  owedSince = 0;
  bytes = 0;
  created = 0;
  delivered = 0;
  /** A later write of the key took its place, or a FLUSHALL. */
  superseded = 0;
  /** The entry's time to live had passed. */
  expired = 0;
  /** No room for it, the record has left this node's memory, or the peer was forgotten. */
  dropped = 0;

  constructor(
    private readonly bytesMax: number,
    private readonly partitions: number,
    private readonly room: HintRoom = new HintRoom(Number.POSITIVE_INFINITY),
  ) {}

  get pending(): number {
    return this.owed.size + this.sent.size;
  }

  /** Of these, how many may be sent now. */
  get waiting(): number {
    return this.owed.size;
  }

  /** How many the log had no room for yet: a kill forgets them, and what they stand for is anti-entropy's to find. */
  get unloggedCount(): number {
    return this.unlogged.size;
  }

  /** The log had no room for what `add` wanted logged. */
  notLogged(key: string): void {
    if (this.owed.has(key)) this.unlogged.add(key);
  }

  isLogged(key: string): boolean {
    return !this.unlogged.has(key);
  }

  /** Gives each key that is not in the log to `log`, until that has no room either. */
  logLate(log: (key: string, partition: number) => boolean): void {
    for (const key of this.unlogged) {
      const hint = this.owed.get(key) ?? this.sent.get(key);
      if (hint !== undefined && !log(key, hint.partition)) return;
      this.unlogged.delete(key);
    }
  }

  /**
   * Owes a key, written at `count` or later, at `now` at the latest; true if that has to be logged: it was not owed before, and there
   * was room.
   */
  add(key: string, partition: number, count: number, wallMs: number, now = count): boolean {
    this.created++;
    const known = this.owed.get(key) ?? this.sent.get(key);
    if (known !== undefined) {
      this.superseded++;
      // What is under way is not the newest any more: its acknowledgement delivers nothing.
      if (this.sent.delete(key)) this.owed.set(key, { partition, count: known.count, message: 0 });
      return false;
    }
    const cost = costOf(key);
    if (this.bytes + cost > this.bytesMax || this.room.bytes + cost > this.room.bytesMax) {
      this.dropped++;
      this.noteDropped(partition, wallMs);
      this.missedThrough ??= new Float64Array(this.partitions).fill(-1);
      this.missedThrough[partition] = now;
      return false;
    }
    if (this.pending === 0) this.owedSince = count;
    else this.owedSince = Math.min(this.owedSince, count);
    this.bytes += cost;
    this.room.bytes += cost;
    this.owed.set(key, { partition, count, message: 0 });
    return true;
  }

  /** Up to `count` keys to send, oldest first; they stay owed until `underWay` or an end of theirs. */
  first(count: number): [key: string, hint: Readonly<Hint>][] {
    const keys: [string, Hint][] = [];
    for (const entry of this.owed) {
      if (keys.length >= count) break;
      keys.push(entry);
    }
    return keys;
  }

  /** The key's record is in a message to the peer. */
  underWay(key: string, message: number): void {
    const hint = this.owed.get(key);
    if (hint === undefined) return;
    this.owed.delete(key);
    hint.message = message;
    this.sent.set(key, hint);
  }

  /** The peer acknowledged that message; true if the key is owed no more. */
  acknowledged(key: string, message: number): boolean {
    if (this.sent.get(key)?.message !== message) return false;
    this.end(key);
    this.delivered++;
    return true;
  }

  /** That message came to nothing: the key is owed as before. */
  returned(key: string, message: number): void {
    const hint = this.sent.get(key);
    if (hint?.message !== message) return;
    this.sent.delete(key);
    hint.message = 0;
    this.owed.set(key, hint);
  }

  /** Nothing is left to give: a flush took it. */
  supersede(key: string): void {
    if (this.end(key)) this.superseded++;
  }

  expire(key: string): void {
    if (this.end(key)) this.expired++;
  }

  drop(key: string, wallMs: number): void {
    const hint = this.owed.get(key) ?? this.sent.get(key);
    if (hint === undefined || !this.end(key)) return;
    this.dropped++;
    this.noteDropped(hint.partition, wallMs);
  }

  /** A line of the log, met at a start: what was owed then, or an end of it, which leaves no trace in the books. */
  recover(key: string, partition: number, owed: boolean, wallMs: number): void {
    if (owed) {
      if (!this.owed.has(key)) this.add(key, partition, 0, wallMs);
    } else if (this.end(key)) this.created--;
  }

  /**
   * Partitions that owe this peer a repair: a hint was dropped after the last comparison that found both the same had begun,
   * `passedWallMs` per partition.
   */
  partitionsToRepair(passedWallMs: Float64Array): number {
    if (this.droppedWallMs === null) return 0;
    let count = 0;
    for (let partition = 0; partition < this.partitions; partition++) {
      if (this.droppedWallMs[partition] > passedWallMs[partition]) count++;
    }
    return count;
  }

  /**
   * Whether the peer may lack a write of a partition, counted `first` or later, because there was no room for its hint, and no
   * comparison that began after that, at `passedWallMs`, has found both the same. What was evicted before it could be handed over is
   * no such write.
   */
  hasMissed(partition: number, first: number, passedWallMs: number): boolean {
    if (this.missedThrough === null || this.droppedWallMs === null) return false;
    return this.missedThrough[partition] >= first && this.droppedWallMs[partition] > passedWallMs;
  }

  *entries(): IterableIterator<[key: string, partition: number]> {
    for (const [key, { partition }] of this.owed) yield [key, partition];
    for (const [key, { partition }] of this.sent) yield [key, partition];
  }

  assertInvariants(): void {
    const { created, delivered, superseded, expired, dropped, pending } = this;
    assert(created === delivered + superseded + expired + dropped + pending, 'hints: the books do not balance');
    assert(this.bytes >= 0 && (pending > 0 || this.bytes === 0), 'hints: bytes without hints');
    assert(this.unlogged.size <= pending, 'hints: more wait for the log than are owed');
    assert(this.bytes <= this.bytesMax && this.room.bytes <= this.room.bytesMax, 'hints: past their bound');
  }

  private end(key: string): boolean {
    if (!this.owed.delete(key) && !this.sent.delete(key)) return false;
    this.unlogged.delete(key);
    this.bytes -= costOf(key);
    this.room.bytes -= costOf(key);
    return true;
  }

  private noteDropped(partition: number, wallMs: number): void {
    this.droppedWallMs ??= new Float64Array(this.partitions);
    this.droppedWallMs[partition] = Math.max(this.droppedWallMs[partition], wallMs, 1);
  }
}

function costOf(key: string): number {
  return key.length + HINT_OVERHEAD_BYTES;
}
