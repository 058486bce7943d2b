/**
 * Siblings: all values of a key that no later write has seen, by dotted version vectors (Preguica, Baquero, Almeida, Fonte,
 * Goncalves, "Dotted Version Vectors", 2010). A set is what is alive, each value under the dot of its write, and a cover: every
 * dot that is or was alive. Merge keeps a value that both sides have, or that one side has and the other does not cover.
 * CPUT and CDEL call `write` and `remove`, the store's merge
 * calls `join`; cover.ts says what has been seen, siblings-codec.ts makes bytes of a set.
 *
 * Guarded: join is commutative, associative and idempotent, and equal sets have equal order (sortSet): bytes agree on all owners.
 */
import { compareVersions } from '../record/merge.js';
import {
  CHAINS_MAX,
  type Continues,
  type Cover,
  covers,
  EMPTY_COVER,
  foldCover,
  joinCovers,
  type Stamp,
  withDot,
} from './cover.js';

/** Values of one key past which a write is refused; merges may pass it, and lose something only where no record could hold it (`trim`). */
export const SIBLINGS_MAX = 100;
/** Values of one key at which a write is worth a warning. */
export const SIBLINGS_WARNED = 25;
export interface Sibling {
  /** The dot of its write. */
  readonly actor: number;
  readonly sequence: number;
  readonly hlc: number;
  /** Absolute ms, 0 for none; and the stamp of the write that set it. */
  readonly expireAtMs: number;
  readonly expiryHlc: number;
  readonly value: Buffer;
}

export interface SiblingSet extends Cover {
  /** The last writer's first. */
  readonly siblings: readonly Sibling[];
}

export const EMPTY_SET: SiblingSet = { ...EMPTY_COVER, siblings: [] };

/** The least set that has seen all that either has. */
export function join(left: SiblingSet, right: SiblingSet): SiblingSet {
  const siblings: Sibling[] = [];
  for (const sibling of left.siblings) {
    const twin = right.siblings.find((other) => isSameDot(sibling, other));
    if (twin !== undefined) siblings.push(laterExpiry(sibling, twin));
    else if (!covers(right, sibling.actor, sibling.sequence, sibling.hlc)) siblings.push(sibling);
  }
  for (const sibling of right.siblings) {
    if (left.siblings.some((other) => isSameDot(sibling, other))) continue;
    if (!covers(left, sibling.actor, sibling.sequence, sibling.hlc)) siblings.push(sibling);
  }
  return { ...joinCovers(left, right), siblings: siblings.sort(byLastWriter) };
}

/** The set with its cover folded. */
export function fold(set: SiblingSet, floorHlc: number, isPartial = false): SiblingSet {
  return { ...set, ...foldCover(set, floorHlc, isPartial) };
}

/**
 * A CPUT: `value` takes the place of what `seen` covers, and stands beside the rest. The same bytes given again without having been
 * seen take the place of their earlier self: a blind retry does not multiply. What has expired by `wallMs` goes too.
 */
export function write(
  set: SiblingSet,
  seen: Cover,
  stamp: Stamp,
  value: Buffer,
  expireAtMs: number,
  wallMs: number,
  continues: Continues,
): SiblingSet {
  const left = unseen(set, seen, wallMs);
  const added: Sibling = { ...stamp, expireAtMs, expiryHlc: stamp.hlc, value };
  const siblings = [added, ...left.siblings.filter((sibling) => !sibling.value.equals(value))];
  return { ...left, chains: withDot(left.chains, stamp, continues), siblings: siblings.sort(byLastWriter) };
}

/** A CDEL: what `seen` covers is gone. A set without values is kept for its cover, as a tombstone is. */
export function remove(set: SiblingSet, seen: Cover, stamp: Stamp, wallMs: number, continues: Continues): SiblingSet {
  const left = unseen(set, seen, wallMs);
  return { ...left, chains: withDot(left.chains, stamp, continues) };
}

/** What a flush leaves: values stamped after it. What it took stays covered. */
export function flushed(set: SiblingSet, hlc: number, actor: number): SiblingSet {
  const isAfter = (sibling: Sibling): boolean => compareVersions(sibling.hlc, sibling.actor, hlc, actor) > 0;
  return set.siblings.every(isAfter) ? set : { ...set, siblings: set.siblings.filter(isAfter) };
}

/** EXPIRE, stamped `hlc`: the values that are here and older end then, whatever comes beside them. 0: they do not end. */
export function expire(set: SiblingSet, expireAtMs: number, hlc: number): SiblingSet {
  const siblings = set.siblings.map((sibling) =>
    sibling.hlc < hlc && sibling.expiryHlc < hlc ? { ...sibling, expireAtMs, expiryHlc: hlc } : sibling,
  );
  return { ...set, siblings };
}

/**
 * The set with as many of its values, the last writer's first, as `bytesMax` and `countMax` take. What goes stays covered, as if its
 * writer had been seen: so it goes on every owner that meets this set, and none brings it back, in whatever order they meet.
 */
export function trim(set: SiblingSet, bytesMax: number, countMax: number): SiblingSet {
  let bytes = 0;
  let kept = 0;
  for (const { value } of set.siblings) {
    bytes += value.length;
    if (bytes > bytesMax || kept === countMax) break;
    kept++;
  }
  return kept === set.siblings.length ? set : { ...set, siblings: set.siblings.slice(0, kept) };
}

/** When the last of its values ends; 0 if one does not, or there is none. */
export function endsAtMs(set: SiblingSet): number {
  let latestMs = 0;
  for (const { expireAtMs } of set.siblings) {
    if (expireAtMs === 0) return 0;
    latestMs = Math.max(latestMs, expireAtMs);
  }
  return latestMs;
}

/** The values that have not ended. */
export function alive(set: SiblingSet, wallMs: number): readonly Sibling[] {
  return set.siblings.filter(({ expireAtMs }) => expireAtMs === 0 || expireAtMs > wallMs);
}

export function valueBytes(set: SiblingSet): number {
  let bytes = 0;
  for (const { value } of set.siblings) bytes += value.length;
  return bytes;
}

/** A plain value as the one sibling that it is: a SET upon which siblings may be written. */
export function lift(stamp: Stamp, value: Buffer, expireAtMs: number, expiryHlc: number): SiblingSet {
  const { hlc, actor, sequence } = stamp;
  return {
    baseHlc: hlc,
    baseActor: actor,
    foldedHlc: 0,
    chains: [{ actor, birth: sequence, through: sequence, hlc }],
    siblings: [{ actor, sequence, hlc, expireAtMs, expiryHlc, value }],
  };
}

/** Whether a set may take another write. */
export function refusal(set: SiblingSet): 'siblings' | 'chains' | null {
  if (set.siblings.length > SIBLINGS_MAX) return 'siblings';
  return set.chains.length > CHAINS_MAX ? 'chains' : null;
}

/** What a context has not seen; the context's own cover is kept, for it may know of more than is here. */
function unseen(set: SiblingSet, seen: Cover, wallMs: number): SiblingSet {
  const siblings = alive(set, wallMs).filter(({ actor, sequence, hlc }) => !covers(seen, actor, sequence, hlc));
  return { ...joinCovers(set, seen), siblings };
}

function laterExpiry(left: Sibling, right: Sibling): Sibling {
  if (left.expiryHlc !== right.expiryHlc) return left.expiryHlc > right.expiryHlc ? left : right;
  const [leftEnd, rightEnd] = [
    left.expireAtMs || Number.POSITIVE_INFINITY,
    right.expireAtMs || Number.POSITIVE_INFINITY,
  ];
  return leftEnd >= rightEnd ? left : right;
}

function isSameDot(left: Sibling, right: Sibling): boolean {
  return left.actor === right.actor && left.sequence === right.sequence;
}

function byLastWriter(left: Sibling, right: Sibling): number {
  return right.hlc - left.hlc || right.actor - left.actor || right.sequence - left.sequence;
}
