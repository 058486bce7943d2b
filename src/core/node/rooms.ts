/**
 * The rooms of a node, opened in the order in which they need each other. The spine opens them once, when it knows who it is, and
 * hands each event to its room.
 */
import type { Ports } from '../../ports/world.js';
import { HybridClock } from '../base/hlc.js';
import type { Random } from '../base/random.js';
import type { CommandStats } from '../commands/stats.js';
import type { NodeConfig } from '../config.js';
import type { KeyRing } from '../gossip/key-ring.js';
import { PacketSender, type WireRange } from '../gossip/packet.js';
import { Refusals } from '../gossip/refusals.js';
import { Membership } from '../membership/membership.js';
import { MEMBERSHIP_TIMINGS } from '../membership/options.js';
import { membersMax } from '../partitions/placement.js';
import { ActorBook } from '../replication/actor-book.js';
import { AntiEntropy } from '../replication/anti-entropy.js';
import { CallerOrder } from '../replication/caller-order.js';
import type { CatchUpBounds } from '../replication/catch-up-source.js';
import { Coordinator } from '../replication/coordinator.js';
import type { DistinctKeys } from '../replication/distinct-keys.js';
import { FloorDesk } from '../replication/floor-desk.js';
import { Floors } from '../replication/floors.js';
import { Forwarding } from '../replication/forwarding.js';
import type { Frontiers } from '../replication/frontier.js';
import { HedgeBudget } from '../replication/hedges.js';
import { Loader } from '../replication/loader.js';
import { LocalKeyspace } from '../replication/local-keyspace.js';
import { Operations } from '../replication/operations.js';
import { Ownership } from '../replication/ownership.js';
import { Peers } from '../replication/peers.js';
import { Pending } from '../replication/pending.js';
import { ReadRepair } from '../replication/read-repair.js';
import { QuorumReads } from '../replication/reads.js';
import { Replicator } from '../replication/replicator.js';
import { SessionCover } from '../replication/session-cover.js';
import type { Store } from '../store/store.js';
import type { Wal } from '../wal/wal.js';
import type { ClusterIdentity } from './identity.js';
import type { NodeState } from './recovery.js';
import { RingBook } from './ring-book.js';

export interface Rooms {
  readonly refusals: Refusals;
  readonly clock: HybridClock;
  readonly peers: Peers;
  readonly ring: RingBook;
  readonly membership: Membership;
  readonly ownership: Ownership;
  readonly actors: ActorBook;
  readonly frontiers: Frontiers;
  readonly operations: Operations;
  readonly pending: Pending;
  readonly order: CallerOrder;
  readonly floors: Floors;
  readonly floorDesk: FloorDesk;
  readonly hedges: HedgeBudget;
  readonly cover: SessionCover;
  readonly replicator: Replicator;
  readonly local: LocalKeyspace;
  readonly loader: Loader;
  readonly forwarding: Forwarding;
  readonly reads: QuorumReads;
  readonly coordinator: Coordinator;
  readonly antiEntropy: AntiEntropy;
}

export interface RoomParts {
  readonly identity: ClusterIdentity;
  /** Null: nodes talk in the clear. */
  readonly keys: KeyRing | null;
  readonly store: Store;
  readonly wal: Wal;
  readonly state: NodeState;
  readonly distinctKeys: DistinctKeys;
  readonly random: Random;
  readonly commandStats: CommandStats;
  readonly mutations: ReadonlySet<string>;
  readonly bounds: CatchUpBounds;
  readonly nowMs: number;
  readonly wire: WireRange;
}

export function openRooms(ports: Ports, config: NodeConfig, parts: RoomParts): Rooms {
  const { store, wal, state, distinctKeys, random, commandStats, mutations, bounds } = parts;
  const { identity, keys } = parts;
  const { nodeId, actor, frontiers } = state;
  const sender = new PacketSender(identity.clusterId, actor, keys, random, parts.wire);
  const refusals = new Refusals(ports.log);
  const unbounded = mutations.has('pending-unbounded');
  const pending = new Pending(unbounded ? Number.POSITIVE_INFINITY : config.pendingMax);
  const operations = new Operations(pending);
  const order = new CallerOrder();
  const hedges = new HedgeBudget();
  const cover = new SessionCover(frontiers, mutations.has('session-ignored'));
  const clock = new HybridClock(state.maxHlc, config.maxClockDriftMs);
  const peers = new Peers(ports, {
    sender,
    facts: {
      clusterName: config.clusterName,
      settings: identity.settings,
      hashMark: identity.hashMark,
      id: nodeId,
      actor,
      host: config.advertise,
      port: config.gossipPort,
      wire: parts.wire,
    },
    ring: keys,
    refusals,
    hintBytesPerPeerMax: config.hintBytesPerPeerMax,
    hintBytesMax: config.hintBytesMax,
    pendingPerPeerMax: unbounded ? Number.POSITIVE_INFINITY : config.pendingPerPeerMax,
    partitions: config.partitions,
    random: random,
    mutations,
  });
  const self = { id: nodeId, zone: config.zone, weight: config.weight };
  const ring = new RingBook(wal, self, state.ring, parts.nowMs, {
    membersMax: membersMax(config.partitions),
    withSay: parts.mutations.has('members-forgotten-with-the-log') ? [] : state.withSay,
  });
  const membership = new Membership(
    { log: ports.log },
    {
      ...MEMBERSHIP_TIMINGS,
      self: {
        id: nodeId,
        host: config.advertise,
        port: config.gossipPort,
        respPort: config.port,
        zone: config.zone,
        weight: config.weight,
      },
      actor,
      // Its own log may know of a life that others would take this one for.
      boot: Math.max(state.boot, ring.ring.endedBootOf(nodeId) + 1),
      incarnation: 0,
      contactPoints: [...config.join, ...ring.addresses()],
      probeIntervalMs: config.probeIntervalMs,
      probeTimeoutMs: config.probeTimeoutMs,
      gossipIntervalMs: config.gossipIntervalMs,
      suspicionFloorMs: config.suspicionFloorMs,
      tickIntervalMs: config.tickIntervalMs,
      random: random,
      endedBootOf: (id) => ring.ring.endedBootOf(id),
      mutations,
    },
  );
  const options = { partitions: config.partitions, mutations: mutations };
  const ownership = new Ownership(ring.ring, peers, membership.flaps, {
    selfId: nodeId,
    partitions: config.partitions,
    replicas: config.replicas,
    standings: state.standings,
    holdsAny: (partition) => store.holdsAny(partition),
    mutations,
  });
  const floors = new Floors({ ...options, marginMs: config.floorMarginMs, graceMs: config.tombstoneGraceMs });
  floors.floor.set(state.floors);
  frontiers.begin(actor, floors.floor, ownership.fetching, ownership.ownings);
  const floorDesk = new FloorDesk({ log: ports.log }, floors, store, wal, clock, ownership, peers, {
    partitions: config.partitions,
    intervalMs: config.antiEntropyIntervalMs,
  });
  const replicator = new Replicator(
    { log: ports.log },
    store,
    wal,
    clock,
    ownership,
    peers,
    operations,
    frontiers,
    distinctKeys,
    floors,
    {
      ...options,
    },
  );
  const actors = new ActorBook((known) => known === actor || peers.withActor(known) !== undefined);
  const local = new LocalKeyspace(distinctKeys, store, wal, clock, replicator, frontiers, actors, {
    actor,
    floors: floors.passable,
  });
  const loader = new Loader(distinctKeys, store, wal, clock, ownership, replicator, frontiers, floors, {
    partitions: config.partitions,
  });
  const forwarding = new Forwarding(
    peers,
    ownership,
    clock,
    order,
    hedges,
    pending,
    {
      operationTimeoutMs: config.operationTimeoutMs,
    },
    random,
  );
  const reads = new QuorumReads(
    store,
    ownership,
    peers,
    new ReadRepair(store, replicator, floorDesk, floors),
    clock,
    order,
    hedges,
    pending,
    cover,
    {
      selfId: nodeId,
      replicas: config.replicas,
      partitions: config.partitions,
      operationTimeoutMs: config.operationTimeoutMs,
    },
    random,
  );
  const coordinator = new Coordinator(
    local,
    ownership,
    replicator,
    operations,
    pending,
    forwarding,
    reads,
    wal,
    order,
    cover,
    {
      ...options,
      actor,
      replicas: config.replicas,
      operationTimeoutMs: config.operationTimeoutMs,
      durability: config.durability,
    },
    commandStats,
  );
  reads.attach(coordinator);
  const antiEntropy = new AntiEntropy(store, wal, ownership, peers, replicator, frontiers, floors, floorDesk, {
    ...options,
    ...bounds,
    intervalMs: config.antiEntropyIntervalMs,
    tickIntervalMs: config.tickIntervalMs,
    random: random,
  });
  return {
    refusals,
    clock,
    peers,
    ring,
    membership,
    ownership,
    actors,
    frontiers,
    operations,
    pending,
    order,
    floors,
    floorDesk,
    hedges,
    cover,
    replicator,
    local,
    loader,
    forwarding,
    reads,
    coordinator,
    antiEntropy,
  };
}
