/**
 * What every verb ends with, one meaning each. Verbs return these; main.ts puts `exitCodes` behind each verb's help.
 * Guarded: scripts can tell what was found unwell or unfinished (3) from what could not be found out (1), and what
 * the system refused from a mistake of ours, which is thrown on.
 */
export const DONE = 0;
/** It could not be done, or was refused; a check that was run on purpose did not hold. */
export const FAILED = 1;
/** Wrong words, flags or settings: nothing was begun. */
export const WRONG_USAGE = 2;
/** Not whole: it was stopped or is incomplete; or what was found is not well. */
export const UNWELL = 3;

/** The lines for `--help`. */
export function exitCodes(done: string, failed: string, unwell: string | null = null): string {
  const third = unwell === null ? '' : `, ${UNWELL} ${unwell}`;
  return `Exit codes: ${DONE} ${done}, ${FAILED} ${failed}, ${WRONG_USAGE} wrong usage or settings${third}.`;
}

/** What the system refused: its message says which call on what. Anything else that is thrown is a mistake of ours. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error && 'code' in error;
}
