/**
 * What sessions and commands ask of a node: the door that `commands/host.ts` describes, answered from the rooms. The spine makes
 * one, gives it the time of each turn, and settles those who wait.
 */
import type { Ports } from '../../ports/world.js';
import { HearsayError } from '../base/errors.js';
import type { Random } from '../base/random.js';
import type { WallClock } from '../base/wall-clock.js';
import type { Command } from '../commands/command.js';
import type {
  BackupMark,
  Caller,
  ClusterNodeView,
  CommandHost,
  DumpVisitor,
  HostSettings,
  HotKeyVisitor,
  KeyVisitor,
  Loaded,
  WaitWish,
} from '../commands/host.js';
import type { Keyspace } from '../commands/keyspace.js';
import { PasswordGuesses } from '../commands/password-guesses.js';
import { ScanWork } from '../commands/scan-work.js';
import type { NodeConfig } from '../config.js';
import { FRAME_SKETCH } from '../gossip/frames.js';
import type { KeyRing } from '../gossip/key-ring.js';
import type { PacketReader } from '../gossip/packet.js';
import { partitionOf } from '../partitions/slots.js';
import { recordIsExpired } from '../record/expiry.js';
import { holdsValue, recordExpireAtMs, recordKeyEnd, recordKeyStart, recordType } from '../record/record.js';
import type { DistinctKeys } from '../replication/distinct-keys.js';
import { logRefusal } from '../replication/local-keyspace.js';
import { Reach } from '../replication/reach.js';
import { Waiters } from '../replication/waiters.js';
import type { Args } from '../resp/args.js';
import type { Store } from '../store/store.js';
import type { Wal } from '../wal/wal.js';
import { type Bound, nodeBounds } from './bounds.js';
import { type ClusterIdentity, hexIdOf } from './identity.js';
import type { JoinDesk } from './join-desk.js';
import type { MembershipDesk } from './membership-desk.js';
import type { ReadyWatch } from './ready-watch.js';
import type { NodeState } from './recovery.js';
import type { Rooms } from './rooms.js';
import type { SecretDesk } from './secret-desk.js';
import { SiblingWatch } from './sibling-watch.js';
import { SnapshotDesk } from './snapshot-desk.js';
import { type ArrivalStats, nodeStatus } from './status.js';
import { clusterView } from './view.js';

/** More than the record of a sketch takes. */
const DISTINCT_NOTE_BYTES_MAX = 16 * 1024;

/** Deletes from so long before a backup begins are kept for its second pass, and twice the drift allowed. */
const BACKUP_KEEPS_MS = 30_000;
export const HEARSAY_VERSION = '0.1.0';

export interface HostParts {
  readonly rooms: Rooms;
  readonly identity: ClusterIdentity;
  readonly keys: KeyRing | null;
  readonly reader: PacketReader;
  readonly members: MembershipDesk;
  readonly join: JoinDesk;
  readonly coming: ReadyWatch;
  readonly secrets: SecretDesk;
  readonly store: Store;
  readonly wal: Wal;
  readonly state: NodeState;
  readonly distinctKeys: DistinctKeys;
  readonly packets: ArrivalStats;
  readonly wallClock: WallClock;
  readonly random: Random;
  readonly startedAtMs: number;
}

export class NodeHost implements CommandHost {
  wallMs = 0;
  monotonicMs = 0;
  readonly settings: HostSettings;
  readonly waiters: Waiters;
  private readonly siblingWatch = new SiblingWatch();
  readonly passwordGuesses = new PasswordGuesses();
  readonly scanWork = new ScanWork();
  readonly snapshots: SnapshotDesk;
  private readonly rooms: Rooms;
  private view: ClusterNodeView[] | null = null;
  private viewVersion = -1;

  constructor(
    private readonly ports: Ports,
    private readonly config: NodeConfig,
    private readonly parts: HostParts,
  ) {
    this.rooms = parts.rooms;
    this.settings = settingsOf(config, parts.state.nodeId);
    this.snapshots = new SnapshotDesk(this, parts.store);
    const { coordinator, forwarding, peers, ownership, replicator } = parts.rooms;
    const { replicas, operationTimeoutMs } = config;
    const reach = new Reach(ownership, peers, replicator, config);
    this.waiters = new Waiters(coordinator, forwarding, peers, reach, { replicas, operationTimeoutMs });
  }

  get keyspace(): Keyspace {
    return this.rooms.local;
  }

  /** Members or slots have changed: the next CLUSTER command looks again. */
  forgetView(): void {
    this.view = null;
  }

  canRunHere(command: Command, args: Args, caller: Caller): boolean {
    if (this.rooms.order.released) this.rooms.coordinator.runFollowers(this);
    return this.rooms.coordinator.canRunHere(command, args, caller);
  }

  submit(command: Command, args: Args, caller: Caller): void {
    if (this.rooms.order.released) this.rooms.coordinator.runFollowers(this);
    this.rooms.coordinator.submit(this, command, args, caller);
  }

  submitToPartition(partition: number, command: Command, args: Args, caller: Caller): void {
    if (this.rooms.order.released) this.rooms.coordinator.runFollowers(this);
    this.rooms.coordinator.submitTo(this, partition, command, args, caller, 0);
  }

  cluster(): ClusterNodeView[] {
    if (this.view !== null && this.viewVersion === this.rooms.ownership.slotMapVersion) return this.view;
    const view = clusterView(this.rooms.membership, this.rooms.ownership);
    this.view = view;
    this.viewVersion = this.rooms.ownership.slotMapVersion;
    return view;
  }

  answersFor(partition: number): boolean {
    if (this.config.clusterTopology === 'off') return true;
    const primary = this.rooms.ownership.slotMapPrimaries()[partition];
    return this.rooms.ownership.placement.members[primary] === this.settings.nodeId;
  }

  drawUint32(): number {
    return this.parts.random.uint32();
  }

  holds(partition: number): boolean {
    const { ownership } = this.rooms;
    return ownership.owns(partition) && ownership.isReady(partition) && ownership.refusal === '';
  }

  countKeys(partition: number): number {
    return this.parts.store.keys(partition);
  }

  countExpiring(partition: number): number {
    return this.parts.store.expiring(partition);
  }

  scanPartition(partition: number, fromHash: number, count: number, visit: KeyVisitor): number {
    return this.parts.store.scan(partition, fromHash, count, (bytes, offset) => {
      if (!holdsValue(bytes, offset)) return;
      const expireAtMs = recordExpireAtMs(bytes, offset);
      if (expireAtMs !== 0 && expireAtMs <= this.wallMs) return;
      visit(bytes, recordKeyStart(bytes, offset), recordKeyEnd(bytes, offset), recordType(bytes, offset));
    });
  }

  visitHot(visit: HotKeyVisitor): void {
    this.parts.store.visitHot((bytes, offset, uses) => {
      if (!holdsValue(bytes, offset) || recordIsExpired(bytes, offset, this.wallMs)) return;
      visit(bytes, recordKeyStart(bytes, offset), recordKeyEnd(bytes, offset), uses);
    });
  }

  backupMark(): BackupMark {
    this.rooms.floors.hold(BACKUP_KEEPS_MS + 2 * this.config.maxClockDriftMs);
    return {
      hlc: this.rooms.clock.stamp(this.wallMs),
      flushedHlc: this.parts.store.flushedHlc,
      flushedActor: this.parts.store.flushedActor,
      clusterId: this.parts.identity.hashMark,
      tombstoneGraceMs: this.config.tombstoneGraceMs,
      maxClockDriftMs: this.config.maxClockDriftMs,
    };
  }

  keepsDeletesSince(partition: number, hlc: number): boolean {
    return this.rooms.floors.keepsSince(partition, hlc);
  }

  dumpPartition(partition: number, fromHash: number, count: number, visit: DumpVisitor): number {
    this.rooms.floors.hold(BACKUP_KEEPS_MS + 2 * this.config.maxClockDriftMs);
    return this.parts.store.scan(partition, fromHash, count, visit);
  }

  load(bytes: Buffer, start: number, end: number): Loaded {
    const { ownership } = this.rooms;
    if (!ownership.serves) {
      throw new HearsayError('LOADING', ownership.refusal || 'this node is joining its cluster');
    }
    return this.rooms.loader.load(bytes, start, end);
  }

  noteLoaded(caller: Caller): void {
    this.rooms.coordinator.noteWrite(caller, -1);
    caller.holdUntilDurable(this.parts.wal.lastBatch);
  }

  flushAll(caller: Caller): void {
    const { refusal } = this.rooms.ownership;
    if (refusal !== '') throw new HearsayError('LOADING', refusal);
    const receipt = caller.beginReceipt(caller.writeLevel);
    const operation = caller.writeLevel === 'one' ? null : this.rooms.coordinator.beginFlush(caller);
    if (caller.writeLevel !== 'one' && operation === null) return;
    const reply = operation === null ? caller.reply : operation.deferred.reply;
    if (!this.rooms.replicator.flushAll(this.rooms.clock.stamp(this.wallMs), this.parts.state.actor, operation)) {
      if (operation !== null) operation.needed = 0;
      const why = logRefusal(this.parts.wal);
      reply.error(why.code, why.message);
      return;
    }
    reply.ok();
    this.rooms.coordinator.noteWrite(caller, -1);
    receipt.owners = 1;
    receipt.fallbacks = 0;
    receipt.met = operation === null;
    receipt.hlc = this.parts.store.flushedHlc;
    receipt.actor = this.parts.state.actor;
    if (operation !== null) operation.batch = this.parts.wal.lastBatch;
    else caller.holdUntilDurable(this.parts.wal.lastBatch);
  }

  distinctKeys(): number {
    return this.parts.distinctKeys.estimate();
  }

  resetDistinct(caller: Caller): void {
    const { distinctKeys, wal } = this.parts;
    const { clock, peers } = this.rooms;
    if (!wal.hasRoom(DISTINCT_NOTE_BYTES_MAX)) throw logRefusal(wal);
    distinctKeys.reset(clock.stamp(this.wallMs));
    const note = distinctKeys.note(distinctKeys.resetHlc);
    wal.append(note, 0, note.length);
    caller.holdUntilDurable(wal.lastBatch);
    const body = distinctKeys.encode();
    for (const peer of peers.all()) if (peer.connected) peers.sendFrame(peer, FRAME_SKETCH, body);
  }

  wait(wish: WaitWish, caller: Caller): void {
    this.waiters.wait(wish, caller, this.monotonicMs);
  }

  noteSiblings(key: Buffer, start: number, end: number, count: number): void {
    const hash = this.parts.store.hasher.hash(key, start, end);
    if (!this.siblingWatch.note(hash, this.monotonicMs)) return;
    this.ports.log.warn('a key has many siblings: its writers do not read before they write', {
      siblings: count,
      partition: partitionOf(key, start, end, this.config.partitions),
    });
  }

  get sessionCluster(): string {
    return this.parts.identity.hashMark;
  }

  stampAbove(hlc: number): boolean {
    return this.rooms.clock.observe(hlc, this.wallMs);
  }

  explain(key: Buffer, start: number, end: number, caller: Caller): void {
    this.rooms.reads.explain(this, key, start, end, caller);
  }

  digest(partition: number): string {
    this.parts.store.digest(partition);
    const low = (this.parts.store.digestLow >>> 0).toString(16).padStart(8, '0');
    return (this.parts.store.digestHigh >>> 0).toString(16).padStart(8, '0') + low;
  }

  /** Every size that has a bound, and the bound. */
  bounds(): Bound[] {
    const { rooms, store, reader } = this.parts;
    const { config, waiters, siblingWatch } = this;
    const { passwordGuesses } = this;
    return nodeBounds({ config, rooms, store, waiters, windows: reader.windows, siblingWatch, passwordGuesses });
  }

  status(): ReturnType<CommandHost['status']> {
    return nodeStatus({
      config: this.config,
      settings: this.settings,
      store: this.parts.store,
      wal: this.parts.wal,
      peers: this.rooms.peers,
      membership: this.rooms.membership,
      ring: this.rooms.ring.ring,
      ringBook: this.rooms.ring,
      members: this.parts.members,
      join: this.parts.join.watch,
      coming: this.parts.coming,
      ownership: this.rooms.ownership,
      antiEntropy: this.rooms.antiEntropy,
      frontiers: this.rooms.frontiers,
      floors: this.rooms.floors,
      floorDesk: this.rooms.floorDesk,
      replicator: this.rooms.replicator,
      loader: this.rooms.loader,
      operations: this.rooms.operations,
      pending: this.rooms.pending,
      forwarding: this.rooms.forwarding,
      reads: this.rooms.reads,
      order: this.rooms.order,
      hedges: this.rooms.hedges,
      waiters: this.waiters,
      distinctKeys: this.parts.distinctKeys,
      vitals: this.ports.vitals,
      drifted: this.rooms.coordinator.drifted,
      clockJumpedMs: this.parts.wallClock.jumpedMs,
      upMs: this.monotonicMs - this.parts.startedAtMs,
      nowMs: this.monotonicMs,
      packets: this.parts.packets,
      refusals: this.rooms.refusals,
      keys: this.parts.keys,
      windows: this.parts.reader.windows,
      secrets: this.parts.secrets,
      keyspace: this.rooms.local,
      siblingWatch: this.siblingWatch,
      bounds: this.bounds(),
      boot: this.parts.state.boot,
    });
  }

  leave(): void {
    this.parts.members.leave(this.monotonicMs);
  }

  forget(id: string, caller: Caller): void {
    this.parts.members.forget(id, this.monotonicMs);
    caller.holdUntilDurable(this.parts.wal.lastBatch);
  }

  secret(reload: boolean): string[] {
    return reload ? this.parts.secrets.reload() : this.parts.secrets.list();
  }

  fault(words: string[]): string[] {
    if (this.ports.faults === null) {
      throw new HearsayError('ERR', 'fault injection is off: start the node with --enable-fault-injection on loopback');
    }
    if (words.length === 2 && words[0].toUpperCase() === 'LOSE') return [this.loseKey(words[1])];
    return this.ports.faults.run(words);
  }

  passwordMatches(given: Uint8Array): boolean {
    const { password } = this.settings;
    return password === null || this.ports.passwords.matches(password, given);
  }

  /** A key leaves the memory of this node alone, without a tombstone and untold: what a lost page or a bug would do. */
  private loseKey(word: string): string {
    const { store } = this.parts;
    const key = Buffer.from(word, 'utf8');
    const partition = partitionOf(key, 0, key.length, this.config.partitions);
    const hash = store.hasher.hash(key, 0, key.length);
    if (!store.find(partition, hash, key, 0, key.length)) {
      throw new HearsayError('ERR', 'fault: this node does not hold the key');
    }
    store.remove(partition, hash, key, 0, key.length);
    return 'OK';
  }
}

function settingsOf(config: NodeConfig, nodeId: string): HostSettings {
  return {
    nodeId,
    hexId: hexIdOf(nodeId),
    clusterName: config.clusterName,
    version: HEARSAY_VERSION,
    port: config.port,
    partitions: config.partitions,
    replicas: config.replicas,
    topology: config.clusterTopology,
    password: config.password,
    maxMemoryBytes: config.maxMemory,
    durability: config.durability,
    eviction: config.eviction,
    maxClients: config.maxClients,
    limits: {
      argumentsMax: config.clientArgumentsMax,
      bulkBytesMax: config.clientBulkBytesMax,
      queryBytesMax: config.clientQueryBytesMax,
      outputBytesMax: config.clientOutputBytesMax,
      partialCommandMs: config.clientPartialCommandMs,
    },
    readConsistency: config.readConsistency,
    writeConsistency: config.writeConsistency,
  };
}
