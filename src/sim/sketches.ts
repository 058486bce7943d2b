/**
 * HyperLogLogs in a run: PFADD, PFMERGE and PFCOUNT through every node, and what may then be counted. families.ts draws them, run.ts
 * keeps the ledger. Sketches are registers that only rise, so bounds are exact: a count lies between that of what was certainly added
 * and that of all that may have been, each estimated from its own elements by the same formula.
 * Guarded: soundness before sharpness: what a PFMERGE brought is only a bound from above, for nobody says which copy it read.
 */
import type { Random } from '../core/base/random.js';
import { entryOf, estimate, sketchOf } from '../core/types/hyperloglog.js';
import { copiesOf, Damages, mustMeet } from './damages.js';
import type { Family } from './families.js';
import type { Asked, Ended, Ledger, Question } from './ledger.js';
import { addClients, addCommand } from './own-clients.js';
import { misshapen, type Reply } from './replies.js';
import type { ClientPlan, Level, Plan } from './schedule.js';

const KEYS_MAX = 3;
const ELEMENTS = 120;
const PER_COMMAND_MAX = 4;

export const SKETCHES: Family = {
  name: 'sketches',
  stream: 0x5ced0032,
  draw(plan: Plan, random: Random): void {
    if (!random.chance(0.3)) return;
    const clients = addClients(plan, random, 3);
    const keys = random.between(1, KEYS_MAX);
    const key = (): string => `sketch${random.below(keys)}`;
    for (let left = random.between(20, 60); left > 0; left--) {
      const atMs = random.below(plan.lengthMs * 1_000) / 1_000;
      const client = clients[random.below(clients.length)];
      const roll = random.below(100);
      const some = (most: number, draw: () => string): string[] =>
        Array.from({ length: random.between(1, most) }, () => draw());
      const words =
        roll < 55
          ? ['PFADD', key(), ...some(PER_COMMAND_MAX, () => `e${random.below(ELEMENTS)}`)]
          : roll < 65
            ? ['PFMERGE', key(), ...some(2, key)]
            : ['PFCOUNT', ...some(2, key)];
      addCommand(plan, atMs, client, words);
    }
  },
};

/** One PFADD or PFMERGE. */
interface Raise {
  key: string;
  elements: readonly string[];
  sources: readonly string[];
  level: Level;
  outcome: 'pending' | Ended['outcome'];
  invokedMs: number;
  completedMs: number;
}

interface Count {
  keys: readonly string[];
  plan: ClientPlan;
  invokedMs: number;
  steady: boolean;
}

export class SketchLedger implements Ledger {
  private readonly raises: Raise[] = [];
  private readonly open = new Map<number, Raise | Count>();
  private readonly damages = new Damages();
  private isFlushed = false;

  constructor(private readonly options: { nodes: number; replicas: number }) {}

  takes(words: readonly string[]): boolean {
    return words[0] === 'PFADD' || words[0] === 'PFMERGE' || words[0] === 'PFCOUNT';
  }

  begin({ number, words, plan, observed }: Asked): void {
    const invokedMs = observed.nowMs;
    const [name, ...rest] = words;
    if (name === 'PFCOUNT') {
      this.open.set(number, { keys: rest, plan, invokedMs, steady: observed.nodeSteady });
      return;
    }
    const raise: Raise = {
      key: rest[0],
      elements: name === 'PFADD' ? rest.slice(1) : [],
      sources: name === 'PFMERGE' ? rest.slice(1) : [],
      level: plan.writeLevel,
      outcome: 'pending',
      invokedMs,
      completedMs: Number.POSITIVE_INFINITY,
    };
    this.raises.push(raise);
    this.open.set(number, raise);
  }

  end({ number, outcome, reply, observed }: Ended): readonly string[] {
    const asked = this.open.get(number);
    this.open.delete(number);
    if (asked === undefined) return [];
    if ('plan' in asked) return outcome === 'ok' ? this.judge(asked, reply) : [];
    const wrong = outcome === 'ok' ? this.judgeRaise(asked, reply) : null;
    asked.outcome = outcome;
    asked.completedMs = observed.nowMs;
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
    const keys = [...new Set(this.raises.map(({ key }) => key))].sort();
    return keys.map((key) => ({ key, words: ['PFCOUNT', key], types: ['integer'] }));
  }

  checkFinal(key: string, reply: Reply | null): string | null {
    const { replicas } = this.options;
    const isSure = (raise: Raise) => this.damages.since(raise.invokedMs) < copiesOf(raise.level, replicas);
    return this.outside([key], reply, isSure, 'in the end');
  }

  private judge(count: Count, reply: Reply | null): readonly string[] {
    const everywhere = this.options.nodes <= this.options.replicas;
    const isSure = (raise: Raise) => everywhere && mustMeet(raise, count) && this.damages.since(raise.invokedMs) === 0;
    const wrong = this.outside(count.keys, reply, isSure, `at level ${count.plan.readLevel}`);
    return wrong === null ? [] : [wrong];
  }

  /** Only what holds every element already changes nothing. */
  private judgeRaise({ key, elements, sources }: Raise, reply: Reply | null): string | null {
    if (sources.length > 0 || elements.length === 0) {
      return reply?.type === 'status' ? null : misshapen('PFMERGE', reply);
    }
    if (reply?.type !== 'integer') return misshapen('PFADD', reply);
    // This one is among them, pending: it is what an element was first counted by.
    const others = this.raises.filter((raise) => raise.outcome !== 'pending' || raise.elements !== elements);
    const known = registersOf(elementsOf(others, [key]));
    const isNew = elements.some((element) => {
      const entry = entry6(element);
      return (known.get(entry >>> 6) ?? 0) < (entry & 63);
    });
    return isNew && reply.value === 0 ? `count: PFADD of ${elements.join(' ')} to ${key} said that it knew them` : null;
  }

  private outside(
    keys: readonly string[],
    reply: Reply | null,
    isSure: (raise: Raise) => boolean,
    when: string,
  ): string | null {
    const value = reply?.type === 'integer' ? reply.value : Number.NaN;
    const sure = this.isFlushed ? [] : this.raises.filter((raise) => raise.outcome === 'ok' && isSure(raise));
    const certain = sure.filter(({ key }) => keys.includes(key)).flatMap(({ elements }) => elements);
    const least = estimateOf(certain);
    const most = estimateOf(elementsOf(this.raises, keys));
    if (value >= least && value <= most) return null;
    return `count: PFCOUNT ${keys.join(' ')} is ${value} ${when}, of ${least} for certain and ${most} at most`;
  }
}

/** All that may ever have come to these keys, by whatever merges. */
function elementsOf(raises: readonly Raise[], keys: readonly string[]): string[] {
  const reached = new Set(keys);
  for (let before = 0; before !== reached.size; ) {
    before = reached.size;
    for (const { key, sources, outcome } of raises) {
      if (outcome !== 'refused' && reached.has(key)) for (const source of sources) reached.add(source);
    }
  }
  const inReach = raises.filter(({ key, outcome }) => outcome !== 'refused' && reached.has(key));
  return inReach.flatMap(({ elements }) => elements);
}

function registersOf(elements: readonly string[]): Map<number, number> {
  const ranks = new Map<number, number>();
  for (const element of elements) {
    const entry = entry6(element);
    ranks.set(entry >>> 6, Math.max(ranks.get(entry >>> 6) ?? 0, entry & 63));
  }
  return ranks;
}

function entry6(element: string): number {
  const bytes = Buffer.from(element);
  return entryOf(bytes, 0, bytes.length);
}

function estimateOf(elements: readonly string[]): number {
  if (elements.length === 0) return 0;
  const sketch = sketchOf(elements.map(entry6));
  return estimate(sketch, 0, sketch.length);
}
