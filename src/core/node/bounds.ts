/**
 * Every queue, map and cache of a node that what comes from outside can fill: its name, its size now and its bound. HEARSAY.STATUS
 * shows the list under `bounds`, and the simulator holds every size against its bound while a run goes on. Where there is one for each
 * peer, the fullest counts. Guarded: a row without a finite bound is a mistake; what grows with a row stands here, or nobody watches it.
 */
import { ADDRESSES_MAX, type PasswordGuesses } from '../commands/password-guesses.js';
import type { NodeConfig } from '../config.js';
import { FRAME_BODY_BYTES_MAX } from '../gossip/frames.js';
import { type ReplayWindows, SENDERS_MAX } from '../gossip/replay.js';
import { RUMORS_MAX } from '../membership/membership.js';
import { MEMBERSHIP_TIMINGS } from '../membership/options.js';
import { ENDED_MAX } from '../replication/actor-book.js';
import { FOLLOWERS_MAX } from '../replication/caller-order.js';
import { UNACKED_BYTES_MAX } from '../replication/link.js';
import { WAITING_BYTES_MAX, WAITING_MAX } from '../replication/owed-replies.js';
import type { Peer } from '../replication/peers.js';
import { PENDING_BYTES_MAX, PENDING_BYTES_PER_PEER_MAX } from '../replication/pending.js';
import { QUEUE_MAX } from '../replication/repair-queues.js';
import { WAITERS_MAX, type Waiters } from '../replication/waiters.js';
import type { Store } from '../store/store.js';
import type { Rooms } from './rooms.js';
import { KEYS_MAX, type SiblingWatch } from './sibling-watch.js';

/** A type, so that a list of them is a list of plain values to whoever shows it. */
export type Bound = {
  readonly name: string;
  readonly size: number;
  readonly bound: number;
};

export interface BoundedParts {
  readonly config: NodeConfig;
  readonly rooms: Rooms;
  readonly store: Store;
  readonly waiters: Waiters;
  readonly windows: ReplayWindows;
  readonly siblingWatch: SiblingWatch;
  readonly passwordGuesses: PasswordGuesses;
}

/** One alone may wait, however long it is. */
const HANDED_BYTES_MAX = Math.max(WAITING_BYTES_MAX, FRAME_BODY_BYTES_MAX);
/** Past its window a link takes one message more. */
const LINK_BYTES_MAX = UNACKED_BYTES_MAX + FRAME_BODY_BYTES_MAX;

export function nodeBounds(parts: BoundedParts): Bound[] {
  const { config, rooms, store, waiters, windows, siblingWatch, passwordGuesses } = parts;
  const { pending, operations, forwarding, reads, order, membership, actors, antiEntropy } = rooms;
  const peers = rooms.peers.all();
  const most = (sizeOf: (peer: Peer) => number): number => {
    let size = 0;
    for (const peer of peers) size = Math.max(size, sizeOf(peer));
    return size;
  };
  const memory = store.stats();
  const gossip = membership.stats();
  const hintBytes = peers.reduce((sum, { hints }) => sum + hints.bytes, 0);
  return [
    { name: 'memory_bytes', size: memory.memoryBytes, bound: config.maxMemory },
    { name: 'pending', size: pending.waiting, bound: config.pendingMax },
    { name: 'pending_bytes', size: pending.bytes, bound: PENDING_BYTES_MAX },
    { name: 'pending_per_peer', size: most((peer) => peer.pending.waiting), bound: config.pendingPerPeerMax },
    { name: 'pending_bytes_per_peer', size: most((peer) => peer.pending.bytes), bound: PENDING_BYTES_PER_PEER_MAX },
    { name: 'operations_waiting', size: operations.size, bound: config.pendingMax },
    { name: 'reads_gathering', size: reads.size, bound: config.pendingMax },
    // Questions of who waits for writes go beside commands.
    { name: 'commands_forwarding', size: forwarding.size, bound: config.pendingMax + WAITERS_MAX },
    { name: 'commands_waiting_in_order', size: order.waiting, bound: FOLLOWERS_MAX },
    { name: 'commands_handed_waiting_per_peer', size: most((peer) => peer.owed.size), bound: WAITING_MAX },
    { name: 'commands_handed_bytes_per_peer', size: most((peer) => peer.owed.waitingBytes), bound: HANDED_BYTES_MAX },
    { name: 'scans_handed_waiting_per_peer', size: most((peer) => peer.scans.size), bound: WAITING_MAX },
    { name: 'scans_handed_bytes_per_peer', size: most((peer) => peer.scans.waitingBytes), bound: HANDED_BYTES_MAX },
    { name: 'waiters', size: waiters.size, bound: WAITERS_MAX },
    { name: 'hints_bytes', size: hintBytes, bound: config.hintBytesMax },
    { name: 'hints_bytes_per_peer', size: most((peer) => peer.hints.bytes), bound: config.hintBytesPerPeerMax },
    { name: 'unacknowledged_bytes_per_peer', size: most((peer) => peer.link.unackedBytes), bound: LINK_BYTES_MAX },
    { name: 'repair_records_queued_per_peer', size: antiEntropy.queues.most, bound: QUEUE_MAX },
    { name: 'ended_actors', size: actors.size, bound: ENDED_MAX },
    { name: 'members', size: gossip.members, bound: MEMBERSHIP_TIMINGS.membersMax },
    { name: 'rumors', size: gossip.rumors, bound: RUMORS_MAX },
    { name: 'suspects', size: gossip.suspects, bound: MEMBERSHIP_TIMINGS.membersMax },
    { name: 'replay_windows', size: windows.size, bound: SENDERS_MAX },
    { name: 'addresses_with_wrong_passwords', size: passwordGuesses.size, bound: ADDRESSES_MAX },
    { name: 'siblings_warned', size: siblingWatch.size, bound: KEYS_MAX },
  ];
}
