/**
 * A node driven inside this process, without sockets, as an embedding program would: `hearsay bench-child in-process SPEC` runs
 * it for the benchmark suite and prints operations per second. The node is the real one on a real disk; this file only gives it
 * its turns, as a world does.
 * Guarded: every operation happens inside a turn; disk completions reach the node, so that its log moves on as in production.
 */
import type { InProcessResult, InProcessSpec } from '../../cluster/bench/in-process.js';
import type { Keyspace } from '../core/commands/keyspace.js';
import { completeConfig } from '../core/config.js';
import { HearsayNode } from '../core/node.js';
import { NodeDisk } from '../system/disk.js';
import { NodeLog, StandardOutput } from '../system/log.js';
import { NodeWorld } from '../system/world.js';

const KEY_DIGITS = 12;
const ZERO = 0x30;
const TICK_INTERVAL_MS = 25;
/** The event loop has its say after so many turns. */
const TURNS_PER_POLL = 16;
const MEMORY_BYTES = 1024 * 1024 * 1024;

export async function benchInProcess(spec: InProcessSpec): Promise<InProcessResult> {
  const driver = await Driver.open(spec);
  try {
    await driver.fill();
    const result: InProcessResult = { get: [], set: [] };
    for (let round = 0; round < spec.rounds; round++) {
      result.get.push(await driver.run(() => driver.get()));
      result.set.push(await driver.run(() => driver.set()));
    }
    return result;
  } finally {
    await driver.close();
  }
}

class Driver {
  private readonly keyspace: Keyspace;
  private readonly value: Buffer;
  private readonly target: Buffer;
  /** The keys of a turn, each written just before its operation, as a program has it that made it: the keyspace takes bytes to stay. */
  private readonly keys: Buffer;
  private readonly keyBytes = 4 + KEY_DIGITS;
  private keyStart = 0;
  private random: number;
  private nextTickMs = 0;

  private constructor(
    private readonly spec: InProcessSpec,
    private readonly node: HearsayNode,
    private readonly disk: NodeDisk,
  ) {
    this.keyspace = node.keyspace;
    this.random = spec.seed;
    this.value = Buffer.alloc(spec.valueBytes, 'v');
    this.target = Buffer.alloc(spec.valueBytes);
    this.keys = Buffer.from(`key:${'0'.repeat(KEY_DIGITS)}`.repeat(spec.operationsPerTurn), 'latin1');
  }

  static async open(spec: InProcessSpec): Promise<Driver> {
    const { config } = completeConfig({
      data: spec.directory,
      durability: 'off',
      replicas: 1,
      maxMemory: MEMORY_BYTES,
      port: 0,
      logLevel: 'warn',
    });
    if (config === null) throw new Error('the settings of the benchmark are refused');
    const log = new NodeLog(new StandardOutput(), { node: null, level: 'error', format: 'json', terminal: false });
    const world = new NodeWorld(log, { ...config, faultInjection: false });
    const running = { node: null as HearsayNode | null };
    const disk = await NodeDisk.open(config.data, (token, error) => running.node?.diskCompleted(token, error));
    const node = new HearsayNode(world.portsOver(disk), config, { seed: [spec.seed, 2, 3] });
    running.node = node;
    node.turnStarted(performance.now(), Date.now());
    node.start();
    node.turnEnded();
    return new Driver(spec, node, disk);
  }

  async fill(): Promise<void> {
    const { entries } = this.spec;
    for (let index = 0; index < entries; ) {
      this.beginTurn();
      for (const end = Math.min(entries, index + this.spec.operationsPerTurn); index < end; index++) {
        this.nameKey(index);
        this.set();
      }
      this.node.turnEnded();
      if (index % (this.spec.operationsPerTurn * TURNS_PER_POLL) === 0) await poll();
    }
  }

  /** Runs one operation on random keys for the time of a round; operations per second. */
  async run(operate: () => void): Promise<number> {
    const { entries, operationsPerTurn, runMs } = this.spec;
    const startedMs = performance.now();
    let operations = 0;
    let elapsedMs = 0;
    while (elapsedMs < runMs) {
      for (let turn = 0; turn < TURNS_PER_POLL; turn++) {
        this.beginTurn();
        for (let index = 0; index < operationsPerTurn; index++) {
          this.random = (Math.imul(this.random, 1664525) + 1013904223) >>> 0;
          this.nameKey(Math.floor((this.random / 2 ** 32) * entries));
          operate();
        }
        this.node.turnEnded();
      }
      operations += TURNS_PER_POLL * operationsPerTurn;
      await poll();
      elapsedMs = performance.now() - startedMs;
    }
    return (operations / elapsedMs) * 1000;
  }

  get(): void {
    const { keyspace, keyStart } = this;
    if (!keyspace.lookup(this.keys, keyStart, keyStart + this.keyBytes)) throw new Error('an entry is gone');
    keyspace.entry.buffer.copy(this.target, 0, keyspace.entry.valueStart, keyspace.entry.valueEnd);
  }

  set(): void {
    const { keys, keyStart, value } = this;
    this.keyspace.put(keys, keyStart, keyStart + this.keyBytes, value, 0, value.length, 0);
  }

  /** Makes the key of an entry: its number in decimal. */
  private nameKey(index: number): void {
    const { keys } = this;
    this.keyStart = (this.keyStart + this.keyBytes) % keys.length;
    let left = index;
    for (let at = this.keyStart + this.keyBytes - 1; at >= this.keyStart + 4; at--) {
      const rest = Math.floor(left / 10);
      keys[at] = ZERO + left - rest * 10;
      left = rest;
    }
  }

  async close(): Promise<void> {
    this.node.turnStarted(performance.now(), Date.now());
    this.node.shutdown();
    await this.disk.release();
  }

  private beginTurn(): void {
    const nowMs = performance.now();
    this.node.turnStarted(nowMs, Date.now());
    if (nowMs < this.nextTickMs) return;
    this.nextTickMs = nowMs + TICK_INTERVAL_MS;
    this.node.tick();
  }
}

/** Lets completions of the disk in. */
function poll(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
