/**
 * Every process that a benchmark starts. Cases start servers and tools through it; the run ends them all.
 * Guarded: a tool has a time limit (redis-benchmark spins for ever on a refused connection); each child leads a group of its own
 * and is killed with it, so that a fork of a server does not stay behind; `killAll` works at exit, too, where nothing can be awaited.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { withHugePages } from '../huge-pages.js';

const OUTPUT_CHARACTERS_MAX = 16 * 1024 * 1024;

export interface ToolOutput {
  out: string;
  error: string;
}

export class Children {
  private readonly running = new Set<ChildProcess>();
  /** Set by `killAll`: what fails from now on fails because of it. */
  ended = false;
  private readonly atExit = (): void => this.killAll();

  constructor() {
    process.on('exit', this.atExit);
  }

  /** Starts a process that stays until it is killed. What it writes is kept, for the case that it dies. */
  start(words: readonly string[]): ChildProcess {
    if (this.ended) throw new Error('stopped');
    const env = withHugePages(process.env);
    const child = spawn(words[0], words.slice(1), { env, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    this.running.add(child);
    child.stdin.on('error', () => {});
    child.once('exit', () => this.running.delete(child));
    child.once('error', () => this.running.delete(child));
    return child;
  }

  /** Runs a program to its end; rejects when it fails or takes longer than `limitMs`. Its input ends when `stop` resolves. */
  async runTool(words: readonly string[], limitMs: number, stop?: Promise<void>): Promise<ToolOutput> {
    const child = this.start(words);
    stop?.then(() => child.stdin?.end());
    const name = words.find((word) => !/(?:taskset|^-c|^\d+)$/.test(word)) ?? words[0];
    const output = { out: '', error: '' };
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      if (output.out.length < OUTPUT_CHARACTERS_MAX) output.out += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      if (output.error.length < OUTPUT_CHARACTERS_MAX) output.error += text;
    });
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      killGroup(child);
    }, limitMs);
    try {
      const [code, signal] = await once(child, 'close');
      if (late) throw new Error(`${name} did not end within ${Math.round(limitMs / 1000)} s`);
      if (code !== 0) {
        throw new Error(`${name} ended with ${signal ?? code}: ${(output.error || output.out).trim().slice(-400)}`);
      }
      return output;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends everything at once; nothing can be started afterwards. */
  killAll(): void {
    this.ended = true;
    for (const child of this.running) killGroup(child);
    process.off('exit', this.atExit);
  }
}

/** SIGKILL to a child and all that it forked. */
export function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    child.kill('SIGKILL');
  }
}
