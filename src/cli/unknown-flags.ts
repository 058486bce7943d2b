/**
 * Flags that a verb does not know, all of them at once and each with the one that may have been meant. main.ts asks before a verb
 * runs, and reports them together with what else is wrong in the same command line.
 * Guarded: what stands behind `--` is no flag.
 */

import type { Command } from 'commander';
import { editsBetween } from '../client/option-names.js';

/** Edits that a misspelt flag may be away from one that there is. */
const EDITS_MAX = 2;

/** One line for each; `words` is the whole command line. */
export function unknownFlags(command: Command, words: readonly string[]): string[] {
  const end = words.indexOf('--');
  const given = new Set(end < 0 ? words : words.slice(0, end));
  const known = command
    .createHelp()
    .visibleOptions(command)
    .flatMap(({ short, long }) => [short, long]);
  const flags = known.filter((flag) => typeof flag === 'string');
  return command.args
    .filter((word) => /^-./.test(word) && given.has(word))
    .map((word) => {
      const name = word.split('=', 1)[0];
      const meant = nearest(name, flags);
      return `unknown option '${name}'${meant === null ? '' : ` (Did you mean ${meant}?)`}`;
    });
}

function nearest(name: string, flags: readonly string[]): string | null {
  let found: string | null = null;
  let least = Math.min(EDITS_MAX, Math.floor((name.length - 2) / 2)) + 1;
  for (const flag of flags) {
    const edits = editsBetween(name, flag);
    if (edits >= least) continue;
    least = edits;
    found = flag;
  }
  return found;
}
