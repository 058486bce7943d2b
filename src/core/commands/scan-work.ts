/**
 * What a node may spend in one turn on commands whose work grows with a pattern and with what is stored, and not with what they bring:
 * SCAN, KEYS, CONFIG GET and their like (flag SCANS). Sessions and the request desk ask before they run one, and charge
 * what it took: of clients who pipeline them, or of many clients, each waits for a turn with something left, and everybody else does not.
 * Guarded: a turn's work of this kind is `STEPS_PER_TURN` and one command; the first one of a turn always runs.
 */
import { globWork } from './glob.js';

/** Of patterns and keys looked at: about 3 ms. */
export const STEPS_PER_TURN = 2 * 1024 * 1024;

export class ScanWork {
  /** Commands that had to wait for another turn. */
  postponed = 0;
  private left = STEPS_PER_TURN;

  get isSpent(): boolean {
    return this.left <= 0;
  }

  turnStarted(): void {
    this.left = STEPS_PER_TURN;
  }

  /** Charges what was done since `globWork.steps` stood at `before`. */
  chargeSince(before: number): void {
    this.left -= globWork.steps - before;
  }
}
