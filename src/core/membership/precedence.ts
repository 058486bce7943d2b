/**
 * Which of two statements about one member stands: one total order, (boot, incarnation, rank of the state), and the maximum
 * is the join. The roster calls `judge` for every record that arrives, whatever its way in, so members that heard the same
 * statements in any order hold the same. Compare `can_change` in the literature of SWIM implementations.
 *
 *     held \ offered, same boot     alive      suspect    dead       left
 *     alive@i                       j > i      j >= i     j >= i     j >= i
 *     suspect@i                     j > i      j > i      j >= i     j >= i
 *     dead@i                        j > i      j > i      j > i      j >= i
 *     left@i                        j > i      j > i      j > i      j > i
 *
 * A higher boot stands over any statement about a lower one: a restart. The same boot under another actor is no later
 * statement but another life of the same name: of two processes, or from before a disk was lost. It is never joined while the
 * first is there, nor once that is gone, since nobody can tell a newcomer from a late word of an earlier life; it is told, and
 * goes on as a later life. So does who was dismissed without its knowledge, for a dismissal stands in a later boot than all it said.
 */

export type MemberState = 'alive' | 'suspect' | 'dead' | 'left';

/** States in the order of their rank, which is also their number on the wire. */
export const MEMBER_STATES: readonly MemberState[] = ['alive', 'suspect', 'dead', 'left'];

const RANK: Readonly<Record<MemberState, number>> = { alive: 0, suspect: 1, dead: 2, left: 3 };

export interface Standing {
  boot: number;
  incarnation: number;
  state: MemberState;
}

export type Verdict = 'newer' | 'same' | 'older' | 'duplicate';

export function rankOf(state: MemberState): number {
  return RANK[state];
}

/** Dead or left: not probed, not gossiped to, kept as a tombstone. */
export function isGone(state: MemberState): boolean {
  return state === 'dead' || state === 'left';
}

/** Negative, 0 or positive as left is before, equal to or after right. */
export function compareStandings(left: Standing, right: Standing): number {
  if (left.boot !== right.boot) return left.boot - right.boot;
  if (left.incarnation !== right.incarnation) return left.incarnation - right.incarnation;
  return RANK[left.state] - RANK[right.state];
}

/** What is offered, measured against what is held about the same id. */
export function judge(held: Standing & { actor: number }, offered: Standing & { actor: number }): Verdict {
  let order = compareStandings(offered, held);
  if (held.boot === offered.boot && held.actor !== offered.actor) {
    if (!isGone(held.state)) return 'duplicate';
    if (!isGone(offered.state)) return 'older';
    // Two tombstones: everybody keeps the same one.
    if (order === 0) order = offered.actor - held.actor;
  }
  return order > 0 ? 'newer' : order < 0 ? 'older' : 'same';
}

/**
 * Boots between a life that is dismissed and its dismissal: more starts than anybody can have missed, and so few that 2^24 dismissals of one
 * id fit below the bound of the wire.
 */
const BOOTS_PER_DISMISSAL = 2 ** 16;

/** Boots below this fit the wire; starts and dismissals alone come nowhere near it. */
export const BOOT_END = 2 ** 40;

/** A node goes on above a life of its id only up to here: so what strangers make up leaves room for its own starts, for ever. */
export const RAISED_BOOT_MAX = 2 ** 39;

/** The boot of a dismissal: above whatever the member has said in this life or in one that nobody heard of; the same for all who dismiss it. */
export function dismissedBoot(held: number): number {
  return Math.min((Math.floor(held / BOOTS_PER_DISMISSAL) + 1) * BOOTS_PER_DISMISSAL, BOOT_END - 1);
}

/** Up to which boot the lives have ended of a member that is gone and not expected back: as its dismissal has it, which this may already be. */
export function endedWithBoot(held: number): number {
  return dismissedBoot(Math.max(0, held - 1));
}

/** The incarnation that refutes an accusation: above it and above the own. */
export function refutingIncarnation(own: number, accused: number): number {
  return Math.max(own, accused) + 1;
}
