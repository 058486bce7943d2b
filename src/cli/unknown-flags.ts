/**
 * Flags that a verb does not know, all of them at once and each with the one that may have been meant. main.ts asks before a verb
 * runs, and reports them together with what else is wrong in the same command line.
 * Guarded: what stands behind `--` is no flag.
 */
import type { Command } from 'commander';

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

/** Letters to insert, remove, replace or swap with the next (Damerau and Levenshtein). */
function editsBetween(left: string, right: string): number {
  let before: number[] = [];
  let above = Array.from({ length: right.length + 1 }, (_, at) => at);
  for (let row = 1; row <= left.length; row++) {
    const line = [row];
    for (let at = 1; at <= right.length; at++) {
      const same = left[row - 1] === right[at - 1];
      let edits = Math.min(above[at] + 1, line[at - 1] + 1, above[at - 1] + (same ? 0 : 1));
      const swapped = row > 1 && at > 1 && left[row - 1] === right[at - 2] && left[row - 2] === right[at - 1];
      if (swapped) edits = Math.min(edits, before[at - 2] + 1);
      line.push(edits);
    }
    before = above;
    above = line;
  }
  return above[right.length];
}
