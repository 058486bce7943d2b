/**
 * `hearsay demo`: a tour on real data, with a cluster of its own in a temporary folder.
 * It hands the process's output and signals to cluster/demo.ts and returns its exit code: 1 if a promise was broken.
 */
import { runDemo } from '../../cluster/demo.js';
import type { Terminal } from './terminal.js';
import { UsageError } from './terminal.js';

export async function runDemoVerb(terminal: Terminal): Promise<number> {
  if (terminal.launcher === null) throw new UsageError(['demo: start it by bin/hearsay.js']);
  return runDemo({
    command: [process.execPath, terminal.launcher, 'serve'],
    output: terminal,
    complain: (line) => terminal.error(`${line}\n`),
    onStop: (listener) => terminal.onStopSignal(listener),
  });
}
