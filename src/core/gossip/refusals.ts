/**
 * What was not let in, by reason: counted always, logged once a minute for each reason with where it came from. The spine notes
 * packets here, the streams of peers their greetings. Guarded: nothing is ever answered because of it, and a flood makes no flood
 * of lines.
 */
import type { Log } from '../../ports/log.js';

const LOG_INTERVAL_MS = 60_000;

export type Refusal =
  | 'malformed'
  | 'checksum'
  | 'version'
  | 'foreign'
  | 'unsealed'
  | 'sealed'
  | 'wrong-key'
  | 'forged'
  | 'replayed'
  | 'unanswered';

/** What it means and what to look at, for the log. */
const WORDS: Readonly<Record<Refusal, string>> = {
  malformed: 'is none of ours',
  checksum: 'was damaged on its way',
  version: 'is of another wire version',
  foreign: 'belongs to another cluster: the same cluster-name, partitions and replicas on all nodes?',
  unsealed: 'is not sealed: the same secret-file on all nodes?',
  sealed: 'is sealed, and this node has no secret-file',
  'wrong-key': 'is sealed with another key: the same secret-file on all nodes?',
  forged: 'carries a seal that does not hold: damaged, forged, or of another cluster-name',
  replayed: 'was met before',
  unanswered: 'closes our streams without a word: the same secret-file here and there?',
};
/** What a busy network does by itself is no warning. */
const QUIET: ReadonlySet<Refusal> = new Set<Refusal>(['checksum', 'malformed', 'replayed']);

export class Refusals {
  readonly counts: Record<Refusal, number> = {
    malformed: 0,
    checksum: 0,
    version: 0,
    foreign: 0,
    unsealed: 0,
    sealed: 0,
    'wrong-key': 0,
    forged: 0,
    replayed: 0,
    unanswered: 0,
  };
  private readonly loggedAtMs = new Map<Refusal, number>();

  constructor(private readonly log: Log) {}

  /** Counts what its caller says in words of its own. */
  count(reason: Refusal): void {
    this.counts[reason]++;
  }

  /** `what from`: "a packet from", "a stream from" or "the node at", and an address. `words`: what is known of it, if that is more than the reason. */
  note(reason: Refusal, what: string, from: string, nowMs: number, words = WORDS[reason]): void {
    this.counts[reason]++;
    const loggedAtMs = this.loggedAtMs.get(reason);
    if (loggedAtMs !== undefined && nowMs - loggedAtMs < LOG_INTERVAL_MS) return;
    this.loggedAtMs.set(reason, nowMs);
    const line = `${what} ${from} ${words}`;
    const fields = { reason, refused: this.counts[reason] };
    if (QUIET.has(reason)) this.log.debug(line, fields);
    else this.log.warn(line, fields);
  }
}
