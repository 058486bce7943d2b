/**
 * The spine: one node as a machine. Events come in from a world, each goes to its room by one switch, and what must leave
 * leaves at the end of the turn, once per socket, log and peer. Start here to follow a PUT:
 *
 *     streamBytes -> Session.receive -> Command.run (set.ts) -> LocalKeyspace.put -> Store.allocate/publish, Wal.appendWords,
 *     Replicator.spread -> Link.add;   turnEnded -> Wal.turnEnded, Replicator.flush, Peers.flush, Session.flush
 *     at the other owner: datagramArrived -> Replicator.receive -> Store.merge, Wal.append -> acks at its turn's end
 *
 * Guarded: nothing is answered before its log batch is as safe as the durability asks; the order at the end of a turn is log,
 * then peers, then clients.
 */
import type { StreamId } from '../ports/streams.js';
import type { Machine, Ports } from '../ports/world.js';
import { HearsayError } from './base/errors.js';
import { Random } from './base/random.js';
import { WallClock } from './base/wall-clock.js';
import type { Keyspace } from './commands/keyspace.js';
import { CommandStats } from './commands/stats.js';
import { commandTable } from './commands/table.js';
import type { NodeConfig } from './config.js';
import { decodeControl } from './gossip/codec.js';
import {
  FRAME_ACKS,
  FRAME_CONTROL,
  FRAME_FLOORS,
  FRAME_GONE,
  FRAME_HEAR,
  FRAME_HEARD,
  FRAME_LEAVES,
  FRAME_LIST,
  FRAME_PULL,
  FRAME_READY,
  FRAME_RECORDS,
  FRAME_REQUEST,
  FRAME_RESPONSE,
  FRAME_RING,
  FRAME_ROOTS,
  FRAME_SKETCH,
  FRAME_SLICE,
  FRAME_VECTOR,
  FRAME_WANT,
  isRepairFrame,
} from './gossip/frames.js';
import { versionsDiffer } from './gossip/hello.js';
import { KeyRing } from './gossip/key-ring.js';
import {
  PacketReader,
  SECTION_ACKS,
  SECTION_CONTROL,
  SECTION_HEARD,
  SECTION_PADDING,
  SECTION_RECORDS,
  WIRE,
  type WireRange,
} from './gossip/packet.js';
import type { Refusal } from './gossip/refusals.js';
import { Checkpointer } from './node/checkpointer.js';
import { ClockWatch } from './node/clock-watch.js';
import { NodeHost } from './node/host.js';
import { type ClusterIdentity, clusterIdentity } from './node/identity.js';
import type { Inspected } from './node/inspected.js';
import { JoinDesk } from './node/join-desk.js';
import { MemberChanges } from './node/member-changes.js';
import { MembershipDesk } from './node/membership-desk.js';
import { ReadyWatch } from './node/ready-watch.js';
import { type NodeState, recoverNode } from './node/recovery.js';
import { RequestDesk } from './node/request-desk.js';
import { openRooms, type Rooms } from './node/rooms.js';
import { SecretDesk } from './node/secret-desk.js';
import { readAcks } from './replication/acks.js';
import { type CatchUpBounds, catchUpBounds } from './replication/catch-up-source.js';
import { DistinctKeys } from './replication/distinct-keys.js';
import type { Peer } from './replication/peers.js';
import { Sessions } from './session/sessions.js';
import { Store } from './store/store.js';
import { Wal } from './wal/wal.js';

/** Records of the store that upkeep looks at per tick. */
const SWEEP_PER_TICK = 4000;
const TOMBSTONES_PER_TICK = 1000;
/** The sketch of distinct keys goes to one peer this often. */
const SKETCH_INTERVAL_MS = 5_000;

export interface NodeParts {
  /** Seed of every random draw of this node. */
  seed: readonly [number, number, number];
  /** Names of planted bugs: the tests of the simulator's checkers. */
  mutations?: ReadonlySet<string>;
  /** Bounds of catching up, for a world in which little stands for much. */
  catchUp?: Partial<CatchUpBounds>;
  /** Versions of the wire that it speaks, for a world in which builds differ. Default: this build's. */
  wire?: WireRange;
}

export class HearsayNode implements Machine {
  wallMs = 0;
  monotonicMs = 0;
  /** Set when the node can not go on: the process should end with this line. */
  fatal: HearsayError | null = null;
  stopped = false;
  private readonly random: Random;
  private readonly mutations: ReadonlySet<string>;
  private readonly bounds: CatchUpBounds;
  private readonly wire: WireRange;
  private readonly store: Store;
  private readonly wal: Wal;
  private readonly distinctKeys: DistinctKeys;
  private readonly wallClock: WallClock;
  private systemWallMs = 0;
  private readonly commandStats = new CommandStats(commandTable.commands.length);
  private readonly identity: ClusterIdentity;
  private readonly keys: KeyRing | null;
  private packetReader!: PacketReader;
  private state!: NodeState;
  private rooms!: Rooms;
  private host!: NodeHost;
  private desk!: RequestDesk;
  private members!: MembershipDesk;
  private changes!: MemberChanges;
  private clockWatch!: ClockWatch;
  private secrets!: SecretDesk;
  private sessions!: Sessions;
  private checkpointer!: Checkpointer;
  private join!: JoinDesk;
  private coming!: ReadyWatch;
  private nextSketchAtMs = 0;
  private stuckSinceMs = Number.POSITIVE_INFINITY;
  readonly stats = {
    packets: 0,
    packetsMalformed: 0,
    packetsAccepted: 0,
    packetsMisdirected: 0,
    packetsUnknownSender: 0,
    packetBytes: 0,
    peerBytes: 0,
    repairMs: 0,
    turns: 0,
  };

  constructor(
    private readonly ports: Ports,
    private readonly config: NodeConfig,
    parts: NodeParts,
  ) {
    this.random = new Random(parts.seed[0], parts.seed[1], parts.seed[2]);
    this.mutations = parts.mutations ?? new Set();
    this.wallClock = new WallClock(config.maxClockDriftMs);
    this.identity = clusterIdentity(config, ports.secrets);
    this.keys = ports.secrets === null ? null : new KeyRing(ports.secrets, config.clusterName);
    this.bounds = { ...catchUpBounds(config.partitions), ...parts.catchUp };
    this.wire = parts.wire ?? WIRE;
    this.store = new Store({
      memoryBytesMax: config.maxMemory,
      segmentBytes: config.segmentBytes,
      partitions: config.partitions,
      eviction: config.eviction,
      hashKey: this.identity.hashKey,
      addsParts: this.mutations.has('counter-adds-parts'),
      sketchTakesLess: this.mutations.has('sketch-takes-less'),
    });
    this.distinctKeys = new DistinctKeys(ports, this.store, { partitions: config.partitions });
    this.wal = new Wal(
      { disk: ports.disk, log: ports.log },
      {
        durability: config.durability,
        intervalMs: config.durabilityIntervalMs,
        fileBytes: config.walFileBytes,
        checkpointMinBytes: config.walFileBytes * 8,
        random: this.random,
        mutations: this.mutations,
      },
    );
  }

  get id(): string {
    return this.state.nodeId;
  }

  /** The entries of this node, for a program that runs it in its own process: use it inside a turn, after `start`. */
  get keyspace(): Keyspace {
    return this.host.keyspace;
  }

  /** Recovers from disk and begins to talk. Call inside a turn, once. Throws HearsayError DATADIR or CONFIG. */
  start(): void {
    const { config, ports, identity, keys } = this;
    this.store.wallMs = this.wallMs;
    const kept = { store: this.store, wal: this.wal, log: ports.log, distinctKeys: this.distinctKeys };
    this.state = recoverNode(kept, config, identity, this.random, {
      keepActor: this.mutations.has('actor-reused-after-restart'),
      takesAnyName: this.mutations.has('directory-of-another-taken'),
      recentWrites: this.bounds.recentWrites,
    });
    const { nodeId } = this.state;
    const { store, wal, state, distinctKeys, random, commandStats, mutations, bounds, wire } = this;
    const nowMs = this.monotonicMs;
    const parts = { identity, keys, store, wal, state, distinctKeys, random, commandStats, mutations, bounds };
    this.rooms = openRooms(ports, config, { ...parts, nowMs, wire });
    this.members = new MembershipDesk({ log: ports.log }, this.rooms, store, {
      selfId: nodeId,
      partitions: config.partitions,
      gossipIntervalMs: config.gossipIntervalMs,
      startedAtMs: nowMs,
    });
    this.join = new JoinDesk(ports, this.rooms, {
      isSealed: keys !== null,
      wasTold: config.join.length > 0,
      mutations,
    });
    this.coming = new ReadyWatch(ports, this.rooms);
    this.packetReader = new PacketReader(identity.clusterId, state.actor, keys, wire);
    this.packetReader.checksReplay = !mutations.has('replay-window-off');
    this.packetReader.checksVersion = !mutations.has('versions-believed');
    this.secrets = new SecretDesk(ports, keys, this.rooms.peers);
    this.host = new NodeHost(ports, config, {
      rooms: this.rooms,
      members: this.members,
      join: this.join,
      coming: this.coming,
      identity,
      keys,
      reader: this.packetReader,
      secrets: this.secrets,
      store,
      wal,
      state,
      distinctKeys,
      packets: this.stats,
      wallClock: this.wallClock,
      random: this.random,
      startedAtMs: this.monotonicMs,
    });
    this.changes = new MemberChanges(ports, this.rooms, this.host, this.members, wal, state, config);
    this.clockWatch = new ClockWatch(ports, this.rooms, this.wallClock, config);
    this.syncTime();
    this.desk = new RequestDesk(
      this.store,
      this.rooms.peers,
      this.rooms.membership,
      this.rooms.replicator,
      this.rooms.floors,
      this.rooms.ownership,
      this.rooms.reads,
      this.rooms.forwarding,
      commandTable,
      this.host.waiters,
      this.rooms.cover,
      {
        lateMs: config.operationTimeoutMs + config.maxClockDriftMs,
        mutations,
      },
    );
    this.sessions = new Sessions(this.host, ports.streams, commandTable, this.commandStats, ports.vitals);
    this.checkpointer = new Checkpointer(
      this.store,
      this.wal,
      this.rooms.frontiers,
      this.rooms.peers,
      this.rooms.ring,
      this.rooms.replicator,
      this.distinctKeys,
      this.rooms.clock,
      this.rooms.floors,
      this.state.standings,
      config.partitions,
    );
    for (const hint of this.state.hints) this.rooms.replicator.recoverHint(hint, 0, this.rooms.ring.ring);
    this.state.hints = [];
    const { ring, ownership } = this.rooms;
    // Whoever gave its place up, and comes back, is a newcomer: what it held is with others.
    const knows = ring.hasOthers ? ring.hadPlace : config.join.length === 0;
    ownership.begin(knows, ring.hasOthers, nowMs);
    // The same goes for who lost part of what it held.
    if (!ring.hadPlace || this.state.damaged) this.state.standings.clear();
    if (this.state.tornTail) this.state.standings.tear();
    // What it owned when it ended is here; what another zone or weight of its own adds to that is not.
    if (this.state.restarted && ring.hadPlace) ownership.refresh(nowMs, true);
    ring.joinSelf(nowMs);
    const unmet = ring.unmetIds();
    if (unmet.length > 0) {
      ports.log.warn(
        'the log has lost members that nothing is forgotten without until they are met, or HEARSAY.FORGET',
        {
          members: unmet.length,
          first: unmet.slice(0, 8).join(' '),
        },
      );
    }
    if (ring.isForgotten) throw new HearsayError('CONFIG', forgottenLine(nodeId, config.data));
    ownership.refresh(nowMs, false);
    ownership.tick(this.monotonicMs, this.rooms.floors.floor);
    // Before the first sweep: what has expired is kept as long as somebody may lack it.
    this.rooms.floorDesk.tick(ring.idsWithSay(), nodeId);
    ports.log.debug('node started', {
      id: nodeId,
      boot: this.state.boot,
      keys: this.store.stats().keys,
      resp: config.port,
      gossip: config.gossipPort,
    });
  }

  /** The secret file may be another: it is read again now. */
  reloadSecrets(): void {
    if (!this.stopped) this.secrets.reloadOrSay();
  }

  /** Says goodbye, makes the log durable and closes it. After the turn that this is called in, the world may stop. */
  shutdown(): void {
    if (this.stopped) return;
    this.stopped = true;
    const { unfinished } = this.members;
    if (unfinished !== null) this.ports.log.warn('stopped while leaving', { why: unfinished });
    this.rooms.membership.leave(this.monotonicMs);
    this.changes.send();
    this.rooms.replicator.flush();
    this.rooms.peers.flush(this.wal.durableBatch);
    this.noteStandings(true);
    this.wal.turnEnded(this.monotonicMs);
    this.wal.close();
    for (const connection of this.sessions.all()) connection.closeAfterReplies();
    this.sessions.flush(this.releasedBatch());
    this.sessions.closeHeld();
    this.ports.log.debug('node stopped', { id: this.id });
  }

  // --- Events ---------------------------------------------------------------------------------------------------------

  turnStarted(monotonicMs: number, wallMs: number): void {
    this.monotonicMs = monotonicMs;
    this.systemWallMs = wallMs;
    this.wallMs = Math.floor(this.wallClock.read(monotonicMs, wallMs, this.clockWatch?.hasPeers ?? false));
    this.stats.turns++;
    if (this.rooms === undefined) return;
    this.syncTime();
    // Before anything of this turn is stamped.
    if (this.wallClock.inDoubt && !this.rooms.coordinator.drifted) this.clockWatch.judge(this.wallMs);
    if (this.stopped) return;
    this.host.scanWork.turnStarted();
    const strays = this.desk.turn(this.host, this.rooms.coordinator, this.rooms.clock);
    for (const { id } of strays) this.rooms.ring.announceSoon(id);
    this.sessions.turn();
  }

  get wantsTurn(): boolean {
    return (
      (this.sessions?.wantsTurn ?? false) || (this.rooms?.order.released ?? false) || (this.desk?.wantsTurn ?? false)
    );
  }

  turnEnded(): void {
    if (this.stopped || this.rooms === undefined) return;
    this.rooms.coordinator.runFollowers(this.host);
    this.rooms.reads.hedge(this.host);
    this.rooms.forwarding.hedge();
    this.changes.send();
    this.noteStandings(false);
    this.wal.turnEnded(this.monotonicMs);
    const released = this.releasedBatch();
    this.rooms.replicator.releaseAcks(released);
    this.rooms.replicator.flush();
    this.rooms.operations.settle(released, this.wal.durableBatch);
    this.host.waiters.settle(this.monotonicMs, false);
    this.desk.release(released);
    this.changes.piggyback();
    this.rooms.peers.flush(this.wal.durableBatch);
    this.sessions.flush(released);
    this.checkpointer.turnEnded();
    this.watchLog();
    this.store.prepare();
  }

  /** What must hold between turns; the simulator asks after each. */
  assertInvariants(): void {
    if (this.rooms === undefined) return;
    for (const peer of this.rooms.peers.all()) peer.hints.assertInvariants();
  }

  /** This node as a checker sees it between turns; nobody changes anything through it. */
  inspect(): Inspected {
    const { config, store, wal } = this;
    const rooms = this.rooms ?? null;
    const damaged = this.state?.damaged ?? false;
    return { config, store, wal, rooms, damaged, bounds: () => (rooms === null ? [] : this.host.bounds()) };
  }

  tick(): void {
    if (this.stopped) return;
    const now = this.monotonicMs;
    // A machine that slept shows it by the system's clock.
    this.rooms.membership.tick(now, this.systemWallMs);
    this.applyChanges();
    this.join.tick(now);
    this.rooms.ownership.tick(now, this.rooms.floors.floor, this.rooms.antiEntropy);
    this.coming.tick(now);
    this.rooms.ring.tick(this.rooms.membership, now, this.config.memberGraceMs);
    this.members.tick(now);
    this.refreshRing();
    this.rooms.ownership.readiness.tick(this.rooms.ownership, this.rooms.peers, this.store, now);
    this.clockWatch.judge(this.wallMs);
    this.rooms.peers.tick(now);
    this.rooms.replicator.tick();
    this.rooms.forwarding.tick();
    this.rooms.reads.tick(this.host);
    this.rooms.operations.expire(now);
    this.host.waiters.settle(now, true);
    const begunMs = this.ports.vitals.workClockMs();
    this.rooms.antiEntropy.tick();
    this.stats.repairMs += this.ports.vitals.workClockMs() - begunMs;
    this.sessions.tick();
    this.changes.noteActors();
    this.changes.rememberSay();
    this.host.snapshots.tick(now);
    this.store.sweep(SWEEP_PER_TICK);
    this.rooms.floors.drifted = this.rooms.coordinator.drifted;
    this.rooms.floorDesk.tick(this.rooms.ring.idsWithSay(), this.id);
    this.store.dropTombstones(this.rooms.floors.forgottenAnyway(), TOMBSTONES_PER_TICK);
    this.secrets.tick(now);
    this.wal.tick();
    this.checkpointer.tick();
    this.sendSketch();
    this.distinctKeys.tick();
    if (this.members.phase === 'gone') this.shutdown();
  }

  datagramArrived(bytes: Buffer, host: string, port: number): void {
    if (this.stopped) return;
    this.stats.packets++;
    this.stats.packetBytes += bytes.length;
    const reader = this.packetReader;
    const refusal = reader.open(bytes);
    if (refusal !== null) {
      this.packetRefused(refusal, bytes, host, port);
      return;
    }
    this.stats.packetsAccepted++;
    const peer = this.rooms.peers.withActor(reader.actor);
    if (this.keys === null && (peer === undefined || peer.host !== host || peer.port !== port)) {
      this.rooms.peers.strangers.came(host, port, bytes.length);
    }
    // What was meant for an earlier start of this node, or for another node, may be a recording: membership sees through that.
    const mine = reader.target === this.state.actor;
    if (peer !== undefined && (mine || reader.target === 0)) {
      this.rooms.membership.heard(peer.id, this.monotonicMs);
      peer.keyId = reader.keyId;
    }
    while (reader.next()) {
      const { kind, bodyStart, bodyEnd } = reader;
      if (kind === SECTION_CONTROL) {
        const message = decodeControl(reader.bytes, bodyStart, bodyEnd);
        if (message === null) this.stats.packetsMalformed++;
        else this.rooms.membership.handle(message, host, port, false, this.monotonicMs, this.wallMs);
      } else if (kind === SECTION_PADDING) {
        // Made the packet long enough for its answer.
      } else if (peer === undefined) {
        this.stats.packetsUnknownSender++;
      } else if (!mine) {
        this.stats.packetsMisdirected++;
      } else if (kind === SECTION_RECORDS) {
        this.recordsArrived(peer, reader.bytes, bodyStart, bodyEnd, false);
      } else if (kind === SECTION_ACKS) {
        this.acksArrived(peer, reader.bytes, bodyStart, bodyEnd);
      } else if (kind === SECTION_HEARD) {
        this.rooms.peers.heard(peer, reader.bytes, bodyStart, bodyEnd);
      }
    }
    this.applyChanges();
  }

  streamAccepted(stream: StreamId, kind: 'client' | 'peer', peerAddress: string, localAddress: string): void {
    if (kind === 'client') this.sessions.accepted(stream, peerAddress, localAddress);
    else this.rooms.peers.incoming.accepted(stream, peerAddress, this.monotonicMs);
  }

  streamConnected(stream: StreamId): void {
    this.rooms.peers.outgoing.connected(stream, this.monotonicMs);
  }

  streamBytes(stream: StreamId, bytes: Buffer, start: number, end: number): void {
    if (this.stopped) return;
    if (this.sessions.bytes(stream, bytes, start, end)) return;
    this.stats.peerBytes += end - start;
    const { peers } = this.rooms;
    const now = this.monotonicMs;
    const ready = peers.bytes(stream, bytes, start, end, now);
    if (ready !== null) {
      this.rooms.ring.announceTo(peers, ready);
      this.rooms.ownership.readiness.tellTo(ready, this.rooms.ownership, peers, this.store);
      this.rooms.floorDesk.sayTo(ready);
      this.rooms.replicator.reconnected(ready);
    }
    for (let frame = peers.nextFrame(stream, now); frame !== null; frame = peers.nextFrame(stream, now)) {
      const isRepair = isRepairFrame(frame.kind);
      const begunMs = isRepair ? this.ports.vitals.workClockMs() : 0;
      this.frameArrived(frame.kind, frame.body, frame.actor, frame.keyId);
      if (isRepair) this.stats.repairMs += this.ports.vitals.workClockMs() - begunMs;
    }
    this.applyChanges();
  }

  streamDrained(stream: StreamId): void {
    this.sessions.drained(stream);
  }

  streamClosed(stream: StreamId, _why: string): void {
    if (!this.rooms.peers.knows(stream)) {
      this.sessions.closed(stream);
      return;
    }
    const peer = this.rooms.peers.closed(stream, this.monotonicMs);
    if (peer === null || this.stopped) return;
    this.rooms.membership.probeSoon(peer.id, this.monotonicMs);
    this.desk.peerLost(peer);
    this.changes.peerLost(peer);
  }

  bufferReleased(bytes: Buffer): void {
    this.sessions.bufferReleased(bytes);
  }

  diskCompleted(token: number, error: Error | null): void {
    this.wal.completed(token, error);
  }

  nameResolved(token: number, hosts: string[], why: string): void {
    this.join.nameResolved(token, hosts, why, this.monotonicMs);
  }

  // --- What arrives from peers ----------------------------------------------------------------------------------------

  private packetRefused(refusal: Refusal, bytes: Buffer, host: string, port: number): void {
    const [, , oldest, newest] = bytes;
    const words = refusal === 'version' ? `is refused: ${versionsDiffer(this.wire, { oldest, newest })}` : undefined;
    this.rooms.refusals.note(refusal, 'a packet from', `${host}:${port}`, this.monotonicMs, words);
  }

  private frameArrived(kind: number, body: Buffer, actor: number, keyId: number): void {
    const peer = this.rooms.peers.withActor(actor);
    if (peer !== undefined) peer.keyId = keyId;
    if (kind === FRAME_CONTROL) {
      const message = decodeControl(body, 0, body.length);
      if (message === null) this.stats.packetsMalformed++;
      else this.rooms.membership.handle(message, '', 0, true, this.monotonicMs, this.wallMs);
      return;
    }
    if (kind === FRAME_RING) {
      // Taken from a member that membership has not met yet, too: it is the first thing said on a stream.
      this.rooms.ring.arrived(body, this.rooms.membership, this.monotonicMs);
      if (this.rooms.ring.isForgotten) {
        this.fatal ??= new HearsayError('CONFIG', forgottenLine(this.id, this.config.data));
      }
      this.refreshRing();
      return;
    }
    if (peer === undefined) {
      this.stats.packetsUnknownSender++;
      return;
    }
    this.rooms.membership.heard(peer.id, this.monotonicMs);
    switch (kind) {
      case FRAME_RECORDS:
        this.recordsArrived(peer, body, 0, body.length, true);
        break;
      case FRAME_ACKS:
        this.acksArrived(peer, body, 0, body.length);
        break;
      case FRAME_HEAR:
        this.rooms.peers.hear(peer, body);
        break;
      case FRAME_HEARD:
        this.rooms.peers.heard(peer, body, 0, body.length);
        break;
      case FRAME_REQUEST:
        if (!this.desk.request(this.host, peer, body, this.rooms.coordinator, this.rooms.clock)) {
          this.rooms.ring.announceSoon(peer.id);
        }
        break;
      case FRAME_RESPONSE:
        if (!this.desk.response(this.host, peer, body, this.rooms.clock)) this.rooms.ring.announceSoon(peer.id);
        break;
      case FRAME_ROOTS:
        if (this.rooms.antiEntropy.roots(peer, body)) this.tellRing(peer);
        break;
      case FRAME_LEAVES:
        this.rooms.antiEntropy.leaves(peer, body);
        break;
      case FRAME_LIST:
        this.rooms.antiEntropy.listed(peer, body);
        break;
      case FRAME_WANT:
        this.rooms.antiEntropy.wanted(peer, body);
        break;
      case FRAME_FLOORS:
        this.rooms.floorDesk.arrived(peer, body);
        break;
      case FRAME_GONE:
        this.rooms.floorDesk.gone(peer, body);
        break;
      case FRAME_READY: {
        const flushed = this.rooms.ownership.readiness.arrived(peer, body, this.monotonicMs);
        if (flushed !== null) this.rooms.replicator.hearFlush(peer, flushed);
        this.rooms.antiEntropy.reported(peer);
        break;
      }
      case FRAME_VECTOR:
        this.rooms.antiEntropy.vector(peer, body);
        break;
      case FRAME_PULL:
        this.rooms.antiEntropy.source.pulled(peer, body);
        break;
      case FRAME_SLICE:
        this.rooms.antiEntropy.slice(peer, body);
        break;
      case FRAME_SKETCH:
        this.sketchArrived(body);
        break;
      default:
        this.stats.packetsMalformed++;
    }
  }

  /** A reset that is new here goes into the log, so that a restart does not forget it. */
  private sketchArrived(body: Buffer): void {
    const { clock } = this.rooms;
    const resetHlc = DistinctKeys.resetOf(body);
    const { taken, isNewer } =
      Number.isNaN(resetHlc) || clock.observe(resetHlc, this.wallMs)
        ? this.distinctKeys.merge(body)
        : { taken: false, isNewer: false };
    if (!taken) this.stats.packetsMalformed++;
    if (!isNewer) return;
    const note = this.distinctKeys.note(this.distinctKeys.resetHlc);
    if (this.wal.hasRoom(note.length)) this.wal.append(note, 0, note.length);
  }

  private recordsArrived(peer: Peer, bytes: Buffer, start: number, end: number, viaStream: boolean): void {
    const received = this.rooms.replicator.receive(peer, bytes, start, end, viaStream);
    if (received.ringDiffers) this.tellRing(peer);
    for (const key of received.missing) this.desk.askFor(peer, key, this.rooms.clock);
  }

  /** A peer was seen to go by another ring. */
  private tellRing(peer: Peer): void {
    if (!this.mutations.has('ring-kept-to-itself')) this.rooms.ring.announceSoon(peer.id);
  }

  private acksArrived(peer: Peer, bytes: Buffer, start: number, end: number): void {
    const acks = readAcks(bytes, start, end);
    if (acks === null) this.stats.packetsMalformed++;
    else if (acks.actor === this.state.actor) this.rooms.replicator.acknowledged(peer, acks, bytes);
  }

  // --- Ring, names, clock, log -----------------------------------------------------------------------------------------

  private applyChanges(): void {
    this.fatal = this.changes.apply() ?? this.fatal;
  }

  private refreshRing(): void {
    if (!this.rooms.ring.takeChanged()) {
      this.rooms.ring.flush(this.rooms.peers);
      return;
    }
    this.members.ringChanged(this.monotonicMs);
    this.rooms.ownership.refresh(this.monotonicMs, false);
    if (!this.mutations.has('ring-kept-to-itself')) this.rooms.ring.announceToAll(this.rooms.peers);
    this.rooms.antiEntropy.ringChanged();
    this.host.forgetView();
  }

  /** At the end of a turn: a batch that the disk does not take. After a while who waits for it is let go, outcome unknown. */
  private watchLog(): void {
    const { refusal, writtenBatch, releasedBatch, lastBatch } = this.wal;
    // What a failed log has written and not made durable stays so: who waits for that waits for ever.
    const taken = refusal === 'DISKFAILED' ? releasedBatch : writtenBatch;
    const stuck = refusal !== null && taken < lastBatch;
    if (!stuck) this.stuckSinceMs = Number.POSITIVE_INFINITY;
    else if (this.stuckSinceMs === Number.POSITIVE_INFINITY) this.stuckSinceMs = this.monotonicMs;
    else if (this.monotonicMs - this.stuckSinceMs > this.config.operationTimeoutMs) this.sessions.refuseHeld(refusal);
  }

  /** What became of partitions in this turn goes into the log with what was written in it. */
  private noteStandings(isLast: boolean): void {
    const { standings } = this.state;
    if (!standings.isDue(this.monotonicMs, isLast)) return;
    const note = standings.encode();
    if (this.wal.append(note, 0, note.length)) standings.noted(this.monotonicMs);
  }

  private sendSketch(): void {
    if (this.monotonicMs < this.nextSketchAtMs) return;
    this.nextSketchAtMs = this.monotonicMs + SKETCH_INTERVAL_MS;
    const live = this.rooms.peers.all().filter((peer) => peer.connected);
    if (live.length === 0) return;
    this.rooms.peers.sendFrame(live[this.random.below(live.length)], FRAME_SKETCH, this.distinctKeys.encode());
  }

  // --- Helpers --------------------------------------------------------------------------------------------------------

  private syncTime(): void {
    const { monotonicMs, wallMs } = this;
    this.host.monotonicMs = monotonicMs;
    this.host.wallMs = wallMs;
    this.rooms.membership.clockJumpedMs = this.wallClock.inDoubt ? this.wallClock.jumpedMs : 0;
    this.store.wallMs = wallMs;
    this.rooms.local.wallMs = wallMs;
    this.rooms.replicator.nowMs = monotonicMs;
    this.rooms.replicator.wallMs = wallMs;
    this.rooms.loader.wallMs = wallMs;
    this.rooms.floors.nowMs = monotonicMs;
    this.rooms.floors.wallMs = wallMs;
    this.rooms.coordinator.nowMs = monotonicMs;
    this.rooms.forwarding.nowMs = monotonicMs;
    this.rooms.forwarding.wallMs = wallMs;
    this.rooms.reads.nowMs = monotonicMs;
    this.rooms.antiEntropy.setTime(monotonicMs, wallMs);
  }

  /** The highest log batch whose writes may be answered. */
  private releasedBatch(): number {
    return this.wal.releasedBatch;
  }
}

function forgottenLine(id: string, data: string): string {
  return `the cluster was told to forget ${id}: what it holds may bring deleted keys back; start it with an empty data directory in place of ${data}, and it joins as new`;
}
