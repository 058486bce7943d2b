/**
 * The keyspace of one node: what commands read and write. A PUT here is the straight path: stamp, encode once into a segment,
 * copy into the log's batch and into the owners' datagrams. No promise, no closure, nothing allocated per operation.
 * Guarded: what cannot be logged or stored is refused before anything changes; every stamp is above everything seen.
 */

import { HearsayError, wrongType } from '../base/errors.js';
import type { Hasher } from '../base/hash.js';
import type { HybridClock } from '../base/hlc.js';
import type { EntryView, Keyspace } from '../commands/keyspace.js';
import { slotOf } from '../partitions/slots.js';
import { type DotVisitor, forEachDot } from '../record/dots.js';
import {
  holdsValue,
  isMergeType,
  KEY_BYTES_MAX,
  type RecordFields,
  recordActor,
  recordEnd,
  recordExpireAtMs,
  recordHlc,
  recordKeyEnd,
  recordLength,
  recordSequence,
  recordType,
  TYPE_EXPIRY,
  TYPE_PUT,
  TYPE_SIBLINGS,
  TYPE_TOMBSTONE,
  VALUE_BYTES_MAX,
  writeHlc,
  writeRecord,
} from '../record/record.js';
import { MERGE_APPLIED, MERGE_DERIVED } from '../store/merging.js';
import type { Store } from '../store/store.js';
import { made } from '../types/made.js';
import type { ChangeLimits, StateChange } from '../types/merge-type.js';
import { lastWritten } from '../types/siblings-record.js';
import { mergeTypeOf } from '../types/types.js';
import type { Wal } from '../wal/wal.js';
import type { ActorBook } from './actor-book.js';
import type { DistinctKeys } from './distinct-keys.js';
import type { Frontiers } from './frontier.js';
import type { Operation } from './operations.js';
import type { Replicator } from './replicator.js';

const NOTHING = Buffer.alloc(0);
/** Longer states, in bytes, are copied by the native call. */
const WORDS_COPIED_MAX = 1024;
/** Changes of merging values that are remembered where values are evicted. */
const RECENT_MAX = 4096;
/** Room for both expiry fields, a longest key and the version an expiry change names. */
const SCRATCH_BYTES = KEY_BYTES_MAX + 128;

export class LocalKeyspace implements Keyspace {
  wallMs = 0;
  readonly entry: EntryView = {
    type: 0,
    buffer: NOTHING,
    offset: 0,
    valueStart: 0,
    valueEnd: 0,
    expireAtMs: 0,
    hlc: 0,
    actor: 0,
  };
  /** The operation that the writes of the command now running belong to. */
  operation: Operation | null = null;
  readonly seenDot = { actor: 0, sequence: 0, hlc: 0 };
  hits = 0;
  misses = 0;
  /** Changes of values that merge which their type refused. */
  changesRefused = 0;
  private focusBuffer: Buffer | null = null;
  private focusStart = 0;
  private focusEnd = 0;
  private partition = 0;
  private hash = 0;
  private readonly scratch = Buffer.alloc(SCRATCH_BYTES);
  private readonly version = Buffer.alloc(16);
  private readonly fields: RecordFields;
  /** The version and dot of the change under way. */
  private readonly next: { hlc: number; actor: number; sequence: number };
  private readonly limits: Limits;

  constructor(
    private readonly distinctKeys: DistinctKeys,
    private readonly store: Store,
    private readonly wal: Wal,
    private readonly clock: HybridClock,
    private readonly replicator: Replicator,
    private readonly frontiers: Frontiers,
    actors: ActorBook,
    options: { actor: number; floors: Float64Array },
  ) {
    this.fields = {
      type: 0,
      hlc: 0,
      actor: options.actor,
      sequence: 0,
      expireAtMs: 0,
      expiryHlc: 0,
      expiryActor: 0,
    };
    this.next = { hlc: 0, actor: options.actor, sequence: 0 };
    this.limits = new Limits(store, options.floors, actors, options.actor, replicator);
  }

  get mutations(): ReadonlySet<string> {
    return this.replicator.mutations;
  }

  /** The version stamped last, and its place in the sequence of its partition. */
  get lastHlc(): number {
    return this.fields.hlc;
  }

  get lastSequence(): number {
    return this.fields.sequence;
  }

  /**
   * Whether anything is known of a key, a tombstone too: then `visit` is told every write that is in it, and `seenDot` names the latest.
   */
  seen(bytes: Buffer, start: number, end: number, visit: DotVisitor): boolean {
    this.focus(bytes, start, end);
    if (!this.store.find(this.partition, this.hash, bytes, start, end)) return false;
    const { buffer, offset } = this.store;
    this.seenDot.actor = recordActor(buffer, offset);
    this.seenDot.sequence = recordSequence(buffer, offset);
    this.seenDot.hlc = recordHlc(buffer, offset);
    forEachDot(buffer, offset, (actor, sequence, hlc) => {
      visit(actor, sequence, hlc);
      // What a merge made has no dot of its own: that of its latest write stands for it.
      if (hlc === this.seenDot.hlc && actor === this.seenDot.actor) this.seenDot.sequence = sequence;
    });
    return true;
  }

  /** Forgets which key was hashed last: the bytes it stood in are about to be reused. */
  unfocus(): void {
    this.focusBuffer = null;
  }

  /** Hashes and places a key, unless it is the one in hand. */
  focus(bytes: Buffer, start: number, end: number): number {
    if (this.focusBuffer !== bytes || this.focusStart !== start || this.focusEnd !== end) {
      this.focusBuffer = bytes;
      this.focusStart = start;
      this.focusEnd = end;
      this.partition = this.replicator.partition(slotOf(bytes, start, end));
      this.hash = this.store.hasher.hash(bytes, start, end);
    }
    return this.partition;
  }

  lookup(bytes: Buffer, start: number, end: number): boolean {
    if (!this.find(bytes, start, end)) return false;
    if (this.entry.type !== TYPE_PUT && mergeTypeOf(this.entry.type)?.isText !== true) throw wrongType();
    return true;
  }

  find(bytes: Buffer, start: number, end: number): boolean {
    if (!this.locate(bytes, start, end)) {
      this.misses++;
      return false;
    }
    const { buffer, offset } = this.store;
    const entry = this.entry;
    entry.type = recordType(buffer, offset);
    entry.buffer = buffer;
    entry.offset = offset;
    entry.valueStart = recordKeyEnd(buffer, offset);
    entry.valueEnd = recordEnd(buffer, offset);
    if (entry.type === TYPE_SIBLINGS) this.showLastWritten();
    entry.expireAtMs = recordExpireAtMs(buffer, offset);
    entry.hlc = recordHlc(buffer, offset);
    entry.actor = recordActor(buffer, offset);
    this.store.touch();
    this.hits++;
    return true;
  }

  get hasher(): Hasher {
    return this.store.hasher;
  }

  private showLastWritten(): void {
    const { entry } = this;
    const { start, end } = lastWritten(entry.buffer, entry.offset, this.wallMs);
    entry.valueStart = start;
    entry.valueEnd = end;
  }

  put(
    key: Buffer,
    keyStart: number,
    keyEnd: number,
    value: Buffer,
    valueStart: number,
    valueEnd: number,
    expireAtMs: number,
  ): void {
    if (keyEnd - keyStart > KEY_BYTES_MAX) throw new HearsayError('ERR', 'key is too long');
    if (valueEnd - valueStart > VALUE_BYTES_MAX) throw new HearsayError('ERR', 'value is too long');
    if (expireAtMs !== 0 && expireAtMs <= this.wallMs) {
      this.remove(key, keyStart, keyEnd);
      return;
    }
    this.focus(key, keyStart, keyEnd);
    this.fields.expireAtMs = expireAtMs;
    this.write(TYPE_PUT, key, keyStart, keyEnd, value, valueStart, valueEnd);
  }

  remove(key: Buffer, keyStart: number, keyEnd: number): boolean {
    const found = this.locate(key, keyStart, keyEnd);
    if (!found && !this.mayStandElsewhere(key, keyStart, keyEnd)) return false;
    this.fields.expireAtMs = 0;
    this.write(TYPE_TOMBSTONE, key, keyStart, keyEnd, NOTHING, 0, 0);
    return found;
  }

  /**
   * Nothing is known of the key in hand, and that proves nothing: whoever has it cannot be asked, or the delete is to rest on more nodes
   * than this one, and a write that rests on as many may not have come here.
   */
  private mayStandElsewhere(key: Buffer, keyStart: number, keyEnd: number): boolean {
    if (this.operation === null && !this.replicator.mayStandElsewhere(this.partition)) return false;
    return !this.store.find(this.partition, this.hash, key, keyStart, keyEnd);
  }

  expire(key: Buffer, keyStart: number, keyEnd: number, expireAtMs: number): boolean {
    if (!this.locate(key, keyStart, keyEnd)) return false;
    if (expireAtMs !== 0 && expireAtMs <= this.wallMs) return this.remove(key, keyStart, keyEnd);
    const { buffer, offset } = this.store;
    // To what merges it is a change of its own, later or earlier than others: it names no version.
    const merges = isMergeType(recordType(buffer, offset));
    writeHlc(this.version, 0, merges ? 0 : recordHlc(buffer, offset));
    this.version.writeUIntLE(merges ? 0 : recordActor(buffer, offset), 8, 6);
    const { fields } = this;
    const { hlc, sequence } = fields;
    fields.type = TYPE_EXPIRY;
    fields.hlc = this.clock.stamp(this.wallMs);
    fields.sequence = this.frontiers.sequences[this.partition] + 1;
    fields.expireAtMs = expireAtMs;
    const length = writeRecord(this.scratch, 0, fields, key, keyStart, keyEnd, this.version, 0, 16);
    const refusal = this.mergeChange(length);
    if (refusal !== null) {
      fields.hlc = hlc;
      fields.sequence = sequence;
      throw refusal;
    }
    this.count(fields.hlc);
    this.wal.append(this.scratch, 0, length);
    this.replicator.writes++;
    this.replicator.spread(this.scratch, 0, this.partition, this.operation);
    return true;
  }

  /** Merges the change of an expiry that `scratch` holds. What refuses it has changed nothing: its dot was not given. */
  private mergeChange(length: number): HearsayError | null {
    if (!this.wal.hasRoom(length)) return logRefusal(this.wal);
    const outcome = this.store.merge(this.partition, this.hash, this.scratch, 0);
    if (outcome === MERGE_APPLIED || outcome === MERGE_DERIVED) return null;
    return new HearsayError('OOM', 'memory is full and eviction is off');
  }

  change(key: Buffer, keyStart: number, keyEnd: number, change: StateChange): void {
    if (keyEnd - keyStart > KEY_BYTES_MAX) throw new HearsayError('ERR', 'key is too long');
    const { store, replicator, next, fields } = this;
    this.focus(key, keyStart, keyEnd);
    const { partition, hash } = this;
    const known = store.find(partition, hash, key, keyStart, keyEnd);
    next.hlc = this.clock.stamp(this.wallMs);
    next.sequence = this.frontiers.sequences[partition] + 1;
    this.limits.partition = partition;
    this.limits.hash = hash;
    const stored = known ? store.buffer : null;
    const counted = known && this.isSinceReset(store.buffer, store.offset);
    if (!change.apply(stored, store.offset, key, keyStart, keyEnd, next, this.limits, made)) {
      this.changesRefused++;
      throw change.refusal ?? new HearsayError('ERR', 'the value can not be changed so');
    }
    const { length } = made;
    if (!this.wal.hasRoom(length)) throw logRefusal(this.wal);
    if (!store.allocate(length, false, recordExpireAtMs(made.bytes, 0))) {
      throw new HearsayError('OOM', 'memory is full and eviction is off');
    }
    // The dot is given only now that nothing can fail: a sequence without its write would be a gap for ever.
    fields.sequence = this.count(next.hlc);
    fields.hlc = next.hlc;
    const { buffer, offset, words } = store;
    if (length <= WORDS_COPIED_MAX) {
      const from = made.words;
      for (let word = 0, to = offset >>> 2, end = (length + 3) >>> 2; word < end; ) words[to++] = from[word++];
    } else made.bytes.copy(buffer, offset, 0, length);
    this.wal.appendWords(words, offset, length);
    store.publish(partition, hash);
    this.limits.wrote(next.sequence);
    replicator.writes++;
    replicator.spread(buffer, offset, partition, this.operation);
    if (!counted) this.distinctKeys.count(hash);
  }

  /** Finds the live value; the store's cursor stands on it. */
  private locate(key: Buffer, keyStart: number, keyEnd: number): boolean {
    this.focus(key, keyStart, keyEnd);
    const store = this.store;
    if (!store.find(this.partition, this.hash, key, keyStart, keyEnd)) return false;
    if (!holdsValue(store.buffer, store.offset)) return false;
    const expireAtMs = recordExpireAtMs(store.buffer, store.offset);
    return expireAtMs === 0 || expireAtMs > this.wallMs;
  }

  private stamp(type: number): void {
    const fields = this.fields;
    fields.type = type;
    fields.hlc = this.clock.stamp(this.wallMs);
    fields.sequence = this.count(fields.hlc);
  }

  /** Gives the next sequence of the partition to the write of the key in hand. */
  private count(hlc: number): number {
    const { frontiers, partition } = this;
    const sequence = ++frontiers.sequences[partition];
    frontiers.stamps[partition] = hlc;
    frontiers.recent[frontiers.recentAt(partition, sequence)] = this.hash;
    return sequence;
  }

  private write(
    type: number,
    key: Buffer,
    keyStart: number,
    keyEnd: number,
    value: Buffer,
    valueStart: number,
    valueEnd: number,
  ): void {
    const store = this.store;
    const length = recordLength(keyEnd - keyStart, valueEnd - valueStart, this.fields.expireAtMs === 0 ? 0 : 1);
    if (!this.wal.hasRoom(length)) throw logRefusal(this.wal);
    const known = store.find(this.partition, this.hash, key, keyStart, keyEnd);
    const counted = type === TYPE_TOMBSTONE || (known && this.isSinceReset(store.buffer, store.offset));
    if (!store.allocate(length, type === TYPE_TOMBSTONE, this.fields.expireAtMs)) {
      throw new HearsayError(
        'OOM',
        type === TYPE_TOMBSTONE
          ? 'deleted keys fill their share of memory; wait for them to be forgotten'
          : 'memory is full and eviction is off',
      );
    }
    this.stamp(type);
    const { buffer, offset } = store;
    writeRecord(buffer, offset, this.fields, key, keyStart, keyEnd, value, valueStart, valueEnd);
    this.wal.appendWords(store.words, offset, length);
    store.publish(this.partition, this.hash);
    this.limits.overwrote(this.hash);
    this.replicator.writes++;
    this.replicator.spread(buffer, offset, this.partition, this.operation);
    if (!counted) this.distinctKeys.count(this.hash);
  }

  /** Whether the record of a key says that its key has been counted. */
  private isSinceReset(buffer: Buffer, offset: number): boolean {
    const { resetHlc } = this.distinctKeys;
    return resetHlc === 0 || recordHlc(buffer, offset) > resetHlc;
  }
}

/** What a change of a value that merges asks of this node. */
class Limits implements ChangeLimits {
  partition = 0;
  hash = 0;
  /** Keys written last in partitions that have evicted, by hash, and the sequence of that write; the oldest first. */
  private readonly recent = new Map<number, number>();

  constructor(
    private readonly store: Store,
    private readonly floors: Float64Array,
    private readonly actors: ActorBook,
    private readonly actor: number,
    private readonly replicator: Replicator,
  ) {}

  get mutations(): ReadonlySet<string> {
    return this.replicator.mutations;
  }

  get flushedHlc(): number {
    return this.store.flushedHlc;
  }

  get flushedActor(): number {
    return this.store.flushedActor;
  }

  get floorHlc(): number {
    return this.floors[this.partition];
  }

  get isPartial(): boolean {
    return !this.replicator.holdsWhole(this.partition);
  }

  /** Where nothing was evicted this node has its own copy still. */
  continues(sequence: number): boolean {
    return !this.store.isLossy(this.partition) || this.recent.get(this.hash) === sequence;
  }

  /** The key in hand is written otherwise: what was written before it is no longer the last. */
  overwrote(hash: number): void {
    if (this.recent.size > 0) this.recent.delete(hash);
  }

  wrote(sequence: number): void {
    const { recent, hash } = this;
    if (!this.store.isLossy(this.partition)) return;
    recent.delete(hash);
    recent.set(hash, sequence);
    if (recent.size <= RECENT_MAX) return;
    for (const oldest of recent.keys()) {
      recent.delete(oldest);
      return;
    }
  }

  endHlcOf(actor: number): number {
    return actor === this.actor ? Number.POSITIVE_INFINITY : this.actors.endHlcOf(actor);
  }
}

/** Why the log takes nothing now; nothing has changed. */
export function logRefusal(wal: Wal): HearsayError {
  switch (wal.refusal) {
    case 'DISKFAILED':
      return new HearsayError('DISKFAILED', 'the log can not be made durable; writes are refused, reads go on');
    case 'BUSY':
      return new HearsayError('BUSY', 'too much of the log waits for the disk');
    default:
      return new HearsayError('NOSPACE', 'the disk has no room for the log; writes are refused, reads go on');
  }
}
