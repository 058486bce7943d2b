/**
 * Who knows what, counted as it changes: for every node how many members it holds wrongly, live or gone, or whether it has heard the one
 * rumor; since when it knows; and deaths without a cause. The world shows it every step, scenarios.ts the truth.
 * Guarded: a step costs constant time, whatever the number of nodes; a node that unlearns counts from when it knows again.
 */
import { isGone, type MemberState } from '../../core/membership/precedence.js';
import type { MemberChange } from '../../core/membership/view.js';
import type { PlannedWorld, Watch } from './world.js';

const NOT_KNOWING = -1;

export class Tally implements Watch {
  eventMs = 0;
  live = 0;
  /** Deaths of members on the other side have a cause. */
  isCut = false;
  /** What was said of the other side still goes round. */
  isHealing = false;
  private readonly isDead: Uint8Array;
  /** Members that each node holds wrongly: gone though they run, or live though they died. */
  private readonly wrong: Int32Array;
  private readonly sinceMs: Float64Array;
  private readonly falselyDead = new Set<number>();
  private knowing = 0;
  private awaited: 'nothing' | 'truth' | 'rumor' = 'nothing';
  private rumorOf = '';
  private incarnation = 0;

  constructor(
    private readonly world: PlannedWorld,
    nodes: number,
  ) {
    this.isDead = new Uint8Array(nodes);
    this.wrong = new Int32Array(nodes);
    this.sinceMs = new Float64Array(nodes).fill(NOT_KNOWING);
  }

  get allKnow(): boolean {
    return this.awaited !== 'nothing' && this.knowing === this.live;
  }

  get falseDeaths(): number {
    return this.falselyDead.size;
  }

  /** Everybody holds everybody rightly. */
  settled(): void {
    this.wrong.fill(0);
  }

  /** Nobody knows anybody yet. */
  strangers(): void {
    this.wrong.fill(this.world.members.length - 1);
  }

  /** A node died: whoever holds it live is wrong about it. */
  died(node: number): void {
    this.isDead[node] = 1;
    const { id } = this.world.members[node].membership.self;
    for (const [other, member] of this.world.members.entries()) {
      if (other === node) continue;
      const held = member.membership.get(id);
      this.wrong[other] += held !== undefined && !isGone(held.state) ? 1 : -1;
    }
  }

  /** From now on those are looked for who hold every member rightly. */
  awaitTruth(): void {
    this.awaited = 'truth';
    for (const node of this.sinceMs.keys()) this.judge(node);
  }

  /** From now on those are looked for who hold a member by this incarnation or a later one. */
  awaitIncarnation(id: string, incarnation: number): void {
    this.awaited = 'rumor';
    this.rumorOf = id;
    this.incarnation = incarnation;
  }

  stepped(node: number, { member, from, to }: MemberChange): void {
    const subject = this.world.indexOf(member.id);
    if (subject < 0 || subject === node) return;
    const [was, is] = [isHeldLive(from), isHeldLive(to)];
    if (was !== is) this.wrong[node] += is === (this.isDead[subject] === 1) ? 1 : -1;
    if (to === 'dead' && this.isWithoutCause(node, subject)) this.falselyDead.add(subject);
  }

  turned(node: number): void {
    if (this.awaited !== 'nothing') this.judge(node);
  }

  /** Times after the event since when live nodes know, in order; those that do not are left out. */
  knowingSince(): number[] {
    const times: number[] = [];
    for (const [node, sinceMs] of this.sinceMs.entries()) {
      if (sinceMs !== NOT_KNOWING && this.isDead[node] === 0) times.push(sinceMs);
    }
    return times.sort((left, right) => left - right);
  }

  private judge(node: number): void {
    if (this.isDead[node] === 1) return;
    const knows = this.knows(node);
    if (knows === (this.sinceMs[node] !== NOT_KNOWING)) return;
    this.knowing += knows ? 1 : -1;
    this.sinceMs[node] = knows ? this.world.clock.nowMs - this.eventMs : NOT_KNOWING;
  }

  private knows(node: number): boolean {
    if (this.awaited === 'truth') return this.wrong[node] === 0;
    const held = this.world.members[node].membership.get(this.rumorOf);
    return held !== undefined && held.incarnation >= this.incarnation;
  }

  private isWithoutCause(node: number, subject: number): boolean {
    if (this.isDead[subject] === 1 || this.isHealing) return false;
    return !this.isCut || this.world.sides[node] === this.world.sides[subject];
  }
}

function isHeldLive(state: MemberState | null): boolean {
  return state !== null && !isGone(state);
}
