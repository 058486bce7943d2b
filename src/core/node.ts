/**
 * The spine: one node as a machine. Events come in from a world, each goes to its room by one switch, and what must leave
 * leaves at the end of the turn, once per socket, log and peer. Start here to follow a PUT:
 *
 *     streamBytes -> Session.receive -> Command.run (set.ts) -> LocalKeyspace.put -> Store.allocate/publish, Wal.append,
 *     Replicator.spread -> Link.add;   turnEnded -> Wal.turnEnded, Replicator.flush, Peers.flush, Session.flush
 *     at the other owner: datagramArrived -> Replicator.receive -> Store.merge, Wal.append -> acks at its turn's end
 *
 * Guarded: nothing is answered before its log batch is as safe as the durability asks; the order at the end of a turn is log,
 * then peers, then clients.
 */
import type { StreamId } from '../ports/streams.js';
import type { Machine, Ports } from '../ports/world.js';
import { HearsayError } from './base/errors.js';
import { HLC_TICKS, HybridClock, hlcToMs } from './base/hlc.js';
import { Random } from './base/random.js';
import type { Command } from './commands/command.js';
import type { Caller, ClusterNodeView, CommandHost, HostSettings, KeyVisitor } from './commands/host.js';
import { CommandStats } from './commands/stats.js';
import { commandTable } from './commands/table.js';
import type { NodeConfig } from './config.js';
import { decodeControl, encodeControl } from './gossip/codec.js';
import {
  FRAME_ACKS,
  FRAME_CONTROL,
  FRAME_LEAVES,
  FRAME_LIST,
  FRAME_RECORDS,
  FRAME_REQUEST,
  FRAME_RESPONSE,
  FRAME_RING,
  FRAME_ROOTS,
  FRAME_SKETCH,
  FRAME_WANT,
} from './gossip/frames.js';
import { PacketReader, SECTION_ACKS, SECTION_BYTES_MAX, SECTION_CONTROL, SECTION_RECORDS } from './gossip/packet.js';
import { Membership } from './membership/membership.js';
import { MEMBERSHIP_TIMINGS } from './membership/options.js';
import type { MemberChange } from './membership/view.js';
import { Checkpointer } from './node/checkpointer.js';
import { clusterIdentity, hexIdOf } from './node/identity.js';
import { type NodeState, recoverNode } from './node/recovery.js';
import { RequestDesk } from './node/request-desk.js';
import { RingBook } from './node/ring-book.js';
import { nodeStatus } from './node/status.js';
import { clusterView } from './node/view.js';
import { recordExpireAtMs, recordKeyEnd, recordKeyStart, recordType, TYPE_PUT } from './record/record.js';
import { AntiEntropy } from './replication/anti-entropy.js';
import { CallerOrder } from './replication/caller-order.js';
import { Coordinator } from './replication/coordinator.js';
import { Forwarding } from './replication/forwarding.js';
import { LocalKeyspace } from './replication/local-keyspace.js';
import { Operations } from './replication/operations.js';
import { Ownership } from './replication/ownership.js';
import { type Peer, Peers } from './replication/peers.js';
import { QuorumReads } from './replication/reads.js';
import { Replicator } from './replication/replicator.js';
import type { Args } from './resp/args.js';
import { Sessions } from './session/sessions.js';
import { Store } from './store/store.js';
import { Wal } from './wal/wal.js';

export const HEARSAY_VERSION = '0.1.0';

/** Records of the store that upkeep looks at per tick. */
const SWEEP_PER_TICK = 4000;
const TOMBSTONES_PER_TICK = 1000;
/** The sketch of distinct keys goes to one peer this often. */
const SKETCH_INTERVAL_MS = 10_000;
const WAITERS_MAX = 10_000;
/** What was stamped less than this before a round that found two owners equal may not have reached either. */
const PASSED_MARGIN_MS = 10_000;

export interface NodeParts {
  /** Seed of every random draw of this node. */
  seed: readonly [number, number, number];
  /** Names of planted bugs: the tests of the simulator's checkers. */
  mutations?: ReadonlySet<string>;
}

interface Waiter {
  readonly caller: Caller;
  readonly deferred: ReturnType<Caller['defer']>;
  readonly count: number;
  readonly writes: number;
  readonly partition: number;
  readonly expiresAtMs: number;
}

export class HearsayNode implements Machine, CommandHost {
  wallMs = 0;
  monotonicMs = 0;
  /** Set when the node can not go on: the process should end with this line. */
  fatal: HearsayError | null = null;
  stopped = false;
  settings: HostSettings;
  private readonly random: Random;
  private readonly mutations: ReadonlySet<string>;
  private readonly store: Store;
  private readonly wal: Wal;
  private readonly operations = new Operations();
  private readonly order = new CallerOrder();
  private readonly commandStats = new CommandStats(commandTable.commands.length);
  private readonly packetReader = new PacketReader();
  private state!: NodeState;
  private clock!: HybridClock;
  private peers!: Peers;
  private ring!: RingBook;
  private membership!: Membership;
  private ownership!: Ownership;
  private replicator!: Replicator;
  private local!: LocalKeyspace;
  private forwarding!: Forwarding;
  private reads!: QuorumReads;
  private coordinator!: Coordinator;
  private antiEntropy!: AntiEntropy;
  private desk!: RequestDesk;
  private sessions!: Sessions;
  private checkpointer!: Checkpointer;
  private readonly waiters = new Set<Waiter>();
  private readonly resolving = new Map<number, string>();
  private nextResolveToken = 1;
  private view: ClusterNodeView[] | null = null;
  private viewVersion = -1;
  private nextSketchAtMs = 0;
  private stuckSinceMs = Number.POSITIVE_INFINITY;
  private startedAtMs = 0;
  readonly stats = { packets: 0, packetsMalformed: 0, packetsForeign: 0, packetsUnknownSender: 0, turns: 0 };

  constructor(
    private readonly ports: Ports,
    private readonly config: NodeConfig,
    parts: NodeParts,
  ) {
    this.random = new Random(parts.seed[0], parts.seed[1], parts.seed[2]);
    this.mutations = parts.mutations ?? new Set();
    const identity = clusterIdentity(config);
    this.store = new Store({
      memoryBytesMax: config.maxMemory,
      segmentBytes: config.segmentBytes,
      partitions: config.partitions,
      eviction: config.eviction,
      hashKey: identity.hashKey,
    });
    this.wal = new Wal(
      { disk: ports.disk, log: ports.log },
      {
        durability: config.durability,
        intervalMs: config.durabilityIntervalMs,
        fileBytes: config.walFileBytes,
        checkpointMinBytes: config.walFileBytes * 4,
        random: this.random,
      },
    );
    this.settings = this.settingsFor(config.id ?? '');
  }

  get keyspace(): LocalKeyspace {
    return this.local;
  }

  get id(): string {
    return this.settings.nodeId;
  }

  /** Recovers from disk and begins to talk. Call inside a turn, once. Throws HearsayError DATADIR or CONFIG. */
  start(): void {
    const { config, ports } = this;
    const identity = clusterIdentity(config);
    this.startedAtMs = this.monotonicMs;
    this.store.wallMs = this.wallMs;
    this.state = recoverNode({ store: this.store, wal: this.wal, log: ports.log }, config, identity, this.random, {
      keepActor: this.mutations.has('actor-reused-after-restart'),
    });
    const { nodeId, actor } = this.state;
    this.settings = this.settingsFor(nodeId);
    this.clock = new HybridClock(this.state.maxHlc, config.maxClockDriftMs);
    this.peers = new Peers(ports, {
      clusterId: identity.clusterId,
      clusterName: config.clusterName,
      settings: identity.settings,
      actor,
      selfId: nodeId,
      gossipPort: config.gossipPort,
      advertise: config.advertise,
      hintBytesPerPeerMax: config.hintBytesPerPeerMax,
      partitions: config.partitions,
      random: this.random,
    });
    this.ring = new RingBook(this.wal, nodeId, config.zone, this.state.ring);
    this.membership = new Membership(
      { log: ports.log },
      {
        ...MEMBERSHIP_TIMINGS,
        self: {
          id: nodeId,
          host: config.advertise,
          port: config.gossipPort,
          respPort: config.port,
          zone: config.zone,
          weight: 1,
        },
        actor,
        boot: this.state.boot,
        incarnation: 0,
        contactPoints: [...config.join, ...this.ring.addresses()],
        probeIntervalMs: config.probeIntervalMs,
        probeTimeoutMs: config.probeTimeoutMs,
        gossipIntervalMs: config.gossipIntervalMs,
        suspicionFloorMs: config.suspicionFloorMs,
        tickIntervalMs: config.tickIntervalMs,
        random: this.random,
      },
    );
    const options = { partitions: config.partitions, mutations: this.mutations };
    this.ownership = new Ownership(this.ring.ring, this.peers, {
      selfId: nodeId,
      partitions: config.partitions,
      replicas: config.replicas,
    });
    this.replicator = new Replicator(
      { log: ports.log },
      this.store,
      this.wal,
      this.clock,
      this.ownership,
      this.peers,
      this.operations,
      { ...options, durability: config.durability },
    );
    this.local = new LocalKeyspace({ distinct: ports.distinct }, this.store, this.wal, this.clock, this.replicator, {
      partitions: config.partitions,
      actor,
    });
    this.forwarding = new Forwarding(
      this.peers,
      this.ownership,
      this.clock,
      this.order,
      {
        partitions: config.partitions,
        operationTimeoutMs: config.operationTimeoutMs,
      },
      this.random,
    );
    this.reads = new QuorumReads(
      this.store,
      this.ownership,
      this.peers,
      this.replicator,
      this.clock,
      this.order,
      {
        selfId: nodeId,
        replicas: config.replicas,
        partitions: config.partitions,
        operationTimeoutMs: config.operationTimeoutMs,
      },
      this.random,
    );
    this.coordinator = new Coordinator(
      this.local,
      this.ownership,
      this.replicator,
      this.operations,
      this.forwarding,
      this.reads,
      this.peers,
      this.wal,
      this.order,
      { ...options, actor, replicas: config.replicas, operationTimeoutMs: config.operationTimeoutMs },
      this.commandStats,
    );
    this.reads.attach(this.coordinator);
    this.antiEntropy = new AntiEntropy(this.store, this.ownership, this.peers, this.replicator, {
      ...options,
      intervalMs: config.antiEntropyIntervalMs,
      random: this.random,
    });
    this.desk = new RequestDesk(this.store, this.peers, this.replicator, this.reads, this.forwarding, commandTable, {
      lateMs: config.operationTimeoutMs + config.maxClockDriftMs,
    });
    this.sessions = new Sessions(this, ports.streams, commandTable, this.commandStats);
    this.checkpointer = new Checkpointer(
      this.store,
      this.wal,
      this.peers,
      this.ring,
      this.replicator,
      config.partitions,
    );
    this.syncTime();
    for (const hint of this.state.hints) this.replicator.recoverHint(hint, 0);
    this.state.hints = [];
    this.ring.joinSelf();
    this.ownership.begin(config.join.length === 0 || this.ring.hasOthers, this.monotonicMs);
    this.ownership.refresh(this.monotonicMs, this.state.restarted);
    this.ownership.tick(this.monotonicMs);
    ports.log.info('node started', {
      id: nodeId,
      boot: this.state.boot,
      keys: this.store.stats().keys,
      resp: config.port,
      gossip: config.gossipPort,
    });
  }

  /** Says goodbye, makes the log durable and closes it. After the turn that this is called in, the world may stop. */
  shutdown(): void {
    if (this.stopped) return;
    this.stopped = true;
    this.membership.leave(this.monotonicMs);
    this.sendMembership();
    this.replicator.flush();
    this.peers.flush();
    this.wal.turnEnded(this.monotonicMs);
    this.wal.close();
    for (const connection of this.sessions.all()) connection.closeAfterReplies();
    this.sessions.flush(Number.MAX_SAFE_INTEGER);
    this.ports.log.info('node stopped', { id: this.id });
  }

  // --- Events ---------------------------------------------------------------------------------------------------------

  turnStarted(monotonicMs: number, wallMs: number): void {
    this.monotonicMs = monotonicMs;
    this.wallMs = Math.floor(wallMs);
    this.stats.turns++;
    if (this.coordinator === undefined) return;
    this.syncTime();
    this.sessions.turn();
  }

  get wantsTurn(): boolean {
    return (this.sessions?.wantsTurn ?? false) || this.order.released;
  }

  turnEnded(): void {
    if (this.stopped || this.coordinator === undefined) return;
    this.coordinator.runFollowers(this);
    this.sendMembership();
    this.wal.turnEnded(this.monotonicMs);
    const released = this.releasedBatch();
    this.replicator.releaseAcks(released);
    this.replicator.flush();
    this.operations.settle(released);
    this.settleWaiters();
    this.desk.release(released);
    this.piggyback();
    this.peers.flush();
    this.sessions.flush(released);
    this.store.prepare();
  }

  tick(): void {
    if (this.stopped) return;
    const now = this.monotonicMs;
    this.membership.tick(now, this.wallMs);
    this.applyMembership();
    this.resolveNames();
    this.ownership.tick(now);
    this.ring.tick(this.membership, now, this.config.memberGraceMs);
    this.refreshRing();
    this.watchClock();
    this.peers.tick(now);
    this.replicator.tick();
    this.forwarding.tick();
    this.reads.tick(this);
    this.operations.expire(now);
    this.watchLog();
    this.antiEntropy.tick();
    this.sessions.tick();
    this.notePassed();
    this.store.sweep(SWEEP_PER_TICK);
    this.replicator.tombstoneLimit = this.tombstoneLimit();
    this.store.dropTombstones(this.replicator.tombstoneLimit, TOMBSTONES_PER_TICK);
    this.checkpointer.tick();
    this.sendSketch();
  }

  datagramArrived(bytes: Buffer, host: string, port: number): void {
    if (this.stopped) return;
    this.stats.packets++;
    const reader = this.packetReader;
    const refusal = reader.open(bytes, this.peers.clusterId);
    if (refusal !== null) {
      if (refusal === 'foreign') this.stats.packetsForeign++;
      else this.stats.packetsMalformed++;
      return;
    }
    const peer = this.peers.withActor(reader.actor);
    if (peer !== undefined) this.membership.heard(peer.id, this.monotonicMs);
    while (reader.next()) {
      const { kind, bodyStart, bodyEnd } = reader;
      if (kind === SECTION_CONTROL) {
        const message = decodeControl(bytes, bodyStart, bodyEnd);
        if (message === null) this.stats.packetsMalformed++;
        else this.membership.handle(message, host, port, false, this.monotonicMs, this.wallMs);
      } else if (peer === undefined) {
        this.stats.packetsUnknownSender++;
      } else if (kind === SECTION_RECORDS) {
        this.recordsArrived(peer, bytes, bodyStart, bodyEnd);
      } else if (kind === SECTION_ACKS) {
        this.acksArrived(peer, bytes, bodyStart, bodyEnd);
      }
    }
    this.applyMembership();
  }

  streamAccepted(stream: StreamId, kind: 'client' | 'peer', peerAddress: string, localAddress: string): void {
    if (kind === 'client') this.sessions.accepted(stream, peerAddress, localAddress);
    else this.peers.accepted(stream, this.monotonicMs);
  }

  streamConnected(stream: StreamId): void {
    const peer = this.peers.connected(stream);
    if (peer === null) return;
    this.ring.announceTo(this.peers, peer);
    this.replicator.reconnected(peer);
  }

  streamBytes(stream: StreamId, bytes: Buffer, start: number, end: number): void {
    if (this.stopped) return;
    if (this.sessions.bytes(stream, bytes, start, end)) return;
    this.peers.bytes(stream, bytes, start, end);
    for (let frame = this.peers.nextFrame(stream); frame !== null; frame = this.peers.nextFrame(stream)) {
      this.frameArrived(frame.kind, frame.body, frame.actor);
    }
    this.applyMembership();
  }

  streamDrained(stream: StreamId): void {
    this.sessions.drained(stream);
  }

  streamClosed(stream: StreamId, _why: string): void {
    if (!this.peers.knows(stream)) {
      this.sessions.closed(stream);
      return;
    }
    const peer = this.peers.closed(stream, this.monotonicMs);
    if (peer === null || this.stopped) return;
    this.membership.probeSoon(peer.id, this.monotonicMs);
    this.peerLost(peer);
  }

  bufferReleased(bytes: Buffer): void {
    this.sessions.bufferReleased(bytes);
  }

  diskCompleted(token: number, error: Error | null): void {
    this.wal.completed(token, error);
  }

  nameResolved(token: number, hosts: string[]): void {
    const name = this.resolving.get(token);
    this.resolving.delete(token);
    if (name !== undefined) this.membership.contactResolved(name, hosts);
  }

  // --- What arrives from peers ----------------------------------------------------------------------------------------

  private frameArrived(kind: number, body: Buffer, actor: number): void {
    const peer = this.peers.withActor(actor);
    if (kind === FRAME_CONTROL) {
      const message = decodeControl(body, 0, body.length);
      if (message === null) this.stats.packetsMalformed++;
      else this.membership.handle(message, '', 0, true, this.monotonicMs, this.wallMs);
      return;
    }
    if (kind === FRAME_RING) {
      // Taken from a member that membership has not met yet, too: it is the first thing said on a stream.
      this.ring.arrived(body, this.membership);
      this.refreshRing();
      return;
    }
    if (peer === undefined) {
      this.stats.packetsUnknownSender++;
      return;
    }
    this.membership.heard(peer.id, this.monotonicMs);
    switch (kind) {
      case FRAME_RECORDS:
        this.recordsArrived(peer, body, 0, body.length);
        break;
      case FRAME_ACKS:
        this.acksArrived(peer, body, 0, body.length);
        break;
      case FRAME_REQUEST:
        this.desk.request(this, peer, body, this.coordinator, this.clock);
        break;
      case FRAME_RESPONSE:
        this.desk.response(this, peer, body, this.clock);
        break;
      case FRAME_ROOTS:
        if (this.antiEntropy.roots(peer, body)) this.ring.announceSoon(peer.id);
        break;
      case FRAME_LEAVES:
        this.antiEntropy.leaves(peer, body);
        break;
      case FRAME_LIST:
        this.antiEntropy.listed(peer, body);
        break;
      case FRAME_WANT:
        this.antiEntropy.wanted(peer, body);
        break;
      case FRAME_SKETCH:
        if (!this.ports.distinct.merge(body)) this.stats.packetsMalformed++;
        break;
      default:
        this.stats.packetsMalformed++;
    }
  }

  private recordsArrived(peer: Peer, bytes: Buffer, start: number, end: number): void {
    const received = this.replicator.receive(peer, bytes, start, end);
    if (received.ringDiffers) this.ring.announceSoon(peer.id);
    for (const key of received.missing) this.desk.askFor(peer, key, this.clock);
  }

  private acksArrived(peer: Peer, bytes: Buffer, start: number, end: number): void {
    if (end - start < 8 || bytes.readUIntLE(start, 6) !== this.state.actor) return;
    const count = bytes.readUInt16LE(start + 6);
    if (end - start < 8 + count * 4) return;
    for (let at = 0; at < count; at++) this.replicator.acknowledged(peer, bytes.readUInt32LE(start + 8 + at * 4));
  }

  // --- Membership and ring --------------------------------------------------------------------------------------------

  /** Takes what the failure detector has concluded into peers, routes and the ring. */
  private applyMembership(): void {
    const changes = this.membership.drainChanges();
    if (changes.length === 0) return;
    for (const change of changes) if (change.member.id !== this.id) this.applyChange(change);
    // The cluster remembers a later life of this id than the disk does: the next start counts on from there.
    const { boot } = this.membership.self;
    if (boot > this.state.boot) {
      this.state.boot = boot;
      this.saveBoot(boot);
    }
    if (this.membership.duplicateId !== null) {
      this.fatal = new HearsayError('CONFIG', `another node with the id ${this.id} is a member of this cluster`);
    }
    this.ownership.refresh(this.monotonicMs, false);
    this.antiEntropy.hasten();
    this.view = null;
  }

  private saveBoot(boot: number): void {
    try {
      this.wal.setState({ boot });
    } catch (error) {
      if (!(error instanceof HearsayError)) throw error;
      this.ports.log.warn('the count of starts is not saved', { why: error.message });
    }
  }

  private applyChange({ member, from, to, restarted }: MemberChange): void {
    const now = this.monotonicMs;
    if (to === null) {
      this.peers.remove(member.id);
      this.ownership.forget(member.id);
      return;
    }
    const peer = this.peers.ensure(member.id);
    const { actor, address } = peer;
    const owed = this.peers.rebind(peer, member.actor, member.host, member.port);
    peer.state = to;
    this.replicator.owe(peer, owed);
    if (actor !== 0 && (peer.actor !== actor || peer.address !== address)) this.peerLost(peer);
    if (restarted) {
      this.ownership.memberChanged(member.id, false, now);
      this.antiEntropy.peerRestarted(peer);
    }
    if (to !== 'alive') this.ownership.memberChanged(member.id, false, now);
    else if (from !== 'alive' || restarted) this.ownership.memberChanged(member.id, true, now);
    if (to === 'dead' || to === 'left') {
      this.replicator.abandon(peer, Number.POSITIVE_INFINITY);
      this.peerLost(peer);
    }
    this.ring.remember(member);
  }

  /** Whatever waits for this peer's answer is decided without it. */
  private peerLost(peer: Peer): void {
    this.forwarding.peerLost(peer);
    this.reads.peerLost(this, peer);
    this.antiEntropy.peerLost(peer);
  }

  /** Messages of the failure detector share a datagram per member; what is left of it carries rumors. */
  private sendMembership(): void {
    for (const { host, port, message, viaStream, memberId } of this.membership.drainOutgoing()) {
      const body = encodeControl(message);
      const peer = memberId === null ? undefined : this.peers.get(memberId);
      if (viaStream) {
        if (peer !== undefined && peer.stream !== 0) this.peers.sendFrame(peer, FRAME_CONTROL, body);
        else this.peers.contact(host, port, FRAME_CONTROL, body, this.monotonicMs);
      } else if (peer !== undefined && peer.host === host && peer.port === port && body.length <= SECTION_BYTES_MAX) {
        this.peers.packetFor(peer, body.length).add(SECTION_CONTROL, body, 0, body.length);
      } else {
        this.peers.sendTo(host, port, SECTION_CONTROL, body);
      }
    }
  }

  /** Rumors ride on whatever datagrams leave in this turn anyway. */
  private piggyback(): void {
    if (!this.membership.hasRumors) return;
    for (const peer of this.peers.all()) {
      const packet = peer.packet;
      if (packet === null) continue;
      for (const update of this.membership.takeUpdates(packet.room)) {
        const body = encodeControl(update);
        if (body.length <= packet.room) packet.add(SECTION_CONTROL, body, 0, body.length);
      }
    }
  }

  private refreshRing(): void {
    if (!this.ring.takeChanged()) {
      this.ring.flush(this.peers);
      return;
    }
    this.ownership.refresh(this.monotonicMs, false);
    this.ring.announceToAll(this.peers);
    this.antiEntropy.hasten();
    this.view = null;
  }

  private resolveNames(): void {
    for (const name of this.membership.drainResolve()) {
      const token = this.nextResolveToken++;
      this.resolving.set(token, name);
      this.ports.resolver.resolve(name, token);
    }
  }

  /** A clock beyond the drift allowed stops coordinating, and says so, until it agrees with its peers again. */
  private watchClock(): void {
    const offset = this.membership.clockOffsetMedianMs();
    // Stamps far ahead of the clock, from a time when it was wrong, are as bad: peers refuse what carries them.
    const aheadMs = hlcToMs(this.clock.last) - this.wallMs;
    const most = this.config.maxClockDriftMs;
    const drifted = (offset !== null && Math.abs(offset) > most) || (aheadMs > most && this.membership.aliveCount > 1);
    if (drifted === this.coordinator.drifted) return;
    this.coordinator.drifted = drifted;
    if (drifted)
      this.ports.log.error('clock differs from the median of the peers: not coordinating', {
        offsetMs: offset,
        aheadMs,
      });
    else this.ports.log.info('clock agrees with the peers again');
  }

  /** A batch that the disk does not take: after a while those who wait for it are let go, their outcome unknown. */
  private watchLog(): void {
    const stuck = this.wal.refusal !== null && this.wal.writtenBatch < this.wal.lastBatch;
    if (!stuck) this.stuckSinceMs = Number.POSITIVE_INFINITY;
    else if (this.stuckSinceMs === Number.POSITIVE_INFINITY) this.stuckSinceMs = this.monotonicMs;
    else if (this.monotonicMs - this.stuckSinceMs > this.config.operationTimeoutMs) this.sessions.closeHeld();
  }

  private sendSketch(): void {
    if (this.monotonicMs < this.nextSketchAtMs) return;
    this.nextSketchAtMs = this.monotonicMs + SKETCH_INTERVAL_MS;
    const live = this.peers.all().filter((peer) => peer.connected);
    if (live.length === 0) return;
    this.peers.sendFrame(live[this.random.below(live.length)], FRAME_SKETCH, this.ports.distinct.registers());
  }

  // --- What commands ask (CommandHost) --------------------------------------------------------------------------------

  canRunHere(command: Command, args: Args, caller: Caller): boolean {
    return this.coordinator.canRunHere(command, args, caller);
  }

  submit(command: Command, args: Args, caller: Caller): void {
    this.coordinator.submit(this, command, args, caller);
  }

  submitToPartition(partition: number, command: Command, args: Args, caller: Caller): void {
    this.coordinator.submitTo(this, partition, command, args, caller, 0);
  }

  cluster(): ClusterNodeView[] {
    if (this.view !== null && this.viewVersion === this.ownership.slotMapVersion) return this.view;
    const view = clusterView(this.membership, this.ownership);
    this.view = view;
    this.viewVersion = this.ownership.slotMapVersion;
    return view;
  }

  answersFor(partition: number): boolean {
    if (this.config.clusterTopology === 'off') return true;
    const primary = this.ownership.slotMapPrimaries()[partition];
    return this.ownership.placement.members[primary] === this.id;
  }

  holds(partition: number): boolean {
    return this.ownership.owns(partition) && this.ownership.isReady(partition);
  }

  countKeys(partition: number): number {
    return this.store.keys(partition);
  }

  scanPartition(partition: number, fromHash: number, count: number, visit: KeyVisitor): number {
    return this.store.scan(partition, fromHash, count, (bytes, offset) => {
      if (recordType(bytes, offset) !== TYPE_PUT) return;
      const expireAtMs = recordExpireAtMs(bytes, offset);
      if (expireAtMs !== 0 && expireAtMs <= this.wallMs) return;
      visit(bytes, recordKeyStart(bytes, offset), recordKeyEnd(bytes, offset));
    });
  }

  flushAll(caller: Caller): void {
    const operation = caller.writeLevel === 'one' ? null : this.coordinator.beginOperation(0, caller);
    if (caller.writeLevel !== 'one' && operation === null) return;
    const reply = operation === null ? caller.reply : operation.deferred.reply;
    if (!this.replicator.flushAll(this.clock.stamp(this.wallMs), this.state.actor, operation)) {
      if (operation !== null) operation.needed = 0;
      reply.error('NOSPACE', 'the disk has no room for the log; writes are refused, reads go on');
      return;
    }
    reply.ok();
    this.coordinator.noteWrite(caller, -1);
    if (operation !== null) operation.batch = this.wal.lastBatch;
    else caller.holdUntilDurable(this.wal.lastBatch);
  }

  wait(count: number, timeoutMs: number, caller: Caller): void {
    const { coordinator, count: writes, partition } = caller.wrote;
    if (coordinator !== 0 && coordinator !== this.state.actor) {
      const peer = this.peers.withActor(coordinator);
      if (peer === undefined) caller.reply.integer(0);
      else this.forwarding.forwardWait(peer, count, timeoutMs, caller);
      return;
    }
    const acknowledged = this.coordinator.acknowledgedBy(writes, partition);
    if (acknowledged >= count) {
      caller.reply.integer(acknowledged);
      return;
    }
    if (this.waiters.size >= WAITERS_MAX) {
      caller.reply.error('BUSY', 'too many connections wait');
      return;
    }
    const expiresAtMs = timeoutMs === 0 ? Number.POSITIVE_INFINITY : this.monotonicMs + timeoutMs;
    this.waiters.add({ caller, deferred: caller.defer(), count, writes, partition, expiresAtMs });
  }

  explain(key: Buffer, start: number, end: number, caller: Caller): void {
    this.reads.explain(this, key, start, end, caller);
  }

  digest(partition: number): string {
    this.store.digest(partition);
    const low = (this.store.digestLow >>> 0).toString(16).padStart(8, '0');
    return (this.store.digestHigh >>> 0).toString(16).padStart(8, '0') + low;
  }

  status(): ReturnType<CommandHost['status']> {
    return nodeStatus({
      config: this.config,
      settings: this.settings,
      store: this.store,
      wal: this.wal,
      peers: this.peers,
      membership: this.membership,
      ownership: this.ownership,
      antiEntropy: this.antiEntropy,
      replicator: this.replicator,
      operations: this.operations,
      forwarding: this.forwarding,
      reads: this.reads,
      distinct: this.ports.distinct,
      vitals: this.ports.vitals,
      drifted: this.coordinator.drifted,
      upMs: this.monotonicMs - this.startedAtMs,
      nowMs: this.monotonicMs,
      packets: this.stats,
      keyspace: this.local,
      boot: this.state.boot,
    });
  }

  fault(words: string[]): string[] {
    if (this.ports.faults === null) {
      throw new HearsayError('ERR', 'fault injection is off: start the node with --enable-fault-injection on loopback');
    }
    return this.ports.faults.run(words);
  }

  // --- Helpers --------------------------------------------------------------------------------------------------------

  private syncTime(): void {
    const { monotonicMs, wallMs } = this;
    this.store.wallMs = wallMs;
    this.local.wallMs = wallMs;
    this.replicator.nowMs = monotonicMs;
    this.replicator.wallMs = wallMs;
    this.coordinator.nowMs = monotonicMs;
    this.forwarding.nowMs = monotonicMs;
    this.forwarding.wallMs = wallMs;
    this.reads.nowMs = monotonicMs;
    this.antiEntropy.nowMs = monotonicMs;
    this.antiEntropy.wallMs = wallMs;
  }

  /** The highest log batch whose writes may be answered. */
  private releasedBatch(): number {
    return this.config.durability === 'always' ? this.wal.durableBatch : this.wal.writtenBatch;
  }

  private settleWaiters(): void {
    for (const waiter of this.waiters) {
      const acknowledged = this.coordinator.acknowledgedBy(waiter.writes, waiter.partition);
      const over = this.monotonicMs >= waiter.expiresAtMs || waiter.caller.gone;
      if (acknowledged < waiter.count && !over) continue;
      this.waiters.delete(waiter);
      waiter.deferred.reply.integer(acknowledged);
      waiter.deferred.done();
    }
  }

  /** Tells the store, per partition, up to which stamp all owners are known to have everything. */
  private notePassed(): void {
    for (let partition = 0; partition < this.config.partitions; partition++) {
      let passedMs = Number.POSITIVE_INFINITY;
      for (const owner of this.ownership.otherOwners(partition)) {
        passedMs = Math.min(passedMs, owner.passedWallMs[partition] - PASSED_MARGIN_MS);
      }
      this.store.notePassed(partition, Math.max(0, passedMs) * HLC_TICKS);
    }
  }

  /** Tombstones stamped before this may be forgotten. */
  private tombstoneLimit(): number {
    if (this.mutations.has('tombstone-dropped-at-once')) return Number.MAX_SAFE_INTEGER;
    return (this.wallMs - this.config.tombstoneGraceMs) * HLC_TICKS;
  }

  private settingsFor(nodeId: string): HostSettings {
    const { config } = this;
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
    };
  }
}
