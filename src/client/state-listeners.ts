/**
 * Listeners of what happens to the client's connections. The application adds them by `onStateChange`; the dispatcher tells
 * them. Guarded: a change without a listener is nothing, a listener that throws is counted and stops neither the others nor
 * the client, and there are at most 100.
 */
import { HearsayError } from '../core/base/errors.js';

export type StateChange =
  /** A server answers: the first time, or again. */
  | { type: 'node-up'; server: string }
  /** A server is lost or refuses us. It is tried again as long as it is in `servers` or in the slot map. */
  | { type: 'node-down'; server: string; reason: HearsayError }
  /** The slot map names other servers than before; none when the server has no slot map. */
  | { type: 'servers-changed'; servers: readonly string[] }
  | { type: 'closed' };

export type StateListener = (change: StateChange) => void;

const LISTENERS_MAX = 100;

export class StateListeners {
  /** Listeners that threw. */
  failures = 0;
  private listeners: readonly StateListener[] = [];

  /** Gives back the function that removes it. Throws HearsayError ERR past 100, and for what is no function. */
  add(listener: StateListener): () => void {
    if (typeof listener !== 'function')
      throw new HearsayError('ERR', 'onStateChange(listener): listener must be a function');
    if (this.listeners.length >= LISTENERS_MAX) throw new HearsayError('ERR', `at most ${LISTENERS_MAX} listeners`);
    this.listeners = [...this.listeners, listener];
    return () => {
      this.listeners = this.listeners.filter((other) => other !== listener);
    };
  }

  tell(change: StateChange): void {
    for (const listener of this.listeners) {
      try {
        listener(change);
      } catch {
        this.failures++;
      }
    }
  }
}
