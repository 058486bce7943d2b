/**
 * Signals that can end calls, and the calls each can end. Calls enter when they begin and leave when they are settled.
 * One listener stands on a signal however many calls share it, as `getMany` or one request of a web server has them: Node warns of a
 * leak from the eleventh on. Guarded: only calls under way are held, which the dispatcher bounds; without any, no listener stays.
 */

/** What an abort ends. */
export interface Abortable {
  fail(reason: unknown): void;
}

interface Watched {
  calls: Set<Abortable>;
  listener: () => void;
}

export class Aborts {
  private readonly watched = new Map<AbortSignal, Watched>();

  /** Signals that are listened to. */
  get signals(): number {
    return this.watched.size;
  }

  add(signal: AbortSignal, call: Abortable): void {
    const known = this.watched.get(signal);
    if (known !== undefined) {
      known.calls.add(call);
      return;
    }
    const calls = new Set([call]);
    const listener = (): void => {
      for (const ended of [...calls]) ended.fail(signal.reason);
    };
    this.watched.set(signal, { calls, listener });
    signal.addEventListener('abort', listener);
  }

  remove(signal: AbortSignal, call: Abortable): void {
    const known = this.watched.get(signal);
    if (known === undefined || !known.calls.delete(call) || known.calls.size > 0) return;
    this.watched.delete(signal);
    signal.removeEventListener('abort', known.listener);
  }
}
