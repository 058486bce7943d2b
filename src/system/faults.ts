/**
 * Fault injection in the Node world: the rules, what they do to datagrams and to streams, a stalled loop, a clock put off.
 * The world (world.ts) builds one when `enableFaultInjection` is set and puts its two halves between machine and
 * sockets; the core runs HEARSAY.FAULT through `run`.
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
import { FaultyStreams } from './faulty-streams.js';
import type { StreamArrivals } from './streams.js';

export class FaultyNetwork implements Faults {
  /** Added to the wall clock of every turn. */
  clockOffsetMs = 0;
  readonly datagrams: FaultyDatagrams;
  readonly streams: FaultyStreams;
  private readonly rules = new FaultRules();

  constructor(arrivals: DatagramArrivals & StreamArrivals, options: { seed: Seed }) {
    const random = new Random(...options.seed);
    this.datagrams = new FaultyDatagrams(this.rules, random, arrivals);
    this.streams = new FaultyStreams(this.rules, random, arrivals);
  }

  /** Everything held is lost. */
  stop(): void {
    this.datagrams.stop();
    this.streams.stop();
  }

  run(words: string[]): string[] {
    switch (words[0]?.toUpperCase()) {
      case 'LIST':
        return [...this.rules.list(), ...(this.clockOffsetMs === 0 ? [] : [`CLOCK ${this.clockOffsetMs}`])];
      case 'CLEAR':
        if (words.length > 2) throw wrong('CLEAR [peer]');
        this.rules.clear(words[1]);
        if (words.length === 1) this.clockOffsetMs = 0;
        break;
      case 'CLOCK':
        if (words.length !== 2) throw wrong('CLOCK offset-ms');
        this.clockOffsetMs = clockOffsetMs(words[1]);
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
