/**
 * What is looked at closely, of all that clients ask: how long commands take, which were slow, and who watches them by MONITOR. Sessions
 * ask it before and after each command; SLOWLOG, LATENCY, MONITOR, INFO and CONFIG SET read and set it.
 *
 * Two readings of a clock cost a tenth of a GET, so not every command is timed: of those that are FAST or SAMPLED one in 61 is, and the
 * first after a tick, so that a node that is asked little tells of most; all others always are. With somebody watching, with a slow log
 * that begins below a millisecond or with a latency threshold each is.
 * Guarded: unused, it costs a count and a branch per command; monitors are few, and one that does not read is closed by its output limit.
 */
import { HearsayError } from '../base/errors.js';
import type { Args } from '../resp/args.js';
import type { Command, Connection } from './command.js';
import { ADMIN, FAST, SAMPLED } from './command.js';
import { LatencyEvents } from './latency-events.js';
import { quoted, shownWords } from './shown-words.js';
import { SLOW_ENTRIES_MAX, SlowLog } from './slow-log.js';
import { Timings } from './timings.js';

/** A prime: a client that gives its commands in turns does not have the same one timed each time. */
const STRIDE = 61;
/** A slow log that asks for less than this is asked for everything. */
const SAMPLED_FROM_US = 1000;
const MONITORS_MAX = 16;

/** A clock for durations, in ms. */
export interface WorkClock {
  workClockMs(): number;
}

export class Probe {
  readonly slowLog = new SlowLog();
  readonly latency = new LatencyEvents();
  readonly timings: Timings;
  /** Refused MONITOR for want of a place. */
  monitorsRefused = 0;
  private readonly clock: WorkClock;
  private readonly monitors = new Set<Connection>();
  /** Commands of constant work until one is timed. */
  private left = 1;
  private stride = STRIDE;

  constructor(commands: number, clock: WorkClock) {
    this.timings = new Timings(commands);
    this.clock = clock;
  }

  get monitorCount(): number {
    return this.monitors.size;
  }

  /** The next command of constant work is timed. */
  tick(): void {
    this.left = 1;
  }

  /** When a command begins that is timed, in ms; -1 for one that is not. */
  begin(command: Command): number {
    if ((command.flags & (FAST | SAMPLED)) !== 0) {
      if (--this.left > 0) return -1;
      this.left = this.stride;
    }
    return this.clock.workClockMs();
  }

  /** A command ends that `begin` has given a time for; `args` are still whole. */
  end(index: number, command: Command, args: Args, connection: Connection, begunMs: number, wallMs: number): void {
    const us = Math.max(0, (this.clock.workClockMs() - begunMs) * 1000);
    this.timings.add(index, us);
    const isFast = (command.flags & FAST) !== 0;
    if (this.latency.thresholdMs > 0) {
      this.latency.note(isFast ? 'fast-command' : 'command', Math.floor(us / 1000), Math.floor(wallMs / 1000));
    }
    const isSlow = this.slowLog.isSlow(us);
    const isWatched = this.monitors.size > 0 && (command.flags & ADMIN) === 0;
    if (!isSlow && !isWatched) return;
    const words = shownWords(command.name, args);
    if (isSlow) {
      const { peerAddress, name } = connection;
      const unixSeconds = Math.floor(wallMs / 1000);
      this.slowLog.add({ unixSeconds, us: Math.floor(us), words, peerAddress, clientName: name });
    }
    if (isWatched) this.tell(words, connection.peerAddress, wallMs);
  }

  /** MONITOR: told of every command from now on. */
  watch(connection: Connection): void {
    if (this.monitors.has(connection)) return;
    if (this.monitors.size >= MONITORS_MAX) {
      this.monitorsRefused++;
      throw new HearsayError('ERR', `at most ${MONITORS_MAX} connections may MONITOR at once`);
    }
    this.monitors.add(connection);
    this.settingsChanged();
  }

  isWatching(connection: Connection): boolean {
    return this.monitors.has(connection);
  }

  unwatch(connection: Connection): void {
    if (this.monitors.delete(connection)) this.settingsChanged();
  }

  /** A threshold was set. */
  settingsChanged(): void {
    const { slowerThanUs } = this.slowLog;
    const isAllAsked = slowerThanUs >= 0 && slowerThanUs < SAMPLED_FROM_US;
    this.stride = this.monitors.size > 0 || isAllAsked || this.latency.thresholdMs > 0 ? 1 : STRIDE;
    this.left = 1;
  }

  private tell(words: Buffer[], peerAddress: string, wallMs: number): void {
    const seconds = Math.floor(wallMs / 1000);
    const micros = `${Math.floor((wallMs - seconds * 1000) * 1000)}`.padStart(6, '0');
    const line = `${seconds}.${micros} [0 ${peerAddress}] ${words.map(quoted).join(' ')}`;
    for (const monitor of this.monitors) monitor.tell(line);
  }
}

/** A setting that CONFIG SET may change while the node runs. */
export interface RuntimeSetting {
  readonly name: string;
  readonly least: number;
  readonly most: number;
  get(probe: Probe): number;
  set(probe: Probe, value: number): void;
}

export const RUNTIME_SETTINGS: readonly RuntimeSetting[] = [
  {
    name: 'slowlog-log-slower-than',
    least: -1,
    most: Number.MAX_SAFE_INTEGER,
    get: (probe) => probe.slowLog.slowerThanUs,
    set: (probe, value) => {
      probe.slowLog.slowerThanUs = value;
    },
  },
  {
    name: 'slowlog-max-len',
    least: 0,
    most: SLOW_ENTRIES_MAX,
    get: (probe) => probe.slowLog.entriesMax,
    set: (probe, value) => {
      probe.slowLog.entriesMax = value;
    },
  },
  {
    name: 'latency-monitor-threshold',
    least: 0,
    most: Number.MAX_SAFE_INTEGER,
    get: (probe) => probe.latency.thresholdMs,
    set: (probe, value) => {
      probe.latency.thresholdMs = value;
    },
  },
];
