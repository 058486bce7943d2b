/**
 * Fault injection in the Node world: the rules, what they do to datagrams and to streams, a stalled loop, a clock put off,
 * a disk that is full, fails or is slow.
 * The world (world.ts) builds one when `enableFaultInjection` is set and puts its parts between machine and
 * sockets, and machine and disk; the core runs HEARSAY.FAULT through `run`.
 * Guarded: clients are untouched; words that are wrong change nothing; no event is delivered from within a call.
 */
import { performance } from 'node:perf_hooks';
import { Random } from '../core/base/random.js';
import type { Faults } from '../ports/faults.js';
import type { StreamId } from '../ports/streams.js';
import type { DatagramArrivals } from './datagrams.js';
import type { Seed } from './entropy.js';
import { clockOffsetMs, FaultRules, stallMs, wrong } from './fault-rules.js';
import { FaultyDatagrams } from './faulty-datagrams.js';
import { FaultyDisk } from './faulty-disk.js';
import { FaultyStreams } from './faulty-streams.js';
import type { StreamArrivals } from './streams.js';

export class FaultyNetwork implements Faults {
  /** Added to the wall clock of every turn. */
  clockOffsetMs = 0;
  readonly datagrams: FaultyDatagrams;
  readonly streams: FaultyStreams;
  readonly disk: FaultyDisk;
  private readonly rules = new FaultRules();

  /** `diskCompleted` takes what the machine is to hear of its disk. */
  constructor(
    arrivals: DatagramArrivals & StreamArrivals,
    diskCompleted: (token: number, error: Error | null) => void,
    options: { seed: Seed },
  ) {
    const random = new Random(...options.seed);
    this.datagrams = new FaultyDatagrams(this.rules, random, arrivals);
    this.streams = new FaultyStreams(this.rules, random, arrivals);
    this.disk = new FaultyDisk(diskCompleted);
  }

  /** Everything held is lost. */
  stop(): void {
    this.datagrams.stop();
    this.streams.stop();
    this.disk.stop();
  }

  run(words: string[]): string[] {
    switch (words[0]?.toUpperCase()) {
      case 'LIST':
        return [
          ...this.rules.list(),
          ...this.disk.lines(),
          ...(this.clockOffsetMs === 0 ? [] : [`CLOCK ${this.clockOffsetMs}`]),
        ];
      case 'CLEAR':
        if (words.length > 2) throw wrong('CLEAR [peer]');
        this.rules.clear(words[1]);
        if (words.length === 1) this.clockOffsetMs = 0;
        if (words.length === 1) this.disk.clear();
        break;
      case 'CLOCK':
        if (words.length !== 2) throw wrong('CLOCK offset-ms');
        this.clockOffsetMs = clockOffsetMs(words[1]);
        break;
      case 'DISK':
        this.disk.change(words.slice(1));
        break;
      case 'STALL':
        if (words.length !== 2) throw wrong('STALL ms');
        holdUp(stallMs(words[1]));
        break;
      default:
        this.rules.change(words);
    }
    this.streams.rulesChanged();
    return ['OK'];
  }

  label(stream: StreamId, gossipAddress: string): boolean {
    return this.streams.label(stream, gossipAddress);
  }
}

/** A loop that does nothing else: what a long collection or a heavy script does to a node. */
function holdUp(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}
