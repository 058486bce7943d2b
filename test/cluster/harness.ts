/**
 * Real processes for tests: the built command line, one node or a temporary cluster, raw RESP connections, and facts awaited
 * with a bound. Tests in test/cluster and test/clients use it; `npm test` builds before it runs them.
 * Guarded: what a test starts ends with it, since nodes stop when their standard input closes.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { askNode, type ProbeReply, recordOf } from '../../cluster/probe.js';
import { TemporaryCluster } from '../../cluster/temporary.js';

const LAUNCHER = fileURLToPath(new URL('../../bin/hearsay.js', import.meta.url));
export const SERVE = [process.execPath, LAUNCHER, 'serve'] as const;
export const HOST = '127.0.0.1';

/** A cluster whose lines are kept out of the report. */
export function startCluster(nodes: number, flags: readonly string[] = [], startedNodes = nodes) {
  return TemporaryCluster.start({ nodes, startedNodes, command: SERVE, flags }, () => {});
}

export function temporaryDirectory(): string {
  return mkdtempSync(join(tmpdir(), 'hearsay-test-'));
}

export function removeDirectory(directory: string): void {
  rmSync(directory, { recursive: true, force: true, maxRetries: 3 });
}

/** A process of the command line, with what it has said. */
export class CommandProcess {
  readonly lines: string[] = [];
  readonly ended: Promise<number | NodeJS.Signals>;

  constructor(
    readonly child: ChildProcess,
    private readonly onLine: Set<() => void> = new Set(),
  ) {
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on('line', (line) => {
        this.lines.push(line);
        for (const listener of this.onLine) listener();
      });
    }
    this.ended = once(child, 'close').then(([code, signal]) => code ?? signal);
  }

  /** Resolves with the first line that the pattern fits; rejects when the process ends without it. */
  async line(pattern: RegExp): Promise<string> {
    const found = (): string | undefined => this.lines.find((line) => pattern.test(line));
    let listener = (): void => {};
    const said = new Promise<void>((resolve) => {
      listener = () => {
        if (found() !== undefined) resolve();
      };
      this.onLine.add(listener);
      listener();
    });
    await Promise.race([said, this.ended]);
    this.onLine.delete(listener);
    const line = found();
    if (line === undefined) throw new Error(`the process ended without ${pattern}: ${this.lines.join('\n')}`);
    return line;
  }

  async kill(signal: NodeJS.Signals): Promise<number | NodeJS.Signals> {
    this.child.kill(signal);
    return this.ended;
  }
}

/** Runs the command line; `wrap` are words put before it, as `prlimit --fsize=1`. */
export function run(words: readonly string[], wrap: readonly string[] = []): CommandProcess {
  const [program, ...rest] = [...wrap, process.execPath, LAUNCHER, ...words];
  return new CommandProcess(spawn(program, rest, { stdio: ['pipe', 'pipe', 'pipe'] }));
}

/** Starts one node and waits until it takes clients. */
export async function startNode(
  port: number,
  data: string,
  flags: readonly string[] = [],
  wrap: readonly string[] = [],
) {
  const words = ['serve', '--port', String(port), '--gossip-port', String(port + 1), '--data', data];
  const node = run([...words, '--log-format', 'json', '--stop-with-stdin', ...flags], wrap);
  await node.line(/"msg":"listening"/);
  return node;
}

/** The replies to some commands; errors are values. */
export function ask(port: number, ...commands: (readonly string[])[]): Promise<ProbeReply[]> {
  return askNode(HOST, port, commands, 10_000);
}

export async function statusOf(port: number): Promise<Record<string, ProbeReply>> {
  const [reply] = await ask(port, ['HEARSAY.STATUS']);
  return recordOf(reply) ?? {};
}

/** Asks again until the fact holds; throws past the bound. */
export async function until(what: string, limitMs: number, fact: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!(await fact())) {
    if (performance.now() > deadline) throw new Error(`not so after ${limitMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The value below which `part` of the figures lie, from 0 to 1. */
export function quantile(figures: readonly number[], part: number): number {
  const sorted = [...figures].sort((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.ceil(part * sorted.length) - 1)];
}
