/** The grammar of RESP requests: arrays of bulk strings with binary words, inline lines with quotes, and what lies between commands. */
import fc from 'fast-check';
import { encode } from '../core/session/harness.js';

/** Keys that meant something else to somebody: a prototype, an index, an empty name, a binary one. */
export const ODD_KEYS = [
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '0',
  '-1',
  '4294967295',
  '',
  '\xff\x00\r\n',
];

export const word: fc.Arbitrary<Buffer> = fc.oneof(
  { weight: 3, arbitrary: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)) },
  fc.constantFrom(...ODD_KEYS).map((text) => Buffer.from(text, 'latin1')),
  fc.nat(700).map((length) => Buffer.alloc(length, 'v')),
);

export const command: fc.Arbitrary<Buffer[]> = fc.array(word, { minLength: 1, maxLength: 8 });

const inlineWord = fc.constantFrom('PING', 'set', '"a b"', '"\\x41\\n\\xff"', "'it\\'s'", "'\\n'", 'é', '\\', '""');
const between = fc.constantFrom('*0\r\n', '*-1\r\n', '\r\n', '\n', 'PING\n', ' \t\r\n', '\0\n');

/** What a client may send, whole. */
export const requests: fc.Arbitrary<Buffer> = fc
  .array(
    fc.oneof(
      { weight: 6, arbitrary: command.map((words) => encode(...words)) },
      {
        weight: 2,
        arbitrary: fc.array(inlineWord, { maxLength: 5 }).map((list) => Buffer.from(`${list.join(' ')}\r\n`)),
      },
      { weight: 1, arbitrary: between.map((text) => Buffer.from(text)) },
    ),
    { maxLength: 8 },
  )
  .map((parts) => Buffer.concat(parts));
