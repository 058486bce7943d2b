/**
 * One node of a planning run: the core's own membership, its rumors and its datagrams, without what a node does beside (records, streams'
 * upkeep, disk). world.ts makes one per node, hands it ticks and arrivals, and carries what it sends.
 * Guarded: beliefs, timings and bytes of datagrams are those of a node: Membership decides, PacketWriter and PacketReader write and read;
 * only the way of a message by stream is simpler, one message instead of a connection. src/core/node/member-changes.ts holds the same
 * packing for a whole node.
 */
import { Random } from '../../core/base/random.js';
import { decodeControl, encodeControl } from '../../core/gossip/codec.js';
import { FRAME_HEADER_BYTES } from '../../core/gossip/frames.js';
import {
  type ClusterId,
  PacketReader,
  PacketSender,
  PacketWriter,
  SECTION_BYTES_MAX,
  SECTION_CONTROL,
} from '../../core/gossip/packet.js';
import type { MemberRecord } from '../../core/membership/member.js';
import { Membership } from '../../core/membership/membership.js';
import { type ControlMessage, PING, PUSH_PULL_REPLY, pushPull, UPDATE } from '../../core/membership/messages.js';
import { MEMBERSHIP_TIMINGS } from '../../core/membership/options.js';
import type { MemberChange } from '../../core/membership/view.js';
import type { Log } from '../../ports/log.js';
import { WALL_EPOCH_MS } from '../clock.js';
import type { ClusterPlan } from './plan.js';

export const GOSSIP_PORT = 17_379;
const RESP_PORT = 7_379;
const CLUSTER: ClusterId = [0x68656172, 0x73617921];
/** As in a node: an answer to a ping is no longer than the ping. */
const PING_PACKET_BYTES = 400;
const SILENT: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
/** In the clear a reader keeps nothing between packets, so that all nodes share one. */
const READER = new PacketReader(CLUSTER, 0, null);

/** Where a node's messages go, by the address of the target. */
export interface Carrier {
  datagram(from: number, host: string, bytes: Buffer): void;
  stream(from: number, host: string, body: Buffer, bytes: number): void;
}

export interface Place {
  index: number;
  host: string;
  actor: number;
  seed: number;
  contactPoints: readonly string[];
}

export class PlannedMember {
  readonly membership: Membership;
  up = false;
  private readonly sender: PacketSender;
  private readonly packets = new Map<string, PacketWriter>();
  private readonly riding = new Map<PacketWriter, ControlMessage[]>();

  constructor(
    private readonly ports: { carrier: Carrier; changed: (node: number, changes: readonly MemberChange[]) => void },
    readonly place: Place,
    plan: ClusterPlan,
  ) {
    const random = new Random(place.seed);
    this.sender = new PacketSender(CLUSTER, place.actor, null, random);
    this.membership = new Membership(
      { log: SILENT },
      {
        ...MEMBERSHIP_TIMINGS,
        gossipFanout: plan.fanout,
        gossipIntervalMs: plan.gossipIntervalMs,
        probeIntervalMs: plan.probeIntervalMs,
        membersMax: Math.max(MEMBERSHIP_TIMINGS.membersMax, plan.nodes),
        self: { id: idOf(place.index), host: place.host, port: GOSSIP_PORT, respPort: RESP_PORT, zone: '', weight: 1 },
        actor: place.actor,
        boot: 1,
        incarnation: 0,
        contactPoints: place.contactPoints,
        random,
      },
    );
  }

  /** Knows everybody from the start, and has told them: a cluster that stands for long. */
  settle(teller: MemberRecord, records: readonly MemberRecord[], nowMs: number): void {
    const { membership } = this;
    this.membership.handle(
      pushPull(PUSH_PULL_REPLY, teller, records),
      teller.host,
      teller.port,
      true,
      nowMs,
      wallAt(nowMs),
    );
    while (membership.hasRumors) membership.takeUpdates(Number.POSITIVE_INFINITY);
    membership.drainOutgoing();
    this.ports.changed(this.place.index, membership.drainChanges());
  }

  tick(nowMs: number): void {
    this.membership.tick(nowMs, wallAt(nowMs));
    this.turnEnded();
  }

  datagramArrived(bytes: Buffer, host: string, nowMs: number): void {
    if (READER.open(bytes) !== null) return;
    const { membership } = this;
    const sender = membership.byActor(READER.actor);
    if (sender !== undefined) membership.heard(sender.id, nowMs);
    // What a packet brings may be drained and sent while it is read: nobody else reads meanwhile.
    while (READER.next()) {
      if (READER.kind !== SECTION_CONTROL) continue;
      const message = decodeControl(READER.bytes, READER.bodyStart, READER.bodyEnd);
      if (message !== null) membership.handle(message, host, GOSSIP_PORT, false, nowMs, wallAt(nowMs));
    }
    this.turnEnded();
  }

  streamArrived(body: Buffer, host: string, nowMs: number): void {
    const message = decodeControl(body, 0, body.length);
    if (message !== null) this.membership.handle(message, host, GOSSIP_PORT, true, nowMs, wallAt(nowMs));
    this.turnEnded();
  }

  /** Something is said of this node that it refutes: one rumor that all others are to hear. */
  accuse(message: ControlMessage, nowMs: number): void {
    this.membership.handle(message, this.place.host, GOSSIP_PORT, false, nowMs, wallAt(nowMs));
    this.turnEnded();
  }

  /** Everything leaves, messages to one member in one datagram, and what is left of it carries rumors. */
  private turnEnded(): void {
    const { membership, packets, ports, place } = this;
    for (const name of membership.drainResolve()) membership.contactResolved(name, [name]);
    for (const { host, message, viaStream, memberId } of membership.drainOutgoing()) {
      const body = encodeControl(message);
      const isPing = message[0] === PING;
      if (viaStream || body.length > SECTION_BYTES_MAX) {
        ports.carrier.stream(place.index, host, body, FRAME_HEADER_BYTES + body.length);
      } else if (memberId === null || membership.get(memberId)?.host !== host) {
        this.sendAlone(host, body, isPing);
      } else {
        const packet = this.packetFor(host, memberId, body.length);
        packet.add(SECTION_CONTROL, body, 0, body.length);
        if (isPing) packet.bytesMin = PING_PACKET_BYTES;
        if (message[0] === UPDATE) this.noteRiding(packet, message);
      }
    }
    for (const [host, packet] of packets) {
      if (membership.hasRumors) this.fill(packet);
      ports.carrier.datagram(place.index, host, packet.take());
    }
    packets.clear();
    this.riding.clear();
    const changes = membership.drainChanges();
    if (changes.length > 0) ports.changed(place.index, changes);
  }

  private sendAlone(host: string, body: Buffer, isPing: boolean): void {
    const packet = new PacketWriter(this.sender, 0);
    packet.add(SECTION_CONTROL, body, 0, body.length);
    if (isPing) packet.bytesMin = PING_PACKET_BYTES;
    this.ports.carrier.datagram(this.place.index, host, packet.take());
  }

  private packetFor(host: string, memberId: string, bytes: number): PacketWriter {
    let packet = this.packets.get(host);
    if (packet !== undefined && packet.room < bytes) {
      this.ports.carrier.datagram(this.place.index, host, packet.take());
      packet = undefined;
    }
    if (packet === undefined) {
      packet = new PacketWriter(this.sender, this.membership.get(memberId)?.actor ?? 0);
      this.packets.set(host, packet);
    }
    return packet;
  }

  private noteRiding(packet: PacketWriter, message: ControlMessage): void {
    const riding = this.riding.get(packet);
    if (riding === undefined) this.riding.set(packet, [message]);
    else riding.push(message);
  }

  private fill(packet: PacketWriter): void {
    for (const update of this.membership.takeUpdates(packet.room, this.riding.get(packet))) {
      const body = encodeControl(update);
      if (body.length <= packet.room) packet.add(SECTION_CONTROL, body, 0, body.length);
    }
  }
}

export function idOf(index: number): string {
  return `node-${index}`;
}

/** As a node that knows nothing else yet would be described by itself. */
export function recordAt({ index, host, actor }: Place): MemberRecord {
  const identity = { id: idOf(index), actor, boot: 1, incarnation: 0, state: 'alive' as const };
  return { ...identity, host, port: GOSSIP_PORT, respPort: RESP_PORT, zone: '', weight: 1, ageMs: 0 };
}

function wallAt(nowMs: number): number {
  return WALL_EPOCH_MS + Math.floor(nowMs);
}
