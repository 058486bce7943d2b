/**
 * HEARSAY.PARTITION: what a node asks of an owner about a partition it does not hold itself, for DBSIZE, KEYS, SCAN and RANDOMKEY.
 * `RANDOM p`, `COUNT p`, `KEYS p pattern steps`, `SCAN p hash [COUNT n] [MATCH pattern] [TYPE type]`. Clients cannot give it.
 */
import { HearsayError } from '../base/errors.js';
import type { Args } from '../resp/args.js';
import { Reply } from '../resp/reply.js';
import type { Command, CommandContext } from './command.js';
import { INTERNAL, READ, syntaxError } from './command.js';
import { requirePatternFits } from './glob.js';
import {
  HASHES,
  KEYS_LISTED_MAX,
  keysHere,
  LIST_STEPS_MAX,
  replyPage,
  scanHere,
  scanOptions,
  tooManyKeys,
} from './page.js';
import { replyRandomOf } from './random-of.js';

function run(context: CommandContext, args: Args, reply: Reply): void {
  const { host } = context;
  const partition = args.integer(2);
  if (!(partition >= 0 && partition < host.settings.partitions)) throw new HearsayError('ERR', 'no such partition');
  if (args.equalsIgnoreCase(1, 'COUNT')) {
    reply.integer(host.countKeys(partition));
    return;
  }
  if (args.equalsIgnoreCase(1, 'RANDOM')) {
    if (!replyRandomOf(host, partition, reply)) reply.null();
    return;
  }
  if (args.count < 4) throw syntaxError();
  if (args.equalsIgnoreCase(1, 'KEYS')) {
    requirePatternFits(args, 3);
    const stepsMax = args.count > 4 ? args.integer(4) : Number.NaN;
    if (!(stepsMax >= 0)) throw syntaxError();
    if (host.countKeys(partition) > KEYS_LISTED_MAX) throw tooManyKeys();
    keysHere(context, args, 3, [partition], Math.min(stepsMax, LIST_STEPS_MAX), reply);
    return;
  }
  if (!args.equalsIgnoreCase(1, 'SCAN')) throw syntaxError();
  const hash = args.integer(3);
  if (!(hash >= 0 && hash < HASHES)) throw new HearsayError('ERR', 'invalid cursor');
  const found = new Reply(reply.protocol, null);
  const page = { visited: 0, found: 0, steps: 0 };
  const next = scanHere(context, args, scanOptions(args, 4), partition, hash, page, found);
  const ahead = partition + 1 < host.settings.partitions ? (partition + 1) * HASHES : 0;
  replyPage(reply, next < 0 ? ahead : partition * HASHES + next, page.found, found);
}

export const partitionCommand: Command = {
  name: 'hearsay.partition',
  arity: -3,
  flags: READ | INTERNAL,
  firstKey: 0,
  lastKey: 0,
  step: 0,
  group: 'hearsay',
  summary: 'Count, list or scan one partition',
  run,
};
