/**
 * Watches a chaos run beside its load: how many partitions differ between those who hold them, for the report, and how long a node has
 * stood still, for the judgement. A node that ended by itself is started again; that it did is counted in cluster/local.ts.
 * Guarded: a node that does not answer is passed over for that sample; nothing waits for the sampler but its own stop.
 */
import { askNode, type ProbeReply, recordOf } from '../probe.js';
import { type Arena, startAgain } from './disturbance.js';
import type { Recorder } from './recorder.js';

const INTERVAL_MS_MIN = 500;
const SAMPLES = 120;
const ANSWER_LIMIT_MS = 1000;

export class Sampler {
  /** The longest time for which a node said that its loop stood still. */
  longestGapMs = 0;
  private stopping = false;
  private wake = (): void => {};
  private readonly sampling: Promise<void>;

  constructor(
    private readonly arena: Arena,
    private readonly recorder: Recorder,
    durationMs: number,
    /** Told whenever a node has stood still for longer than any before. */
    private readonly stoodStill: (gapMs: number) => void,
  ) {
    this.sampling = this.go(Math.max(INTERVAL_MS_MIN, durationMs / SAMPLES));
  }

  async stop(): Promise<void> {
    this.stopping = true;
    this.wake();
    await this.sampling;
  }

  private async go(intervalMs: number): Promise<void> {
    while (!this.stopping && !this.arena.signal.aborted) {
      this.lookForDeaths();
      await this.sample();
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, intervalMs);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  private lookForDeaths(): void {
    const { cluster, retired, tell } = this.arena;
    for (const [index, node] of cluster.nodes.entries()) {
      if (retired.has(index) || node.process !== null || node.expectedToEnd || !cluster.wasStarted(index)) continue;
      tell(`${node.name} ended by itself: start it again`);
      startAgain(this.arena, index);
    }
  }

  /** One row of the status of gossip. */
  private lookForGap(rows: ProbeReply | undefined): void {
    const lagMs = Array.isArray(rows) ? Number(recordOf(rows[0])?.loopLagMs ?? 0) : 0;
    if (!(lagMs > this.longestGapMs)) return;
    this.longestGapMs = lagMs;
    this.stoodStill(lagMs);
  }

  private async sample(): Promise<void> {
    const { cluster } = this.arena;
    const digests = await Promise.all(
      cluster.running().map(async (index) => {
        try {
          const questions = [['HEARSAY.DIGEST'], ['HEARSAY.STATUS']];
          const replies = await askNode('127.0.0.1', cluster.nodes[index].port, questions, ANSWER_LIMIT_MS);
          this.lookForGap(recordOf(replies[1])?.gossip);
          return Array.isArray(replies[0]) ? replies[0] : [];
        } catch {
          return [];
        }
      }),
    );
    const held = new Map<string, Set<string>>();
    for (const row of digests.flat()) {
      if (!Array.isArray(row)) continue;
      const partition = String(row[0]);
      held.set(partition, (held.get(partition) ?? new Set()).add(String(row[1])));
    }
    const differing = [...held.values()].filter((values) => values.size > 1).length;
    if (held.size > 0) this.recorder.sample(performance.now(), differing);
  }
}
