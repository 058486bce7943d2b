/**
 * The machine a benchmark runs on: what it is, and which core each side gets. The report says it before any figure.
 * Guarded: without `taskset` or a second core nothing is pinned, and the report says so.
 */
import { execFileSync } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { delimiter, dirname, join } from 'node:path';

export interface Machine {
  cpu: string;
  cores: number;
  memoryGib: number;
  kernel: string;
  node: string;
  redis: string | null;
  hearsay: string;
  /** Of the checkout that the launcher lies in; null outside of one. */
  commit: string | null;
  date: string;
}

export interface Pinning {
  /** Words before a server's, and before a client's. */
  readonly server: readonly string[];
  readonly client: readonly string[];
  /** For the report. */
  readonly description: string;
}

const TOOL_LIMIT_MS = 10_000;

/** The full path of a program on PATH; null if there is none. */
export function findProgram(name: string): string | null {
  for (const directory of (process.env.PATH ?? '').split(delimiter)) {
    if (directory === '') continue;
    const path = join(directory, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {}
  }
  return null;
}

/** Servers on the first core, clients on the second; this process moves to the second, too. */
export function pinCores(): Pinning {
  const taskset = findProgram('taskset');
  const allowed = allowedCores();
  if (taskset === null || allowed.length < 2) {
    const why = taskset === null ? 'taskset is missing' : 'there is one core only';
    return { server: [], client: [], description: `nothing is pinned: ${why}; servers and clients share cores` };
  }
  const [server, client] = allowed;
  try {
    execFileSync(taskset, ['-a', '-p', '-c', String(client), String(process.pid)], { stdio: 'ignore' });
  } catch {
    // This process only waits and counts: it may stay where it is.
  }
  return {
    server: [taskset, '-c', String(server)],
    client: [taskset, '-c', String(client)],
    description: `each server with all its threads and children on core ${server}, the client on core ${client}`,
  };
}

export function describeMachine(hearsay: string, launcher: string, redisServer: string | null): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
    redis: redisServer === null ? null : redisVersion(redisServer),
    hearsay,
    commit: commitOf(dirname(launcher)),
    date: new Date().toISOString(),
  };
}

function allowedCores(): number[] {
  const status = readFileSync('/proc/self/status', 'latin1');
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1] ?? '';
  return list.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number);
    return Number.isInteger(first) ? Array.from({ length: last - first + 1 }, (_, index) => first + index) : [];
  });
}

function redisVersion(program: string): string | null {
  const text = outputOf(program, ['--version']);
  return /v=(\S+)/.exec(text ?? '')?.[1] ?? null;
}

function commitOf(directory: string): string | null {
  const commit = outputOf('git', ['-C', directory, 'rev-parse', '--short=10', 'HEAD'])?.trim() ?? '';
  return /^[0-9a-f]{7,40}$/.test(commit) ? commit : null;
}

function outputOf(program: string, words: readonly string[]): string | null {
  try {
    return execFileSync(program, words, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: TOOL_LIMIT_MS,
    });
  } catch {
    return null;
  }
}
