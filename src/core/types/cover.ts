/**
 * A cover: which writes of a key something has seen. Siblings, contexts that clients carry and HyperLogLogs have one. It is a chain of dots per
 * (actor, birth) and a watermark. A chain is what one actor wrote upon its own copy: an actor without a copy (the key is new to it,
 * evicted or forgotten) begins another chain at that write's sequence, so that a chain never covers a write that its actor did not
 * know. `foldedHlc` covers every dot stamped at or below it: what the partition's floor has passed needs no chain, so chains do not
 * grow with restarts. The base, a SET or DEL, covers every dot of a version below its own, whoever wrote it: what came after it
 * stands, though its writer knew of no base, as one does not who has given the key up or forgotten that it was deleted. After the version vectors of Preguica et al., "Dotted Version Vectors" (2010), and Riak's epochs per key.
 * Guarded: joining is commutative, associative and idempotent, and equal covers have equal order.
 */
import { compareVersions } from '../record/merge.js';

/** Whether an actor wrote nothing to a key after this sequence, as far as it knows. */
export type Continues = (sequence: number) => boolean;

/** Chains of one actor past which it goes on with the last: only where values are evicted does it come to that. */
const OWN_CHAINS_MAX = 16;
/** Chains past which a write is refused. */
export const CHAINS_MAX = 256;

export interface Chain {
  readonly actor: number;
  /** Sequence of its first write; with the actor, the name of the chain. */
  readonly birth: number;
  /** Sequence of its last write. */
  readonly through: number;
  /** Stamp of its last write. */
  readonly hlc: number;
}

export interface Cover {
  /** Version of the SET or DEL that these siblings stand upon: it covers what is below. 0 for none. */
  readonly baseHlc: number;
  readonly baseActor: number;
  /** Every dot stamped at or below is covered. */
  readonly foldedHlc: number;
  /** By (actor, birth). */
  readonly chains: readonly Chain[];
}

/** What a write is stamped with. */
export interface Stamp {
  readonly hlc: number;
  readonly actor: number;
  readonly sequence: number;
}

export const EMPTY_COVER: Cover = { baseHlc: 0, baseActor: 0, foldedHlc: 0, chains: [] };

export function covers(cover: Cover, actor: number, sequence: number, hlc: number): boolean {
  if (hlc <= cover.foldedHlc || compareVersions(hlc, actor, cover.baseHlc, cover.baseActor) < 0) return true;
  return cover.chains.some((chain) => chain.actor === actor && sequence >= chain.birth && sequence <= chain.through);
}

/** The cover of both. Chains that its base or its watermark covers are dropped, and so is a watermark that its base covers. */
export function joinCovers(left: Cover, right: Cover): Cover {
  const byBase = compareVersions(left.baseHlc, left.baseActor, right.baseHlc, right.baseActor);
  const { baseHlc, baseActor } = byBase >= 0 ? left : right;
  const folded = Math.max(left.foldedHlc, right.foldedHlc);
  const foldedHlc = folded < baseHlc ? 0 : folded;
  const isNeeded = ({ hlc, actor }: Chain): boolean =>
    hlc > foldedHlc && compareVersions(hlc, actor, baseHlc, baseActor) >= 0;
  return { baseHlc, baseActor, foldedHlc, chains: united([...left.chains, ...right.chains]).filter(isNeeded) };
}

/**
 * The cover without the chains that the floor has passed: the watermark covers them then. `isPartial`: what this node holds may lack some
 * of what is below the floor, which the watermark would cover unseen; then chains are folded only where they would soon be too many.
 */
export function foldCover(
  cover: Cover,
  floorHlc: number,
  isPartial: boolean,
): { foldedHlc: number; chains: readonly Chain[] } {
  const { foldedHlc, chains } = cover;
  if (isPartial && chains.length < CHAINS_MAX / 2) return { foldedHlc, chains };
  if (floorHlc <= foldedHlc || chains.every((chain) => chain.hlc > floorHlc)) return { foldedHlc, chains };
  return { foldedHlc: floorHlc, chains: chains.filter((chain) => chain.hlc > floorHlc) };
}

/** Version and dot of the latest write: those of the record that has this cover. */
export function latestOf(cover: Cover): Stamp {
  let hlc = Math.max(cover.baseHlc, cover.foldedHlc);
  let actor = hlc === cover.baseHlc ? cover.baseActor : 0;
  let sequence = 0;
  for (const chain of cover.chains) {
    if (compareVersions(chain.hlc, chain.actor, hlc, actor) < 0) continue;
    hlc = chain.hlc;
    actor = chain.actor;
    sequence = chain.through;
  }
  return { hlc, actor, sequence };
}

/**
 * The chain of the write's actor grows if it `continues`: the actor knows that it wrote nothing to the key since the chain's end. Else
 * another begins: a copy that came back from elsewhere may be older than what the actor wrote and gave up.
 */
export function withDot(chains: readonly Chain[], { actor, sequence, hlc }: Stamp, continues: Continues): Chain[] {
  let last: Chain | null = null;
  let own = 0;
  for (const chain of chains) {
    if (chain.actor !== actor) continue;
    own++;
    if (last === null || chain.through > last.through) last = chain;
  }
  const grows = last !== null && (continues(last.through) || own >= OWN_CHAINS_MAX);
  return united([...chains, { actor, birth: grows && last !== null ? last.birth : sequence, through: sequence, hlc }]);
}

/** In order, and those that overlap as one. */
function united(chains: Chain[]): Chain[] {
  chains.sort((left, right) => left.actor - right.actor || left.birth - right.birth);
  const kept: Chain[] = [];
  for (const chain of chains) {
    const before = kept.at(-1);
    if (before === undefined || before.actor !== chain.actor || chain.birth > before.through) kept.push(chain);
    else if (chain.through > before.through) kept[kept.length - 1] = { ...chain, birth: before.birth };
  }
  return kept;
}
