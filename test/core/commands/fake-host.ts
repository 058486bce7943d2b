/**
 * A node in memory for tests of sessions and commands: a Map for the data, partitions by slot, and switches that make keys live
 * elsewhere, replies come later, or wait for the log. Not a model of replication: it only keeps the contract of host.ts.
 */
import { HearsayError } from '../../../src/core/base/errors.js';
import { Hasher } from '../../../src/core/base/hash.js';
import { hlcFromMs } from '../../../src/core/base/hlc.js';
import type { Command, CommandContext } from '../../../src/core/commands/command.js';
import { execute, lastKeyOf } from '../../../src/core/commands/command.js';
import type {
  BackupMark,
  Caller,
  ClusterNodeView,
  CommandHost,
  Deferred,
  DumpVisitor,
  HostSettings,
  HotKeyVisitor,
  KeyVisitor,
  Loaded,
  WaitWish,
} from '../../../src/core/commands/host.js';
import type { EntryView, Keyspace } from '../../../src/core/commands/keyspace.js';
import { PasswordGuesses } from '../../../src/core/commands/password-guesses.js';
import { ScanWork } from '../../../src/core/commands/scan-work.js';
import { CommandStats } from '../../../src/core/commands/stats.js';
import { commandTable } from '../../../src/core/commands/table.js';
import { SnapshotDesk } from '../../../src/core/node/snapshot-desk.js';
import { partitionOf } from '../../../src/core/partitions/slots.js';
import { recordEnd, recordExpireAtMs, recordKeyEnd, TYPE_PUT } from '../../../src/core/record/record.js';
import { Args } from '../../../src/core/resp/args.js';
import { BULK_BYTES_MAX } from '../../../src/core/resp/parser.js';
import { Store } from '../../../src/core/store/store.js';
import { made } from '../../../src/core/types/made.js';
import type { StateChange } from '../../../src/core/types/merge-type.js';
import { record } from '../record/records.js';

export const PARTITIONS = 16;

interface Stored {
  value: Buffer;
  expireAtMs: number;
}

export class FakeKeyspace implements Keyspace {
  readonly entries = new Map<string, Stored>();
  /** The version of what was put; 1 for what a test set by itself. */
  private readonly versions = new Map<string, number>();
  private puts = 1;
  readonly entry: EntryView = {
    type: 1,
    buffer: Buffer.alloc(0),
    offset: 0,
    valueStart: 0,
    valueEnd: 0,
    expireAtMs: 0,
    hlc: 1,
    actor: 1,
  };
  readonly hasher = new Hasher([1, 2]);
  wallMs = 1_700_000_000_000;
  /** Set to make the next write fail. */
  refuseWrites: HearsayError | null = null;

  find(bytes: Buffer, start: number, end: number): boolean {
    return this.lookup(bytes, start, end);
  }

  lookup(bytes: Buffer, start: number, end: number): boolean {
    const stored = this.live(name(bytes, start, end));
    if (stored === undefined) return false;
    // The value lies at an odd place, and moves with every lookup, so that nobody may rely on where it was.
    this.entry.buffer = Buffer.concat([Buffer.from('<<<'), stored.value, Buffer.from('>>>')]);
    this.entry.valueStart = 3;
    this.entry.valueEnd = 3 + stored.value.length;
    this.entry.expireAtMs = stored.expireAtMs;
    this.entry.hlc = this.versions.get(name(bytes, start, end)) ?? 1;
    return true;
  }

  put(
    key: Buffer,
    keyStart: number,
    keyEnd: number,
    value: Buffer,
    from: number,
    to: number,
    expireAtMs: number,
  ): void {
    this.mayWrite();
    const kept = Buffer.from(value.subarray(from, to));
    const at = name(key, keyStart, keyEnd);
    this.versions.set(at, ++this.puts);
    if (expireAtMs !== 0 && expireAtMs <= this.wallMs) this.entries.delete(at);
    else this.entries.set(at, { value: kept, expireAtMs });
  }

  remove(key: Buffer, keyStart: number, keyEnd: number): boolean {
    this.mayWrite();
    const at = name(key, keyStart, keyEnd);
    const found = this.live(at) !== undefined;
    this.entries.delete(at);
    return found;
  }

  expire(key: Buffer, keyStart: number, keyEnd: number, expireAtMs: number): boolean {
    this.mayWrite();
    const at = name(key, keyStart, keyEnd);
    const stored = this.live(at);
    if (stored === undefined) return false;
    if (expireAtMs !== 0 && expireAtMs <= this.wallMs) this.entries.delete(at);
    else stored.expireAtMs = expireAtMs;
    return true;
  }

  /** As the text that the changed state has; of what stood it tells the value and the expiry. */
  change(key: Buffer, keyStart: number, keyEnd: number, change: StateChange): void {
    const at = name(key, keyStart, keyEnd);
    const stored = this.live(at);
    const { expireAtMs = 0, value = Buffer.alloc(0) } = stored ?? {};
    const before = stored === undefined ? null : record({ hlc: 1, expireAtMs }, key.subarray(keyStart, keyEnd), value);
    const stamp = { hlc: hlcFromMs(this.wallMs), actor: 1, sequence: 1 };
    const limits = {
      flushedHlc: 0,
      flushedActor: 0,
      floorHlc: 0,
      isPartial: false,
      endHlcOf: () => Number.POSITIVE_INFINITY,
      continues: () => true,
    };
    if (!change.apply(before, 0, key, keyStart, keyEnd, stamp, limits, made)) throw change.refusal;
    this.mayWrite();
    const text = Buffer.from(made.bytes.subarray(recordKeyEnd(made.bytes, 0), recordEnd(made.bytes, 0)));
    this.entries.set(at, { value: text, expireAtMs: recordExpireAtMs(made.bytes, 0) });
  }

  live(at: string): Stored | undefined {
    const stored = this.entries.get(at);
    return stored !== undefined && (stored.expireAtMs === 0 || stored.expireAtMs > this.wallMs) ? stored : undefined;
  }

  private mayWrite(): void {
    this.entry.buffer = Buffer.from('moved');
    if (this.refuseWrites !== null) throw this.refuseWrites;
  }
}

/** A part that was sent elsewhere and waits there. */
export interface Remote {
  command: Command;
  args: Args;
  caller: Caller;
  place: Deferred;
}

export class FakeHost implements CommandHost {
  readonly keyspace = new FakeKeyspace();
  readonly stats = new CommandStats(commandTable.commands.length);
  monotonicMs = 1000;
  /** What HEARSAY.LEAVE and HEARSAY.FORGET asked for. */
  readonly asked: string[] = [];
  passwordMatches(given: Uint8Array): boolean {
    return this.settings.password === null || this.settings.password === Buffer.from(given).toString('utf8');
  }

  settings: HostSettings = {
    nodeId: 'n1',
    hexId: 'a'.repeat(40),
    clusterName: 'test',
    version: '0.1.0',
    port: 7001,
    partitions: PARTITIONS,
    replicas: 3,
    topology: 'partition',
    password: null,
    maxMemoryBytes: 256 * 1024 * 1024,
    durability: 'interval',
    eviction: 's3-fifo',
    maxClients: 100,
    limits: {
      argumentsMax: 1_048_576,
      bulkBytesMax: BULK_BYTES_MAX,
      queryBytesMax: 64 * 1024 * 1024,
      outputBytesMax: 32 * 1024 * 1024,
      partialCommandMs: 60_000,
    },
    readConsistency: 'one',
    writeConsistency: 'one',
  };
  nodes: ClusterNodeView[] = [
    {
      hexId: 'a'.repeat(40),
      name: 'n1',
      host: '0.0.0.0',
      port: 7001,
      gossipPort: 17001,
      self: true,
      state: 'alive',
      incarnation: 3,
      slots: [{ first: 0, last: 8191 }],
    },
    {
      hexId: 'b'.repeat(40),
      name: 'n2',
      host: '10.0.0.2',
      port: 7001,
      gossipPort: 17001,
      self: false,
      state: 'suspect',
      incarnation: 5,
      slots: [
        { first: 8192, last: 16382 },
        { first: 16383, last: 16383 },
      ],
    },
  ];
  /** Partitions held here for which another node answers. */
  elsewhere: (partition: number) => boolean = () => false;
  /** Partitions whose owner is another node: their commands wait in `remote` until `answerRemote`. */
  away: (partition: number) => boolean = () => false;
  readonly remote: Remote[] = [];
  /** Batch that the next writes belong to; 0: no reply is held. */
  batch = 0;
  /** What snapshots are of: tests fill it. */
  readonly store = new Store({
    memoryBytesMax: 1024 * 1024,
    segmentBytes: 0,
    partitions: PARTITIONS,
    eviction: 'none',
    hashKey: [1, 2],
  });
  readonly passwordGuesses = new PasswordGuesses();
  readonly scanWork = new ScanWork();
  readonly snapshots = new SnapshotDesk(this, this.store);
  distinct = 7;
  readonly waits: WaitWish[] = [];

  get wallMs(): number {
    return this.keyspace.wallMs;
  }

  canRunHere(command: Command, args: Args): boolean {
    const last = lastKeyOf(command, args);
    for (let index = command.firstKey; index <= last; index += command.step) {
      if (this.away(this.partitionOf(args, index))) return false;
    }
    return true;
  }

  submit(command: Command, args: Args, caller: Caller): void {
    if (this.away(this.partitionOf(args, command.firstKey))) this.sendAway(command, args, caller);
    else this.runHere(command, args, caller);
  }

  submitToPartition(partition: number, command: Command, args: Args, caller: Caller): void {
    if (this.away(partition)) this.sendAway(command, args, caller);
    else this.runHere(command, args, caller);
  }

  /** The other node answers the waiting command at `index`. */
  answerRemote(index: number): void {
    const [{ command, args, caller, place }] = this.remote.splice(index, 1);
    execute(command, this.context(caller), args, place.reply);
    place.done();
  }

  cluster(): ClusterNodeView[] {
    return this.nodes;
  }

  answersFor(partition: number): boolean {
    return this.settings.topology === 'off' || !(this.away(partition) || this.elsewhere(partition));
  }

  holds(partition: number): boolean {
    return !this.away(partition);
  }

  /** What is drawn next. */
  draws: number[] = [];

  drawUint32(): number {
    return this.draws.shift() ?? 0;
  }

  countExpiring(): number {
    return 0;
  }

  countKeys(partition: number): number {
    return this.keysOf(partition).length;
  }

  scanPartition(partition: number, fromHash: number, count: number, visit: KeyVisitor): number {
    let visited = 0;
    let lastHash = -1;
    for (const { key, hash } of this.keysOf(partition)) {
      if (hash < fromHash) continue;
      if (visited >= count && hash !== lastHash) return hash;
      visit(key, 0, key.length, TYPE_PUT);
      visited++;
      lastHash = hash;
    }
    return -1;
  }

  /** Keys that `visitHot` gives. */
  hot: [string, number][] = [];

  visitHot(visit: HotKeyVisitor): void {
    for (const [key, uses] of this.hot) visit(Buffer.from(key), 0, key.length, uses);
  }

  backupMark(): BackupMark {
    return {
      hlc: 2048 * this.wallMs,
      flushedHlc: 0,
      flushedActor: 0,
      clusterId: '0123456789abcdef',
      tombstoneGraceMs: 86_400_000,
      maxClockDriftMs: 500,
    };
  }

  /** Records that `dumpPartition` gives, in order of hash, each at the start of its buffer. */
  records: { hash: number; bytes: Buffer }[] = [];

  /** Deletes up to this stamp are forgotten. */
  forgotten = 0;

  keepsDeletesSince(_partition: number, hlc: number): boolean {
    return this.forgotten <= hlc;
  }

  dumpPartition(_partition: number, fromHash: number, count: number, visit: DumpVisitor): number {
    let looked = 0;
    let lastHash = -1;
    for (const { hash, bytes } of this.records) {
      if (hash < fromHash) continue;
      if (looked >= count && hash !== lastHash) return hash;
      looked++;
      lastHash = hash;
      visit(bytes, 0, hash);
    }
    return -1;
  }

  /** What the next LOAD answers, and the bytes of those that came. */
  loaded: Partial<Loaded> = {};
  readonly loads: Buffer[] = [];

  load(bytes: Buffer, start: number, end: number): Loaded {
    this.loads.push(Buffer.from(bytes.subarray(start, end)));
    const counts = {
      applied: 0,
      stale: 0,
      expired: 0,
      elsewhere: 0,
      drifted: 0,
      flushed: 0,
      belowFloor: 0,
      unusable: 0,
    };
    return { bytes: end - start, ...counts, refusal: null, ...this.loaded };
  }

  noteLoaded(caller: Caller): void {
    if (this.batch > 0) caller.holdUntilDurable(this.batch);
  }

  flushAll(caller: Caller): void {
    this.keyspace.entries.clear();
    caller.reply.ok();
  }

  wait(wish: WaitWish, caller: Caller): void {
    this.waits.push(wish);
    if (wish.durable) caller.reply.array(2);
    if (wish.durable) caller.reply.integer(wish.local);
    caller.reply.integer(2);
  }

  distinctKeys(): number {
    return this.distinct;
  }

  resetDistinct(): void {
    this.distinct = 0;
  }

  noteSiblings(): void {}

  readonly sessionCluster = '0123456789abcdef';

  stampAbove(hlc: number): boolean {
    return hlc < 2 ** 52;
  }

  explain(key: Buffer, start: number, end: number, caller: Caller): void {
    caller.reply.map(1);
    caller.reply.bulkString('key');
    caller.reply.bulk(key, start, end);
  }

  digest(partition: number): string {
    return partition.toString(16).padStart(16, '0');
  }

  status(): Record<string, string | number | boolean | Record<string, string | number | boolean>[]> {
    return { nodeId: 'n1', memory_bytes: 2048, load: 0.5, ready: true, members: [{ name: 'n2', alive: false }] };
  }

  leave(): void {
    this.asked.push('leave');
  }

  forget(id: string): void {
    if (id !== 'dead') throw new HearsayError('ERR', `${id} is alive: only a dead member is forgotten`);
    this.asked.push(`forget ${id}`);
  }

  secret(reload: boolean): string[] {
    return reload ? ['0000000b used', '0000000a accepted'] : ['0000000a used'];
  }

  fault(words: string[]): string[] {
    if (words[0] === 'LIST') return ['none'];
    throw new HearsayError('ERR', 'fault injection is off');
  }

  context(caller: Caller): CommandContext {
    return { host: this, keyspace: this.keyspace, stats: this.stats, caller, connection: null };
  }

  private runHere(command: Command, args: Args, caller: Caller): void {
    execute(command, this.context(caller), args, caller.reply);
    if (this.batch > 0) caller.holdUntilDurable(this.batch);
  }

  /** Keeps a copy, since the bytes are only lent. */
  private sendAway(command: Command, args: Args, caller: Caller): void {
    const words: Buffer[] = [];
    for (let index = 0; index < args.count; index++) words.push(args.copy(index));
    this.remote.push({ command, args: Args.of(...words), caller, place: caller.defer() });
  }

  private partitionOf(args: Args, index: number): number {
    return partitionOf(args.buffer, args.starts[index], args.ends[index], this.settings.partitions);
  }

  private keysOf(partition: number): { key: Buffer; hash: number }[] {
    const keys: { key: Buffer; hash: number }[] = [];
    for (const at of this.keyspace.entries.keys()) {
      const key = Buffer.from(at, 'latin1');
      if (partitionOf(key, 0, key.length, this.settings.partitions) !== partition) continue;
      if (this.keyspace.live(at) !== undefined) keys.push({ key, hash: hashOf(key) });
    }
    return keys.sort((left, right) => left.hash - right.hash);
  }
}

/** A hash of few values, so that some keys share one. */
function hashOf(key: Buffer): number {
  let hash = 7;
  for (const byte of key) hash = (Math.imul(hash, 31) + byte) >>> 0;
  return hash % 97;
}

function name(bytes: Buffer, start: number, end: number): string {
  return bytes.latin1Slice(start, end);
}
