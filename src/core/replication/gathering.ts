/**
 * One read that waits for other owners: whom it asked, what each answered, whom it may still ask. The quorum reads open and conclude
 * it; read repair looks at its votes, and HEARSAY.EXPLAIN is written from them.
 * Guarded: an owner has at most one leg, whose vote is given once.
 */
import type { Command } from '../commands/command.js';
import type { Deferred } from '../commands/host.js';
import type { Receipt } from '../commands/receipt.js';
import type { SessionToken } from '../commands/session-token.js';
import type { Placement } from '../partitions/placement.js';
import type { Args } from '../resp/args.js';
import type { FlushMark } from './flush-mark.js';
import type { Peer } from './peers.js';
import type { PlacedCaller } from './placed-caller.js';
import type { Cover, Version } from './requests.js';

export interface Gathering {
  /** Another one when it begins anew, so that an answer to what was asked before is known for one. */
  id: number;
  readonly partition: number;
  readonly key: Buffer;
  /** Null: an EXPLAIN. */
  readonly command: Command | null;
  readonly args: Args | null;
  /** At the levels that it asked with, whatever its connection has changed them to meanwhile. */
  readonly caller: PlacedCaller;
  readonly deferred: Deferred;
  readonly receipt: Receipt;
  readonly asked: Map<Peer, Leg>;
  /** Those of them that go by another ring. */
  readonly apart: Set<Peer>;
  /** An owner that was not asked because too much waits for it. */
  crowded: Peer | null;
  /** What is kept for it. */
  readonly bytes: number;
  /** Owners that were not asked yet, the one to ask next last. */
  readonly spare: Peer[];
  readonly body: Buffer;
  /** The owner that was asked because another was late. */
  hedge: Peer | null;
  /** It was late and no budget was left. */
  denied: boolean;
  /** What a session has seen and this node had not: an owner that has must answer, too. */
  readonly session: SessionToken | null;
  /** When owners that have not seen it are asked again. */
  retryAtMs: number;
  /** Definite votes wanted, this node's included; Infinity for EXPLAIN: everyone. */
  wanted: number;
  /** Whom it counts on: a change of either makes what was answered so far void. */
  placement: Placement;
  formers: readonly Peer[];
  /** That has happened: it waits for more to be there, rather than give up at once. */
  isAnew: boolean;
  readonly expiresAtMs: number;
}

/** One owner asked. */
export interface Leg {
  readonly sentAtMs: number;
  vote: Vote | null;
}

export interface Vote {
  definite: boolean;
  /** It is catching up, and has none or one that may be old: it may lack what it, or whom it takes the place of, has acknowledged. */
  isBehind: boolean;
  /** It may have lost what it has acknowledged: no former owner makes up for that, as it may be one itself. */
  isTorn: boolean;
  version: Version;
  type: number;
  /** The owner's floor of the partition, if it has nothing of the key: older versions were deleted. Otherwise 0. */
  absentBelow: number;
  /** The last flush that it knows. */
  flushed: FlushMark;
  newer: boolean;
  /** Its record was taken in here: what it had is in what stands now. */
  adopted: boolean;
  covers: Cover;
}

/** What an answer is worth. */
type Standing = Pick<Vote, 'definite' | 'isBehind' | 'isTorn'>;

/** This node's record of a key. */
export interface Held {
  readonly version: Version;
  readonly type: number;
}

/** What the answers to a read amount to. */
export interface Tally {
  /** Those that know whether there is a record. */
  votes: number;
  /** Votes, and answers of owners that have evicted. */
  answers: number;
  /** Asked, and not answered yet. */
  open: number;
  /** Answers that count for nothing: of who is catching up, or may have lost its tail. */
  behind: number;
}

/**
 * Counts the answers, and this node's own where it counts. While a partition moves former owners are asked, too: an owner that catches
 * up knows what it has acknowledged since, and they know what went before. One that may have lost its tail knows neither.
 */
export function tally(asked: Gathering['asked'], own: Standing | null, isMoving: boolean): Tally {
  const sum: Tally = { votes: 0, answers: 0, open: 0, behind: 0 };
  if (own !== null) count(sum, own, isMoving);
  for (const { vote } of asked.values()) {
    if (vote === null) sum.open++;
    else count(sum, vote, isMoving);
  }
  return sum;
}

function count(sum: Tally, { definite, isBehind, isTorn }: Standing, isMoving: boolean): void {
  if (isTorn || (isBehind && !isMoving)) {
    sum.behind++;
    return;
  }
  sum.answers++;
  if (definite || isMoving) sum.votes++;
}
