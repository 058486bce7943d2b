/**
 * What a node that is not ready waits for: the partitions that it owns and does not answer for yet, and from whom they are to come. The spine
 * ticks it, and it logs what lasts; status.ts asks it for the rows of `partitions_coming`.
 * Guarded: a line and a list are bounded, and nothing is looked at while every partition is ready.
 */
import type { Log } from '../../ports/log.js';
import type { PullProgress } from '../replication/catch-up.js';
import { Reminder, type ReminderOptions } from './reminder.js';
import type { Rooms } from './rooms.js';

/** After ten seconds, then after twice as long each time, up to a quarter of an hour. */
const WAITING: ReminderOptions = { firstMs: 10_000, againMs: 20_000, mostMs: 900_000 };
/** Partitions and sources that a line names. */
const NAMED_MAX = 8;
/** What stands for a source when no member that may have the partition is there. */
const NOBODY = 'nobody reachable';

/** A partition that is being fetched, or waits for somebody to fetch it from. */
export interface ComingPartition extends PullProgress {
  fetching: boolean;
}

export class ReadyWatch {
  private readonly reminder = new Reminder(WAITING);
  private sinceMs = Number.NaN;

  constructor(
    private readonly ports: { log: Log },
    private readonly rooms: Pick<Rooms, 'ownership' | 'antiEntropy'>,
  ) {}

  tick(nowMs: number): void {
    const { ownership } = this.rooms;
    // Who has met nobody, or is refused, waits for that and says so.
    if (ownership.unready === 0 || !ownership.serves) {
      if (this.reminder.end() && ownership.serves) {
        this.ports.log.info('ready', { afterSeconds: Math.round((nowMs - this.sinceMs) / 1000) });
      }
      this.sinceMs = Number.NaN;
      return;
    }
    if (Number.isNaN(this.sinceMs)) this.sinceMs = nowMs;
    if (this.reminder.isDue(nowMs)) this.ports.log.info('not ready yet', this.facts(nowMs));
  }

  /** Those under way first: `most` at most. */
  rows(most: number): ComingPartition[] {
    const { ownership, antiEntropy } = this.rooms;
    const rows = antiEntropy.catchUp.progress(most).map((row) => ({ ...row, fetching: true }));
    if (ownership.unready === 0) return rows;
    for (const partition of ownership.unreadyPartitions()) {
      if (rows.length >= most) break;
      if (!ownership.owns(partition) || antiEntropy.catchUp.isPulling(partition)) continue;
      const source = this.awaited(partition).join(',');
      rows.push({ partition, source, percent: 0, records: 0, bytes: 0, eta_seconds: -1, fetching: false });
    }
    return rows;
  }

  private facts(nowMs: number): Record<string, unknown> {
    const { ownership, antiEntropy } = this.rooms;
    const partitions: number[] = [];
    const bySource = new Map<string, number>();
    for (const partition of ownership.unreadyPartitions()) {
      if (!ownership.owns(partition)) continue;
      partitions.push(partition);
      const awaited = this.awaited(partition);
      const names = awaited.length === 0 ? [NOBODY] : awaited;
      for (const name of names) bySource.set(name, (bySource.get(name) ?? 0) + 1);
    }
    const sources = [...bySource].sort((left, right) => right[1] - left[1]).slice(0, NAMED_MAX);
    return {
      forSeconds: Math.round((nowMs - this.sinceMs) / 1000),
      partitions: partitions.length,
      first: partitions.slice(0, NAMED_MAX).join(' '),
      awaited: sources.map(([name, count]) => `${name} (${count})`).join(', '),
      fetching: antiEntropy.catchUp.size,
    };
  }

  /** From whom a partition may come: those that say they have it, or else all that may. */
  private awaited(partition: number): string[] {
    const { ownership } = this.rooms;
    const sources = ownership.sources(partition);
    const ready = sources.filter((peer) => ownership.isSource(peer, partition));
    return (ready.length > 0 ? ready : sources).map((peer) => peer.id);
  }
}
