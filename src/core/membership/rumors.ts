/**
 * Member updates waiting to ride on datagrams, least transmitted first; at equal counts the one that waits longest. Membership
 * adds what changed and takes as many as fit a datagram; each leaves after the retransmit budget of formulas.ts.
 * An update of a member makes those about its earlier standings void; only suspicions by different accusers stand side by
 * side, since each is evidence. Guarded: at most `rumorsMax` wait; past it the most transmitted is dropped and counted.
 *
 *     tier 0: c          take(room for 2) -> c, a       tier 1: b, c
 *     tier 1: a, b       ==========================>    tier 2: a
 */
import type { MemberRecord } from './member.js';
import { type ControlMessage, messageBytesMax, update } from './messages.js';
import { compareStandings } from './precedence.js';

interface Rumor {
  message: ControlMessage;
  record: MemberRecord;
  bytes: number;
  transmits: number;
}

const NONE: ControlMessage[] = [];

export class Rumors {
  dropped = 0;
  private readonly rumorsMax: number;
  private readonly byMember = new Map<string, Map<string, Rumor>>();
  private readonly tiers: Set<Rumor>[] = [];
  private count = 0;

  constructor(rumorsMax: number) {
    this.rumorsMax = rumorsMax;
  }

  get size(): number {
    return this.count;
  }

  add(record: MemberRecord, accuser: string): void {
    const ofMember = this.byMember.get(record.id) ?? new Map<string, Rumor>();
    for (const [by, rumor] of ofMember) {
      if (by === accuser || compareStandings(rumor.record, record) !== 0) this.remove(rumor, ofMember, by);
    }
    if (this.count >= this.rumorsMax) this.dropMostTransmitted();
    const message = update(record, accuser);
    const rumor: Rumor = { message, record, bytes: messageBytesMax(message), transmits: 0 };
    ofMember.set(accuser, rumor);
    this.byMember.set(record.id, ofMember);
    this.tier(0).add(rumor);
    this.count++;
  }

  /** The next updates that fit into `budgetBytes` and are none of `riding`, each counted as transmitted once. */
  take(budgetBytes: number, retransmitLimit: number, riding: readonly ControlMessage[] = NONE): ControlMessage[] {
    if (this.count === 0) return NONE;
    const taken: Rumor[] = [];
    let room = budgetBytes;
    for (const tier of this.tiers) {
      for (const rumor of tier) {
        if (rumor.bytes > room || riding.includes(rumor.message)) continue;
        room -= rumor.bytes;
        taken.push(rumor);
      }
    }
    for (const rumor of taken) this.transmitted(rumor, retransmitLimit);
    return taken.map((rumor) => rumor.message);
  }

  private transmitted(rumor: Rumor, retransmitLimit: number): void {
    this.tiers[rumor.transmits].delete(rumor);
    rumor.transmits++;
    if (rumor.transmits < retransmitLimit) this.tier(rumor.transmits).add(rumor);
    else this.forget(rumor);
  }

  private tier(transmits: number): Set<Rumor> {
    while (this.tiers.length <= transmits) this.tiers.push(new Set());
    return this.tiers[transmits];
  }

  private dropMostTransmitted(): void {
    for (let transmits = this.tiers.length - 1; transmits >= 0; transmits--) {
      for (const rumor of this.tiers[transmits]) {
        this.tiers[transmits].delete(rumor);
        this.forget(rumor);
        this.dropped++;
        return;
      }
    }
  }

  private remove(rumor: Rumor, ofMember: Map<string, Rumor>, accuser: string): void {
    this.tiers[rumor.transmits].delete(rumor);
    ofMember.delete(accuser);
    this.count--;
  }

  private forget(rumor: Rumor): void {
    const ofMember = this.byMember.get(rumor.record.id);
    if (ofMember !== undefined) {
      for (const [accuser, other] of ofMember) if (other === rumor) ofMember.delete(accuser);
      if (ofMember.size === 0) this.byMember.delete(rumor.record.id);
    }
    this.count--;
  }
}
