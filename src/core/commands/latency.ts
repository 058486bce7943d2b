/**
 * LATENCY: how long commands take here. HISTOGRAM tells of all that were timed (timings.ts); LATEST, HISTORY and GRAPH of those past
 * `latency-monitor-threshold`. What a command waits for elsewhere (other owners, the log) is no part of it.
 */
import { HearsayError } from '../base/errors.js';
import type { Args } from '../resp/args.js';
import type { Reply } from '../resp/reply.js';
import type { Command, CommandContext } from './command.js';
import { ADMIN, connectionOf, isPublic, unknownSubcommand, wrongArity } from './command.js';
import { writeHelp } from './help.js';
import type { LatencyEvents, LatencyHistory } from './latency-events.js';

const GRAPH_COLUMNS = 60;

function run(context: CommandContext, args: Args, reply: Reply): void {
  const { latency } = connectionOf(context).connections.probe;
  if (args.equalsIgnoreCase(1, 'LATEST')) {
    if (args.count !== 2) throw wrongArity('latency|latest');
    latest(latency, reply);
  } else if (args.equalsIgnoreCase(1, 'HISTORY')) {
    if (args.count !== 3) throw wrongArity('latency|history');
    history(latency.of(args.quote(2, 64)), reply);
  } else if (args.equalsIgnoreCase(1, 'RESET')) {
    reply.integer(reset(latency, args));
  } else if (args.equalsIgnoreCase(1, 'HISTOGRAM')) {
    histogram(context, args, reply);
  } else if (args.equalsIgnoreCase(1, 'GRAPH')) {
    if (args.count !== 3) throw wrongArity('latency|graph');
    const event = args.quote(2, 64);
    const found = latency.of(event);
    if (found === null) throw new HearsayError('ERR', `No samples available for event '${event}'`);
    reply.verbatim(graph(found));
  } else if (args.equalsIgnoreCase(1, 'DOCTOR')) {
    if (args.count !== 2) throw wrongArity('latency|doctor');
    reply.verbatim(diagnosis(latency));
  } else if (args.equalsIgnoreCase(1, 'HELP')) {
    if (args.count !== 2) throw wrongArity('latency|help');
    writeHelp(reply, 'LATENCY', [
      ['DOCTOR', 'Return a human readable latency analysis report.'],
      ['GRAPH <event>', 'Return an ASCII latency graph for the <event> class.'],
      ['HISTORY <event>', 'Return time-latency samples for the <event> class.'],
      ['LATEST', 'Return the latest latency samples for all events.'],
      [
        'RESET [<event> ...]',
        'Reset latency data of one or more <event> classes.\n(default: reset all data for all event classes)',
      ],
      ['HISTOGRAM [COMMAND ...]', 'Return a cumulative distribution of latencies of the given commands, or of all.'],
    ]);
  } else {
    throw unknownSubcommand('LATENCY', args);
  }
}

function latest(latency: LatencyEvents, reply: Reply): void {
  const histories = latency.all();
  reply.array(histories.length);
  for (const { event, samples, mostMs } of histories) {
    const last = samples[samples.length - 1];
    reply.array(4);
    reply.bulkString(event);
    reply.integer(last.unixSeconds);
    reply.integer(last.ms);
    reply.integer(mostMs);
  }
}

function history(found: LatencyHistory | null, reply: Reply): void {
  const samples = found?.samples ?? [];
  reply.array(samples.length);
  for (const { unixSeconds, ms } of samples) {
    reply.array(2);
    reply.integer(unixSeconds);
    reply.integer(ms);
  }
}

/** How many events had samples. */
function reset(latency: LatencyEvents, args: Args): number {
  const events: string[] = args.count === 2 ? latency.all().map(({ event }) => event) : [];
  for (let index = 2; index < args.count; index++) events.push(args.quote(index, 64));
  let count = 0;
  for (const event of events) if (latency.reset(event)) count++;
  return count;
}

function histogram(context: CommandContext, args: Args, reply: Reply): void {
  const { table, probe } = connectionOf(context).connections;
  const { calls } = context.stats;
  const asked = new Set<number>();
  for (let index = 2; index < args.count; index++) {
    asked.add(table.findBytes(args.buffer, args.starts[index], args.ends[index]));
  }
  const shown: number[] = [];
  for (const [index, command] of table.commands.entries()) {
    if (args.count > 2 && !asked.has(index)) continue;
    if (isPublic(command) && probe.timings.samples[index] > 0) shown.push(index);
  }
  reply.map(shown.length);
  for (const index of shown) {
    const pairs = probe.timings.cumulative(index, calls[index]);
    reply.bulkString(table.commands[index].name);
    reply.map(2);
    reply.bulkString('calls');
    reply.integer(calls[index]);
    reply.bulkString('histogram_usec');
    reply.map(pairs.length);
    for (const [us, count] of pairs) {
      reply.integer(us);
      reply.integer(count);
    }
  }
}

/** A bar a sample, the newest last. */
function graph({ event, samples, mostMs }: LatencyHistory): string {
  const shown = samples.slice(-GRAPH_COLUMNS);
  const longest = Math.max(1, ...shown.map(({ ms }) => ms));
  const lines = shown.map(({ unixSeconds, ms }) => {
    const bar = '#'.repeat(Math.max(1, Math.round((ms / longest) * GRAPH_COLUMNS)));
    return `${unixSeconds} ${`${ms}`.padStart(8)} ms ${bar}`;
  });
  return `${event} - high ${mostMs} ms (all time high ${mostMs} ms)\n${'-'.repeat(80)}\n${lines.join('\n')}\n`;
}

function diagnosis(latency: LatencyEvents): string {
  if (latency.thresholdMs === 0) {
    return 'Latency monitoring is off. CONFIG SET latency-monitor-threshold <milliseconds> turns it on.\n';
  }
  const histories = latency.all();
  if (histories.length === 0) return `No command took ${latency.thresholdMs} ms or more.\n`;
  const lines = histories.map(({ event, samples, mostMs }) => {
    const mean = samples.reduce((sum, { ms }) => sum + ms, 0) / samples.length;
    return `* ${event}: ${samples.length} spikes, mean ${mean.toFixed(0)} ms, worst ${mostMs} ms.`;
  });
  const advice =
    'SLOWLOG GET names the commands. Patterns over many keys (KEYS, SCAN MATCH) and long values are the usual ones.';
  return `${lines.join('\n')}\n${advice}\n`;
}

export const latencyCommand: Command = {
  name: 'latency',
  arity: -2,
  flags: ADMIN,
  firstKey: 0,
  lastKey: 0,
  step: 0,
  group: 'server',
  summary: 'Show how long commands take here',
  run,
};
