/**
 * The keyspace of one node: what commands read and write. A PUT here is the straight path: stamp, encode once into a segment,
 * copy into the log's batch and into the owners' datagrams. No promise, no closure, nothing allocated per operation.
 * Guarded: what cannot be logged or stored is refused before anything changes; every stamp is above everything seen.
 */

import { HearsayError } from '../base/errors.js';
import type { HybridClock } from '../base/hlc.js';
import type { EntryView, Keyspace } from '../commands/keyspace.js';
import { slotOf } from '../partitions/slots.js';
import {
  KEY_BYTES_MAX,
  type RecordFields,
  recordActor,
  recordEnd,
  recordExpireAtMs,
  recordHlc,
  recordKeyEnd,
  recordLength,
  recordType,
  TYPE_EXPIRY,
  TYPE_PUT,
  TYPE_TOMBSTONE,
  VALUE_BYTES_MAX,
  writeHlc,
  writeRecord,
} from '../record/record.js';
import { MERGE_APPLIED, type Store } from '../store/store.js';
import type { Wal } from '../wal/wal.js';
import type { DistinctKeys } from './distinct-keys.js';
import type { Frontiers } from './frontier.js';
import type { Operation } from './operations.js';
import type { Replicator } from './replicator.js';

const NOTHING = Buffer.alloc(0);
/** Room for both expiry fields, a longest key and the version an expiry change names. */
const SCRATCH_BYTES = KEY_BYTES_MAX + 128;

export class LocalKeyspace implements Keyspace {
  wallMs = 0;
  readonly entry: EntryView = { buffer: NOTHING, valueStart: 0, valueEnd: 0, expireAtMs: 0, hlc: 0, actor: 0 };
  /** The operation that the writes of the command now running belong to. */
  operation: Operation | null = null;
  hits = 0;
  misses = 0;
  private focusBuffer: Buffer | null = null;
  private focusStart = 0;
  private focusEnd = 0;
  private partition = 0;
  private hash = 0;
  private readonly scratch = Buffer.alloc(SCRATCH_BYTES);
  private readonly version = Buffer.alloc(16);
  private readonly fields: RecordFields;

  constructor(
    private readonly distinctKeys: DistinctKeys,
    private readonly store: Store,
    private readonly wal: Wal,
    private readonly clock: HybridClock,
    private readonly replicator: Replicator,
    private readonly frontiers: Frontiers,
    options: { actor: number },
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
  }

  /** The version stamped last, and its place in the sequence of its partition. */
  get lastHlc(): number {
    return this.fields.hlc;
  }

  get lastSequence(): number {
    return this.fields.sequence;
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
    if (!this.locate(bytes, start, end)) {
      this.misses++;
      return false;
    }
    const { buffer, offset } = this.store;
    const entry = this.entry;
    entry.buffer = buffer;
    entry.valueStart = recordKeyEnd(buffer, offset);
    entry.valueEnd = recordEnd(buffer, offset);
    entry.expireAtMs = recordExpireAtMs(buffer, offset);
    entry.hlc = recordHlc(buffer, offset);
    entry.actor = recordActor(buffer, offset);
    this.store.touch();
    this.hits++;
    return true;
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
    if (!this.locate(key, keyStart, keyEnd)) return false;
    this.fields.expireAtMs = 0;
    this.write(TYPE_TOMBSTONE, key, keyStart, keyEnd, NOTHING, 0, 0);
    return true;
  }

  expire(key: Buffer, keyStart: number, keyEnd: number, expireAtMs: number): boolean {
    if (!this.locate(key, keyStart, keyEnd)) return false;
    if (expireAtMs !== 0 && expireAtMs <= this.wallMs) return this.remove(key, keyStart, keyEnd);
    const { buffer, offset } = this.store;
    writeHlc(this.version, 0, recordHlc(buffer, offset));
    this.version.writeUIntLE(recordActor(buffer, offset), 8, 6);
    this.stamp(TYPE_EXPIRY);
    this.fields.expireAtMs = expireAtMs;
    const length = writeRecord(this.scratch, 0, this.fields, key, keyStart, keyEnd, this.version, 0, 16);
    if (!this.wal.hasRoom(length)) throw logRefusal(this.wal);
    if (this.store.merge(this.partition, this.hash, this.scratch, 0) !== MERGE_APPLIED) {
      throw new HearsayError('OOM', 'memory is full and eviction is off');
    }
    this.wal.append(this.scratch, 0, length);
    this.replicator.writes++;
    this.replicator.spread(this.scratch, 0, this.partition, this.operation);
    return true;
  }

  /** Finds the live value; the store's cursor stands on it. */
  private locate(key: Buffer, keyStart: number, keyEnd: number): boolean {
    this.focus(key, keyStart, keyEnd);
    const store = this.store;
    if (!store.find(this.partition, this.hash, key, keyStart, keyEnd)) return false;
    if (recordType(store.buffer, store.offset) !== TYPE_PUT) return false;
    const expireAtMs = recordExpireAtMs(store.buffer, store.offset);
    return expireAtMs === 0 || expireAtMs > this.wallMs;
  }

  private stamp(type: number): void {
    const fields = this.fields;
    fields.type = type;
    fields.hlc = this.clock.stamp(this.wallMs);
    const { frontiers, partition } = this;
    const sequence = ++frontiers.sequences[partition];
    fields.sequence = sequence;
    frontiers.stamps[partition] = fields.hlc;
    frontiers.recent[frontiers.recentAt(partition, sequence)] = this.hash;
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
    const counted = known && (type === TYPE_TOMBSTONE || this.isSinceReset(store.buffer, store.offset));
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
