/**
 * One server under test, Hearsay or Redis, started and stopped as an operator would, on the servers' core.
 * Cases ask it questions, read what the kernel has counted for it, and freeze it while its peer is measured.
 * Guarded: a start that fails says what the server said; both sides get the same durability in their own words.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from '../free-ports.js';
import { askNode, type ProbeReply, recordOf } from '../probe.js';
import { cpuSeconds, diskWriteBytes, pssBytes } from './accounting.js';
import type { BenchContext } from './context.js';
import { killGroup } from './processes.js';

export const HOST = '127.0.0.1';
const READY_LIMIT_MS = 120_000;
const STOP_LIMIT_MS = 60_000;
const POLL_INTERVAL_MS = 5;
const ASK_LIMIT_MS = 60_000;
const SAID_CHARACTERS_MAX = 4000;
const LAST_WORDS_CHARACTERS_MAX = 300;

export type Side = 'hearsay' | 'redis';
export type Durability = 'off' | 'interval' | 'always';

export interface ServerOptions {
  readonly durability: Durability;
  /** Hearsay's --max-memory. Redis gets a limit only with `limitRedis`, as it would evict by it. */
  readonly memoryBytes: number;
  /** Redis: maxmemory and maxmemory-policy. */
  readonly limitRedis?: { readonly bytes: number; readonly policy: string };
  /** Further words for the side's command line. */
  readonly hearsayWords?: readonly string[];
  readonly redisWords?: readonly string[];
  /** Starts on what an earlier server left. */
  readonly directory?: string;
}

export class BenchServer {
  private said = '';

  private constructor(
    readonly side: Side,
    readonly port: number,
    readonly directory: string,
    /** When its process was started, by the monotonic clock. */
    readonly startedMs: number,
    private readonly child: ChildProcess,
  ) {}

  /** Starts it; resolves when it answers and is ready. */
  static async start(context: BenchContext, side: Side, options: ServerOptions): Promise<BenchServer> {
    const server = await BenchServer.launch(context, side, options);
    await server.untilReady();
    return server;
  }

  /** Starts it and returns at once. */
  static async launch(context: BenchContext, side: Side, options: ServerOptions): Promise<BenchServer> {
    const directory = options.directory ?? mkdtempSync(join(context.directory, `${side}-`));
    const port = await freePorts(HOST, 2);
    const words = side === 'hearsay' ? hearsayWords(context, options, port) : redisWords(context, options, port);
    const data = side === 'hearsay' ? '--data' : '--dir';
    const startedMs = performance.now();
    const child = context.children.start([...context.pinning.server, ...words, data, directory]);
    return new BenchServer(side, port, directory, startedMs, child).listen();
  }

  get pid(): number {
    return this.child.pid as number;
  }

  get running(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null && this.child.pid !== undefined;
  }

  /** Asks again until it takes commands. */
  async untilReady(limitMs = READY_LIMIT_MS): Promise<void> {
    const deadline = performance.now() + limitMs;
    while (!(await this.isReady())) {
      if (!this.running) throw new Error(this.lastWords());
      if (performance.now() > deadline) throw new Error(`${this.side} was not ready in ${limitMs / 1000} s`);
      await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL_MS));
    }
  }

  /** Asks one command again and again until it has an answer that is neither null nor an error; ms since the start. */
  async firstAnswerMs(...words: string[]): Promise<number> {
    const deadline = performance.now() + READY_LIMIT_MS;
    for (;;) {
      try {
        if ((await this.ask(...words)) !== null) return performance.now() - this.startedMs;
      } catch {
        // Not listening yet, or still loading.
      }
      if (!this.running) throw new Error(this.lastWords());
      if (performance.now() > deadline) throw new Error(`${this.side} did not answer in ${READY_LIMIT_MS / 1000} s`);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  /** One command; an error reply is thrown. */
  async ask(...words: string[]): Promise<ProbeReply> {
    const [reply] = await askNode(HOST, this.port, [words], ASK_LIMIT_MS);
    if (reply instanceof Error) throw reply;
    return reply;
  }

  /** Hearsay: HEARSAY.STATUS, with the figures of its log among the others. */
  async status(): Promise<Record<string, number>> {
    const status = recordOf(await this.ask('HEARSAY.STATUS')) ?? {};
    const numbers: Record<string, number> = {};
    const log = Array.isArray(status.log) ? status.log.flat() : [];
    for (const [name, value] of Object.entries({ ...status, ...recordOf(log) })) numbers[name] = Number(value);
    return numbers;
  }

  /** Redis: one figure of INFO. */
  async info(field: string): Promise<number> {
    const text = String(await this.ask('INFO'));
    const found = new RegExp(`^${field}:(.*?)\r?$`, 'm').exec(text);
    if (found === null) throw new Error(`redis: INFO has no ${field}`);
    return Number(found[1]);
  }

  cpuSeconds(): number {
    return cpuSeconds(this.pid);
  }

  pssBytes(): number {
    const bytes = pssBytes(this.pid);
    if (bytes === 0) throw new Error(`the kernel does not say how much memory ${this.side} uses`);
    return bytes;
  }

  diskWriteBytes(): number {
    return diskWriteBytes(this.pid);
  }

  /** Takes it off the core while the other side is measured. */
  freeze(): void {
    this.child.kill('SIGSTOP');
  }

  thaw(): void {
    this.child.kill('SIGCONT');
  }

  /** Resolves when the process has ended; SIGTERM lets it write what it wants to write. */
  async stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (!this.running) return;
    const ended = once(this.child, 'exit');
    this.thaw();
    if (signal === 'SIGKILL') killGroup(this.child);
    else this.child.kill(signal);
    const timer = setTimeout(() => killGroup(this.child), STOP_LIMIT_MS);
    await ended;
    clearTimeout(timer);
  }

  /** Ends it and removes its data. */
  async discard(): Promise<void> {
    await this.stop('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 3 });
  }

  private listen(): this {
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.said = (this.said + text).slice(-SAID_CHARACTERS_MAX);
      });
    }
    return this;
  }

  private lastWords(): string {
    const lines = this.said.trim().split('\n');
    return `${this.side} ended at its start: ${lines[lines.length - 1].slice(0, LAST_WORDS_CHARACTERS_MAX) || 'it said nothing'}`;
  }

  private async isReady(): Promise<boolean> {
    try {
      if ((await this.ask('PING')) !== 'PONG') return false;
      return this.side === 'redis' || (await this.status()).ready === 1;
    } catch {
      return false;
    }
  }
}

/** The sides present, in the order in which each round measures them. */
export function sidesOf(context: BenchContext): Side[] {
  return context.redisServer === null ? ['hearsay'] : ['hearsay', 'redis'];
}

function hearsayWords(context: BenchContext, options: ServerOptions, port: number): string[] {
  return [
    ...[...context.command, 'serve', '--bind', HOST, '--port', String(port), '--gossip-port', String(port + 1)],
    ...['--replicas', '1', '--durability', options.durability],
    ...['--max-memory', String(Math.ceil(options.memoryBytes))],
    ...['--log-level', 'warn', '--log-format', 'json', '--stop-with-stdin', ...(options.hearsayWords ?? [])],
  ];
}

function redisWords(context: BenchContext, options: ServerOptions, port: number): string[] {
  if (context.redisServer === null) throw new Error('redis-server is not on PATH');
  const append = options.durability === 'off' ? ['--appendonly', 'no'] : ['--appendonly', 'yes'];
  const sync = options.durability === 'always' ? 'always' : 'everysec';
  const limit = options.limitRedis;
  return [
    ...[context.redisServer, '--bind', HOST, '--port', String(port), '--save', '', '--loglevel', 'warning'],
    ...append,
    ...['--appendfsync', sync],
    ...(limit === undefined ? [] : ['--maxmemory', String(limit.bytes), '--maxmemory-policy', limit.policy]),
    ...(options.redisWords ?? []),
  ];
}
