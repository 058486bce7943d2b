/**
 * Requests from peers and answers to ours: reads their heads, hands each to its room, and sends what is to be answered once it
 * may leave. The spine calls it for REQUEST and RESPONSE frames and at the end of a turn.
 * Guarded: malformed requests are counted and refused, so that nobody waits for them; replies that wait are bounded; no peer's
 * commands make more replies in a turn than its stream takes.
 */
import type { HybridClock } from '../base/hlc.js';
import { arityFits, keysFit, WRITE } from '../commands/command.js';
import { globWork } from '../commands/glob.js';
import type { CommandHost } from '../commands/host.js';
import { partitionCommand } from '../commands/partition.js';
import type { SessionToken } from '../commands/session-token.js';
import type { CommandTable } from '../commands/table.js';
import { FRAME_REQUEST, FRAME_RESPONSE } from '../gossip/frames.js';
import type { Membership } from '../membership/membership.js';
import { slotOf } from '../partitions/slots.js';
import { recordType } from '../record/record.js';
import type { Coordinator } from '../replication/coordinator.js';
import type { Floors } from '../replication/floors.js';
import { NEVER_FLUSHED } from '../replication/flush-mark.js';
import { type Forwarding, PeerCaller } from '../replication/forwarding.js';
import {
  encodeKeyRequest,
  encodeVersionResponse,
  readKeyRequest,
  readVersionResponse,
} from '../replication/key-requests.js';
import { OWED_BYTES_HIGH, type OwedReplies, type WaitingCommand } from '../replication/owed-replies.js';
import type { Ownership } from '../replication/ownership.js';
import type { Peer, Peers } from '../replication/peers.js';
import type { QuorumReads } from '../replication/reads.js';
import type { Replicator } from '../replication/replicator.js';
import {
  COVERS_NOTHING,
  encodeNothingDone,
  mayAdd,
  NO_VERSION,
  REQUEST_FORWARD,
  REQUEST_READ,
  REQUEST_VERSION,
  REQUEST_WAIT,
  REQUEST_WANT,
  type RequestHead,
  readForwardArgs,
  readForwardSession,
  readRequestHead,
  readResponseHead,
  readWait,
  requestRingHash,
  STATUS_BEHIND,
  STATUS_NEWER,
  STATUS_OLDER,
  STATUS_REFUSED,
  STATUS_RING_DIFFERS,
  STATUS_UNKNOWN,
  versionOf,
} from '../replication/requests.js';
import type { SessionCover } from '../replication/session-cover.js';
import type { Waiters } from '../replication/waiters.js';
import type { Store } from '../store/store.js';

/** Forwarded commands whose reply waits here. */
const CALLERS_MAX = 65_536;
/** Commands of one peer that had to wait, and run in one turn. */
const WAITED_PER_TURN = 1000;

const NOBODY: readonly Peer[] = [];

export class RequestDesk {
  private readonly callers = new Set<PeerCaller>();
  /** Peers that have commands waiting, because they are owed much. */
  private readonly crowded = new Set<Peer>();
  /** Peers that have commands waiting that scan; who had one run goes to the end. */
  private readonly scanning = new Set<Peer>();
  readonly stats = { requests: 0, malformed: 0, refused: 0, ringDiffered: 0 };

  constructor(
    private readonly store: Store,
    private readonly peers: Peers,
    private readonly membership: Membership,
    private readonly replicator: Replicator,
    private readonly floors: Floors,
    private readonly ownership: Ownership,
    private readonly reads: QuorumReads,
    private readonly forwarding: Forwarding,
    private readonly table: CommandTable,
    private readonly waiters: Waiters,
    private readonly sessions: SessionCover,
    private readonly options: { lateMs: number; mutations: ReadonlySet<string> },
  ) {}

  /** False if nothing was done, because the peer goes by another ring. */
  request(host: CommandHost, peer: Peer, body: Buffer, coordinator: Coordinator, clock: HybridClock): boolean {
    const head = readRequestHead(body);
    if (head === null) {
      this.stats.malformed++;
      return true;
    }
    this.stats.requests++;
    clock.observe(head.hlc, host.wallMs);
    if (head.what === REQUEST_FORWARD && (peer.owed.size > 0 || this.isOwedMuch(peer))) {
      this.keepWaiting(peer, peer.owed, this.crowded, head, body, clock);
      return true;
    }
    if (this.ringDiffers(head, body)) {
      this.refuseRing(peer, head, clock);
      return false;
    }
    switch (head.what) {
      case REQUEST_FORWARD:
        this.forwarded(host, peer, head, body, coordinator, clock, false);
        break;
      case REQUEST_WAIT: {
        const asked = readWait(body, coordinator.actor, host.settings.partitions);
        const caller = asked === null ? null : this.caller(peer, head, clock);
        if (asked === null || caller === null) this.refuse(peer, head, clock, asked === null);
        else this.waiters.waitFor(asked.mark, asked.wish, caller, host.monotonicMs);
        break;
      }
      case REQUEST_READ:
      case REQUEST_VERSION:
      case REQUEST_WANT:
        this.keyAsked(peer, head, body, clock);
        break;
      default:
        this.refuse(peer, head, clock, true);
    }
    return true;
  }

  /** Start of a turn: commands that waited run, as far as their peers have taken the replies before. Returns peers of another ring. */
  turn(host: CommandHost, coordinator: Coordinator, clock: HybridClock): readonly Peer[] {
    if (this.crowded.size === 0 && this.scanning.size === 0) return NOBODY;
    const strays: Peer[] = [];
    for (const peer of this.crowded) {
      for (let run = 0; run < WAITED_PER_TURN && !this.isOwedMuch(peer); run++) {
        const waiting = peer.owed.next();
        if (waiting === null) break;
        this.runWaiting(host, peer, waiting, coordinator, clock, strays);
      }
      if (peer.owed.size === 0) this.crowded.delete(peer);
    }
    this.runScans(host, coordinator, clock, strays);
    return strays;
  }

  /** One of each peer in turn, while something is left for scans; a peer that is owed much waits as it does with its other commands. */
  private runScans(host: CommandHost, coordinator: Coordinator, clock: HybridClock, strays: Peer[]): void {
    for (let idle = 0; idle < this.scanning.size && !host.scanWork.isSpent; ) {
      for (const peer of this.scanning) {
        this.scanning.delete(peer);
        const waiting = this.isOwedMuch(peer) ? null : peer.scans.next();
        if (peer.scans.size > 0) this.scanning.add(peer);
        idle = waiting === null ? idle + 1 : 0;
        if (waiting !== null) this.runWaiting(host, peer, waiting, coordinator, clock, strays);
        break;
      }
    }
  }

  private runWaiting(
    host: CommandHost,
    peer: Peer,
    { body, actor }: WaitingCommand,
    coordinator: Coordinator,
    clock: HybridClock,
    strays: Peer[],
  ): void {
    const head = actor === peer.actor ? readRequestHead(body) : null;
    if (head === null) return;
    if (!this.ringDiffers(head, body)) {
      this.forwarded(host, peer, head, body, coordinator, clock, true);
      return;
    }
    this.refuseRing(peer, head, clock);
    strays.push(peer);
  }

  /** The peer is gone, or its stream: what it asked for may run elsewhere by now, and must not run here after that. */
  peerLost(peer: Peer): void {
    peer.owed.clear();
    this.crowded.delete(peer);
    peer.scans.clear();
    this.scanning.delete(peer);
  }

  /** Commands that waited could run. */
  get wantsTurn(): boolean {
    for (const peer of this.crowded) if (!this.isOwedMuch(peer)) return true;
    for (const peer of this.scanning) if (!this.isOwedMuch(peer)) return true;
    return false;
  }

  private isOwedMuch(peer: Peer): boolean {
    return peer.owed.heldBytes + this.peers.waitingReplyBytes(peer) > OWED_BYTES_HIGH;
  }

  private keepWaiting(
    peer: Peer,
    queue: OwedReplies,
    waiting: Set<Peer>,
    head: RequestHead,
    body: Buffer,
    clock: HybridClock,
  ): void {
    if (queue.wait(body, peer.actor)) waiting.add(peer);
    else this.refuse(peer, head, clock, false);
  }

  private refuseRing(peer: Peer, head: RequestHead, clock: HybridClock): void {
    this.stats.ringDiffered++;
    this.peers.sendFrame(peer, FRAME_RESPONSE, encodeNothingDone(head.id, STATUS_RING_DIFFERS, clock.last));
  }

  /** Counts a request for which nothing was done, and says so: whoever asked may ask another, and waits no longer. */
  private refuse(peer: Peer, head: RequestHead, clock: HybridClock, isMalformed: boolean): void {
    if (isMalformed) this.stats.malformed++;
    else this.stats.refused++;
    this.peers.sendFrame(peer, FRAME_RESPONSE, encodeNothingDone(head.id, STATUS_REFUSED, clock.last));
  }

  /** Who is asked as an owner answers as one only to who goes by the same ring. */
  private ringDiffers(head: RequestHead, body: Buffer): boolean {
    const isForOwner = head.what === REQUEST_FORWARD || head.what === REQUEST_READ || head.what === REQUEST_VERSION;
    if (!isForOwner || this.options.mutations.has('ring-mismatch-ignored')) return false;
    return requestRingHash(body) !== this.ownership.ringHash;
  }

  /** False if the peer has done nothing, because it goes by another ring. */
  response(host: CommandHost, peer: Peer, body: Buffer, clock: HybridClock): boolean {
    const head = readResponseHead(body);
    if (head === null) {
      this.stats.malformed++;
      return true;
    }
    clock.observe(head.hlc, host.wallMs);
    if (!this.reads.owns(head.id)) {
      this.forwarding.answered(peer, head.id, head.status, body);
      return head.status !== STATUS_RING_DIFFERS;
    }
    if (head.status === STATUS_RING_DIFFERS) {
      this.reads.ringDiffers(peer, head.id);
      return false;
    }
    if (head.status === STATUS_REFUSED) {
      this.reads.refused(host, peer, head.id);
      return true;
    }
    const answer = readVersionResponse(body);
    if (answer === null) {
      this.stats.malformed++;
      return true;
    }
    // Before the answer counts: a flush that this node has missed takes what it held.
    if (this.options.mutations.has('reads-ignore-flushes')) answer.flushed = NEVER_FLUSHED;
    this.replicator.hearFlush(peer, answer.flushed);
    let adopted = false;
    // Who is behind gives no vote, but may have what this node lacks.
    const newer = head.status === STATUS_NEWER || (head.status === STATUS_BEHIND && answer.recordStart < body.length);
    if (newer && answer.recordStart < body.length) {
      adopted = this.replicator.adopt(peer, body, answer.recordStart, body.length);
    }
    this.reads.answered(host, peer, head.id, head.status, answer, adopted);
    return true;
  }

  /** A peer sent an expiry change to a value that is not here: it is asked for the whole record. */
  askFor(peer: Peer, key: Buffer, clock: HybridClock): void {
    const head: RequestHead = {
      id: 0,
      what: REQUEST_WANT,
      protocol: 2,
      readLevel: 'one',
      writeLevel: 'one',
      strict: false,
      session: false,
      hops: 0,
      hlc: clock.last,
      sentMs: 0,
      partition: 0,
    };
    this.peers.sendFrame(peer, FRAME_REQUEST, encodeKeyRequest(head, NO_VERSION, this.store, key));
  }

  /** Replies whose commands are done and whose log batch is safe leave. */
  release(releasedBatch: number): void {
    for (const caller of this.callers) if (caller.release(releasedBatch)) this.callers.delete(caller);
  }

  private forwarded(
    host: CommandHost,
    peer: Peer,
    head: RequestHead,
    body: Buffer,
    coordinator: Coordinator,
    clock: HybridClock,
    hasWaited: boolean,
  ): void {
    const args = readForwardArgs(body);
    const index = args === null ? -1 : this.table.find(args);
    if (args === null || index < 0) {
      this.refuse(peer, head, clock, true);
      return;
    }
    const command = this.table.commands[index];
    const keyed = command.firstKey > 0;
    const allowed = keyed ? keysFit(command, args) : command === partitionCommand;
    if (!allowed || !arityFits(command, args.count)) {
      this.refuse(peer, head, clock, true);
      return;
    }
    let { partition } = head;
    if (keyed) {
      const slot = slotOf(args.buffer, args.starts[command.firstKey], args.ends[command.firstKey]);
      partition = this.replicator.partition(slot);
    }
    // The asker has given up on a write as late as this: it must not run above what was written since. Nor is a reply made for nobody.
    const isLate =
      (hasWaited || (command.flags & WRITE) !== 0) && this.ageMs(host, peer, head.sentMs) > this.options.lateMs;
    if (isLate) {
      // One that waited here has certainly not run: its asker need not call the outcome unknown.
      if (hasWaited) this.refuse(peer, head, clock, false);
      else this.stats.refused++;
      return;
    }
    if (partition >= host.settings.partitions) {
      this.refuse(peer, head, clock, false);
      return;
    }
    const session = head.session ? readForwardSession(args, partition) : null;
    if (head.session && session === null) {
      this.refuse(peer, head, clock, true);
      return;
    }
    if (!keyed && host.scanWork.isSpent) {
      this.keepWaiting(peer, peer.scans, this.scanning, head, body, clock);
      return;
    }
    const caller = this.caller(peer, head, clock, session);
    caller?.beginReceipt((command.flags & WRITE) === 0 ? head.readLevel : head.writeLevel);
    if (caller === null) {
      this.refuse(peer, head, clock, false);
      return;
    }
    const before = globWork.steps;
    coordinator.submitTo(host, partition, command, args, caller, Math.max(head.hops, 1));
    if (!keyed) host.scanWork.chargeSince(before);
    caller.hold();
  }

  /** How long ago a peer sent something, whatever its clock shows: probes have measured how far that is ahead of this node's. */
  private ageMs(host: CommandHost, peer: Peer, sentMs: number): number {
    const aheadMs = this.membership.get(peer.id)?.clockOffsetMs ?? 0;
    return host.wallMs + aheadMs - sentMs;
  }

  private keyAsked(peer: Peer, head: RequestHead, body: Buffer, clock: HybridClock): void {
    const asked = readKeyRequest(body, head);
    if (asked === null) {
      this.refuse(peer, head, clock, true);
      return;
    }
    const { keyStart } = asked;
    this.replicator.hearFlush(peer, asked.flushed);
    const partition = this.replicator.partition(slotOf(body, keyStart, body.length));
    const hash = this.store.hasher.hash(body, keyStart, body.length);
    const found = this.store.find(partition, hash, body, keyStart, body.length);
    const { buffer, offset } = this.store;
    if (head.what === REQUEST_WANT) {
      if (found) this.replicator.offer(peer, buffer, offset);
      return;
    }
    const version = found ? versionOf(buffer, offset) : NO_VERSION;
    const newer = found && mayAdd(version, asked.version);
    const status = this.statusOf(partition, found, newer);
    const record = newer && head.what === REQUEST_READ ? buffer : null;
    const type = found ? recordType(buffer, offset) : 0;
    const said = { id: head.id, status, hlc: clock.last };
    const covers = asked.session === null ? COVERS_NOTHING : this.sessions.cover(partition, asked.session);
    // Who owned it until the ring changed knows, too, until all of it is given away: then its floor is gone.
    const floor = found || this.store.isLossy(partition) ? 0 : this.floors.floor[partition];
    const { flushedHlc, flushedActor } = this.store;
    const isTorn = this.ownership.mayLackTail(partition);
    const answer = { version, type, floor, covers, isTorn, flushed: { flushedHlc, flushedActor } };
    this.peers.sendFrame(peer, FRAME_RESPONSE, encodeVersionResponse(said, answer, record, offset));
  }

  private statusOf(partition: number, found: boolean, newer: boolean): number {
    if (this.reads.isBehind(partition, found)) return STATUS_BEHIND;
    if (newer) return STATUS_NEWER;
    return found || this.reads.isDefinite(partition) ? STATUS_OLDER : STATUS_UNKNOWN;
  }

  private caller(
    peer: Peer,
    head: RequestHead,
    clock: HybridClock,
    session: SessionToken | null = null,
  ): PeerCaller | null {
    if (this.callers.size >= CALLERS_MAX) return null;
    const { id, protocol, readLevel, writeLevel, strict } = head;
    const caller = new PeerCaller(this.peers, peer, id, protocol, readLevel, writeLevel, strict, session, clock);
    this.callers.add(caller);
    return caller;
  }

  /** Forwarded commands in hand. */
  get size(): number {
    return this.callers.size;
  }
}
