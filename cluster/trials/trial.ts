/**
 * What a trial is: a promise of the cluster under a disturbance, shown by real processes, with the figure and its bound. One file
 * beside this one for each; catalogue.ts names them, run.ts carries them out.
 * Guarded: each says how it is spoilt on purpose (`sabotage`), so that a run can show that it is able to miss.
 */
import type { Finding } from './finding.js';
import type { PacedLoad, PacedLoadOptions } from './load.js';
import type { Stage, StageOptions } from './stage.js';

export interface Trial {
  /** One word or two with a hyphen; it stays what it is, so that reports can be laid side by side. */
  readonly name: string;
  readonly title: string;
  /** What a sabotaged run does, after which a bound must be missed. */
  readonly sabotage: string;
  run(context: TrialContext): Promise<Finding[]>;
}

export interface TrialContext {
  /** Shorter and fewer, to see that it works. */
  readonly quick: boolean;
  readonly sabotage: boolean;
  readonly seed: number;
  /** Starts a cluster of its own; it is gone when the trial ends. */
  open(options: StageOptions): Promise<Stage>;
  /** Begins a load; it is stopped when the trial ends, by a failure too. */
  load(options: PacedLoadOptions): PacedLoad;
  /** A line of the timeline. */
  tell(line: string): void;
  /** A line that stands beside the figures in the report. */
  note(line: string): void;
  /** Lets time pass that belongs to the trial; rejects when the run is stopped. */
  pass(ms: number): Promise<void>;
}
