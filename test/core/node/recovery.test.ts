import { describe, expect, it } from 'vitest';
import { HybridClock } from '../../../src/core/base/hlc.js';
import { Random } from '../../../src/core/base/random.js';
import { type NodeConfig, SETTINGS } from '../../../src/core/config.js';
import { Checkpointer } from '../../../src/core/node/checkpointer.js';
import { clusterIdentity } from '../../../src/core/node/identity.js';
import { recoverNode } from '../../../src/core/node/recovery.js';
import type { RingBook } from '../../../src/core/node/ring-book.js';
import { partitionOf } from '../../../src/core/partitions/slots.js';
import { recordKeyEnd, recordKeyStart, recordType, TYPE_PUT, TYPE_TOMBSTONE } from '../../../src/core/record/record.js';
import { DistinctKeys } from '../../../src/core/replication/distinct-keys.js';
import { encodeFloorNote, encodeGoneNote } from '../../../src/core/replication/floor-note.js';
import { Floors } from '../../../src/core/replication/floors.js';
import { Frontiers } from '../../../src/core/replication/frontier.js';
import type { Peers } from '../../../src/core/replication/peers.js';
import type { Replicator } from '../../../src/core/replication/replicator.js';
import { Standings } from '../../../src/core/replication/standings.js';
import { Store } from '../../../src/core/store/store.js';
import { Wal } from '../../../src/core/wal/wal.js';
import { SimDisk } from '../../../src/sim/disk.js';
import { SimDistinct } from '../../../src/sim/distinct.js';
import { record } from '../record/records.js';
import { silent } from '../wal/harness.js';

const MIB = 1024 * 1024;
const PARTITIONS = 16;
const EVICTING = SETTINGS.find((setting) => setting.name === 'eviction')?.fallback as NodeConfig['eviction'];

interface Entry {
  id: number;
  hlc: number;
  tombstone?: boolean;
}

/** A directory written by one log and read by one node after another. */
class Machine {
  store!: Store;
  distinctKeys!: DistinctKeys;
  private wal!: Wal;
  private nowMs = 0;
  floors: Float64Array = new Float64Array(PARTITIONS);
  private readonly random = new Random(7);
  readonly disk: SimDisk;
  private pending: (() => void)[] = [];
  frontiers = new Frontiers(PARTITIONS);

  constructor() {
    this.disk = new SimDisk(
      {
        random: new Random(3),
        schedule: (_delayMs, run) => this.pending.push(run),
        completed: (token, error) => this.wal.completed(token, error),
      },
      {},
    );
    this.open();
    this.wal.recover(() => {});
  }

  write(entries: Entry[]): void {
    for (const entry of entries) {
      const bytes = encode(entry);
      if (!this.wal.append(bytes, 0, bytes.length)) throw new Error(`refused: ${this.wal.refusal}`);
      if (entry.id % 50 === 0) this.turn();
    }
    this.turn();
  }

  /** Appends a note of the node's own. */
  append(bytes: Buffer): void {
    this.wal.append(bytes, 0, bytes.length);
    this.turn();
  }

  /** An image of these entries, in an order that says nothing of their age. */
  checkpoint(entries: Entry[]): void {
    this.wal.beginCheckpoint();
    const shuffled = [...entries].sort((left, right) => ((left.id * 7919) % 10_007) - ((right.id * 7919) % 10_007));
    for (const entry of shuffled) {
      const bytes = encode(entry);
      this.wal.checkpointRecord(bytes, 0, bytes.length);
    }
    this.wal.endCheckpoint();
    for (let turn = 0; turn < 50 && this.wal.checkpointing; turn++) this.turn();
    expect(this.wal.checkpointing).toBe(false);
  }

  /** An image of what the store holds, as if the log had grown enough for one: the log before it goes. */
  checkpointStore(): void {
    const peers = { all: () => [] } as unknown as Peers;
    const ring = { dump: () => {} } as unknown as RingBook;
    const clock = new HybridClock(0, 500);
    const options = { partitions: PARTITIONS, marginMs: 0, graceMs: 0, mutations: new Set<string>() };
    const floors = new Floors(options);
    floors.floor.set(this.floors);
    const checkpointer = new Checkpointer(
      this.store,
      this.wal,
      this.frontiers,
      peers,
      ring,
      {} as Replicator,
      this.distinctKeys,
      clock,
      floors,
      new Standings(PARTITIONS),
      PARTITIONS,
    );
    const { checkpoints } = this.wal.stats();
    this.wal.wantsCheckpoint = () => true;
    for (let turn = 0; turn < 1000 && this.wal.stats().checkpoints === checkpoints; turn++) {
      checkpointer.tick();
      this.turn();
    }
    expect(this.wal.stats().checkpoints).toBe(checkpoints + 1);
  }

  lossy(): number[] {
    return Array.from({ length: PARTITIONS }, (_unused, number) => number).filter((each) => this.store.isLossy(each));
  }

  /** The process dies; a node starts on what it left. */
  start(maxMemory: number, eviction: NodeConfig['eviction']): void {
    this.disk.kill();
    this.pending = [];
    this.open();
    const config = { partitions: PARTITIONS, data: 'here', id: null, clusterName: 'c', password: '', replicas: 3 };
    this.store = new Store({
      memoryBytesMax: maxMemory,
      segmentBytes: 0,
      partitions: PARTITIONS,
      eviction,
      hashKey: [1, 2],
    });
    this.distinctKeys = new DistinctKeys({ distinct: new SimDistinct() }, this.store, { partitions: PARTITIONS });
    const whole = { ...config, eviction, maxMemory } as unknown as NodeConfig;
    const identity = { ...clusterIdentity(whole), clusterIdText: '' };
    const { wal, distinctKeys } = this;
    const parts = { store: this.store, wal, log: silent, distinctKeys };
    const state = recoverNode(parts, whole, identity, this.random, { keepActor: false, recentWrites: 64 });
    this.frontiers = state.frontiers;
    this.floors = state.floors;
  }

  /** The type of the record that stands for an id; 0 for none. */
  stands(id: number): number {
    const bytes = encode({ id, hlc: 1 });
    const start = recordKeyStart(bytes, 0);
    const end = recordKeyEnd(bytes, 0);
    if (!this.store.find(partitionOfId(id), this.store.hasher.hash(bytes, start, end), bytes, start, end)) return 0;
    return recordType(this.store.buffer, this.store.offset);
  }

  private open(): void {
    const options = { durability: 'interval' as const, intervalMs: 1, fileBytes: 256 * 1024, checkpointMinBytes: MIB };
    this.wal = new Wal({ disk: this.disk, log: silent }, { ...options, random: this.random });
  }

  private turn(): void {
    this.nowMs += 10;
    this.wal.turnEnded(this.nowMs);
    for (const run of this.pending.splice(0)) run();
    this.wal.turnEnded(this.nowMs);
  }
}

function partitionOfId(id: number): number {
  const bytes = encode({ id, hlc: 1 });
  return partitionOf(bytes, recordKeyStart(bytes, 0), recordKeyEnd(bytes, 0), PARTITIONS);
}

function encode({ id, hlc, tombstone }: Entry): Buffer {
  const value = tombstone ? '' : Buffer.alloc(400, id & 0xff);
  return record({ hlc, type: tombstone ? TYPE_TOMBSTONE : TYPE_PUT }, `key:${String(id).padStart(6, '0')}`, value);
}

function entries(from: number, to: number): Entry[] {
  return Array.from({ length: to - from }, (_unused, index) => ({ id: from + index, hlc: 1000 + from + index }));
}

describe('a node that restarts', () => {
  it('with less memory than its data needs keeps the newest and never has more than it may', () => {
    const machine = new Machine();
    machine.checkpoint(entries(0, 6000));
    machine.write(entries(6000, 7000));
    machine.start(4 * MIB, EVICTING);
    expect(machine.store.stats()).toMatchObject({ keys: 7000, evictions: 0 });
    machine.start(2 * MIB, EVICTING);
    const { keys, evictions, memoryBytes } = machine.store.stats();
    expect(memoryBytes).toBeLessThanOrEqual(2 * MIB);
    expect(evictions).toBeGreaterThan(0);
    expect(keys).toBeGreaterThan(3000);
    const standing = (from: number, to: number) =>
      entries(from, to).filter(({ id }) => machine.stands(id) === TYPE_PUT).length;
    expect(standing(6000, 7000)).toBe(1000);
    expect(standing(4600, 6000)).toBe(1400);
    expect(standing(0, 1500)).toBe(0);
  });

  it('lets deletes win though there are more of them than their share of memory, and whatever else is evicted', () => {
    const machine = new Machine();
    machine.checkpoint(entries(0, 3000));
    machine.write(entries(0, 3000).map(({ id, hlc }) => ({ id, hlc: hlc + 10_000, tombstone: true })));
    for (const memory of [2 * MIB, MIB]) {
      machine.start(memory, EVICTING);
      for (const { id } of entries(0, 3000)) expect(machine.stands(id), `id ${id}`).not.toBe(TYPE_PUT);
      expect(machine.store.stats().memoryBytes).toBeLessThanOrEqual(memory);
    }
  });

  it('marks what it had evicted from before, and what it evicts now: there absence proves nothing', () => {
    const machine = new Machine();
    machine.write(entries(0, 7000));
    const incomplete = () =>
      new Set(
        entries(0, 7000)
          .filter(({ id }) => machine.stands(id) === 0)
          .map(({ id }) => partitionOfId(id)),
      );
    for (const memory of [2 * MIB, 8 * MIB, 8 * MIB]) {
      machine.start(memory, EVICTING);
      expect(incomplete().size).toBeGreaterThan(0);
      expect(machine.lossy()).toEqual([...incomplete()].sort((left, right) => left - right));
      machine.checkpointStore();
    }
  });

  it('marks a partition of which nothing was left', () => {
    const machine = new Machine();
    machine.start(8 * MIB, EVICTING);
    machine.store.noteLossy(3);
    machine.checkpointStore();
    machine.start(8 * MIB, EVICTING);
    expect(machine.lossy()).toEqual([3]);
  });

  it('marks nothing if it never evicted', () => {
    const machine = new Machine();
    machine.write(entries(0, 7000));
    for (let life = 0; life < 2; life++) {
      machine.start(8 * MIB, EVICTING);
      expect(machine.lossy()).toEqual([]);
      machine.checkpointStore();
    }
  });

  it('does not start when nothing may be evicted and not all fits, says how much is enough, and has written nothing', () => {
    const machine = new Machine();
    machine.checkpoint(entries(0, 5000));
    machine.write(entries(5000, 6000));
    const before = machine.disk.list().map((name) => [name, machine.disk.contents(name).toString('latin1')]);
    let message = '';
    try {
      machine.start(MIB, 'none');
    } catch (error) {
      expect(error).toMatchObject({ code: 'CONFIG' });
      message = (error as Error).message;
    }
    const enough = /^data directory here holds more than --max-memory 1mb takes, and .*: (\d+)mb are enough$/.exec(
      message,
    );
    expect(enough, message).not.toBeNull();
    const after = machine.disk.list().map((name) => [name, machine.disk.contents(name).toString('latin1')]);
    expect(after).toEqual(before);
    machine.start(Number(enough?.[1]) * MIB, 'none');
    expect(machine.store.stats()).toMatchObject({ keys: 6000, evictions: 0 });
  });

  it("comes back with its floors, from an image and from the log behind it, and without what was dropped because of another's", () => {
    const machine = new Machine();
    machine.write([
      { id: 1, hlc: 10 },
      { id: 2, hlc: 11 },
    ]);
    machine.append(encodeFloorNote([[3, 500]]));
    machine.append(encodeGoneNote(encode({ id: 1, hlc: 10 }), 0));
    machine.start(4 * MIB, 'none');
    expect([machine.floors[3], machine.stands(1), machine.stands(2)]).toEqual([500, 0, TYPE_PUT]);
    machine.checkpointStore();
    machine.append(encodeFloorNote([[4, 600]]));
    machine.start(4 * MIB, 'none');
    expect([machine.floors[3], machine.floors[4], machine.stands(1)]).toEqual([500, 600, 0]);
  });
});
