/**
 * A cluster that lives as long as a demonstration, a chaos run or a test: a folder of its own, free ports, nodes started,
 * killed, paused and started again by index. Facts about it are awaited with a bound, never slept for.
 * Guarded: `stop` ends every process and removes the folder, whatever happened before.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from './free-ports.js';
import { LocalCluster, type LocalNode } from './local.js';
import { askNode, type ProbeReply, recordOf } from './probe.js';

const HOST = '127.0.0.1';
const READY_LIMIT_MS = 60_000;
const POLL_INTERVAL_MS = 50;
const ASK_TIMEOUT_MS = 5000;

export interface TemporaryClusterOptions {
  nodes: number;
  /** How many of them start at once; the others wait for `start`. Default all. */
  startedNodes?: number;
  /** Program and words that run one node; flags follow. */
  command: readonly string[];
  flags?: readonly string[];
  /** Settings that have no flag: every node reads them from one file. */
  settings?: Readonly<Record<string, string | number | boolean>>;
  /** Further flags of one node, by its index: they go before those for every node. */
  flagsOf?: (index: number) => readonly string[];
  /** Told every line that a node says. */
  onLine?: (node: LocalNode, line: string) => void;
  /** What one node finds in its environment beside this process's own, by its index. */
  environmentOf?: (index: number) => Readonly<Record<string, string>>;
  /** Ends what is waited for. `stop` is called as ever. */
  signal?: AbortSignal;
}

export type Status = Record<string, ProbeReply>;

export class TemporaryCluster {
  readonly nodes: readonly LocalNode[];
  /** `host:port` of each node, for clients. */
  readonly servers: readonly string[];

  private readonly started = new Set<number>();

  private constructor(
    private readonly local: LocalCluster,
    readonly directory: string,
    private readonly signal: AbortSignal | null,
  ) {
    this.nodes = local.nodes;
    this.servers = local.nodes.map((node) => `${HOST}:${node.port}`);
  }

  /** Starts it and waits until all started nodes see each other. */
  static async start(options: TemporaryClusterOptions, print: (line: string) => void): Promise<TemporaryCluster> {
    const directory = await mkdtemp(join(tmpdir(), 'hearsay-'));
    const port = await freePorts(HOST, options.nodes * 2);
    const settingsFile = join(directory, 'settings.json');
    await writeFile(settingsFile, JSON.stringify(options.settings ?? {}), { mode: 0o600 });
    const local = new LocalCluster(
      {
        nodes: options.nodes,
        host: HOST,
        port,
        gossipPort: port + options.nodes,
        dataDirectory: directory,
        verbose: false,
        command: options.command,
        flags: ['--config', settingsFile, ...(options.flags ?? [])],
        password: null,
        flagsOf: options.flagsOf,
        onLine: options.onLine,
        environmentOf: options.environmentOf,
      },
      print,
    );
    const cluster = new TemporaryCluster(local, directory, options.signal ?? null);
    try {
      for (let index = 0; index < (options.startedNodes ?? options.nodes); index++) cluster.start(index);
      await cluster.untilReady();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  start(index: number): void {
    this.started.add(index);
    this.local.startNode(this.nodes[index]);
  }

  /** Whether it was ever started. */
  wasStarted(index: number): boolean {
    return this.started.has(index);
  }

  /** SIGKILL: no goodbye, nothing flushed. Resolves when the process is gone. */
  kill(index: number): Promise<void> {
    return this.local.stopNode(this.nodes[index], 'SIGKILL');
  }

  /** SIGTERM: resolves when the process has said goodbye and ended. */
  end(index: number): Promise<void> {
    return this.local.stopNode(this.nodes[index], 'SIGTERM');
  }

  pause(index: number): void {
    this.nodes[index].process?.kill('SIGSTOP');
  }

  resume(index: number): void {
    this.nodes[index].process?.kill('SIGCONT');
  }

  /** Indexes of the nodes whose process runs. */
  running(): number[] {
    return [...this.nodes.keys()].filter((index) => this.nodes[index].process !== null);
  }

  /** One command to one node, over a connection of its own; an error reply is thrown. */
  async ask(index: number, ...words: string[]): Promise<ProbeReply> {
    const [reply] = await askNode(HOST, this.nodes[index].port, [words], ASK_TIMEOUT_MS);
    if (reply instanceof Error) throw reply;
    return reply;
  }

  async status(index: number): Promise<Status> {
    return recordOf(await this.ask(index, 'HEARSAY.STATUS')) ?? {};
  }

  /** Every running node is ready and sees all others alive. */
  async untilReady(limitMs = READY_LIMIT_MS): Promise<void> {
    await this.until('the cluster is ready', limitMs, async () => {
      const running = this.running();
      const states = await Promise.all(running.map((index) => this.status(index)));
      return states.every((status) => status.ready === 1 && Number(status.members_alive) === running.length);
    });
  }

  /** Asks again until the fact holds; a question that fails is a fact that does not hold. Throws past the bound. */
  async until(what: string, limitMs: number, fact: () => Promise<boolean> | boolean): Promise<void> {
    const deadline = Date.now() + limitMs;
    let failure = '';
    for (;;) {
      try {
        if (await fact()) return;
        failure = '';
      } catch (error) {
        failure = `: ${(error as Error).message}`;
      }
      this.signal?.throwIfAborted();
      if (Date.now() > deadline) throw new Error(`not so after ${limitMs / 1000} s: ${what}${failure}`);
      await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL_MS));
    }
  }

  async stop(): Promise<void> {
    await Promise.all(
      this.running().map((index) => {
        this.resume(index);
        return this.kill(index);
      }),
    );
    await rm(this.directory, { recursive: true, force: true, maxRetries: 3 });
  }
}
