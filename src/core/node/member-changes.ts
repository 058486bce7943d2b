/**
 * What follows from the membership: changes that the failure detector has concluded go to peers, routes, repair and the ring, and what it has to say goes
 * into the packets that leave. The spine calls `apply` after whatever may bring news, `send` and `piggyback` at the end of a turn.
 * Guarded: whatever waits for a peer that is gone, or has begun anew, is decided without it, once.
 */
import type { Log } from '../../ports/log.js';
import { HearsayError } from '../base/errors.js';
import { HLC_TICKS } from '../base/hlc.js';
import { encodeControl } from '../gossip/codec.js';
import { FRAME_CONTROL } from '../gossip/frames.js';
import { type PacketWriter, SECTION_BYTES_MAX, SECTION_CONTROL } from '../gossip/packet.js';
import { type ControlMessage, PING, UPDATE } from '../membership/messages.js';
import type { MemberChange } from '../membership/view.js';
import type { Peer } from '../replication/peers.js';
import type { Wal } from '../wal/wal.js';
import type { NodeHost } from './host.js';
import type { MembershipDesk } from './membership-desk.js';
import type { NodeState } from './recovery.js';
import type { Rooms } from './rooms.js';

/** What the manifest did not take is tried again after this time. */
const REMEMBER_RETRY_MS = 5_000;
/** A ping's packet is as long as any answer to it, for whoever does not know us yet gives no more than it got. */
const PING_PACKET_BYTES = 400;

export class MemberChanges {
  /** Updates on each datagram being filled: the same one twice would tell nobody more, and count as two transmissions. */
  private readonly riding = new Map<PacketWriter, ControlMessage[]>();

  private rememberAtMs = 0;

  constructor(
    private readonly ports: { log: Log },
    private readonly rooms: Rooms,
    private readonly host: NodeHost,
    private readonly members: MembershipDesk,
    private readonly wal: Wal,
    private readonly state: NodeState,
    private readonly options: { maxClockDriftMs: number },
  ) {}

  /** Takes what the failure detector has concluded into peers, routes and the ring. Not null: the node can not go on. */
  apply(): HearsayError | null {
    const { membership, ownership, antiEntropy } = this.rooms;
    const selfId = this.state.nodeId;
    const changes = membership.drainChanges();
    if (changes.length > 0) {
      for (const change of changes) if (change.member.id !== selfId) this.applyChange(change);
      ownership.refresh(this.host.monotonicMs, false);
      antiEntropy.hasten();
      this.host.forgetView();
    }
    // The cluster, or the ring, remembers a later life of this id than the disk does: the next start counts on from there.
    const { boot } = membership.self;
    if (boot > this.state.boot) {
      this.state.boot = boot;
      this.saveBoot(boot);
    }
    // Who was here first may be the one that yields: nothing else need change when it hears of the other.
    if (membership.duplicateId === null) return null;
    return new HearsayError('CONFIG', `another node with the id ${selfId} is a member of this cluster`);
  }

  private saveBoot(boot: number): void {
    try {
      this.wal.setState({ boot });
    } catch (error) {
      if (!(error instanceof HearsayError)) throw error;
      this.ports.log.warn('the count of starts is not saved', { why: error.message });
    }
  }

  private applyChange({ member, to, restarted }: MemberChange): void {
    const { actors, antiEntropy, ownership, peers, replicator } = this.rooms;
    if (to === null) {
      actors.noteEnd(peers.get(member.id)?.actor ?? 0, this.endHlc());
      const forgotten = peers.ensure(member.id);
      replicator.forgive(forgotten);
      antiEntropy.peerForgotten(forgotten);
      peers.remove(member.id);
      ownership.forget(member.id);
      return;
    }
    const peer = peers.ensure(member.id);
    const { actor, address } = peer;
    const owed = peers.rebind(peer, member.actor, member.host, member.port);
    if (actor !== peer.actor) actors.noteEnd(actor, this.endHlc());
    peer.state = to;
    if (to === 'alive') this.rooms.floorDesk.met();
    peer.udpBlocked = member.udpBlocked;
    replicator.owe(peer, owed);
    if (actor !== 0 && (peer.actor !== actor || peer.address !== address)) this.peerLost(peer);
    if (restarted) {
      if (!replicator.mutations.has('former-life-trusted')) {
        peer.formerLife.ended(replicator.writes, this.host.monotonicMs);
      }
      antiEntropy.peerRestarted(peer);
      this.rooms.floorDesk.peerRestarted(peer);
    }
    if (to === 'dead') this.members.died(member.id, this.host.monotonicMs);
    if (to === 'left') this.members.noteLeft(member.id);
    if (to === 'dead' || to === 'left') {
      replicator.abandon(peer, Number.POSITIVE_INFINITY);
      this.peerLost(peer);
    }
    this.rooms.ring.remember(member);
  }

  /** Whatever waits for this peer's answer is decided without it. */
  peerLost(peer: Peer): void {
    this.rooms.forwarding.peerLost(peer);
    this.rooms.reads.peerLost(this.host, peer);
    this.rooms.antiEntropy.peerLost(peer);
  }

  /** Messages of the failure detector share a datagram per member; what is left of it carries rumors. */
  send(): void {
    const { membership, peers } = this.rooms;
    for (const { host, port, message, viaStream, memberId } of membership.drainOutgoing()) {
      const body = encodeControl(message);
      const peer = memberId === null ? undefined : peers.get(memberId);
      // What is too large for a datagram, or would not arrive in one, never waits for one.
      if (viaStream || body.length > SECTION_BYTES_MAX) {
        if (peer !== undefined && peer.stream !== 0) peers.sendFrame(peer, FRAME_CONTROL, body);
        else peers.contact(host, port, FRAME_CONTROL, body, this.host.monotonicMs);
      } else if (peer !== undefined && peer.host === host && peer.port === port) {
        const packet = peers.packetFor(peer, body.length);
        packet.add(SECTION_CONTROL, body, 0, body.length);
        if (message[0] === PING) packet.bytesMin = PING_PACKET_BYTES;
        if (message[0] === UPDATE) this.noteRiding(packet, message);
      } else {
        peers.sendTo(host, port, SECTION_CONTROL, body, message[0] === PING ? PING_PACKET_BYTES : 0);
      }
    }
  }

  /** Rumors ride on whatever datagrams leave in this turn anyway. */
  piggyback(): void {
    const { membership, peers } = this.rooms;
    if (membership.hasRumors) {
      for (const peer of peers.all()) {
        const packet = peer.packet;
        if (packet === null || peer.udpBlocked || peers.strangers.has(peer.host, peer.port)) continue;
        for (const update of membership.takeUpdates(packet.room, this.riding.get(packet))) {
          const body = encodeControl(update);
          if (body.length <= packet.room) packet.add(SECTION_CONTROL, body, 0, body.length);
        }
      }
    }
    if (this.riding.size > 0) this.riding.clear();
  }

  private noteRiding(packet: PacketWriter, message: ControlMessage): void {
    const riding = this.riding.get(packet);
    if (riding === undefined) this.riding.set(packet, [message]);
    else riding.push(message);
  }

  /** Has the manifest remember who has a say in what may be forgotten. Call once a tick. */
  rememberSay(): void {
    const now = this.host.monotonicMs;
    if (now < this.rememberAtMs) return;
    try {
      this.rooms.ring.rememberSay();
    } catch (error) {
      if (!(error instanceof HearsayError)) throw error;
      this.rememberAtMs = now + REMEMBER_RETRY_MS;
      this.ports.log.warn('the members are not saved: a loss of power may have them forgotten', { why: error.message });
    }
  }

  /** Whether the actor of every member that has a say is known, so that any other has ended. Call once a tick. */
  noteActors(): void {
    const { actors, peers, ring } = this.rooms;
    const { nodeId } = this.state;
    const areKnown = ring.idsWithSay().every((id) => id === nodeId || (peers.get(id)?.actor ?? 0) !== 0);
    actors.noteMembers(areKnown, this.endHlc());
  }

  /** Above every stamp that anybody gave by now. */
  private endHlc(): number {
    return (this.host.wallMs + 2 * this.options.maxClockDriftMs) * HLC_TICKS;
  }
}
