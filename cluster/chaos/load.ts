/**
 * A load that remembers: workers write, delete, increment and read keys of their own through the client library and through plain RESP,
 * at levels one and quorum, and keep a book of each lane. A chaos run disturbs the cluster under it and judges the books afterwards.
 * Guarded: no write is sent twice (a repeat could undo a later write), so each is acknowledged, known not to be sent, or
 * doubtful; what is read while it runs must be a value that was written, and not past its end.
 */
import { Doors } from '../trials/doors.js';
import { ClientDoor, type Door, RespDoor } from './doors.js';
import { Draws } from './draws.js';
import { KeyHistory, type Value } from './history.js';
import { CounterLedger, MortalLedger, padded, unpadded } from './ledgers.js';
import type { Recorder } from './recorder.js';

const REQUEST_TIMEOUT_MS = 1500;
const FAILURE_PAUSE_MS = 20;
const COUNTERS_PER_LANE = 4;
const MORTAL_LIFE_MS = [300, 4000] as const;
const RECENT_MORTALS = 400;
const LONG_LIFE_MS = 3_600_000;
/** Parts of all operations; the rest are SETs, some of them with a long life. */
const PARTS = { read: 0.2, delete: 0.1, increment: 0.15, mortal: 0.1, mortalRead: 0.1 } as const;
const LONG_LIFE_PART = 0.2;
const GARBAGE_KEPT_MAX = 100;
/** Names of refusals that are counted apart. */
const REFUSALS_MAX = 20;

export interface Lane {
  readonly door: 'client' | 'resp';
  readonly level: 'one' | 'quorum';
}

export const LANES: readonly Lane[] = [
  { door: 'client', level: 'quorum' },
  { door: 'client', level: 'one' },
  { door: 'resp', level: 'quorum' },
  { door: 'resp', level: 'one' },
];

export interface LoadOptions {
  /** Of each lane. */
  workers: number;
  keysPerWorker: number;
  seed: number;
  lateEffectMs: number;
  /** Default: the client library at level quorum. */
  lanes?: readonly Lane[];
  /** Between two operations of a worker. Default 0. */
  pauseMs?: number;
  recorder?: Recorder;
}

export interface LoadTally {
  acknowledged: number;
  doubtful: number;
  /** Writes that failed before anything was sent. */
  unsent: number;
  reads: number;
  readsFailed: number;
  /** Error replies to reads and writes, by their names; they are among the doubtful and the failed, too. */
  refusals: Record<string, number>;
}

/** `idle`: acknowledged, without effect as far as the reply tells. */
type Outcome = 'acknowledged' | 'idle' | 'doubtful' | 'unsent';

/** What one lane did. */
export interface Book {
  readonly lane: Lane;
  readonly histories: KeyHistory[];
  readonly counters: CounterLedger[];
  readonly mortals: MortalLedger;
}

export class CheckedLoad {
  readonly tally: LoadTally = {
    acknowledged: 0,
    doubtful: 0,
    unsent: 0,
    reads: 0,
    readsFailed: 0,
    refusals: {},
  };
  readonly books: Book[] = [];
  /** Reads that gave what nobody wrote, or what was past its end: the first of them. */
  readonly garbage: string[] = [];
  private readonly running: Promise<void>[] = [];
  private readonly closing: (() => Promise<void> | void)[] = [];
  private stopping = false;

  constructor(
    servers: readonly string[],
    private readonly options: LoadOptions,
  ) {
    const lanes = options.lanes ?? [LANES[0]];
    for (const [at, lane] of lanes.entries()) this.openLane(lane, servers, options.seed + at * 1000);
  }

  get histories(): KeyHistory[] {
    return this.books.flatMap((book) => book.histories);
  }

  /** A node stood still for so long: what waited in its sockets ran late (history.ts). */
  stretch(gapMs: number): void {
    for (const history of this.histories) history.stretch(gapMs);
  }

  /** Resolves when the last operation has ended. */
  async stop(): Promise<LoadTally> {
    this.stopping = true;
    await Promise.all(this.running);
    for (const close of this.closing.splice(0)) await close();
    return this.tally;
  }

  private openLane(lane: Lane, servers: readonly string[], seed: number): void {
    const { workers, keysPerWorker, lateEffectMs } = this.options;
    const prefix = `chaos:${lane.door}:${lane.level}`;
    const book: Book = {
      lane,
      histories: [],
      counters: Array.from({ length: COUNTERS_PER_LANE }, (_, index) => new CounterLedger(`${prefix}:count:${index}`)),
      mortals: new MortalLedger(`${prefix}:life`),
    };
    this.books.push(book);
    const makeDoor = this.doorsOf(lane, servers);
    for (let worker = 0; worker < workers; worker++) {
      const own = Array.from(
        { length: keysPerWorker },
        (_, index) => new KeyHistory(`${prefix}:${worker}:${index}`, lateEffectMs),
      );
      book.histories.push(...own);
      const draws = new Draws(seed + worker + 1);
      this.running.push(this.work(book, own, makeDoor(draws), draws));
    }
  }

  private doorsOf(lane: Lane, servers: readonly string[]): (draws: Draws) => Door {
    if (lane.door === 'client') {
      const door = new ClientDoor(servers, lane.level, REQUEST_TIMEOUT_MS);
      this.closing.push(() => door.close());
      return () => door;
    }
    const doors = new Doors(lane.level, REQUEST_TIMEOUT_MS);
    this.closing.push(() => doors.close());
    const ports = servers.map((server) => Number(server.split(':')[1]));
    return (draws) => new RespDoor(doors, ports, draws);
  }

  private async work(book: Book, histories: readonly KeyHistory[], door: Door, draws: Draws): Promise<void> {
    const { pauseMs = 0 } = this.options;
    while (!this.stopping) {
      const done = await this.operate(book, histories[draws.below(histories.length)], door, draws);
      const wait = done ? pauseMs : FAILURE_PAUSE_MS;
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }

  private operate(book: Book, history: KeyHistory, door: Door, draws: Draws): Promise<boolean> {
    let choice = draws.fraction();
    const falls = (part: number): boolean => {
      choice -= part;
      return choice < 0;
    };
    if (falls(PARTS.read)) return this.read(history, door);
    if (falls(PARTS.delete)) return this.write(book, history, null, door, false);
    if (falls(PARTS.increment)) return this.increment(book, door, draws);
    if (falls(PARTS.mortal)) return this.writeMortal(book, door, draws);
    if (falls(PARTS.mortalRead)) return this.readMortal(book, door, draws);
    return this.write(book, history, history.nextValue(), door, draws.fraction() < LONG_LIFE_PART);
  }

  private async write(book: Book, history: KeyHistory, value: Value, door: Door, longLife: boolean): Promise<boolean> {
    const startedAtMs = performance.now();
    const life = longLife ? ['PX', String(LONG_LIFE_MS)] : [];
    const words = value === null ? ['DEL', history.key] : ['SET', history.key, padded(value), ...life];
    const outcome = await this.send(book.lane, words, door);
    if (outcome === 'acknowledged') history.acknowledge(value, startedAtMs, performance.now());
    // A node that says that there was nothing to delete has promised nothing about a value which it has yet to hear of.
    if (outcome === 'doubtful' || outcome === 'idle') history.doubt(value, startedAtMs, performance.now());
    return outcome === 'acknowledged' || outcome === 'idle';
  }

  private async increment(book: Book, door: Door, draws: Draws): Promise<boolean> {
    const counter = book.counters[draws.below(book.counters.length)];
    const outcome = await this.send(book.lane, ['INCR', counter.key], door);
    if (outcome === 'acknowledged') counter.acknowledge(performance.now());
    if (outcome === 'doubtful') counter.doubtful++;
    return outcome === 'acknowledged';
  }

  private async writeMortal(book: Book, door: Door, draws: Draws): Promise<boolean> {
    const key = book.mortals.nextKey();
    if (key === null) return true;
    const lifeMs = draws.between(...MORTAL_LIFE_MS);
    const outcome = await this.send(book.lane, ['SET', key, 'mortal', 'PX', String(lifeMs)], door);
    if (outcome === 'acknowledged') book.mortals.acknowledge(key, performance.now() + lifeMs);
    return outcome === 'acknowledged';
  }

  private async send(lane: Lane, words: readonly string[], door: Door): Promise<Outcome> {
    const startedAtMs = performance.now();
    try {
      const reply = await door.call(words);
      const atMs = performance.now();
      this.tally.acknowledged++;
      this.options.recorder?.acknowledged(atMs, atMs - startedAtMs);
      if (lane.door === 'client' && lane.level === 'one') this.options.recorder?.served(atMs);
      return words[0] === 'DEL' && Number(reply) === 0 ? 'idle' : 'acknowledged';
    } catch (error) {
      this.options.recorder?.failed(performance.now());
      this.noteRefusal(door.refusalOf(error));
      if (door.wasUnsent(error)) {
        this.tally.unsent++;
        return 'unsent';
      }
      this.tally.doubtful++;
      return 'doubtful';
    }
  }

  private async read(history: KeyHistory, door: Door): Promise<boolean> {
    const found = await this.look(history.key, door);
    if (found === undefined) return false;
    if (!history.knows(found)) this.note(`garbage ${history.describe(found)}`);
    return true;
  }

  private async readMortal(book: Book, door: Door, draws: Draws): Promise<boolean> {
    const { mortals } = book.mortals;
    if (mortals.length === 0) return true;
    const mortal = mortals[draws.between(Math.max(0, mortals.length - RECENT_MORTALS), mortals.length - 1)];
    const askedAtMs = performance.now();
    const found = await this.look(mortal.key, door);
    if (found === undefined) return false;
    if (found !== null && found !== 'mortal') this.note(`garbage ${mortal.key}: found ${found.slice(0, 80)}`);
    if (found !== null && MortalLedger.isLate(mortal, askedAtMs)) {
      this.note(`expired ${mortal.key}: read ${Math.round(askedAtMs - mortal.endsAtMs)} ms past its end`);
    }
    return true;
  }

  /** What stands there; undefined when nobody answered. */
  private async look(key: string, door: Door): Promise<Value | undefined> {
    const startedAtMs = performance.now();
    try {
      const found = unpadded(await door.call(['GET', key]));
      const atMs = performance.now();
      this.tally.reads++;
      this.options.recorder?.acknowledged(atMs, atMs - startedAtMs);
      return found;
    } catch (error) {
      this.tally.readsFailed++;
      this.noteRefusal(door.refusalOf(error));
      this.options.recorder?.failed(performance.now());
      return undefined;
    }
  }

  private noteRefusal(name: string | null): void {
    const { refusals } = this.tally;
    if (name === null) return;
    const kept = name in refusals || Object.keys(refusals).length < REFUSALS_MAX ? name : 'others';
    refusals[kept] = (refusals[kept] ?? 0) + 1;
  }

  private note(line: string): void {
    if (this.garbage.length < GARBAGE_KEPT_MAX) this.garbage.push(line);
  }
}
