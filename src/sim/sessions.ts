/**
 * Sessions in a run: readers and writers that wander from node to node with a token (HEARSAY.SESSION), and what each may then read.
 * families.ts draws them, run.ts keeps the ledger. One turn of a session is three commands on one connection: RESUME of its token, a SET
 * or GET, END for the token that then holds; a session that is still waiting for one turn leaves the next out.
 * Guarded: the four guarantees of Terry et al. (1994) as one rule: values of a key that a session knows stand in an order, by what each
 * writer knew and each reader saw; nobody who knows a value is shown one below it. Values that a disk may have lost order nothing.
 */
import type { Random } from '../core/base/random.js';
import { Damages } from './damages.js';
import type { Family } from './families.js';
import type { Asked, Ended, Ledger, Question } from './ledger.js';
import { addCommand } from './own-clients.js';
import { type Reply, textOf } from './replies.js';
import type { Plan } from './schedule.js';

const NAME = 'HEARSAY.SESSION';
const PREFIX = 'ses';
const SESSIONS_MAX = 3;
const KEYS = 3;
const TURN_MS = 90;

export const SESSIONS: Family = {
  name: 'sessions',
  stream: 0x5ced0035,
  draw(plan: Plan, random: Random): void {
    if (!random.chance(0.3)) return;
    let written = 0;
    for (let session = random.between(2, SESSIONS_MAX); session > 0; session--) {
      const first = plan.clients.length;
      for (let node = 0; node < plan.nodes; node++) {
        plan.clients.push({ node, readLevel: 'one', writeLevel: 'one', protocol: 2 });
      }
      for (let atMs = random.below(500); atMs < plan.lengthMs; atMs += random.between(10, TURN_MS * 2)) {
        const client = first + random.below(plan.nodes);
        const key = `${PREFIX}${random.below(KEYS)}`;
        const words = random.chance(0.35) ? ['SET', key, `t${++written}`] : ['GET', key];
        addCommand(plan, atMs, client, [NAME, 'RESUME', `@${session}`]);
        addCommand(plan, atMs, client, words);
        addCommand(plan, atMs, client, [NAME, 'END', `@${session}`]);
      }
    }
  },
};

interface Turn {
  session: string;
  connection: number;
  /** Commands of it that have not ended. */
  open: number;
  resumed: boolean;
  /** Its commands go by more than one connection: it is no session's. */
  apart: boolean;
  /** What the SET wrote or the GET read, to be known once the token says so. */
  learned: { key: string; value: string } | null;
}

interface Value {
  key: string;
  invokedMs: number;
  /** Values whose versions are certainly lower. */
  readonly below: Set<string>;
}

export class SessionLedger implements Ledger {
  private readonly tokens = new Map<string, string>();
  /** Per session and key: the values it knows. */
  private readonly known = new Map<string, Map<string, Set<string>>>();
  private readonly values = new Map<string, Value>();
  private readonly turns = new Map<number, Turn>();
  private readonly busy = new Set<string>();
  private readonly open = new Map<number, { words: readonly string[]; turn: Turn | null; knew: ReadonlySet<string> }>();
  private readonly keys = new Set<string>();
  private readonly damages = new Damages();
  private isFlushed = false;

  takes(words: readonly string[]): boolean {
    return words[0] === NAME || ((words[0] === 'SET' || words[0] === 'GET') && words[1].startsWith(PREFIX));
  }

  wordsOf(words: readonly string[], client: number): readonly string[] | null {
    if (words[0] !== NAME) return this.turns.has(client) ? words : null;
    const session = words[2].slice(1);
    if (words[1] === 'END') return this.turns.has(client) ? [NAME, 'END'] : null;
    if (this.busy.has(session)) return null;
    this.busy.add(session);
    this.turns.set(client, { session, connection: 0, open: 0, resumed: false, apart: false, learned: null });
    const token = this.tokens.get(session);
    return token === undefined ? [NAME, 'ON'] : [NAME, 'RESUME', token];
  }

  begin({ number, client, words, connection = 0, observed }: Asked): void {
    const turn = this.turns.get(client) ?? null;
    if (turn !== null) {
      turn.open++;
      if (words[0] === NAME && words[1] !== 'END') turn.connection = connection;
      else if (turn.connection !== connection) turn.apart = true;
      // Nothing of this turn comes after its END.
      if (words[1] === 'END') this.turns.delete(client);
    }
    if (words[0] !== NAME) this.keys.add(words[1]);
    const knew = new Set(turn === null ? [] : this.knownTo(turn.session, words[1]));
    if (words[0] === 'SET') this.values.set(words[2], { key: words[1], invokedMs: observed.nowMs, below: new Set() });
    this.open.set(number, { words, turn, knew });
  }

  end({ number, outcome, reply }: Ended): readonly string[] {
    const asked = this.open.get(number);
    this.open.delete(number);
    if (asked === undefined || asked.turn === null) return [];
    const { words, turn, knew } = asked;
    const isOk = outcome === 'ok';
    let wrong: string | null = null;
    if (words[0] === 'SET' && isOk && turn.resumed) this.order(words[2], knew, turn, words[1]);
    else if (words[0] === 'GET' && isOk && turn.resumed) wrong = this.judge(words[1], reply, turn, knew);
    else if (words[1] === 'END') {
      // Without its token nobody knows what the turn has added.
      if (isOk && turn.resumed && reply?.type === 'bulk') {
        this.tokens.set(turn.session, reply.text);
        if (turn.learned !== null) this.knownTo(turn.session, turn.learned.key).add(turn.learned.value);
      }
    } else if (words[0] === NAME) turn.resumed = isOk && !turn.apart;
    turn.open--;
    if (turn.open === 0 && words[1] === 'END') this.busy.delete(turn.session);
    return wrong === null ? [] : [wrong];
  }

  damaged(node: number, nowMs: number): void {
    this.damages.note(node, nowMs);
  }

  restarted(): void {}

  flushed(): void {
    this.isFlushed = true;
  }

  questions(): readonly Question[] {
    return [...this.keys].sort().map((key) => ({ key, words: ['GET', key], types: ['bulk', 'null'] }));
  }

  /** In the end nothing stands that some session has seen something above. */
  checkFinal(key: string, reply: Reply | null): string | null {
    const text = textOf(reply);
    if (text !== null && this.values.get(text)?.key !== key) return `foreign: ${key} holds ${text}`;
    for (const known of this.known.values()) {
      const above = this.above(text, known.get(key) ?? new Set());
      if (above !== null) return `lost: ${key} is ${text} in the end, though a session knew ${above}`;
    }
    return null;
  }

  private judge(key: string, reply: Reply | null, turn: Turn, knew: ReadonlySet<string>): string | null {
    const text = textOf(reply);
    if (text !== null && this.values.get(text)?.key !== key) return `foreign: ${key} holds ${text}`;
    const above = this.above(text, knew);
    if (above !== null) return `session: session ${turn.session} read ${text} of ${key} and knew ${above}`;
    if (text !== null) this.order(text, knew, turn, key);
    return null;
  }

  /** A value known that stands above what was read, and that no disk may have lost. */
  private above(text: string | null, known: ReadonlySet<string>): string | null {
    for (const other of known) {
      if (other === text || !this.isSafe(other)) continue;
      if (text === null ? !this.isFlushed : this.values.get(other)?.below.has(text)) return other;
    }
    return null;
  }

  /** Whoever knew those has written or seen this: its version is the highest of them. */
  private order(value: string, knew: ReadonlySet<string>, turn: Turn, key: string): void {
    const below = this.values.get(value)?.below;
    for (const other of knew) {
      if (other === value || below === undefined || !this.isSafe(other)) continue;
      below.add(other);
      for (const lower of this.values.get(other)?.below ?? []) if (lower !== value) below.add(lower);
    }
    turn.learned = { key, value };
  }

  private isSafe(value: string): boolean {
    return this.damages.since(this.values.get(value)?.invokedMs ?? 0) === 0;
  }

  private knownTo(session: string, key: string): Set<string> {
    const of = this.known.get(session) ?? new Map<string, Set<string>>();
    this.known.set(session, of);
    const known = of.get(key) ?? new Set<string>();
    of.set(key, known);
    return known;
  }
}
