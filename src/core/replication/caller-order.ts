/**
 * Commands of one connection on one partition take effect in the order they were sent, though some run here at once, some at
 * another owner and some only after others were asked. The coordinator looks here before it runs or forwards a command; what
 * must wait follows, and is run when all ahead of it are done.
 * Guarded: as long as nothing is under way, the answer costs one comparison; whatever follows is run exactly once.
 */
import type { Command } from '../commands/command.js';
import type { Args } from '../resp/args.js';
import type { Peer } from './peers.js';
import type { PlacedCaller } from './placed-caller.js';

/** A command that waits for those ahead of it. */
export interface Follower {
  readonly partition: number;
  readonly command: Command;
  readonly args: Args;
  readonly caller: PlacedCaller;
}

/** What is under way for one connection and partition. */
export interface Ahead {
  /** Where the commands ahead were sent; null if one of them waits here. */
  peer: Peer | null;
  count: number;
  readonly followers: Follower[];
}

/** Commands that may wait for others of their connection; past it -BUSY. */
export const FOLLOWERS_MAX = 65_536;

export class CallerOrder {
  private readonly byOrigin = new Map<object, Map<number, Ahead>>();
  private ready: Follower[] = [];
  /** Commands under way, and those that wait for them. */
  size = 0;
  waiting = 0;

  get full(): boolean {
    return this.waiting >= FOLLOWERS_MAX;
  }

  ahead(origin: object, partition: number): Ahead | undefined {
    return this.size === 0 ? undefined : this.byOrigin.get(origin)?.get(partition);
  }

  /** A command of `origin` is under way: at `peer`, or, if null, waiting here. */
  begin(origin: object, partition: number, peer: Peer | null): void {
    let partitions = this.byOrigin.get(origin);
    if (partitions === undefined) {
      partitions = new Map();
      this.byOrigin.set(origin, partitions);
    }
    const ahead = partitions.get(partition);
    if (ahead === undefined) partitions.set(partition, { peer, count: 1, followers: [] });
    else {
      ahead.count++;
      if (ahead.peer !== peer) ahead.peer = null;
    }
    this.size++;
  }

  /** It is done: when nothing is ahead any more, what follows may run. */
  end(origin: object, partition: number): void {
    const partitions = this.byOrigin.get(origin);
    const ahead = partitions?.get(partition);
    if (partitions === undefined || ahead === undefined) return;
    this.size--;
    if (--ahead.count > 0) return;
    partitions.delete(partition);
    if (partitions.size === 0) this.byOrigin.delete(origin);
    for (const follower of ahead.followers) this.ready.push(follower);
  }

  follow(ahead: Ahead, follower: Follower): void {
    this.waiting++;
    ahead.followers.push(follower);
  }

  /** Whether followers may run now. */
  get released(): boolean {
    return this.ready.length > 0;
  }

  /** Followers that may run now, in order. */
  takeReleased(): readonly Follower[] {
    if (this.ready.length === 0) return this.ready;
    const ready = this.ready;
    this.waiting -= ready.length;
    this.ready = [];
    return ready;
  }
}
