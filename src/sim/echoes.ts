/**
 * What a late network may still bring: an even sample of all datagrams of a run, and of the messages with records that came by stream, kept
 * while it goes on. When all is healed run.ts has them arrive once more, from whom they came and where they went, and asks whether anything
 * changed. A message by stream comes again as its link sends it anew after an acknowledgement was lost: to the same life of its receiver, from
 * the same life of its sender, and above the floor of its partition. Guarded: the samples are bounded, each thing of a run is as likely to be kept as any other, and what is
 * drawn is drawn by key, so that a run goes the same way with and without them until they are played.
 */
import type { Inspected } from '../core/node/inspected.js';
import { partitionOf } from '../core/partitions/slots.js';
import { recordHlc, recordKeyEnd, recordKeyStart, verifyRecord } from '../core/record/record.js';
import { RECORDS_HEADER_BYTES } from '../core/replication/link.js';
import type { Peer } from '../core/replication/peers.js';
import type { SimCluster } from './cluster.js';
import { type Draws, PURPOSE, type Purpose } from './draws.js';
import type { Host } from './events.js';
import type { Family } from './families.js';
import type { Watch } from './watches/watches.js';

const DATAGRAMS_MAX = 256;
const MESSAGES_MAX = 96;
/** What was kept arrives within this time. */
export const ECHOES_MS = 600;

/** Half of the runs end with echoes. */
export const ECHOES: Family = {
  name: 'echoes',
  stream: 0x5ced0131,
  draw(plan, random) {
    if (random.chance(0.5)) plan.echoes = true;
  },
};

/** Keeps so many of what it is offered, each with the same probability (Vitter's algorithm R). */
export class Sample<Kept> {
  readonly kept: Kept[] = [];
  private offered = 0;

  constructor(
    private readonly draws: Draws,
    private readonly keptMax: number,
    private readonly purpose: Purpose,
  ) {}

  /** `make` is called only for what is kept. */
  offer(make: () => Kept): void {
    const count = ++this.offered;
    if (count <= this.keptMax) this.kept.push(make());
    else {
      const at = this.draws.word(0, count, this.purpose) % count;
      if (at < this.keptMax) this.kept[at] = make();
    }
  }
}

interface Datagram {
  from: Host;
  to: Host;
  bytes: Buffer;
}

interface Message {
  node: number;
  inspected: Inspected;
  sender: number;
  bytes: Buffer;
}

export class Echoes implements Watch {
  /** How many were played. */
  readonly played = { datagrams: 0, messages: 0 };
  private readonly datagrams: Sample<Datagram>;
  private readonly messages: Sample<Message>;
  private playing = false;

  constructor(private readonly cluster: SimCluster) {
    this.datagrams = new Sample(cluster.draws, DATAGRAMS_MAX, PURPOSE.echoDatagram);
    this.messages = new Sample(cluster.draws, MESSAGES_MAX, PURPOSE.echoMessage);
    cluster.network.sent = (from, to, bytes) => {
      if (!this.playing) this.datagrams.offer(() => ({ from, to, bytes: Buffer.from(bytes) }));
    };
  }

  started(node: number, inspected: Inspected): void {
    const { rooms } = inspected;
    if (rooms === null) return;
    const { replicator } = rooms;
    const { receive } = replicator;
    replicator.receive = (peer: Peer, body: Buffer, start: number, end: number, viaStream: boolean) => {
      if (viaStream && !this.playing) {
        const keep = () => ({ node, inspected, sender: peer.actor, bytes: Buffer.from(body.subarray(start, end)) });
        this.messages.offer(keep);
      }
      return receive.call(replicator, peer, body, start, end, viaStream);
    };
  }

  /** All that was kept is on its way again. */
  play(): void {
    const { network, draws } = this.cluster;
    this.playing = true;
    for (const [number, { from, to, bytes }] of this.datagrams.kept.entries()) {
      this.played.datagrams++;
      network.repeatTo(from, to, bytes, draws.unit(0, number, PURPOSE.echoLag) * ECHOES_MS);
    }
    for (const [number, message] of this.messages.kept.entries()) {
      const lagMs = draws.unit(1, number, PURPOSE.echoLag) * ECHOES_MS;
      this.cluster.clock.schedule(lagMs, () => this.receiveAgain(message));
    }
  }

  /** A link sends anew what no owner has acknowledged; what all of them have passed is none of that. */
  private isOwed(bytes: Buffer, { config, rooms }: Inspected): boolean {
    for (let at = RECORDS_HEADER_BYTES; at < bytes.length; ) {
      const length = verifyRecord(bytes, at, bytes.length);
      if (length === 0) return false;
      const partition = partitionOf(bytes, recordKeyStart(bytes, at), recordKeyEnd(bytes, at), config.partitions);
      if (rooms === null || recordHlc(bytes, at) <= rooms.floors.floor[partition]) return false;
      at += length;
    }
    return true;
  }

  private receiveAgain({ node, inspected, sender, bytes }: Message): void {
    const { process } = this.cluster.nodes[node];
    const { rooms } = inspected;
    const peer = rooms?.peers.withActor(sender);
    if (process === null || rooms === null || peer === undefined) return;
    process.interject((machine) => {
      if (machine.inspect?.().store !== inspected.store || !this.isOwed(bytes, inspected)) return;
      this.played.messages++;
      rooms.replicator.receive(peer, bytes, 0, bytes.length, true);
    });
  }
}
