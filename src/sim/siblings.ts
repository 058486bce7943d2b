/**
 * Siblings in a run: CGET, CPUT and CDEL through every node with contexts that clients keep and hand on, and what may then be read and
 * be left. families.ts draws them, run.ts keeps the ledger. In a plan a context is `@n`: the n-th latest that any client was given for
 * that key, put in when the command goes out. Few writes a key, so that who covers whom is found by trying all.
 * Guarded: the one law of siblings (Almeida et al., "Scalable and Accurate Causality Tracking", 2014): what stands is what was written
 * and no write that saw it has replaced. What was acknowledged and is protected is there; what was not refused may be.
 */
import type { Random } from '../core/base/random.js';
import { copiesOf, Damages, mustMeet } from './damages.js';
import type { Family } from './families.js';
import type { Asked, Ended, Ledger, Question } from './ledger.js';
import { addClients, addCommand } from './own-clients.js';
import { misshapen, type Reply } from './replies.js';
import type { ClientPlan, Level, Plan } from './schedule.js';

const KEYS_MAX = 3;
const WRITES_PER_KEY = 10;
/** Follow-ups come this soon after, ms. */
const SOON_MS = 60;
/** How far back a client's context may be. */
const CONTEXTS_BACK = 4;
const CONTEXTS_KEPT = 16;

export const SIBLINGS: Family = {
  name: 'siblings',
  stream: 0x5ced0031,
  draw(plan: Plan, random: Random): void {
    if (!random.chance(0.35)) return;
    const clients = addClients(plan, random, 3);
    let written = 0;
    const add = (atMs: number, words: string[]): void => {
      // Who it would be is not drawn for what comes too late.
      if (atMs < plan.lengthMs) addCommand(plan, atMs, clients[random.below(clients.length)], words);
    };
    for (let key = random.between(1, KEYS_MAX); key > 0; key--) {
      const name = `sib${key}`;
      for (let left = random.between(4, WRITES_PER_KEY); left > 0; left--) {
        const atMs = random.below(plan.lengthMs);
        const soonMs = atMs + random.between(1, SOON_MS);
        if (random.chance(0.8)) add(atMs, ['CGET', name]);
        const context = random.chance(0.15) ? '' : `@${random.chance(0.7) ? 0 : random.below(CONTEXTS_BACK)}`;
        const words = random.chance(0.2) ? ['CDEL', name, context] : ['CPUT', name, context, `s${++written}`];
        if (words[0] === 'CPUT' && random.chance(0.1)) words.push('PX', String(random.between(50, 2_000)));
        add(soonMs, words);
        if (random.chance(0.3)) add(soonMs, ['CPUT', name, context, `s${++written}`]);
        if (random.chance(0.5)) add(soonMs + random.between(1, 2_000), ['CGET', name]);
      }
    }
  },
};

/** One CPUT or CDEL. */
interface Change {
  key: string;
  /** Null: a CDEL. */
  value: string | null;
  /** Values that its context showed. */
  shown: readonly string[];
  level: Level;
  isLasting: boolean;
  outcome: 'pending' | Ended['outcome'];
  invokedMs: number;
  completedMs: number;
}

interface Look {
  key: string;
  plan: ClientPlan;
  invokedMs: number;
  steady: boolean;
}

interface Context {
  text: string;
  shown: readonly string[];
}

export class SiblingsLedger implements Ledger {
  private readonly changes = new Map<string, Change[]>();
  private readonly byValue = new Map<string, Change>();
  private readonly contexts = new Map<string, Context[]>();
  private readonly open = new Map<number, Change | Look>();
  private readonly damages = new Damages();
  private isFlushed = false;

  constructor(private readonly options: { nodes: number; replicas: number }) {}

  takes(words: readonly string[]): boolean {
    return words[0] === 'CGET' || words[0] === 'CPUT' || words[0] === 'CDEL';
  }

  wordsOf(words: readonly string[]): readonly string[] {
    if (!words[2]?.startsWith('@')) return words;
    const given = this.contexts.get(words[1]) ?? [];
    const context = given[given.length - 1 - Number(words[2].slice(1))] ?? given[0];
    return [words[0], words[1], context?.text ?? '', ...words.slice(3)];
  }

  begin({ number, words, plan, observed }: Asked): void {
    const key = words[1];
    const invokedMs = observed.nowMs;
    if (words[0] === 'CGET') {
      this.open.set(number, { key, plan, invokedMs, steady: observed.nodeSteady });
      return;
    }
    const context = (this.contexts.get(key) ?? []).find(({ text }) => text === words[2]);
    const change: Change = {
      key,
      value: words[0] === 'CPUT' ? words[3] : null,
      shown: words[2] === '' ? [] : (context?.shown ?? []),
      level: plan.writeLevel,
      isLasting: words.length <= 4,
      outcome: 'pending',
      invokedMs,
      completedMs: Number.POSITIVE_INFINITY,
    };
    this.changesOf(key).push(change);
    if (change.value !== null) this.byValue.set(change.value, change);
    this.open.set(number, change);
  }

  end({ number, outcome, reply, observed }: Ended): readonly string[] {
    const asked = this.open.get(number);
    this.open.delete(number);
    if (asked === undefined) return [];
    if ('plan' in asked) return outcome === 'ok' ? this.judge(asked, reply) : [];
    asked.outcome = outcome;
    asked.completedMs = observed.nowMs;
    if (outcome !== 'ok') return [];
    if (asked.value === null) return reply?.type === 'integer' ? [] : [misshapen('CDEL', reply)];
    if (reply?.type === 'bulk') this.keep(asked.key, { text: reply.text, shown: [asked.value] });
    return reply?.type === 'bulk' || reply?.type === 'null' ? [] : [misshapen('CPUT', reply)];
  }

  damaged(node: number, nowMs: number): void {
    this.damages.note(node, nowMs);
  }

  restarted(): void {}

  flushed(): void {
    this.isFlushed = true;
  }

  questions(): readonly Question[] {
    return [...this.changes.keys()].sort().map((key) => ({ key, words: ['CGET', key], types: ['array'] }));
  }

  checkFinal(key: string, reply: Reply | null): string | null {
    const context = contextIn(reply);
    if (context === null) return misshapen('CGET', reply);
    const wrong = this.together(key, context.shown);
    if (wrong !== null) return `${wrong} in the end`;
    const changes = this.changesOf(key).filter((change) => change.outcome === 'ok' && this.isProtected(change));
    for (const change of changes) {
      const back = change.shown.find((value) => context.shown.includes(value));
      if (back !== undefined)
        return `sibling: ${back} of ${key} is there in the end, though ${say(change)} had seen it`;
      if (this.isDue(change) && !context.shown.includes(change.value as string)) {
        return `lost: ${say(change)} of ${key} is not there in the end, and nothing that saw it was written`;
      }
    }
    return null;
  }

  /** What one CGET may say. */
  private judge(look: Look, reply: Reply | null): readonly string[] {
    const context = contextIn(reply);
    if (context === null) return [misshapen('CGET', reply)];
    const { key } = look;
    this.keep(key, context);
    const wrong = this.together(key, context.shown);
    if (wrong !== null) return [wrong];
    if (this.options.nodes > this.options.replicas) return [];
    for (const change of this.changesOf(key)) {
      if (change.outcome !== 'ok' || !mustMeet(change, look) || this.damages.since(change.invokedMs) > 0) continue;
      if (!this.isDue(change) || context.shown.includes(change.value as string)) continue;
      return [`stale: CGET of ${key} at level ${look.plan.readLevel} shows no ${say(change)}`];
    }
    return [];
  }

  /** What can not stand beside each other, or at all. */
  private together(key: string, shown: readonly string[]): string | null {
    for (const [place, value] of shown.entries()) {
      const change = this.byValue.get(value);
      if (change === undefined || change.key !== key || change.outcome === 'refused') {
        return `foreign: ${key} has the sibling ${value.slice(0, 24)}, which nobody wrote to it`;
      }
      if (shown.indexOf(value) !== place) return `sibling: ${key} has ${value} twice`;
      for (const other of shown) {
        if (this.seenBy(other).has(value)) return `sibling: ${key} has ${value} beside ${other}, which had seen it`;
      }
    }
    return null;
  }

  /** Whether a value that was acknowledged stands still: nothing that was not refused has seen it. */
  private isDue(change: Change): boolean {
    const { key, value } = change;
    if (value === null || !change.isLasting || this.isFlushed) return false;
    const mayCover = (other: Change): boolean => other.outcome !== 'refused' && other.shown.includes(value);
    return !this.changesOf(key).some(mayCover);
  }

  /** Every value that the writer of this one had seen, and so its record has. */
  private seenBy(value: string, seen = new Set<string>()): ReadonlySet<string> {
    for (const other of this.byValue.get(value)?.shown ?? []) {
      if (seen.has(other)) continue;
      seen.add(other);
      this.seenBy(other, seen);
    }
    return seen;
  }

  private isProtected({ invokedMs, level }: Change): boolean {
    return this.damages.since(invokedMs) < copiesOf(level, this.options.replicas);
  }

  private keep(key: string, context: Context): void {
    if (context.text === '') return;
    const kept = (this.contexts.get(key) ?? []).filter(({ text }) => text !== context.text);
    this.contexts.set(key, [...kept, context].slice(-CONTEXTS_KEPT));
  }

  private changesOf(key: string): Change[] {
    let changes = this.changes.get(key);
    if (changes === undefined) {
      changes = [];
      this.changes.set(key, changes);
    }
    return changes;
  }
}

function contextIn(reply: Reply | null): Context | null {
  if (reply?.type !== 'array' || reply.items.length === 0) return null;
  const texts = reply.items.map((item) => (item.type === 'bulk' ? item.text : null));
  if (texts.some((text) => text === null)) return null;
  const [text, ...shown] = texts as string[];
  return { text, shown };
}

function say({ value, shown, outcome, level, invokedMs, completedMs }: Change): string {
  const what = value === null ? 'a CDEL' : `CPUT of ${value}`;
  return `${what} over [${shown.join(' ')}] at level ${level} [${invokedMs.toFixed(2)}, ${completedMs.toFixed(2)}] (${outcome})`;
}
