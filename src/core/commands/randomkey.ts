/**
 * RANDOMKEY: a key drawn from those that this node holds, each partition in proportion to its keys; where it holds none at all, from what owners of
 * the other partitions answer (partition.ts). Guarded: partitions without keys are not walked, and one answer is kept of all.
 */
import type { Args } from '../resp/args.js';
import { Args as PartArgs } from '../resp/args.js';
import type { Reply } from '../resp/reply.js';
import type { Command, CommandContext } from './command.js';
import { BARRIER, READ } from './command.js';
import type { CommandHost } from './host.js';
import { HASHES } from './page.js';
import { partitionCommand } from './partition.js';
import { replyRandomOf } from './random-of.js';
import { Gathering } from './split.js';

function randomkey(context: CommandContext, _args: Args, reply: Reply): void {
  const { host, caller } = context;
  const { partitions } = host.settings;
  const first = drawPartition(host);
  const away: number[] = [];
  for (let step = 0; step < partitions; step++) {
    const partition = (first + step) % partitions;
    if (!host.holds(partition)) away.push(partition);
    else if (replyRandomOf(host, partition, reply)) return;
  }
  if (away.length === 0) {
    reply.null();
    return;
  }
  const place = caller.defer();
  // It only reads: there is nothing to hold for.
  const held = { reply: place.reply, done: () => place.done(), holdUntilDurable: () => undefined };
  const gathering = new Gathering(caller, held, 'any', away.length);
  for (const partition of away) {
    const words = PartArgs.of('hearsay.partition', 'RANDOM', `${partition}`);
    gathering.run((part) => host.submitToPartition(partition, partitionCommand, words, part));
  }
  gathering.allGiven();
}

/** One that is held here, as likely as it has keys. */
function drawPartition(host: CommandHost): number {
  const { partitions } = host.settings;
  let keys = 0;
  for (let partition = 0; partition < partitions; partition++)
    if (host.holds(partition)) keys += host.countKeys(partition);
  let left = Math.floor((host.drawUint32() / HASHES) * keys);
  for (let partition = 0; partition < partitions; partition++) {
    if (!host.holds(partition)) continue;
    left -= host.countKeys(partition);
    if (left < 0) return partition;
  }
  return 0;
}

export const randomkeyCommand: Command = {
  name: 'randomkey',
  arity: 1,
  flags: READ | BARRIER,
  firstKey: 0,
  lastKey: 0,
  step: 0,
  group: 'generic',
  summary: 'Get a key drawn at random',
  run: randomkey,
};
