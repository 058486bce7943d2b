/**
 * What each node believes of the others, as it says it in its log: every transition of membership with its time and who saw it.
 * The stage feeds it lines of JSON; trials ask for deaths, and for what nobody should have seen.
 * Guarded: a line that is no transition changes nothing; what is kept is bounded, past it transitions are counted alone.
 */

export interface Transition {
  /** Wall clock of the node that saw it, ms. */
  readonly atMs: number;
  readonly seenBy: string;
  readonly id: string;
  readonly to: string;
}

const KEPT_MAX = 100_000;

export class Transitions {
  readonly seen: Transition[] = [];
  dropped = 0;

  /** A line that the node `seenBy` said. */
  line(seenBy: string, text: string): void {
    if (!text.includes('"msg":"member"')) return;
    const transition = transitionOf(seenBy, text);
    if (transition === null) return;
    if (this.seen.length >= KEPT_MAX) this.dropped++;
    else this.seen.push(transition);
  }

  /** Those from a moment on, ms of the wall clock. */
  since(fromMs: number): Transition[] {
    return this.seen.filter((transition) => transition.atMs >= fromMs);
  }

  /** Each as a line: deaths that somebody declared from a moment on, of anybody but `expected`. */
  deathsSince(fromMs: number, expected: readonly string[] = []): string[] {
    return this.since(fromMs)
      .filter(({ id, to }) => to === 'dead' && !expected.includes(id))
      .map(describeTransition);
  }
}

export function describeTransition({ seenBy, id, to }: Transition): string {
  return `${seenBy} saw ${id} ${to}`;
}

function transitionOf(seenBy: string, text: string): Transition | null {
  try {
    const { time, id, to } = JSON.parse(text) as Record<string, unknown>;
    const atMs = typeof time === 'string' ? Date.parse(time) : Number.NaN;
    if (typeof id !== 'string' || typeof to !== 'string' || Number.isNaN(atMs)) return null;
    return { atMs, seenBy, id, to };
  } catch {
    return null;
  }
}
