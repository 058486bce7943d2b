/**
 * What a node says of itself in HEARSAY.STATUS and INFO: plain numbers read when asked, and one line a member.
 * Guarded: no key, value or secret is in it; every bounded queue stands here with its size and what it dropped.
 */
import type { Vitals } from '../../ports/vitals.js';
import type { CommandHost, HostSettings } from '../commands/host.js';
import type { NodeConfig } from '../config.js';
import { type KeyRing, keyText } from '../gossip/key-ring.js';
import type { Refusals } from '../gossip/refusals.js';
import type { ReplayWindows } from '../gossip/replay.js';
import type { Member } from '../membership/member.js';
import type { Membership } from '../membership/membership.js';
import type { Ring } from '../partitions/ring.js';
import type { AntiEntropy } from '../replication/anti-entropy.js';
import type { CallerOrder } from '../replication/caller-order.js';
import type { DistinctKeys } from '../replication/distinct-keys.js';
import type { FloorDesk } from '../replication/floor-desk.js';
import type { Floors } from '../replication/floors.js';
import type { Forwarding } from '../replication/forwarding.js';
import type { Frontiers } from '../replication/frontier.js';
import type { HedgeBudget } from '../replication/hedges.js';
import type { Loader } from '../replication/loader.js';
import type { LocalKeyspace } from '../replication/local-keyspace.js';
import type { Operations } from '../replication/operations.js';
import type { Ownership } from '../replication/ownership.js';
import type { Peer, Peers } from '../replication/peers.js';
import type { Pending } from '../replication/pending.js';
import type { QuorumReads } from '../replication/reads.js';
import type { Replicator } from '../replication/replicator.js';
import type { Waiters } from '../replication/waiters.js';
import type { Store } from '../store/store.js';
import type { Wal } from '../wal/wal.js';
import type { Bound } from './bounds.js';
import type { ReadyWatch } from './ready-watch.js';
import type { SecretDesk } from './secret-desk.js';
import type { SiblingWatch } from './sibling-watch.js';

/** What has come in from other nodes. */
export interface ArrivalStats {
  packets: number;
  packetsMalformed: number;
  /** Read as packets of this cluster. */
  packetsAccepted: number;
  /** With records or acknowledgements for another node, or an earlier start of this one. */
  packetsMisdirected: number;
  packetsUnknownSender: number;
  /** Payload bytes of datagrams, and bytes of peer streams. */
  packetBytes: number;
  peerBytes: number;
  /** Time that this node worked on anti-entropy, ms. */
  repairMs: number;
}

import type { JoinWatch } from './join-watch.js';
import type { MembershipDesk } from './membership-desk.js';
import type { RingBook } from './ring-book.js';

export interface StatusParts {
  config: NodeConfig;
  settings: HostSettings;
  store: Store;
  wal: Wal;
  peers: Peers;
  membership: Membership;
  ring: Ring;
  ringBook: RingBook;
  members: MembershipDesk;
  join: JoinWatch;
  coming: ReadyWatch;
  ownership: Ownership;
  antiEntropy: AntiEntropy;
  frontiers: Frontiers;
  floors: Floors;
  floorDesk: FloorDesk;
  replicator: Replicator;
  loader: Loader;
  operations: Operations;
  pending: Pending;
  forwarding: Forwarding;
  reads: QuorumReads;
  order: CallerOrder;
  hedges: HedgeBudget;
  waiters: Waiters;
  distinctKeys: DistinctKeys;
  vitals: Vitals;
  keyspace: LocalKeyspace;
  siblingWatch: SiblingWatch;
  bounds: readonly Bound[];
  drifted: boolean;
  /** How far the system's clock is ahead of what the node goes by. */
  clockJumpedMs: number;
  boot: number;
  upMs: number;
  nowMs: number;
  packets: ArrivalStats;
  refusals: Refusals;
  keys: KeyRing | null;
  windows: ReplayWindows;
  secrets: SecretDesk;
}

/** A round of anti-entropy with every live peer found nothing within this time: converged. */
const CONVERGED_WITHIN_MS = 10_000;

/** Rows of STATUS about partitions that are being fetched or waited for: as many as are worth reading. */
const PARTITIONS_COMING_MAX = 32;

type Status = ReturnType<CommandHost['status']>;

export function nodeStatus(parts: StatusParts): Status {
  const { store, wal, peers, membership, ownership, antiEntropy, replicator } = parts;
  const { join } = parts;
  const isJoinedOrAlone = membership.hasJoined || join.state === 'alone';
  const memory = store.stats();
  const hints = sumHints(peers.all());
  const handed = sumHanded(peers.all());
  const catchUp = antiEntropy.catchUp.stats;
  const source = antiEntropy.source.stats;
  const frontier = parts.frontiers.stats();
  let unackedMessages = 0;
  let resent = 0;
  for (const peer of peers.all()) {
    unackedMessages += peer.link.unackedMessages;
    resent += peer.link.resent;
  }
  const live = peers.all().filter((peer) => peer.state === 'alive');
  const converged = live.every((peer) => parts.nowMs - peer.equalAtMs < CONVERGED_WITHIN_MS);
  let partitionsOwned = 0;
  for (let partition = 0; partition < parts.config.partitions; partition++) {
    if (ownership.owns(partition)) partitionsOwned++;
  }
  return {
    node: parts.settings.nodeId,
    version: parts.settings.version,
    cluster: parts.settings.clusterName,
    read_consistency: parts.settings.readConsistency,
    write_consistency: parts.settings.writeConsistency,
    boot: parts.boot,
    uptime_seconds: Math.floor(parts.upMs / 1000),
    // A node that nobody awaits is ready once it runs; one that joins, once it has met somebody and caught up, or has met nobody in time.
    ready: isJoinedOrAlone && ownership.serves && ownership.unready === 0,
    joined: membership.hasJoined,
    // Nobody answered at its contact points, and it serves by itself until somebody does.
    serves_alone: join.state === 'alone',
    // All that answered will not have it: data commands are refused with this.
    join_refusal: join.refusal,
    joins_refused: join.stats.refused,
    join_addresses_dropped: join.stats.addressesDropped,
    lookups_failed: join.stats.lookupsFailed,
    lookup_failures: join.lookupFailures,
    converged: converged && hints.pending === 0,
    clock_drifted: parts.drifted,
    clock_offset_ms: Math.round((membership.clockOffsetMedianMs() ?? 0) - parts.clockJumpedMs),
    log_refusal: wal.refusal ?? '',
    leaving: parts.members.phase !== 'staying',
    partitions_to_hand_over: parts.members.partitionsHeld(),
    members_alive: membership.aliveCount,
    members_known: membership.members().length,
    udp_blocked: membership.isUdpBlocked,
    ring_members: parts.ring.members().length,
    ring_members_unplaced: parts.ring.unplaced,
    ring_members_unmet: parts.ringBook.unmetIds().length,
    ring_members_unremembered: parts.ringBook.unremembered,
    ring_records_refused: parts.ring.refused,
    ring_records_forgotten: parts.ring.forgotten,
    ring_hash: parts.ring.hash().toString(16).padStart(8, '0'),
    partitions_owned: partitionsOwned,
    partitions_catching_up: ownership.unready,
    partitions_handing_over: ownership.handedPartitions.size,
    partitions_moving: ownership.moving,
    skipped_rings_dropped: ownership.skippedRingsDropped,
    ready_reports_told: ownership.readiness.stats.told,
    ready_reports_stale: ownership.readiness.stats.stale,
    ready_reports_malformed: ownership.readiness.stats.malformed,
    keys: memory.keys,
    tombstones: memory.tombstones,
    distinct_keys: parts.distinctKeys.estimate(),
    distinct_resets: parts.distinctKeys.stats.resets,
    distinct_sketches_refused: parts.distinctKeys.stats.refused,
    tombstone_bytes: memory.tombstoneBytes,
    // Who is least known to have what is held here, and since when: until then nothing deleted is forgotten.
    floor_behind_seconds: Math.floor(parts.floors.lagMs / 1000),
    floor_held_by: parts.floors.holder?.id ?? '',
    floor_oldest_seconds: Math.floor(parts.floors.oldestMs() / 1000),
    floors_raised: parts.floors.stats.raises,
    floors_adopted: parts.floors.stats.adopted,
    floor_members_excused: parts.floors.stats.excused,
    floor_messages_malformed: parts.floorDesk.malformed,
    records_below_floor: parts.floors.stats.recordsBelowFloor,
    records_gone: parts.floors.stats.recordsGone,
    gone_messages_unproved: parts.floors.stats.goneUnproved,
    memory_bytes: memory.memoryBytes,
    memory_bytes_max: parts.config.maxMemory,
    rss_bytes: parts.vitals.rssBytes(),
    cpu_user_seconds: parts.vitals.cpuUserSeconds(),
    cpu_system_seconds: parts.vitals.cpuSystemSeconds(),
    live_bytes: memory.liveBytes,
    evictions: memory.evictions,
    expired: memory.expired,
    expired_kept: memory.lapsed,
    refused: memory.refused,
    snapshots: memory.snapshots,
    snapshot_bytes: memory.snapshotBytes,
    snapshots_too_old: memory.snapshotsTooOld,
    merge_values_lost: parts.store.valuesLost,
    siblings_many: parts.siblingWatch.noted,
    siblings_warnings: parts.siblingWatch.warned,
    siblings_warnings_dropped: parts.siblingWatch.dropped,
    keyspace_hits: parts.keyspace.hits,
    keyspace_misses: parts.keyspace.misses,
    changes_refused: parts.keyspace.changesRefused,
    writes_coordinated: replicator.writes,
    records_sent: replicator.stats.recordsSent,
    records_received: replicator.stats.recordsReceived,
    records_applied: replicator.stats.recordsApplied,
    records_merged: replicator.stats.recordsMerged,
    records_stale: replicator.stats.recordsStale,
    records_refused: replicator.stats.recordsRefused,
    records_unknown: replicator.stats.recordsUnknown,
    records_drifted: replicator.stats.recordsDrifted,
    records_nobodys: replicator.stats.recordsNobodys,
    records_malformed: replicator.stats.recordsMalformed,
    records_loaded: parts.loader.stats.applied,
    records_load_refused: parts.loader.stats.refused,
    messages_unacknowledged: unackedMessages,
    messages_resent: resent,
    messages_abandoned: replicator.stats.messagesAbandoned,
    hints_pending: hints.pending,
    hints_unlogged: hints.unlogged,
    hints_created: hints.created,
    hints_delivered: hints.delivered,
    hints_superseded: hints.superseded,
    hints_expired: hints.expired,
    hints_dropped: hints.dropped,
    hints_bytes: hints.bytes,
    hints_returned: replicator.stats.hintsReturned,
    partitions_owing_repair: hints.toRepair,
    messages_refused: replicator.stats.messagesRefused,
    messages_of_gone: replicator.stats.messagesOfGone,
    // What waits for other nodes: writes above level one, reads that ask, forwarded commands.
    pending: parts.pending.waiting,
    pending_most: parts.pending.most,
    pending_bytes: parts.pending.bytes,
    pending_refused: parts.pending.refused,
    operations_waiting: parts.operations.size,
    operations_timed_out: parts.operations.timeouts,
    commands_forwarded: parts.forwarding.stats.forwarded,
    commands_forwarding: parts.forwarding.size,
    commands_forward_retried: parts.forwarding.stats.retried,
    commands_forward_answered: parts.forwarding.stats.answered,
    commands_ring_differed: parts.forwarding.stats.ringDiffered,
    // Commands that peers handed to this node, and that wait until replies before them are taken.
    commands_handed_waiting: handed.size,
    commands_handed_waited: handed.waited,
    commands_handed_refused: handed.refused,
    commands_forward_timeouts: parts.forwarding.stats.timeouts,
    reads_gathering: parts.reads.size,
    reads_begun: parts.reads.stats.begun,
    reads_timed_out: parts.reads.stats.timeouts,
    reads_ring_differed: parts.reads.stats.ringDiffered,
    reads_begun_anew: parts.reads.stats.begunAnew,
    reads_repaired: parts.reads.repair.repaired,
    reads_widened: parts.reads.stats.widened,
    sessions_behind: parts.reads.stats.sessionsBehind,
    reads_hedged: parts.hedges.hedged,
    reads_hedge_won: parts.hedges.won,
    reads_hedge_denied: parts.hedges.denied,
    commands_under_way: parts.order.size,
    commands_waiting_in_order: parts.order.waiting,
    waiters: parts.waiters.size,
    waits_abandoned: parts.forwarding.stats.abandoned,
    repair_cpu_seconds: parts.packets.repairMs / 1000,
    repair_rounds: antiEntropy.stats.rounds,
    repair_rounds_equal: antiEntropy.stats.equalRounds,
    repair_partitions_differing: antiEntropy.stats.differingPartitions,
    repair_records_sent: antiEntropy.queues.sent,
    repair_records_wanted: antiEntropy.trie.stats.wanted,
    repair_records_pushed: antiEntropy.trie.stats.pushed,
    repair_vectors: antiEntropy.stats.vectors,
    repair_gaps_pulled: antiEntropy.stats.gaps,
    repair_leaves_compared: antiEntropy.trie.stats.compared,
    repair_malformed: antiEntropy.stats.malformed + catchUp.malformed + source.malformed,
    catch_up_pulling: antiEntropy.catchUp.size,
    catch_up_pulls: catchUp.pulls,
    catch_up_joined: catchUp.joined,
    catch_up_abandoned: catchUp.abandoned,
    catch_up_records: catchUp.records,
    catch_up_bytes: catchUp.bytes,
    catch_up_unkept: catchUp.unkept,
    catch_up_stray: catchUp.stray,
    catch_up_waiting: antiEntropy.source.size,
    catch_up_dropped: source.dropped,
    catch_up_slices_sent: source.slices,
    catch_up_records_sent: source.records,
    catch_up_bytes_sent: source.bytes,
    catch_up_records_examined: source.looked,
    catch_up_walks: source.walks,
    repair_records_dropped: antiEntropy.queues.dropped,
    repair_records_queued: antiEntropy.queues.size,
    frontier_actors: frontier.actors,
    frontier_gaps: frontier.ranges,
    frontier_dropped: frontier.dropped,
    partitions_handed_off: antiEntropy.foreign.stats.handedOff,
    packets_received: parts.packets.packets,
    packet_bytes_received: parts.packets.packetBytes,
    peer_stream_bytes_received: parts.packets.peerBytes,
    packets_malformed: parts.packets.packetsMalformed,
    packets_accepted: parts.packets.packetsAccepted,
    packets_misdirected: parts.packets.packetsMisdirected,
    ...refusalFacts(parts),
    packets_unknown_sender: parts.packets.packetsUnknownSender,
    frames_dropped: peers.framesDropped,
    streams_given_up: peers.streamsGivenUp,
    datagrams_withheld: peers.strangers.withheld,
    streams_refused: peers.incoming.refused,
    streams_closed_unproven: peers.incoming.strangersClosed,
    streams_closed_outnumbered: peers.incoming.outnumbered,
    contacts_dropped: peers.outgoing.contactsDropped,
    contact_news_dropped: peers.outgoing.newsDropped,
    partitions_coming: parts.coming.rows(PARTITIONS_COMING_MAX).map((row) => ({ ...row })),
    log: [wal.stats()],
    gossip: [membership.stats()],
    bounds: parts.bounds.map((row) => ({ ...row })),
    members: membership.members().map((member) => describeMember(member, peers.get(member.id), parts)),
  };
}

function sumHanded(peers: readonly Peer[]) {
  const sum = { size: 0, waited: 0, refused: 0 };
  for (const { owed, scans } of peers) {
    sum.size += owed.size + scans.size;
    sum.waited += owed.waited + scans.waited;
    sum.refused += owed.refused + scans.refused;
  }
  return sum;
}

function sumHints(peers: readonly Peer[]) {
  const sums = {
    pending: 0,
    unlogged: 0,
    created: 0,
    delivered: 0,
    superseded: 0,
    expired: 0,
    dropped: 0,
    bytes: 0,
    toRepair: 0,
  };
  for (const { hints, passedWallMs } of peers) {
    sums.pending += hints.pending;
    sums.unlogged += hints.unloggedCount;
    sums.created += hints.created;
    sums.delivered += hints.delivered;
    sums.superseded += hints.superseded;
    sums.expired += hints.expired;
    sums.dropped += hints.dropped;
    sums.bytes += hints.bytes;
    sums.toRepair += hints.partitionsToRepair(passedWallMs);
  }
  return sums;
}

/** Packets and streams that were not let in, by reason, and the keys that decide it. */
function refusalFacts({ refusals: { counts }, keys, windows, secrets }: StatusParts) {
  return {
    refused_malformed: counts.malformed,
    refused_checksum: counts.checksum,
    refused_version: counts.version,
    refused_foreign: counts.foreign,
    refused_unsealed: counts.unsealed,
    refused_sealed: counts.sealed,
    refused_wrong_key: counts['wrong-key'],
    refused_forged: counts.forged,
    refused_replayed: counts.replayed,
    refused_unanswered: counts.unanswered,
    replay_windows: windows.size,
    replay_windows_forgotten: windows.forgotten,
    secret_key: keyText(keys?.sealing.secret.id ?? 0),
    secret_keys: keys?.size ?? 0,
    secret_reloads: secrets.reloads,
    secret_reloads_refused: secrets.failures,
  };
}

function describeMember(member: Member, peer: Peer | undefined, parts: StatusParts) {
  return {
    id: member.id,
    state: member.state,
    address: `${member.host}:${member.respPort}`,
    gossip: `${member.host}:${member.port}`,
    zone: member.zone,
    weight: member.weight,
    place: parts.ring.get(member.id)?.state ?? 'none',
    self: peer === undefined,
    secret_key: keyText(peer === undefined ? (parts.keys?.sealing.secret.id ?? 0) : peer.keyId),
    boot: member.boot,
    incarnation: member.incarnation,
    udp_blocked: peer === undefined ? parts.membership.isUdpBlocked : member.udpBlocked,
    flaps: Math.round(parts.membership.flaps.penaltyOf(member.id, parts.nowMs) * 10) / 10,
    held_back_seconds: Math.ceil(parts.membership.flaps.reentryInMs(member.id, parts.nowMs) / 1000),
    rtt_ms: Math.round(member.rttMs * 1000) / 1000,
    clock_offset_ms: Math.round(member.clockOffsetMs ?? 0),
    hints_pending: peer?.hints.pending ?? 0,
    hints_created: peer?.hints.created ?? 0,
    hints_delivered: peer?.hints.delivered ?? 0,
    hints_superseded: peer?.hints.superseded ?? 0,
    hints_expired: peer?.hints.expired ?? 0,
    hints_dropped: peer?.hints.dropped ?? 0,
    hints_bytes: peer?.hints.bytes ?? 0,
    hints_bytes_per_second: Math.round(peer?.pace.bytesPerSecond ?? 0),
    partitions_owing_repair: peer?.hints.partitionsToRepair(peer.passedWallMs) ?? 0,
    pending: peer?.pending.waiting ?? 0,
    pending_most: peer?.pending.most ?? 0,
    pending_refused: peer?.pending.refused ?? 0,
    unacknowledged_bytes: peer?.link.unackedBytes ?? 0,
    stream: peer === undefined || peer.connected,
    lag_records: parts.antiEntropy.lags.of(member.id).records,
    lag_partitions: parts.antiEntropy.lags.of(member.id).partitions,
    equal_seconds_ago:
      peer === undefined || peer.equalAtMs < 0 ? -1 : Math.floor((parts.nowMs - peer.equalAtMs) / 1000),
  };
}
