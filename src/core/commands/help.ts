/**
 * The HELP of commands with subcommands, as clients and people at redis-cli ask for it: CLIENT, COMMAND, CONFIG, FUNCTION, LATENCY,
 * MEMORY, SCRIPT and SLOWLOG answer by it. Guarded: the form is Redis's, an array of status lines that begins and ends as its own do.
 */
import type { Reply } from '../resp/reply.js';

/** `lines`: pairs of how a subcommand is called and what it does; the second may have several lines. */
export function writeHelp(reply: Reply, command: string, lines: readonly (readonly [string, string])[]): void {
  const shown = [`${command} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`];
  for (const [form, meaning] of [...lines, ['HELP', 'Print this help.'] as const]) {
    shown.push(form, ...meaning.split('\n').map((line) => `    ${line}`));
  }
  reply.array(shown.length);
  for (const line of shown) reply.simple(line);
}
