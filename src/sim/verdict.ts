/**
 * The verdict on a run, once all is healed: what every node answers for every key, that frontiers claimed nothing which was not there, that
 * nothing changed when all nodes died, and what the network has seen. run.ts asks for it between its phases. Guarded: only members
 * are asked, and each line is told to the run as a violation.
 */

import { isGone, type MemberState } from '../core/membership/precedence.js';
import type { SimCluster } from './cluster.js';
import type { Inquiry } from './inquiry.js';
import type { Ledger, Question } from './ledger.js';
import type { Nemesis } from './nemesis.js';
import type { Reply } from './replies.js';
import type { ArrivalWatch } from './watches/arrivals.js';
import { type Contents, contentsOf, differenceOf } from './watches/contents.js';
import { endsWithin } from './watches/ends.js';

/** What a node holds and whom it sees, at one time. */
interface Standing {
  node: number;
  /** By partition; of those that it does not own, nothing: what is handed to its owners goes, whatever comes. */
  contents: readonly Contents[];
  /** By id: the life, and what it is held for. */
  members: Map<string, { life: string; state: MemberState }>;
}

export interface VerdictPorts {
  cluster: SimCluster;
  nemesis: Nemesis;
  inquiry: Inquiry;
  ledgers: readonly Ledger[];
  violate: (kind: string, message: string) => void;
  /** Something that some run of a campaign must have met happened so often. */
  mark: (name: string, count: number) => void;
}

/** Counters of the nodes that a campaign shows. */
const MARKED = [
  'catch_up_joined',
  'catch_up_records',
  'catch_up_walks',
  'repair_leaves_compared',
  'repair_gaps_pulled',
  'reads_hedged',
  'reads_repaired',
  'hints_dropped',
];

/** What a node found that its frontiers had covered. */
const FOUND = ['repair_records_wanted', 'repair_records_pushed'];

/** Every counter that a status must have for `checkFrontiers`. */
export const COUNTERS: readonly string[] = [...FOUND, ...MARKED];

/** A reply that says that there is no such key. */
const NOTHING = JSON.stringify({ type: 'null' });

export class Verdict {
  /** By key, as `noteEnd` found it. */
  private readonly endsMs = new Map<string, number>();

  constructor(private readonly ports: VerdictPorts) {}

  /** No node has taken in more packets than were different. */
  checkPackets(): void {
    const { cluster, inquiry, violate, mark } = this.ports;
    const { packets } = cluster.network;
    if (packets === null) return;
    for (const { node, status } of inquiry.statuses()) {
      const accepted = status.number('packets_accepted');
      const met = packets.count(node);
      if (!(accepted <= met)) violate('replay', `node ${node} took in ${accepted} packets of ${met} different ones`);
      mark('packets accepted sealed', accepted);
    }
  }

  /** Reads every key at every node; they must agree, and break no promise. */
  checkState(): Map<string, Reply | null> {
    const { cluster, ledgers } = this.ports;
    const state = new Map<string, Reply | null>();
    for (const ledger of ledgers) {
      for (const question of ledger.questions()) {
        const { key } = question;
        const reply = this.answerEverywhere(question);
        const wrong = ledger.checkFinal(key, reply, cluster.wallHighMs());
        if (wrong !== null) this.violateLine(wrong);
        state.set(key, reply);
        this.noteEnd(key, reply);
      }
    }
    return state;
  }

  /**
   * Who has seen the same holds the same: in a run that takes nothing from a node behind its back, the comparison of what is held
   * never finds a thing to repair. If it did, a frontier has claimed what was not there.
   */
  checkFrontiers(): void {
    const { inquiry, nemesis, violate, mark } = this.ports;
    for (const { node, status } of inquiry.statuses()) {
      const numberOf = (name: string): number => {
        const number = status.number(name);
        if (Number.isNaN(number)) violate('status', `node ${node} gives no number ${name}`);
        return number;
      };
      const found = FOUND.reduce((sum, name) => sum + numberOf(name), 0);
      if (found > 0 && !nemesis.disks.hasRotted)
        violate('frontier', `node ${node} found ${found} records that its frontier had covered`);
      for (const name of MARKED) mark(name.replaceAll('_', ' '), numberOf(name));
    }
  }

  /** Whether a member holds what has ended by one clock and not by another, or one of several values that does so within `aheadMs`. */
  hasEndsAbout(aheadMs: number): boolean {
    const { cluster, nemesis } = this.ports;
    const throughMs = cluster.wallHighMs();
    const span = { afterMs: cluster.wallLowMs(), throughMs, siblingsThroughMs: throughMs + aheadMs };
    return nemesis.members.present().some((node) => {
      const rooms = cluster.watches?.inspected(node) ?? null;
      if (rooms === null) return false;
      for (let partition = 0; partition < rooms.config.partitions; partition++) {
        if (endsWithin(rooms.store, partition, span)) return true;
      }
      return false;
    });
  }

  /** What every member holds and sees now, for `compareStanding`. */
  standing(): Standing[] {
    const { cluster, nemesis } = this.ports;
    return nemesis.members.present().flatMap((node) => {
      const seen = cluster.watches?.inspected(node) ?? null;
      if (seen === null || seen.rooms === null) return [];
      const { store, rooms, config } = seen;
      const members = new Map(
        rooms.membership.members().map(({ id, actor, state }) => [id, { life: actor.toString(16), state }]),
      );
      const contents = Array.from({ length: config.partitions }, (_, partition) =>
        rooms.ownership.owns(partition) ? contentsOf(store, partition) : new Map<string, string>(),
      );
      return { node, contents, members };
    });
  }

  /** What came late changed nothing: neither a value, but by a write that nobody had, nor who is taken for a member. */
  compareStanding(before: readonly Standing[], arrivals: ArrivalWatch): void {
    const { violate } = this.ports;
    for (const [place, { node, contents, members }] of this.standing().entries()) {
      const was = before[place];
      for (const [partition, now] of contents.entries()) {
        const wrong = differenceOf(was.contents[partition], now, (key) => arrivals.mayDiffer(key));
        if (wrong !== null) violate('echo', `what came late changed what node ${node} holds: ${wrong}`);
      }
      for (const id of new Set([...was.members.keys(), ...members.keys()])) {
        const [former, present] = [was.members.get(id), members.get(id)];
        if (former?.life === present?.life && former?.state === present?.state) continue;
        // Who has started anew may learn of one that is gone: that is no member either way, and guards against its own late words.
        if (former === undefined && present !== undefined && isGone(present.state)) continue;
        const [text, before] = [present, former].map((held) =>
          held === undefined ? 'nobody' : `${held.state} ${held.life}`,
        );
        violate('echo', `what came late made node ${node} see ${id} as ${text} in place of ${before}`);
      }
    }
  }

  /**
   * From when on a key may be gone for its end has come: a node that starts goes by its system's clock, which it may not have believed
   * before, so ends come nearer by what the clocks differ.
   */
  private noteEnd(key: string, reply: Reply | null): void {
    const { cluster, inquiry } = this.ports;
    if (JSON.stringify(reply) === NOTHING) return;
    const left = inquiry.askAll(['PTTL', key]).map(({ reply: said }) => (said?.type === 'integer' ? said.value : -1));
    const ends = left.filter((ms) => ms >= 0);
    if (ends.length === 0) return;
    const apartMs = cluster.wallHighMs() - cluster.wallLowMs();
    this.endsMs.set(key, cluster.clock.nowMs + Math.min(...ends) - apartMs);
  }

  /** A key that had an end may have met it. */
  compareStates(before: ReadonlyMap<string, Reply | null>, after: ReadonlyMap<string, Reply | null>): void {
    for (const [key, reply] of before) {
      const [was, is] = [reply, after.get(key) ?? null].map((each) => JSON.stringify(each));
      const mayHaveEnded =
        is === NOTHING && (this.endsMs.get(key) ?? Number.POSITIVE_INFINITY) <= this.ports.cluster.clock.nowMs;
      if (was !== is && !mayHaveEnded)
        this.ports.violate('restart', `${key} was ${was} before all nodes were killed, and is ${is} after`);
    }
  }

  /** What the network has seen that must not be. */
  judgeNetwork(): void {
    const { cluster, violate, mark } = this.ports;
    const { network, streams } = cluster;
    const { counters } = network;
    mark('datagrams lost', counters.lost + counters.blocked);
    mark('datagrams damaged', counters.corrupted + counters.truncated);
    mark('datagrams replayed', counters.replayed);
    mark('streams reset', streams.counters.resets);
    mark('streams halved', streams.counters.halved);
    mark('segments vanished', streams.counters.vanished);
    mark('segments held by a partition', streams.counters.heldSegments);
    for (const line of network.dots?.reused ?? []) violate('dot', line);
    const changed = counters.changed + streams.counters.changed;
    if (changed > 0) violate('buffer', `${changed} buffers were changed after they were given away or lent`);
    if (counters.oversized > 0) violate('datagram', `${counters.oversized} datagrams above 1,200 bytes`);
  }

  /** What every node answers; a violation if they do not agree. */
  private answerEverywhere({ key, words, types }: Question): Reply | null {
    const { inquiry, violate } = this.ports;
    const answers = inquiry.askAll(words);
    for (const { node, reply } of answers) {
      if (reply !== null && types.includes(reply.type)) continue;
      violate('reply', `healed node ${node} answers ${JSON.stringify(reply)}`);
    }
    const [first] = answers;
    const text = JSON.stringify(first.reply);
    const other = answers.find(({ reply }) => JSON.stringify(reply) !== text);
    if (other !== undefined) {
      const elsewhere = `${JSON.stringify(other.reply)} at node ${other.node}`;
      violate('diverged', `${key} is ${text} at node ${first.node} and ${elsewhere}`);
    }
    return first.reply;
  }

  private violateLine(line: string): void {
    const colon = line.indexOf(': ');
    this.ports.violate(line.slice(0, colon), line.slice(colon + 2));
  }
}
