/**
 * What a verb sees of the process that runs it: where text goes, the environment, and the signals to stop.
 * main.ts builds the real one; tests hand in their own.
 */

export interface Terminal {
  out(text: string): void;
  error(text: string): void;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Whether a person reads `out`. */
  readonly interactive: boolean;
  /** Path of the launcher, to start more processes with; null when there is none. */
  readonly launcher: string | null;
  /** Called at SIGINT and SIGTERM, as often as they come. */
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
  return {
    out: (text) => process.stdout.write(text),
    error: (text) => process.stderr.write(text),
    environment: process.env,
    interactive: process.stdout.isTTY === true,
    launcher,
    onStopSignal: (listener) => {
      process.on('SIGINT', listener);
      process.on('SIGTERM', listener);
    },
  };
}
