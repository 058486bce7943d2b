/**
 * What a verb sees of the process that runs it: where text goes, the environment, and the signals to stop.
 * main.ts builds the real one; tests hand in their own.
 */
import { invocation } from './invocation.js';

export interface Terminal {
  out(text: string): void;
  error(text: string): void;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Whether a person reads `out`. */
  readonly interactive: boolean;
  /** Path of the launcher, to start more processes with; null when there is none. */
  readonly launcher: string | null;
  /** How this program was started, as words to paste before a verb. */
  readonly program: string;
  /** What `out` failed with, null while all has gone out; of code EPIPE when nobody reads any more, as behind `| head`. */
  outFailure(): NodeJS.ErrnoException | null;
  /** Called at SIGINT and SIGTERM, as often as they come, and when `out` fails: what is done for a reader is done then. */
  onStopSignal(listener: () => void): void;
}

/** Wrong usage or settings: one line each, exit code 2. */
export class UsageError extends Error {
  readonly lines: readonly string[];

  constructor(lines: readonly string[]) {
    super(lines.join('\n'));
    this.name = 'UsageError';
    this.lines = lines;
  }
}

export function processTerminal(launcher: string | null): Terminal {
  let failure: NodeJS.ErrnoException | null = null;
  const listeners: (() => void)[] = [];
  process.stdout.on('error', (error) => {
    if (failure !== null) return;
    failure = error;
    for (const listener of listeners) listener();
  });
  // There is nobody to tell; what was to be done is done all the same.
  process.stderr.on('error', () => {});
  return {
    out: (text) => process.stdout.write(text),
    error: (text) => process.stderr.write(text),
    environment: process.env,
    interactive: process.stdout.isTTY === true,
    launcher,
    program: launcher === null ? 'hearsay' : invocation(process.argv[1], process.env, process.cwd()),
    // The stream knows before its event: a verb that never waits sees it, too.
    outFailure: () => failure ?? process.stdout.errored,
    onStopSignal: (listener) => {
      listeners.push(listener);
      process.on('SIGINT', listener);
      process.on('SIGTERM', listener);
    },
  };
}
