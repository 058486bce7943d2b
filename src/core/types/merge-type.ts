/**
 * What a merge type is: a kind of value that several nodes may change at once, with a rule by which two states of it become one.
 * types.ts lists them; the store asks them when records meet, the keyspace when a command changes a value.
 *
 * Laws, tested for each: merge is commutative, associative and idempotent over values; the bytes of a state are canonical, so
 * that digests agree whatever the path records took. A state written by a command carries that write's dot; one that a
 * merge made of two is derived: it has the greatest version in it and no dot of its own (sequence 0).
 */
import type { HearsayError } from '../base/errors.js';
import type { DotVisitor } from '../record/dots.js';
import type { Made } from './made.js';

/** Both are the same state. */
export const BOTH_STAND = 0;
/** All of the other is in the left one. */
export const LEFT_STANDS = 1;
/** All of the other is in the right one. */
export const RIGHT_STANDS = 2;
/** Neither: `made` holds what becomes of both. */
export const MADE = 3;
/** A flush covers all that there would be. */
export const GONE = 4;
/** What would become of both passes a bound of the type: types.ts says which stands. */
export const TOO_LARGE = 5;
export type Verdict =
  | typeof BOTH_STAND
  | typeof LEFT_STANDS
  | typeof RIGHT_STANDS
  | typeof MADE
  | typeof GONE
  | typeof TOO_LARGE;

/** What a node knows that bears on every merge: the greatest FLUSH. */
export interface Flushed {
  readonly flushedHlc: number;
  readonly flushedActor: number;
  /** A planted bug, for the simulator: what two copies of one part hold is added. */
  readonly addsParts?: boolean;
  /** Another: of two sketches only the registers of the smaller stay. */
  readonly sketchTakesLess?: boolean;
}

/** What a node knows when it changes a value itself. */
export interface ChangeLimits extends Flushed {
  /** Every member with a say has everything stamped up to here. */
  readonly floorHlc: number;
  /**
   * Values of this partition were given up here, or not all have come yet: what stands for a key may lack what was written to it, below
   * the floor too.
   */
  readonly isPartial: boolean;
  /** Above this an actor stamped nothing and never will; Infinity while it may still write, or nobody knows. */
  endHlcOf(actor: number): number;
  /** Whether this node knows that it has written nothing to the key in hand after that sequence of its own. */
  continues(sequence: number): boolean;
  /** Planted bugs, by name: the tests of the simulator's checkers. */
  readonly mutations?: ReadonlySet<string>;
}

/** The version and the dot of a change that is being made. */
export interface Stamp {
  hlc: number;
  actor: number;
  sequence: number;
}

export interface MergeType {
  /** The record type. */
  readonly type: number;
  /** As the TYPE command says it. */
  readonly name: string;
  /** Whether its value may be read as text: GET, APPEND and their like work on it. */
  readonly isText: boolean;
  /** Whether the version data of a verified record of this type is well formed. */
  isFormed(bytes: Buffer, offset: number): boolean;
  /** Two verified records of one key: at least one of this type, the other this type too, a PUT or a TOMBSTONE. */
  merge(left: Buffer, leftAt: number, right: Buffer, rightAt: number, flushed: Flushed, made: Made): Verdict;
  /** Whether a flush of this version leaves nothing of the record. */
  isCovered(bytes: Buffer, offset: number, hlc: number, actor: number): boolean;
  /** Visits every dot whose write is in this state. */
  forEachDot(bytes: Buffer, offset: number, visit: DotVisitor): void;
  /**
   * Where the version of the record's expiry names no writer: the stamp of the latest expiry in this state that is of no write that
   * `forEachDot` stands for; 0 if there is none.
   */
  latestForeignExpiry?(bytes: Buffer, offset: number): number;
}

/** A change of one value by a command. */
export interface StateChange {
  /** Why the last `apply` made nothing. */
  refusal: HearsayError | null;
  /**
   * Makes the state of the key after this change. `stored`: the record that stands for it, of any type, a tombstone or an
   * expired one too; null for none. False, with a `refusal`, if it can not be made.
   */
  apply(
    stored: Buffer | null,
    offset: number,
    key: Buffer,
    keyStart: number,
    keyEnd: number,
    stamp: Stamp,
    limits: ChangeLimits,
    made: Made,
  ): boolean;
}
