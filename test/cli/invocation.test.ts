/** How the program was started, as words to paste. */
import { expect, it } from 'vitest';
import { invocation } from '../../src/cli/invocation.js';
import { shellWord } from '../../src/sim/shell-word.js';

it.each([
  ['/app/node_modules/.bin/hearsay', { PATH: '/app/node_modules/.bin' }, '/app', 'npx hearsay'],
  ['/usr/local/bin/hearsay', { PATH: '/bin:/usr/local/bin' }, '/app', 'hearsay'],
  ['/opt/bin/hearsay', { PATH: '/bin' }, '/app', 'node /opt/bin/hearsay'],
  ['/app/bin/hearsay.js', { npm_command: 'exec' }, '/app', 'node bin/hearsay.js'],
  ['/app/bin/hearsay.js', {}, '/app/test', 'node ../bin/hearsay.js'],
  ['/app/bin/hearsay.js', { INIT_CWD: '/app/src' }, '/app', 'node ../bin/hearsay.js'],
  ['/my app/bin/hearsay.js', {}, '/srv', "node '/my app/bin/hearsay.js'"],
])('what runs as %s is started again by what a shell takes', (script, environment, directory, words) => {
  expect(invocation(script, environment, directory)).toBe(words);
});

it('a word with a quote stays one word', () => {
  expect(shellWord("it's")).toBe("'it'\\''s'");
  expect(shellWord('plan-7.json')).toBe('plan-7.json');
});
