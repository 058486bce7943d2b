/**
 * A cluster on this machine: N processes of `hearsay serve`, started, watched and stopped from outside, as an operator would.
 * `hearsay cluster` runs `runLocalCluster`; demonstrations and chaos runs hold a `LocalCluster` of their own.
 * Guarded: a taken port or directory is found before anything starts; no node outlives the cluster, since each stops when its standard
 * input ends; stopping has a bound, after which nodes are killed. A node that was started again by hand is asked to stop with the others
 * (holders.ts) and never killed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { type Holder, holderOf, stopHolder } from './holders.js';
import { withHugePages } from './huge-pages.js';
import { portTaken } from './ports.js';
import { askNode, type ProbeReply, recordOf } from './probe.js';

const READY_LIMIT_MS = 30_000;
const STOP_LIMIT_MS = 10_000;
const PROBE_INTERVAL_MS = 100;
/** How often it is asked whether a node runs that was started by hand, when none of the cluster's own does. */
const HOLDER_INTERVAL_MS = 1000;
/** How the log line begins by which a node says that it has given its place up. */
const LEFT = 'left for good';
const PROBE_TIMEOUT_MS = 1000;

export interface LocalClusterOptions {
  nodes: number;
  host: string;
  /** RESP port of the first node, and its gossip port; the next nodes follow. */
  port: number;
  gossipPort: number;
  /** Holds a directory for each node. */
  dataDirectory: string;
  /** Show all log lines, not only warnings and errors. */
  verbose: boolean;
  /** Program and words that run one node; flags follow. */
  command: readonly string[];
  /** Flags for every node. */
  flags: readonly string[];
  /** What nodes take from the environment, as words of a shell: they stand before a command that starts one again. */
  environment?: readonly string[];
  /** What one node finds in its environment beside this process's own, by its index. */
  environmentOf?: (index: number) => Readonly<Record<string, string>>;
  password: string | null;
  readyLimitMs?: number;
  /** Further flags of one node, by its index: they go before those for every node. */
  flagsOf?: (index: number) => readonly string[];
  /** Told every line that a node says, shown or not. */
  onLine?: (node: LocalNode, line: string) => void;
}

export type PrintLine = (line: string) => void;

export interface LocalNode {
  readonly name: string;
  readonly port: number;
  readonly gossipPort: number;
  readonly dataDirectory: string;
  process: ChildProcess | null;
  /** Set before a stop or kill that is wanted, so that it is not reported as a death. */
  expectedToEnd: boolean;
  /** Ends of its processes that nobody asked for, since the cluster was made. */
  unaskedEnds: number;
  /** Whether its last process has said that it gave its place up. */
  hasLeft: boolean;
}

export class LocalCluster {
  readonly nodes: LocalNode[];
  private readonly options: LocalClusterOptions;
  private readonly print: PrintLine;

  constructor(options: LocalClusterOptions, print: PrintLine) {
    this.options = options;
    this.print = print;
    this.nodes = Array.from({ length: options.nodes }, (_, index) => ({
      name: `node-${index + 1}`,
      port: options.port + index,
      gossipPort: options.gossipPort + index,
      dataDirectory: join(options.dataDirectory, `node-${index + 1}`),
      process: null,
      expectedToEnd: false,
      unaskedEnds: 0,
      hasLeft: false,
    }));
  }

  /** One line that names the first port that is taken, or null. */
  async takenPort(): Promise<string | null> {
    for (const node of this.nodes) {
      for (const port of [node.port, node.gossipPort]) {
        if (!(await portTaken(this.options.host, port))) continue;
        const holder = holderOf(node.dataDirectory);
        const elsewhere = 'stop what uses it, or choose other ports with --port';
        if (holder === null) return `port ${port} is in use: ${elsewhere}`;
        if (!holder.certain) return `port ${port} is in use: ${elsewhere}; ${mayHold(node, holder)}`;
        const who = `process ${holder.pid}, a node on ${node.dataDirectory}`;
        return `port ${port} is in use by ${who}: stop it with 'kill ${holder.pid}', or choose other --port and --data`;
      }
    }
    return null;
  }

  /** Starts every node; returns at once. Look at `takenPort` first. */
  start(): void {
    for (const node of this.nodes) this.startNode(node);
  }

  startNode(node: LocalNode): void {
    const { command, verbose } = this.options;
    const words = [...command.slice(1), ...this.flagsOf(node), '--log-format', 'json', '--stop-with-stdin'];
    node.expectedToEnd = false;
    node.hasLeft = false;
    let expected = false;
    // A group of its own: Ctrl-C reaches the cluster alone, which then stops the nodes in order.
    const env = { ...withHugePages(process.env), ...this.options.environmentOf?.(this.nodes.indexOf(node)) };
    const child = spawn(command[0], words, { env, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    node.process = child;
    let left = false;
    child.stdin.on('error', () => {});
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on('line', (line) => {
        this.options.onLine?.(node, line);
        left ||= messageIn(line).startsWith(LEFT);
        if (left && (node.process === child || node.process === null)) node.hasLeft = true;
        const shown = logLine(line, verbose);
        if (shown !== null) this.print(`${node.name} | ${shown}`);
      });
    }
    child.on('error', (error) => this.print(`${node.name} | could not be started: ${error.message}`));
    child.on('exit', (code, signal) => {
      if (node.process === child) node.process = null;
      // The next one may have been started before this one's last lines are read.
      expected = node.expectedToEnd;
      if (expected) return;
      node.unaskedEnds++;
      if (code !== 0)
        this.reportEnd(node, `died (${signal ?? `exit code ${code}`}); the others go on. To start it again`);
    });
    // Whether it has left stands in its last lines, which may be read after its end.
    child.on('close', (code) => {
      if (code !== 0 || expected) return;
      if (left) this.reportEnd(node, 'left for good: others have its place. To have it join anew');
      else this.reportEnd(node, 'was stopped, and keeps its place for a while; the others go on. To start it again');
    });
  }

  private reportEnd(node: LocalNode, what: string): void {
    this.print(`${node.name} ${what}:`);
    this.print(`  ${this.restartCommand(node)}`);
  }

  /** The words for a shell that start this node as the cluster has it, from any directory. */
  restartCommand(node: LocalNode): string {
    const { command, environment = [] } = this.options;
    return [...environment, ...[...command, ...this.flagsOf(node)].map(shellWord)].join(' ');
  }

  private flagsOf(node: LocalNode): string[] {
    const { flags, host } = this.options;
    const others = this.nodes.filter((other) => other !== node).map((other) => `${host}:${other.gossipPort}`);
    return [
      ...flags,
      ...(this.options.flagsOf?.(this.nodes.indexOf(node)) ?? []),
      ...['--id', node.name, '--bind', host, '--port', String(node.port), '--gossip-port', String(node.gossipPort)],
      ...['--data', resolve(node.dataDirectory)],
      ...(others.length > 0 ? ['--join', others.join(',')] : []),
    ];
  }

  /** Nodes whose process runs. */
  running(): LocalNode[] {
    return this.nodes.filter((node) => node.process !== null);
  }

  /** Resolves when every node says it is ready and sees all others alive; with a line that says why, when it will not. */
  async untilReady(stopping: () => boolean): Promise<string | null> {
    const limitMs = this.options.readyLimitMs ?? READY_LIMIT_MS;
    const deadline = Date.now() + limitMs;
    let waiting = this.nodes;
    while (!stopping()) {
      const dead = this.nodes.find((node) => node.process === null);
      if (dead !== undefined) return `${dead.name} ended before the cluster was ready`;
      const states = await Promise.all(waiting.map((node) => this.isReady(node)));
      waiting = waiting.filter((_, index) => !states[index]);
      if (waiting.length === 0) return null;
      if (Date.now() > deadline) {
        return `not ready after ${limitMs / 1000} s: ${waiting.map((node) => node.name).join(', ')}`;
      }
      await new Promise((resolve) => setTimeout(resolve, PROBE_INTERVAL_MS));
    }
    return null;
  }

  /** Nodes that run on their data directories and were not started by the cluster, but by hand, as it advises. */
  startedByHand(): { node: LocalNode; holder: Holder }[] {
    return this.nodes.flatMap((node) => {
      const holder = node.process === null ? holderOf(node.dataDirectory) : null;
      return holder === null ? [] : [{ node, holder }];
    });
  }

  /** Asks every node to stop, those started by hand too, waits, and kills what is left of its own. */
  async stop(): Promise<void> {
    await Promise.all([
      ...this.startedByHand().map(({ node, holder }) => this.stopStartedByHand(node, holder)),
      ...this.nodes.map((node) => this.stopNode(node, 'SIGTERM')),
    ]);
  }

  private async stopStartedByHand(node: LocalNode, holder: Holder): Promise<void> {
    const { name } = node;
    if (!holder.certain) {
      this.print(`${name}: ${mayHold(node, holder)}`);
      return;
    }
    const who = `${name}, started by hand (process ${holder.pid})`;
    this.print(`stopping ${who}`);
    if (!(await stopHolder(holder, STOP_LIMIT_MS))) this.print(`${who}, still runs: 'kill ${holder.pid}' stops it`);
  }

  /** SIGTERM lets a node say goodbye; SIGKILL does not. Resolves when its process has ended. */
  async stopNode(node: LocalNode, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = node.process;
    node.expectedToEnd = true;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    const kill = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
    await ended;
    clearTimeout(kill);
  }

  private async isReady(node: LocalNode): Promise<boolean> {
    const { host, nodes, password } = this.options;
    const greeting = password === null ? [] : [['AUTH', password]];
    try {
      const replies = await askNode(host, node.port, [...greeting, ['PING'], ['HEARSAY.STATUS']], PROBE_TIMEOUT_MS);
      const [ping, status] = replies.slice(-2);
      return ping === 'PONG' && seesAll(recordOf(status), nodes);
    } catch {
      return false;
    }
  }
}

/**
 * Runs a cluster until `onStop` calls its listener; returns the exit code. `prepare` is called when the ports are known to be free
 * and before anything starts; what it throws is thrown on.
 */
export async function runLocalCluster(
  options: LocalClusterOptions,
  print: PrintLine,
  complain: PrintLine,
  onStop: (listener: () => void) => void,
  prepare: (nodes: readonly LocalNode[]) => Promise<void> = () => Promise.resolve(),
): Promise<number> {
  const cluster = new LocalCluster(options, print);
  const taken = await cluster.takenPort();
  if (taken !== null) {
    complain(`hearsay: ${taken}`);
    return 1;
  }
  await prepare(cluster.nodes);
  let stopping = false;
  const stopAsked = new Promise<void>((resolve) =>
    onStop(() => {
      stopping = true;
      resolve();
    }),
  );
  cluster.start();
  const failure = await cluster.untilReady(() => stopping);
  if (failure !== null) {
    complain(`hearsay: ${failure}`);
    await cluster.stop();
    return 1;
  }
  if (!stopping) for (const line of readyLines(cluster.nodes, options)) print(line);
  const allEnded = Promise.all(
    cluster.nodes.map((node) => (node.process === null ? null : once(node.process, 'close'))),
  );
  await Promise.race([stopAsked, allEnded]);
  while (!stopping && cluster.startedByHand().some(({ holder }) => holder.certain)) {
    await Promise.race([stopAsked, new Promise((resolve) => setTimeout(resolve, HOLDER_INTERVAL_MS))]);
  }
  if (stopping) print('stopping');
  await cluster.stop();
  if (!stopping) complain('hearsay: no node runs any more');
  return stopping ? 0 : 1;
}

/** What a lock file alone says of a process: its id may have passed to another since. */
function mayHold(node: LocalNode, { pid }: Holder): string {
  return `the lock file of ${node.dataDirectory} names process ${pid}, which may be a node on it or have nothing to do with it`;
}

/** A word as a shell takes it back. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** What a person reads once the cluster stands. */
export function readyLines(nodes: readonly LocalNode[], options: { host: string }): string[] {
  const rows = [
    ['NODE', 'RESP', 'GOSSIP', 'DATA'],
    ...nodes.map((node) => [
      node.name,
      `${options.host}:${node.port}`,
      `${options.host}:${node.gossipPort}`,
      node.dataDirectory,
    ]),
  ];
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const reader = nodes[Math.min(1, nodes.length - 1)];
  return [
    ...rows.map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]))
        .join('  ')
        .trimEnd(),
    ),
    `cluster ready: ${nodes.length} node${nodes.length === 1 ? '' : 's'}`,
    'try:',
    `  redis-cli -p ${nodes[0].port} set greeting hello`,
    `  redis-cli -p ${reader.port} get greeting`,
  ];
}

/** The message of a node's log line; empty if it is none. */
function messageIn(line: string): string {
  try {
    return String((JSON.parse(line) as { msg?: unknown }).msg ?? '');
  } catch {
    return '';
  }
}

/** A node's line as the cluster shows it; null if it is not worth showing. What is no log line is shown as it is. */
export function logLine(line: string, verbose: boolean): string | null {
  try {
    const { level, time: _time, node: _node, msg, ...fields } = JSON.parse(line) as Record<string, unknown>;
    if (typeof level !== 'string') return line;
    if (!verbose && level !== 'warn' && level !== 'error' && level !== 'fatal') return null;
    const rest = Object.entries(fields).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
    return [level.toUpperCase(), msg, ...rest].join(' ');
  } catch {
    return line.trim() === '' ? null : line;
  }
}

function seesAll(status: Record<string, ProbeReply> | null, nodes: number): boolean {
  if (status === null) return false;
  return String(status.ready) === '1' && Number(status.members_alive) >= nodes;
}
