/** A store opened for tests, with whole operations by string key, and views of all it holds that share none of its counts. */
import { mix32 } from '../../../src/core/base/hash.js';
import type { RecordFields } from '../../../src/core/record/record.js';
import {
  readWord,
  recordBytes,
  recordEnd,
  recordKeyEnd,
  recordType,
  TYPE_TOMBSTONE,
  verifyRecord,
} from '../../../src/core/record/record.js';
import type { MergeOutcome } from '../../../src/core/store/merging.js';
import { Store, type StoreOptions } from '../../../src/core/store/store.js';
import { record } from '../record/records.js';

export const PARTITIONS = 8;
export const MIB = 1024 * 1024;

export class Shelf {
  readonly store: Store;
  private readonly options: StoreOptions;

  /** `isTold` false: nobody has said yet what the members have, as right after a start. */
  constructor(options: Partial<StoreOptions> = {}, isTold = true) {
    this.options = {
      memoryBytesMax: MIB,
      segmentBytes: 0,
      partitions: PARTITIONS,
      eviction: 'none',
      hashKey: [0x1234, 0x9876],
      ...options,
    };
    this.store = new Store(this.options);
    if (isTold) this.pass(Number.POSITIVE_INFINITY);
  }

  hash(key: string): number {
    const bytes = Buffer.from(key);
    return this.store.hasher.hash(bytes, 0, bytes.length);
  }

  partition(key: string): number {
    this.hash(key);
    return this.store.hasher.high % this.options.partitions;
  }

  /** Writes as a coordinator does; false if there was no room. */
  put(key: string, value: string | Uint8Array, fields: Partial<RecordFields> = {}): boolean {
    const bytes = record(fields, key, value);
    const partition = this.partition(key);
    this.find(key);
    if (!this.store.allocate(bytes.length, fields.type === TYPE_TOMBSTONE, fields.expireAtMs)) return false;
    this.store.buffer.set(bytes, this.store.offset);
    this.store.publish(partition, this.hash(key));
    return true;
  }

  /** All owners have everything stamped up to `hlc`. */
  pass(hlc: number): void {
    for (let partition = 0; partition < this.options.partitions; partition++) this.store.notePassed(partition, hlc);
  }

  merge(key: string, bytes: Buffer): MergeOutcome {
    return this.store.merge(this.partition(key), this.hash(key), bytes, 0);
  }

  find(key: string): boolean {
    const bytes = Buffer.from(key);
    return this.store.find(this.partition(key), this.hash(key), bytes, 0, bytes.length);
  }

  /** The stored record, verified; null if there is none. */
  read(key: string): Buffer | null {
    if (!this.find(key)) return null;
    const { buffer, offset } = this.store;
    const length = recordBytes(buffer, offset);
    if (verifyRecord(buffer, offset, offset + length) !== length) throw new Error(`the record of ${key} is damaged`);
    return Buffer.from(buffer.subarray(offset, offset + length));
  }

  /** The value; null for a tombstone or nothing. */
  value(key: string): string | null {
    const bytes = this.read(key);
    if (bytes === null || recordType(bytes, 0) === TYPE_TOMBSTONE) return null;
    return bytes.toString('latin1', recordKeyEnd(bytes, 0), recordEnd(bytes, 0));
  }

  remove(key: string): void {
    const bytes = Buffer.from(key);
    this.store.remove(this.partition(key), this.hash(key), bytes, 0, bytes.length);
  }

  /** Copies of all records a scan in pages meets. */
  records(partition: number, count = 7): { hash: number; bytes: Buffer }[] {
    const all: { hash: number; bytes: Buffer }[] = [];
    let cursor = 0;
    while (cursor !== -1) {
      cursor = this.store.scan(partition, cursor, count, (buffer, offset, hash) => {
        all.push({ hash, bytes: Buffer.from(buffer.subarray(offset, offset + recordBytes(buffer, offset))) });
      });
    }
    return all;
  }

  /** Everything held, in an order that depends on it alone. */
  contents(): string[] {
    const all: string[] = [];
    for (let partition = 0; partition < this.options.partitions; partition++) {
      for (const { bytes } of this.records(partition)) all.push(`${partition}:${bytes.toString('hex')}`);
    }
    return all.sort();
  }

  digests(): string[] {
    const { store } = this;
    return Array.from({ length: this.options.partitions }, (_, partition) => {
      store.digest(partition);
      return `${store.digestLow}:${store.digestHigh}`;
    });
  }

  /** The leaf sums of a partition, from the records alone. */
  recomputedSums(partition: number): Uint32Array {
    const sums = new Uint32Array(512);
    for (const { hash, bytes } of this.records(partition)) {
      const crc = readWord(bytes, 0);
      const rotated = ((hash << 16) | (hash >>> 16)) >>> 0;
      sums[(hash >>> 24) * 2] += mix32(crc, hash);
      sums[(hash >>> 24) * 2 + 1] += mix32(readWord(bytes, 12) ^ rotated, crc);
    }
    return sums;
  }
}
