import fc from 'fast-check';
import { expect, it } from 'vitest';
import { ReplyParser } from '../../../src/client/reply-parser.js';
import { isOneReply } from '../../../src/core/resp/whole.js';

function isOne(text: string): boolean {
  const bytes = Buffer.from(`#${text}#`, 'latin1');
  return isOneReply(bytes, 1, bytes.length - 1);
}

const WHOLE = [
  '+OK\r\n',
  '+\r\n',
  '-ERR x\r\n',
  ':-1\r\n',
  '$-1\r\n',
  '$0\r\n\r\n',
  '$3\r\na\r\n\r\n',
  '*-1\r\n',
  '*0\r\n',
  '*2\r\n:1\r\n*1\r\n$1\r\na\r\n',
  '%1\r\n+k\r\n~1\r\n,1.5\r\n',
  '_\r\n',
  '#t\r\n',
  '(12\r\n',
  '=5\r\ntxt:a\r\n',
];

it('one whole reply is told from none, from a part of one at every cut, and from two', () => {
  expect(isOne('')).toBe(false);
  for (const text of WHOLE) {
    expect(isOne(text), text).toBe(true);
    for (let end = 0; end < text.length; end++) expect(isOne(text.slice(0, end)), text.slice(0, end)).toBe(false);
    for (const other of WHOLE) expect(isOne(text + other), text + other).toBe(false);
  }
});

it.each([
  '*9999999999\r\n',
  '$99999\r\nx\r\n',
  '$x\r\n',
  '$-2\r\n\r\n',
  '*1\r\n',
  '%1\r\n:1\r\n',
  '?\r\n',
  '+a\n\r\n',
  '$3\r\nabcde',
])('%j is no reply', (text) => {
  expect(isOne(text)).toBe(false);
});

it('what counts as one reply, a client takes for exactly one, whatever is in it', () => {
  const part = fc.constantFrom(...WHOLE, '*2\r\n', '$5\r\n', '%1\r\n', '\r\n', 'x', '\n');
  fc.assert(
    fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
      const bytes = Buffer.from(parts.join(''), 'latin1');
      if (!isOneReply(bytes, 0, bytes.length)) return;
      const replies: unknown[] = [];
      expect(new ReplyParser().feed(bytes, 0, bytes.length, replies as never)).toBeNull();
      expect(replies).toHaveLength(1);
    }),
    { numRuns: 500 },
  );
});
