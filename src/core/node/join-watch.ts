/**
 * What becomes of a node that was told whom to join: as one machine with time as an argument. The join desk tells it what contact points
 * answered and which names resolve; it says in which state the node is, and logs what an operator has to know.
 *
 *     asking   nobody has answered yet: commands on keys are LOADING, for a bounded time
 *     alone    nobody answered within that time: it serves by itself, since somebody has to be the first, and what it holds merges when it
 *              meets the others
 *     refused  all that answered will not have it: it serves nothing, whatever it holds, for what it took would be in no cluster; and asks on
 *     joined   it has met a member: for the rest of this run, or from the start when there was nobody to ask
 *
 * Guarded: who was refused by all that answered is never taken for a member, not when they fall silent either; what lasts is said again at growing
 * intervals; what is kept of addresses and names is bounded.
 */
import type { Log } from '../../ports/log.js';
import type { ContactNews } from '../replication/outgoing.js';
import { Reminder, type ReminderOptions } from './reminder.js';

export type JoinState = 'asking' | 'alone' | 'refused' | 'joined';

/** First at once, then after a minute, two, up to a quarter of an hour. */
const LASTING: ReminderOptions = { firstMs: 0, againMs: 60_000, mostMs: 900_000 };
/** Addresses whose last word is kept. */
export const ADDRESSES_MAX = 64;
/** Names whose failed lookup is kept: as many as there may be contact points. */
const NAMES_MAX = 256;
/** Contact points and failed lookups that a line or a status names. */
const NAMED_MAX = 8;
const WORDS_MAX = 300;

interface FailedLookup {
  why: string;
  readonly reminder: Reminder;
}

export interface JoinWatchOptions {
  /** As configured, and as remembered of former members: `host:port`. */
  readonly contactPoints: readonly string[];
  /** Whether it was told whom to join: addresses that it remembers may have passed to strangers, whose refusal says nothing. */
  readonly wasTold: boolean;
  /** Whether this node holds a secret of its cluster. */
  readonly isSealed: boolean;
}

export class JoinWatch {
  state: JoinState;
  /** Why nobody has this node, in words, and what to do; '' unless it is refused. */
  refusal = '';
  readonly stats = { refused: 0, lookupsFailed: 0, addressesDropped: 0 };
  /** The last word of each address: why it will not have us; '' when it would. */
  private readonly answers = new Map<string, string>();
  private readonly lookups = new Map<string, FailedLookup>();
  /** An address that ended the stream instead of greeting. */
  private mute = '';
  private readonly refusedReminder = new Reminder(LASTING);
  private readonly aloneReminder = new Reminder(LASTING);

  constructor(
    private readonly ports: { log: Log },
    private readonly options: JoinWatchOptions,
  ) {
    this.state = options.contactPoints.length === 0 ? 'joined' : 'asking';
  }

  /** Names that did not resolve when they were last looked up, each with its error; '' if there are none. */
  get lookupFailures(): string {
    return listed([...this.lookups].map(([name, { why }]) => `${name} ${why}`));
  }

  /** A contact point's answer to this node's greeting, or what it did in place of one. */
  heard({ address, outcome, reason, why }: ContactNews): void {
    if (outcome === 'mute') {
      this.mute = address;
      return;
    }
    if (outcome === 'refused') this.stats.refused++;
    if (!this.answers.has(address) && this.answers.size >= ADDRESSES_MAX) {
      this.stats.addressesDropped++;
      return;
    }
    // The newest last: of what several say, that is told.
    this.answers.delete(address);
    this.answers.set(address, outcome === 'refused' ? refusalOf(address, reason, why) : '');
  }

  /** A name was looked up; `why` is null when it resolved. */
  lookedUp(name: string, why: string | null, nowMs: number): void {
    const failed = this.lookups.get(name);
    if (why === null) {
      if (this.lookups.delete(name)) this.ports.log.info('the name of a contact point resolves again', { name });
      return;
    }
    this.stats.lookupsFailed++;
    if (failed === undefined && this.lookups.size >= NAMES_MAX) return;
    const words = plain(why);
    const held = failed ?? { why: words, reminder: new Reminder(LASTING) };
    if (held.why !== words) held.reminder.end();
    held.why = words;
    this.lookups.set(name, held);
    if (!held.reminder.isDue(nowMs)) return;
    this.ports.log.warn('the name of a contact point does not resolve', { name, error: words });
  }

  /** `hasMet`: a member was met since the start. `isServing`: the time in which commands wait for that is over. Call once a tick. */
  tick(hasMet: boolean, isServing: boolean, nowMs: number): void {
    if (this.state === 'joined') return;
    if (hasMet) {
      this.joined();
      return;
    }
    this.refusal = this.refusalByAll();
    if (this.refusal !== '') this.state = 'refused';
    else this.state = isServing ? 'alone' : 'asking';
    if (this.state === 'refused') {
      this.aloneReminder.end();
      if (this.refusedReminder.isDue(nowMs)) this.ports.log.warn(this.refusal, { refusals: this.stats.refused });
    } else if (this.state === 'alone') {
      if (this.aloneReminder.isDue(nowMs)) this.ports.log.warn(this.aloneLine(), this.aloneFacts());
    }
  }

  private joined(): void {
    this.state = 'joined';
    this.refusal = '';
    this.answers.clear();
    const wasAlone = this.aloneReminder.end();
    const wasRefused = this.refusedReminder.end();
    if (wasAlone) this.ports.log.info('met its cluster: it serves alone no more');
    else if (wasRefused) this.ports.log.info('accepted: it has met the cluster that had refused it');
  }

  private refusalByAll(): string {
    if (!this.options.wasTold) return '';
    let newest = '';
    for (const words of this.answers.values()) {
      if (words === '') return '';
      newest = words;
    }
    return newest;
  }

  private aloneLine(): string {
    return `serves alone: none of its contact points answered: ${listed(this.options.contactPoints)}`;
  }

  /** What is known of why. */
  private aloneFacts(): Record<string, string> {
    const facts: Record<string, string> = {};
    if (this.lookups.size > 0) facts.lookupFailed = this.lookupFailures;
    const [greeted] = this.answers.keys();
    if (greeted !== undefined) {
      facts.oneWay = `${greeted} would have this node, and does not reach it: is --advertise an address for the others?`;
    }
    if (this.mute !== '') {
      const whose = this.options.isSealed
        ? 'does it hold the secret of this node?'
        : 'does it hold a secret that this node lacks?';
      facts.mute = `${this.mute} closed the stream without a word: ${whose}`;
    }
    return facts;
  }
}

function refusalOf(address: string, reason: string, why: string): string {
  const remedy =
    reason === 'version'
      ? 'run the same release of Hearsay here and there'
      : 'start this node with what the others have, or with another --join';
  return `refused by ${plain(address)}: ${plain(why)}; ${remedy}`;
}

function listed(names: readonly string[]): string {
  const more = names.length > NAMED_MAX ? ` and ${names.length - NAMED_MAX} more` : '';
  return names.slice(0, NAMED_MAX).join(', ') + more;
}

/** What came from outside, for one line. */
function plain(words: string): string {
  return words.slice(0, WORDS_MAX).replace(/[^\x20-\x7e\u00a0-\uffff]/g, ' ');
}
