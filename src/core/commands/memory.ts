/**
 * MEMORY: what this node's data take, by key and as a whole. USAGE goes to an owner of its key, as `memory.usage`, the one command of
 * these that has one. Guarded: what is not known here (an allocator's inside) is said so instead of being made up.
 */
import { FLAG_EXPIRY, recordBytes, recordLength, TYPE_PUT } from '../record/record.js';
import { Args } from '../resp/args.js';
import type { Reply } from '../resp/reply.js';
import type { Command, CommandContext } from './command.js';
import { connectionOf, INTERNAL, notAnInteger, READ, syntaxError, unknownSubcommand, wrongArity } from './command.js';
import { writeHelp } from './help.js';

/** One slot of the index: hash and location, at the usual fill of four fifths. */
const INDEX_BYTES = 10;

function run(context: CommandContext, args: Args, reply: Reply): void {
  if (args.equalsIgnoreCase(1, 'USAGE')) {
    if (args.count < 3) throw wrongArity('memory|usage');
    requireSamples(args);
    const { host, caller } = context;
    const usage = connectionOf(context).connections.table.named('memory.usage');
    host.submit(usage, Args.of(usage.name, args.copy(2)), caller);
    return;
  }
  if (args.equalsIgnoreCase(1, 'STATS')) {
    if (args.count !== 2) throw wrongArity('memory|stats');
    stats(context, reply);
  } else if (args.equalsIgnoreCase(1, 'DOCTOR')) {
    if (args.count !== 2) throw wrongArity('memory|doctor');
    reply.verbatim(diagnosis(context));
  } else if (args.equalsIgnoreCase(1, 'PURGE')) {
    if (args.count !== 2) throw wrongArity('memory|purge');
    reply.ok();
  } else if (args.equalsIgnoreCase(1, 'MALLOC-STATS')) {
    if (args.count !== 2) throw wrongArity('memory|malloc-stats');
    reply.bulkString(
      'Segments lie in memory of their own, beside the heap: MEMORY STATS and HEARSAY.STATUS count them',
    );
  } else if (args.equalsIgnoreCase(1, 'HELP')) {
    if (args.count !== 2) throw wrongArity('memory|help');
    writeHelp(reply, 'MEMORY', [
      ['DOCTOR', 'Return what is amiss with the memory of this node.'],
      ['MALLOC-STATS', 'Say where to look: memory is in segments.'],
      ['PURGE', 'Accepted: segments are recycled as they empty.'],
      ['STATS', 'Return information about the memory usage of the server.'],
      ['USAGE <key> [SAMPLES <count>]', 'Return the bytes that a key and its value take: record and index.'],
    ]);
  } else {
    throw unknownSubcommand('MEMORY', args);
  }
}

/** There is nothing nested to sample; the option is read, so that what is wrong with it is said. */
function requireSamples(args: Args): void {
  for (let index = 3; index < args.count; index += 2) {
    if (!args.equalsIgnoreCase(index, 'SAMPLES') || index + 1 === args.count) throw syntaxError();
    const samples = args.integer(index + 1);
    if (Number.isNaN(samples)) throw notAnInteger();
    if (samples < 0) throw syntaxError();
  }
}

function usage({ keyspace }: CommandContext, args: Args, reply: Reply): void {
  if (!keyspace.find(args.buffer, args.starts[1], args.ends[1])) {
    reply.null();
    return;
  }
  const { entry } = keyspace;
  const flags = entry.expireAtMs === 0 ? 0 : FLAG_EXPIRY;
  const bytes =
    entry.type === TYPE_PUT
      ? recordLength(args.length(1), entry.valueEnd - entry.valueStart, flags)
      : recordBytes(entry.buffer, entry.offset);
  reply.integer(bytes + INDEX_BYTES);
}

interface Facts {
  used: number;
  live: number;
  max: number;
  rss: number;
  keys: number;
  peak: number;
}

function factsOf({ host, stats: counters }: CommandContext): Facts {
  const status = host.status();
  const number = (name: string): number => {
    const value = status[name];
    return typeof value === 'number' ? value : 0;
  };
  const used = number('memory_bytes');
  counters.memoryPeakBytes = Math.max(counters.memoryPeakBytes, used);
  return {
    used,
    live: number('live_bytes'),
    max: host.settings.maxMemoryBytes,
    rss: number('rss_bytes'),
    keys: number('keys'),
    peak: counters.memoryPeakBytes,
  };
}

/** Redis's names, as far as they mean something here. */
function stats(context: CommandContext, reply: Reply): void {
  const { used, live, rss, keys, peak } = factsOf(context);
  const whole: [string, number][] = [
    ['peak.allocated', peak],
    ['total.allocated', used],
    ['startup.allocated', 0],
    ['replication.backlog', 0],
    ['clients.normal', clientBytes(context)],
    ['overhead.total', Math.max(0, used - live)],
    ['keys.count', keys],
    ['keys.bytes-per-key', keys === 0 ? 0 : Math.floor(live / keys)],
    ['dataset.bytes', live],
  ];
  const parts: [string, number][] = [
    ['dataset.percentage', used === 0 ? 0 : (live / used) * 100],
    ['peak.percentage', peak === 0 ? 0 : (used / peak) * 100],
    ['fragmentation', used === 0 ? 0 : rss / used],
  ];
  reply.map(whole.length + parts.length + 1);
  for (const [name, value] of whole) {
    reply.bulkString(name);
    reply.integer(value);
  }
  for (const [name, value] of parts) {
    reply.bulkString(name);
    reply.double(value);
  }
  reply.bulkString('fragmentation.bytes');
  reply.integer(rss - used);
}

function clientBytes(context: CommandContext): number {
  let bytes = 0;
  for (const connection of connectionOf(context).connections.all()) {
    bytes += connection.pendingInputBytes + connection.pendingOutputBytes;
  }
  return bytes;
}

function diagnosis(context: CommandContext): string {
  const { used, live, max, rss } = factsOf(context);
  const findings: string[] = [];
  if (used > max * 0.95) {
    findings.push(
      context.host.settings.eviction === 'none'
        ? 'Memory is full and eviction is none: writes are refused with OOM. Raise max-memory, delete, or let it evict.'
        : 'Memory is full: what is used least is evicted. See evicted_keys in INFO; raise max-memory if hits fall.',
    );
  }
  if (used > max / 10 && live < used / 2) {
    findings.push('Less than half of the segments is live: they are cleaned as writes go on.');
  }
  if (rss > max + 120 * 1024 * 1024) {
    findings.push(
      'Resident memory is more than 120 MiB above max-memory: look for clients that do not read (CLIENT LIST, omem).',
    );
  }
  const clients = clientBytes(context);
  if (clients > max / 10)
    findings.push(`Clients hold ${clients} bytes that wait: look at omem and qbuf in CLIENT LIST.`);
  if (findings.length === 0) return 'Nothing is amiss with the memory of this node.\n';
  return `${findings.map((finding) => `* ${finding}`).join('\n')}\n`;
}

const nowhere = { firstKey: 0, lastKey: 0, step: 0, group: 'server' } as const;
const oneKey = { firstKey: 1, lastKey: 1, step: 1, group: 'server' } as const;

export const memoryCommands: Command[] = [
  { name: 'memory', arity: -2, flags: READ, ...nowhere, summary: 'Show what memory is used for', run },
  { name: 'memory.usage', arity: 2, flags: READ | INTERNAL, ...oneKey, summary: 'Bytes of a key', run: usage },
];
