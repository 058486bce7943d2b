/**
 * The slow log: the last commands that took longer than asked for, newest first. The probe adds, SLOWLOG reads.
 * Guarded: at most `entriesMax` are kept, each a few KiB at most (shown-words.ts); the oldest goes, and is counted.
 */
import { HearsayError } from '../base/errors.js';
import type { Args } from '../resp/args.js';
import type { Reply } from '../resp/reply.js';
import type { Command, CommandContext } from './command.js';
import { ADMIN, connectionOf, unknownSubcommand, wrongArity } from './command.js';
import { writeHelp } from './help.js';

/** The most that CONFIG SET slowlog-max-len takes. */
export const SLOW_ENTRIES_MAX = 1024;
const SHOWN_BY_DEFAULT = 10;

export interface SlowEntry {
  /** Since the node started, from 0; RESET does not begin anew. */
  readonly id: number;
  readonly unixSeconds: number;
  readonly us: number;
  readonly words: readonly Buffer[];
  readonly peerAddress: string;
  readonly clientName: string;
}

export class SlowLog {
  /** -1: nothing is slow. */
  slowerThanUs = 10_000;
  /** Entries that newer ones pushed out. */
  dropped = 0;
  private most = 128;
  private entries: SlowEntry[] = [];
  private nextId = 0;

  get size(): number {
    return this.entries.length;
  }

  get entriesMax(): number {
    return this.most;
  }

  set entriesMax(most: number) {
    this.most = most;
    this.trim();
  }

  isSlow(us: number): boolean {
    return this.slowerThanUs >= 0 && us >= this.slowerThanUs;
  }

  add(entry: Omit<SlowEntry, 'id'>): void {
    this.entries.push({ id: this.nextId++, ...entry });
    this.trim();
  }

  /** The newest `count`, newest first. */
  newest(count: number): SlowEntry[] {
    return this.entries.slice(Math.max(0, this.entries.length - count)).reverse();
  }

  reset(): void {
    this.entries = [];
  }

  private trim(): void {
    const over = this.entries.length - this.most;
    if (over <= 0) return;
    this.entries.splice(0, over);
    this.dropped += over;
  }
}

function run(context: CommandContext, args: Args, reply: Reply): void {
  const { slowLog } = connectionOf(context).connections.probe;
  if (args.equalsIgnoreCase(1, 'GET')) {
    if (args.count > 3) {
      throw new HearsayError(
        'ERR',
        `unknown subcommand or wrong number of arguments for '${args.quote(1, 128)}'. Try SLOWLOG HELP.`,
      );
    }
    const asked = args.count === 3 ? args.integer(2) : SHOWN_BY_DEFAULT;
    if (!(asked >= -1)) throw new HearsayError('ERR', 'count should be greater than or equal to -1');
    show(slowLog.newest(asked === -1 ? slowLog.size : asked), reply);
  } else if (args.equalsIgnoreCase(1, 'LEN')) {
    if (args.count !== 2) throw wrongArity('slowlog|len');
    reply.integer(slowLog.size);
  } else if (args.equalsIgnoreCase(1, 'RESET')) {
    if (args.count !== 2) throw wrongArity('slowlog|reset');
    slowLog.reset();
    reply.ok();
  } else if (args.equalsIgnoreCase(1, 'HELP')) {
    if (args.count !== 2) throw wrongArity('slowlog|help');
    writeHelp(reply, 'SLOWLOG', [
      [
        'GET [<count>]',
        'Return top <count> entries from the slowlog (default: 10, -1 mean all).\nEntries are made of:\n' +
          'id, timestamp, time in microseconds, arguments array, client IP and port,\nclient name',
      ],
      ['LEN', 'Return the length of the slowlog.'],
      ['RESET', 'Reset the slowlog.'],
    ]);
  } else {
    throw unknownSubcommand('SLOWLOG', args);
  }
}

function show(entries: SlowEntry[], reply: Reply): void {
  reply.array(entries.length);
  for (const { id, unixSeconds, us, words, peerAddress, clientName } of entries) {
    reply.array(6);
    reply.integer(id);
    reply.integer(unixSeconds);
    reply.integer(us);
    reply.array(words.length);
    for (const word of words) reply.bulk(word, 0, word.length);
    reply.bulkString(peerAddress);
    reply.bulkString(clientName);
  }
}

export const slowLogCommand: Command = {
  name: 'slowlog',
  arity: -2,
  flags: ADMIN,
  firstKey: 0,
  lastKey: 0,
  step: 0,
  group: 'server',
  summary: 'Show the commands that took long here',
  run,
};
