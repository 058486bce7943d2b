/**
 * LOLWUT: how a rumor goes round, drawn in text. One dot knows it; each generation every dot that knows tells others, until none is
 * left who has not heard. People at redis-cli call it. Guarded: the same words and version draw the same picture, and it has a bound.
 */
import { Random } from '../base/random.js';
import type { Args } from '../resp/args.js';
import type { Reply } from '../resp/reply.js';
import type { Command, CommandContext } from './command.js';
import { notAnInteger, syntaxError } from './command.js';

const COLUMNS = 56;
const ROWS = 14;
const COLUMNS_MAX = 160;
const ROWS_MAX = 48;
/** How many each who knows tells in a generation. */
const FANOUT = 2;
/** Light to dark: when each dot heard, by generation; blank has not. */
const SHADES = '@O0o*+=-:.';

function lolwut(context: CommandContext, args: Args, reply: Reply): void {
  let at = 1;
  let { version } = context.host.settings;
  if (args.equalsIgnoreCase(at, 'VERSION') && args.count > 1) {
    if (args.count < 3) throw syntaxError();
    const asked = args.integer(2);
    if (Number.isNaN(asked)) throw notAnInteger();
    version = `${asked}`;
    at = 3;
  }
  const columns = sizeIn(args, at, COLUMNS, COLUMNS_MAX);
  const rows = sizeIn(args, at + 1, ROWS, ROWS_MAX);
  reply.verbatim(`${rumor(version, columns, rows)}\nHearsay ver. ${context.host.settings.version}\n`);
}

function sizeIn(args: Args, index: number, usual: number, most: number): number {
  if (index >= args.count) return usual;
  const size = args.integer(index);
  if (Number.isNaN(size)) throw notAnInteger();
  return Math.min(Math.max(size, 1), most);
}

function rumor(version: string, columns: number, rows: number): string {
  let seed = columns * 1009 + rows;
  for (let at = 0; at < version.length; at++) seed = (Math.imul(seed, 31) + version.charCodeAt(at)) >>> 0;
  const random = new Random(seed);
  const count = columns * rows;
  const heardIn = new Int16Array(count).fill(-1);
  const knowing = [random.below(count)];
  heardIn[knowing[0]] = 0;
  let generation = 0;
  while (knowing.length < count && generation < SHADES.length - 1) {
    generation++;
    const tellers = knowing.length;
    for (let teller = 0; teller < tellers * FANOUT; teller++) {
      const told = random.below(count);
      if (heardIn[told] >= 0) continue;
      heardIn[told] = generation;
      knowing.push(told);
    }
  }
  let text = '';
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const heard = heardIn[row * columns + column];
      text += heard < 0 ? ' ' : SHADES[heard];
    }
    text += '\n';
  }
  return `${text}${knowing.length} of ${count} have heard it after ${generation} rounds of gossip.\n`;
}

export const lolwutCommand: Command = {
  name: 'lolwut',
  arity: -1,
  flags: 0,
  firstKey: 0,
  lastKey: 0,
  step: 0,
  group: 'server',
  summary: 'Draw how a rumor goes round',
  run: lolwut,
};
