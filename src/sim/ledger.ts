/**
 * A ledger follows one kind of command through a run and knows what its replies, and the last state, may say: register.ts for
 * values, counters.ts for counts. run.ts shows each command to the one ledger that takes it, and every damage to all of them.
 * Guarded: soundness before sharpness: a line that a ledger gives back is a broken promise, never a surprise.
 */
import type { Completion } from './client.js';
import type { Observed } from './history.js';
import type { Reply } from './replies.js';
import type { ClientPlan } from './schedule.js';

/** A command that goes out. */
export interface Asked {
  number: number;
  /** Number of the client, and what it is. */
  client: number;
  plan: ClientPlan;
  words: readonly string[];
  /** Its keys that may be looked after by another node than the one it is sent to (elsewhere.ts). */
  strayed: ReadonlySet<string>;
  observed: Observed;
  /** Which connection of its client it goes by, counted from 1; 0 where it does not matter. */
  connection?: number;
}

/** Its outcome. */
export interface Ended {
  number: number;
  outcome: Completion['outcome'];
  reply: Reply | null;
  observed: Observed;
}

/** What every node is asked once all is healed; all must answer the same. */
export interface Question {
  key: string;
  words: string[];
  /** What may come back. */
  types: readonly Reply['type'][];
}

export interface Ledger {
  takes(words: readonly string[]): boolean;
  /** What goes out where the plan's words stand for what only the run knows, as a context; null: nothing goes out this time. */
  wordsOf?(words: readonly string[], client: number): readonly string[] | null;
  begin(asked: Asked): void;
  /** Lines of what can not be, each `kind: what`. */
  end(ended: Ended): readonly string[];
  /** A node lost what it had acknowledged, or may have; `keepsSynced`: but for what its disk had synced. */
  damaged(node: number, nowMs: number, keepsSynced: boolean): void;
  /** A node starts; `wallHighMs`: the most any wall clock has shown. */
  restarted(wallHighMs: number): void;
  /** Every key is being erased. */
  flushed(): void;
  questions(): readonly Question[];
  /** What the answer to a question says of promises; a line if it breaks one. */
  checkFinal(key: string, reply: Reply | null, wallHighMs: number): string | null;
}
