/**
 * A word as a shell takes it back: for commands that are printed to be pasted. Guarded: whatever a file is named, the shell reads one word.
 */
export function shellWord(word: string): string {
  return /^[\w./@%+=:,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
