/**
 * How this program was started, as words that a person can paste before a verb: `npx hearsay`, `hearsay`, `node bin/hearsay.js`. terminal.ts
 * asks once; replay lines begin with it.
 * Guarded: what a shell would take apart is quoted.
 */
import { basename, delimiter, dirname, relative, sep } from 'node:path';
import { shellWord } from '../sim/shell-word.js';

/** `script` is the path that Node was given. */
export function invocation(
  script: string,
  environment: Readonly<Record<string, string | undefined>>,
  directory: string,
): string {
  const isLinked = basename(script) === 'hearsay';
  // npx says so to all its children: only the link that it made itself counts.
  if (isLinked && script.includes(`${sep}node_modules${sep}.bin${sep}`)) return 'npx hearsay';
  if (isLinked && (environment.PATH ?? '').split(delimiter).includes(dirname(script))) return 'hearsay';
  const near = relative(environment.INIT_CWD ?? directory, script);
  return `node ${shellWord(near.length < script.length ? near : script)}`;
}
