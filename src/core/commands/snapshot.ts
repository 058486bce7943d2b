/**
 * HEARSAY.SNAPSHOT: reads of what one node holds, all as of one moment.
 *
 *     OPEN                                          an id
 *     GET id key [key ...]                          values of that moment, or null
 *     SCAN id cursor [COUNT n] [MATCH glob] [VALUES] [PARTITION p]
 *                                                   [cursor, keys], or with VALUES [key, value, expiry in ms or 0, version, type]
 *                                                   each; the value of siblings is the list of them, the last writer's first
 *     INFO id | LIST                                age, bytes kept, partitions
 *     CLOSE id
 *
 * A snapshot covers the partitions that the node answered for when it was opened, so that all nodes' together give an entry once;
 * with PARTITION, any that it held whole then. The cursor is SCAN's, and an entry of that moment is given exactly once. Guarded: one call looks at no more than about `KEYS_VISITED_MAX` keys, and with VALUES answers
 * with about `PAGE_BYTES_MAX`; a snapshot that is open no more answers SNAPSHOT, and never with later data.
 */
import { HearsayError } from '../base/errors.js';
import { HLC_TICKS, hlcToMs } from '../base/hlc.js';
import {
  recordActor,
  recordEnd,
  recordExpireAtMs,
  recordHlc,
  recordKeyEnd,
  recordKeyStart,
  recordType,
  TYPE_SIBLINGS,
} from '../record/record.js';
import type { Args } from '../resp/args.js';
import { Reply } from '../resp/reply.js';
import { alive } from '../types/siblings.js';
import { takeSet } from '../types/siblings-record.js';
import type { Command, CommandContext } from './command.js';
import { ADMIN, notAnInteger, READ, SCANS, syntaxError, unknownSubcommand, wrongArity } from './command.js';
import { GLOB_STEPS_MAX, globMatches, globWork, keysPerLook, requirePatternFits, STEPS_PER_KEY } from './glob.js';
import { typeName } from './keys.js';
import { HASHES, KEYS_VISITED_MAX, replyPage } from './page.js';
import type { SnapshotFacts } from './snapshot-door.js';

/** Past this a page of values ends. */
const PAGE_BYTES_MAX = 1024 * 1024;
const COUNT_BY_DEFAULT = 10;

const HELP = [
  'HEARSAY.SNAPSHOT <subcommand> [<arg> ...]. Subcommands are:',
  'OPEN -- Pin this moment of what this node holds, for 30 seconds at most.',
  'GET <id> <key> [<key> ...] -- Values as they stood.',
  'SCAN <id> <cursor> [COUNT <n>] [MATCH <glob>] [VALUES] [PARTITION <p>] -- Go through the keys as they stood.',
  'INFO <id> -- Age, memory and partitions of one.',
  'LIST -- The same of all that are open.',
  'CLOSE <id> -- Done with it.',
];

function run(context: CommandContext, args: Args, reply: Reply): void {
  const { snapshots } = context.host;
  if (args.equalsIgnoreCase(1, 'OPEN')) {
    requireCount(args, 2, 'open');
    reply.integer(snapshots.open(context.caller));
  } else if (args.equalsIgnoreCase(1, 'GET')) {
    if (args.count < 4) throw wrongArity('hearsay.snapshot|get');
    get(context, args, reply);
  } else if (args.equalsIgnoreCase(1, 'SCAN')) {
    if (args.count < 4) throw wrongArity('hearsay.snapshot|scan');
    scan(context, args, reply);
  } else if (args.equalsIgnoreCase(1, 'INFO')) {
    requireCount(args, 3, 'info');
    describe(context, snapshots.facts(idIn(args)), reply);
  } else if (args.equalsIgnoreCase(1, 'LIST')) {
    requireCount(args, 2, 'list');
    const open = snapshots.list();
    reply.array(open.length);
    for (const facts of open) describe(context, facts, reply);
  } else if (args.equalsIgnoreCase(1, 'CLOSE')) {
    requireCount(args, 3, 'close');
    snapshots.close(idIn(args));
    reply.ok();
  } else if (args.equalsIgnoreCase(1, 'HELP')) {
    reply.array(HELP.length);
    for (const line of HELP) reply.bulkString(line);
  } else {
    throw unknownSubcommand('HEARSAY.SNAPSHOT', args);
  }
}

function get({ host }: CommandContext, args: Args, reply: Reply): void {
  const id = idIn(args);
  reply.array(args.count - 3);
  for (let index = 3; index < args.count; index++) {
    const entry = host.snapshots.find(id, args.buffer, args.starts[index], args.ends[index]);
    if (entry === null) reply.null();
    else reply.bulk(entry.buffer, entry.valueStart, entry.valueEnd);
  }
}

interface ScanOptions {
  count: number;
  /** Position of the pattern among the words; -1 for any key. */
  pattern: number;
  values: boolean;
  /** -1 for all that the snapshot covers. */
  partition: number;
}

function scan({ host }: CommandContext, args: Args, reply: Reply): void {
  const id = idIn(args);
  const cursor = args.integer(3);
  const options = scanOptions(args);
  if (!(cursor >= 0 && cursor <= Number.MAX_SAFE_INTEGER)) throw new HearsayError('ERR', 'invalid cursor');
  const { partitions: covered, held, openedAtMs } = host.snapshots.facts(id);
  const partitions = options.partition < 0 ? covered : held.filter((partition) => partition === options.partition);
  const page = new Page(args, options, openedAtMs, reply.protocol);
  let looked = 0;
  for (const partition of partitions) {
    if ((partition + 1) * HASHES <= cursor) continue;
    let hash = Math.max(0, cursor - partition * HASHES);
    while (hash >= 0) {
      if (looked >= options.count || page.isFull) {
        replyPage(reply, partition * HASHES + hash, page.found, page.reply);
        return;
      }
      const step = Math.min(page.keysPerLook, options.count - looked);
      const before = page.visited;
      hash = host.snapshots.scan(id, partition, hash, step, page.visit);
      looked += hash < 0 ? page.visited - before : step;
    }
  }
  replyPage(reply, 0, page.found, page.reply);
}

/** The entries of one answer. */
class Page {
  readonly reply: Reply;
  visited = 0;
  found = 0;
  /** Of the pattern and the keys. */
  steps = 0;

  constructor(
    private readonly args: Args,
    private readonly options: ScanOptions,
    /** The moment of the snapshot. */
    private readonly wallMs: number,
    protocol: 2 | 3,
  ) {
    this.reply = new Reply(protocol, null);
  }

  get isFull(): boolean {
    return this.reply.length >= PAGE_BYTES_MAX || this.steps >= GLOB_STEPS_MAX;
  }

  /** Values may be large: after each it is asked again whether the page is full. Of long keys a pattern may take long. */
  get keysPerLook(): number {
    const { pattern, values } = this.options;
    if (values) return 1;
    return pattern < 0 ? Number.POSITIVE_INFINITY : keysPerLook(this.args.length(pattern));
  }

  readonly visit = (buffer: Buffer, offset: number): void => {
    this.visited++;
    this.steps += STEPS_PER_KEY;
    globWork.steps += STEPS_PER_KEY;
    const { args, reply } = this;
    const { pattern, values } = this.options;
    const start = recordKeyStart(buffer, offset);
    const end = recordKeyEnd(buffer, offset);
    if (pattern >= 0) {
      const before = globWork.steps;
      const matches = globMatches(args.buffer, args.starts[pattern], args.ends[pattern], buffer, start, end);
      this.steps += globWork.steps - before;
      if (!matches) return;
    }
    this.found++;
    if (values) reply.array(5);
    reply.bulk(buffer, start, end);
    if (!values) return;
    const type = recordType(buffer, offset);
    if (type === TYPE_SIBLINGS) {
      const siblings = alive(takeSet(buffer, offset), this.wallMs);
      reply.array(siblings.length);
      for (const { value } of siblings) reply.bulk(value, 0, value.length);
    } else reply.bulk(buffer, end, recordEnd(buffer, offset));
    reply.integer(recordExpireAtMs(buffer, offset));
    reply.bulkString(versionOf(buffer, offset));
    reply.bulkString(typeName(type));
  };
}

/** As HEARSAY.EXPLAIN writes it: milliseconds, counter, actor. */
function versionOf(buffer: Buffer, offset: number): string {
  const hlc = recordHlc(buffer, offset);
  const ms = hlcToMs(hlc);
  return `${ms}.${hlc - ms * HLC_TICKS}@${recordActor(buffer, offset).toString(16).padStart(12, '0')}`;
}

function scanOptions(args: Args): ScanOptions {
  const options: ScanOptions = { count: COUNT_BY_DEFAULT, pattern: -1, values: false, partition: -1 };
  for (let index = 4; index < args.count; index++) {
    if (args.equalsIgnoreCase(index, 'VALUES')) {
      options.values = true;
      continue;
    }
    const option = index++;
    if (index === args.count) throw syntaxError();
    if (args.equalsIgnoreCase(option, 'COUNT')) {
      const count = args.integer(index);
      if (Number.isNaN(count)) throw notAnInteger();
      if (count < 1) throw syntaxError();
      options.count = Math.min(count, KEYS_VISITED_MAX);
    } else if (args.equalsIgnoreCase(option, 'MATCH')) {
      requirePatternFits(args, index);
      options.pattern = index;
    } else if (args.equalsIgnoreCase(option, 'PARTITION')) {
      options.partition = args.integer(index);
      if (!(options.partition >= 0)) throw new HearsayError('ERR', 'no such partition');
    } else {
      throw syntaxError();
    }
  }
  return options;
}

function describe({ host }: CommandContext, facts: SnapshotFacts, reply: Reply): void {
  reply.map(7);
  reply.bulkString('id');
  reply.integer(facts.id);
  reply.bulkString('opened_at_ms');
  reply.integer(facts.openedAtMs);
  reply.bulkString('age_ms');
  reply.integer(Math.round(facts.ageMs));
  reply.bulkString('bytes');
  reply.integer(facts.bytes);
  reply.bulkString('partitions_of_cluster');
  reply.integer(host.settings.partitions);
  reply.bulkString('partitions');
  reply.array(facts.partitions.length);
  for (const partition of facts.partitions) reply.integer(partition);
  reply.bulkString('partitions_held');
  reply.array(facts.held.length);
  for (const partition of facts.held) reply.integer(partition);
}

function idIn(args: Args): number {
  const id = args.integer(2);
  if (!(id >= 0 && id <= Number.MAX_SAFE_INTEGER)) throw notAnInteger();
  return id;
}

function requireCount(args: Args, count: number, subcommand: string): void {
  if (args.count !== count) throw wrongArity(`hearsay.snapshot|${subcommand}`);
}

export const snapshotCommand: Command = {
  name: 'hearsay.snapshot',
  arity: -2,
  flags: READ | ADMIN | SCANS,
  firstKey: 0,
  lastKey: 0,
  step: 0,
  group: 'hearsay',
  summary: 'Read what this node held at one moment',
  run,
};
