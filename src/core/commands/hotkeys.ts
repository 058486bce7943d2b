/**
 * HEARSAY.HOTKEYS [COUNT n]: the keys this node has been asked for most, the hottest first, each with an estimate of its uses
 * here lately. The store samples uses for eviction; this only shows what it has. Guarded: at most `HOTKEYS_MAX` keys, all live.
 */
import { HearsayError } from '../base/errors.js';
import type { Args } from '../resp/args.js';
import { Reply } from '../resp/reply.js';
import type { Command, CommandContext } from './command.js';
import { ADMIN, notAnInteger, READ, syntaxError } from './command.js';

const COUNT_BY_DEFAULT = 16;
/** As many as the store keeps count of. */
const HOTKEYS_MAX = 128;

function run({ host }: CommandContext, args: Args, reply: Reply): void {
  const count = countIn(args);
  const found = new Reply(reply.protocol, null);
  let keys = 0;
  host.visitHot((bytes, start, end, uses) => {
    if (keys >= count) return;
    keys++;
    found.array(2);
    found.bulk(bytes, start, end);
    found.integer(uses);
  });
  reply.array(keys);
  reply.raw(found.buffer, 0, found.length);
}

function countIn(args: Args): number {
  if (args.count === 1) return COUNT_BY_DEFAULT;
  if (args.count !== 3 || !args.equalsIgnoreCase(1, 'COUNT')) throw syntaxError();
  const count = args.integer(2);
  if (Number.isNaN(count)) throw notAnInteger();
  if (count < 1) throw new HearsayError('ERR', `COUNT must be 1 or more, and ${HOTKEYS_MAX} at most are listed`);
  return Math.min(count, HOTKEYS_MAX);
}

export const hotkeysCommand: Command = {
  name: 'hearsay.hotkeys',
  arity: -1,
  flags: READ | ADMIN,
  firstKey: 0,
  lastKey: 0,
  step: 0,
  group: 'hearsay',
  summary: 'List the keys this node is asked for most',
  run,
};
