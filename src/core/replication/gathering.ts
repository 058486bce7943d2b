/**
 * One read that waits for other owners: whom it asked, what each answered, whom it may still ask. The quorum reads open and conclude
 * it; read repair looks at its votes, and HEARSAY.EXPLAIN is written from them.
 * Guarded: an owner has at most one leg, whose vote is given once.
 */
import type { Command } from '../commands/command.js';
import type { Caller, Deferred } from '../commands/host.js';
import type { Receipt } from '../commands/receipt.js';
import type { SessionToken } from '../commands/session-token.js';
import type { Args } from '../resp/args.js';
import type { Peer } from './peers.js';
import type { Cover, Version } from './requests.js';

export interface Gathering {
  readonly id: number;
  readonly partition: number;
  readonly key: Buffer;
  /** Null: an EXPLAIN. */
  readonly command: Command | null;
  readonly args: Args | null;
  readonly caller: Caller;
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
  readonly wanted: number;
  readonly expiresAtMs: number;
}

/** One owner asked. */
export interface Leg {
  readonly sentAtMs: number;
  vote: Vote | null;
}

export interface Vote {
  definite: boolean;
  version: Version;
  type: number;
  /** The owner's floor of the partition, if it has nothing of the key: older versions were deleted. Otherwise 0. */
  absentBelow: number;
  newer: boolean;
  /** Its record was taken in here: what it had is in what stands now. */
  adopted: boolean;
  covers: Cover;
}

/** This node's record of a key. */
export interface Held {
  readonly version: Version;
  readonly type: number;
}
