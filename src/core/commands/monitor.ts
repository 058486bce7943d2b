/**
 * MONITOR: every command of this node's clients, as it runs, sent to the connection that asks. Commands for operators are not among
 * them, passwords are hidden and long words cut (shown-words.ts). Guarded: probe.ts bounds who watches.
 */
import type { Args } from '../resp/args.js';
import type { Reply } from '../resp/reply.js';
import type { Command, CommandContext } from './command.js';
import { ADMIN, connectionOf } from './command.js';

function run(context: CommandContext, _args: Args, reply: Reply): void {
  const connection = connectionOf(context);
  connection.connections.probe.watch(connection);
  reply.ok();
}

export const monitorCommand: Command = {
  name: 'monitor',
  arity: 1,
  flags: ADMIN,
  firstKey: 0,
  lastKey: 0,
  step: 0,
  group: 'server',
  summary: 'Watch the commands of all clients of this node',
  run,
};
