/** Runs a verb as `bin/hearsay.js` would, in this process: words in, exit code and texts out. The tests of the command line call it. */
import { main } from '../../src/cli/main.js';
import type { Terminal } from '../../src/cli/terminal.js';

export interface Texts {
  out: string;
  error: string;
}

/** Notes in `texts` what is written. `parts`: what is otherwise than no environment, no launcher and an output that takes everything. */
export function notingTerminal(texts: Texts, parts: Partial<Terminal> = {}): Terminal {
  return {
    out: (text) => {
      texts.out += text;
    },
    error: (text) => {
      texts.error += text;
    },
    environment: {},
    interactive: false,
    launcher: null,
    program: 'hearsay',
    outFailure: () => null,
    onStopSignal: () => {},
    ...parts,
  };
}

export async function runVerb(
  words: readonly string[],
  parts: Partial<Terminal> = {},
): Promise<{ code: number } & Texts> {
  const texts = { out: '', error: '' };
  const code = await main(words, { terminal: notingTerminal(texts, parts) });
  return { code, ...texts };
}
