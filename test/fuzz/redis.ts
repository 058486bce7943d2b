/**
 * The grammar of commands that Hearsay and Redis both have: their options whole and half, odd and binary keys, numbers and times at and
 * past their edges, words too few and too many. redis.test.ts sends it to both. Guarded: a command of both stands in `FORMS` or, with the
 * reason, in `LEFT_OUT`.
 */
import fc from 'fast-check';
import { ODD_KEYS } from './requests.js';

type Words = fc.Arbitrary<readonly string[]>;

/** Latin-1 texts: one character is one byte. */
const key = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('a', 'b', 'c', '{t}d') },
  fc.constantFrom(...ODD_KEYS, '-0', '\x00', '\r\n', '\xff\xfe', '{}', '{', 'a}{t}', 'k'.repeat(3000)),
);
/** Sketches have keys of their own: as text they differ, see `ACCEPTED` in redis.test.ts. */
const sketch = fc.constantFrom('h1', 'h2', '__proto__h', '\xff\x00h');
const whole = fc.oneof({ weight: 3, arbitrary: key }, sketch);
const number = fc.constantFrom(
  ...['0', '1', '-1', '7', '-12345', '01', '+1', '-0', '00', '1.5', '1e3', '0x10', ' 1', '1 ', '1\x00', '', 'x', 'NaN'],
  ...['inf', '-', '--1', '9007199254740991', '9007199254740992', '9007199254740993', '-9007199254740993'],
  ...['9223372036854775807', '-9223372036854775808', '9223372036854775808', '-9223372036854775809', '1'.repeat(40)],
);
const value = fc.oneof(number, fc.constantFrom('hello', 'a\r\nb', '\x00\xff', 'v'.repeat(100), 'w'.repeat(5000)));
const seconds = fc.oneof(fc.constantFrom('100', '100000', '4000000000'), number.filter(isNotSoon));
const ms = fc.oneof(fc.constantFrom('100000', '100000000'), number.filter(isNotSoon));
const PAST = '1000000000';
const FUTURE = '4000000000';
const atSeconds = fc.oneof(fc.constantFrom(PAST, FUTURE), number.filter(isNotFar));
const atMs = fc.oneof(
  fc.constantFrom(`${PAST}000`, `${FUTURE}123`),
  number.filter((text) => isNotFar(text) && text !== '9223372036854775807'),
);

/** What would expire between the two answers, or lies past the year 10889: see `ACCEPTED` in redis.test.ts. */
function isNotSoon(text: string): boolean {
  return !['1', '7', '01'].includes(text) && isNotFar(text);
}

function isNotFar(text: string): boolean {
  return !/^90071992547409/.test(text);
}

const timed = fc.oneof(
  fc.tuple(fc.constantFrom('EX', 'ex'), seconds),
  fc.tuple(fc.constantFrom('PX', 'pX'), ms),
  fc.tuple(fc.constant('EXAT'), atSeconds),
  fc.tuple(fc.constant('PXAT'), atMs),
);
const option = fc.oneof(
  timed,
  fc.constantFrom(['NX'], ['xx'], ['GET'], ['KEEPTTL'], ['EX'], ['FOO'], ['PERSIST'], ['']) as Words,
);
const options = fc.array(option, { maxLength: 3 }).map((list) => list.flat());
const condition = fc.array(fc.constantFrom('NX', 'xx', 'GT', 'lt', 'FOO', ''), { maxLength: 3 });
const keys = fc.array(key, { maxLength: 6 });
const wholes = fc.array(whole, { maxLength: 6 });
const element = fc.oneof(key, value);
/** Words that fit nothing in particular. */
const any = fc.array(fc.oneof(key, value, fc.constantFrom('NX', '0', 'ASYNC', 'HELP-ME')), { maxLength: 5 });

/** Places in a value, from its beginning and from its end. */
const place = fc.oneof(fc.integer({ min: -8, max: 8 }).map(String), number);
/** Where a write may begin: within what both hold, or beyond what either does. */
const spot = fc.oneof(fc.integer({ min: 0, max: 40 }).map(String), number.filter(isNearOrBeyond));
const bitSpot = fc.oneof(fc.integer({ min: 0, max: 300 }).map(String), number.filter(isNearOrBeyond));
const bit = fc.oneof({ weight: 4, arbitrary: fc.constantFrom('0', '1') }, number);
const unit = fc.constantFrom('BIT', 'byte', 'FOO', '');
const bounds = fc.tuple(fc.array(place, { maxLength: 2 }), fc.array(unit, { maxLength: 1 })).map((list) => list.flat());
const float = fc.oneof(
  number,
  fc.constantFrom(
    '0.1',
    '-0.1',
    '3.0e3',
    '1e17',
    '-1e17',
    '1e-20',
    '5e-18',
    '.5',
    '5.',
    '+2',
    '0x1.8p1',
    '-inf',
    'nan',
  ),
  fc.constantFrom(
    '3.33333333333333333333',
    '1e4000',
    '-1e4000',
    '1e-4950',
    '1e-5000',
    '1e5000',
    '1.0000000000000000001',
  ),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
);
/** Has numbers alone, so that sums have a past. */
const floatKey = fc.constantFrom('f1', 'f2');
const width = fc.oneof(
  fc.constantFrom('u1', 'i1', 'u8', 'i8', 'u7', 'i13', 'u63', 'i64', 'u31', 'i5'),
  fc.constantFrom('u64', 'i65', 'u0', 'i0', 'x8', 'u', '', 'U8', 'u08', 'u-1'),
);
const fieldSpot = fc.oneof(bitSpot, fc.constantFrom('#0', '#1', '#3', '#', '#-1', '#x', '#01', '#9007199254740993'));
const field = fc.oneof(
  line(fc.constantFrom('GET', 'get'), width, fieldSpot),
  line(fc.constantFrom('SET', 'incrby'), width, fieldSpot, number),
  line(fc.constant('OVERFLOW'), fc.constantFrom('WRAP', 'sat', 'FAIL', 'fail', 'FOO')),
  fc.constantFrom(['GET'], ['SET', 'u8', '0'], ['FOO'], ['OVERFLOW']) as Words,
);
const fields = fc.array(field, { maxLength: 4 }).map((list) => list.flat());

const lcsOption = fc.oneof(
  fc.constantFrom(['LEN'], ['idx'], ['WITHMATCHLEN'], ['MINMATCHLEN'], ['FOO']) as Words,
  line(fc.constant('minmatchlen'), fc.oneof(fc.constantFrom('1', '2', '3'), number)),
);
const copyOption = fc.constantFrom(
  ['REPLACE'],
  ['replace'],
  ['DB', '0'],
  ['DB', '99'],
  ['db', 'x'],
  ['DB'],
  ['FOO'],
) as Words;
/** Of values that are there: see `ACCEPTED` in redis.test.ts. */
const objects = fixed(['NOPE', 'a'], ['ENCODING'], ['ENCODING', 'a', 'b'], ['HELP', 'x'], ['']);

/** Not between 16 MiB, where a value ends here, and 512 MiB, where it ends there. */
function isNearOrBeyond(text: string): boolean {
  return !/^[1-9]\d{6,9}$/.test(text);
}

/** Flattens a tuple of words and lists of words. */
function line(...parts: fc.Arbitrary<string | readonly string[]>[]): Words {
  return fc.tuple(...parts).map((list) => list.flat());
}

/** At most 1,024 bytes: see `ACCEPTED` in redis.test.ts. */
const pattern = key.filter((text) => text.length < 1024);
const scanOption = fc.oneof(
  line(fc.constant('MATCH'), pattern),
  line(fc.constantFrom('COUNT', 'count'), fc.constantFrom('1000', '9007199254740993', '0', '-1', 'x', '')),
  line(fc.constant('TYPE'), fc.constantFrom('string', 'STRING', 'list', '')),
  fc.constantFrom(['MATCH'], ['COUNT'], ['FOO', '1']),
);

const scanOptions = fc.array(scanOption, { maxLength: 3 }).map((list) => list.flat());

function fixed(...lines: string[][]): Words {
  return fc.constantFrom(...lines);
}

/** By name: what may stand behind it. */
export const FORMS: ReadonlyMap<string, Words> = new Map<string, Words>([
  ['get', line(key)],
  ['set', fc.oneof({ weight: 4, arbitrary: line(key, value, options) }, line(sketch, value))],
  ['setnx', line(key, value)],
  ['setex', line(key, seconds, value)],
  ['psetex', line(key, ms, value)],
  ['getset', line(key, value)],
  ['getdel', line(key)],
  ['getex', line(key, options)],
  ['append', line(key, fc.oneof(number, fc.constant('more')))],
  ['strlen', line(key)],
  ['getrange', line(key, place, place)],
  ['substr', line(key, place, place)],
  ['setrange', line(key, spot, value)],
  ['incrbyfloat', line(fc.oneof(key, floatKey), float)],
  ['setbit', line(key, bitSpot, bit)],
  ['getbit', line(key, fc.oneof(bitSpot, fc.constantFrom('4294967295', '4294967296')))],
  ['bitcount', line(key, bounds)],
  ['bitpos', line(key, bit, bounds)],
  ['bitfield', line(key, fields)],
  ['bitfield_ro', line(key, fields)],
  ['bitop', line(fc.constantFrom('AND', 'or', 'XOR', 'NOT', 'NAND', ''), key, fc.array(key, { maxLength: 4 }))],
  [
    'lcs',
    line(
      key,
      key,
      fc.array(lcsOption, { maxLength: 3 }).map((list) => list.flat()),
    ),
  ],
  ['msetnx', fc.array(fc.oneof(key, value), { maxLength: 7 })],
  [
    'copy',
    line(
      key,
      key,
      fc.array(copyOption, { maxLength: 2 }).map((list) => list.flat()),
    ),
  ],
  ['rename', line(key, key)],
  ['renamenx', line(key, key)],
  ['randomkey', fixed(['x'])],
  [
    'object',
    fc.oneof(line(fc.constantFrom('ENCODING', 'refcount', 'FREQ', 'IDLETIME'), fc.constant('nokey')), objects),
  ],
  ['mget', keys],
  ['mset', fc.array(fc.oneof(key, value), { maxLength: 7 })],
  ['incr', line(key)],
  ['decr', line(key)],
  ['incrby', line(key, number)],
  ['decrby', line(key, number)],
  ['del', wholes],
  ['unlink', wholes],
  ['exists', wholes],
  ['touch', wholes],
  ['type', line(key)],
  ['expire', line(whole, seconds, condition)],
  ['pexpire', line(whole, ms, condition)],
  ['expireat', line(whole, atSeconds, condition)],
  ['pexpireat', line(whole, atMs, condition)],
  ['ttl', line(whole)],
  ['persist', line(whole)],
  ['pfadd', line(sketch, fc.array(element, { maxLength: 4 }))],
  ['pfcount', fc.array(sketch, { maxLength: 4 })],
  ['pfmerge', fc.array(sketch, { maxLength: 4 })],
  [
    'scan',
    fc.oneof(
      line(fc.constantFrom('x', '-', '1.5'), scanOptions),
      // One key at most, for the order of several is each server's own.
      line(fc.constant(['0', 'COUNT', '1000', 'MATCH']), pattern, scanOptions),
    ),
  ],
  ['keys', line(fc.constantFrom('nothing*', '__proto__', '\\', '[', '\xff*', ''))],
  ['dbsize', fixed(['x'])],
  ['ping', fc.array(element, { maxLength: 2 })],
  ['echo', fc.array(element, { maxLength: 2 })],
  ['select', line(fc.constantFrom('0', '99', '-1', '16', 'x', '', '1.5', '-0', '01'))],
  ['flushall', fixed([], ['ASYNC'], ['sync'], ['x'], ['ASYNC', 'SYNC'])],
  ['flushdb', fixed([], ['ASYNC'], ['sync'], ['x'], [''])],
  ['auth', fixed([], ['x'], ['a', 'b'], ['default', 'b'], ['', ''], ['a', 'b', 'c'], ['__proto__', 'x'])],
  ['hello', fixed(['4'], ['x'], ['2', 'x'], ['3', 'SETNAME'], ['2', 'AUTH', 'x'], ['99999999999999999999'], ['1'])],
  ['reset', fixed([], ['x'])],
  ['readonly', fixed(['x'])],
  ['readwrite', fixed(['x'])],
  ['asking', fixed(['x'])],
  ['time', fixed(['x'])],
  ['wait', fixed([], ['x', '1'], ['1', '-1'], ['1', 'x'], ['1'], ['1', '1', '1'], ['1', '99999999999999999999'])],
  [
    'client',
    fixed(
      ...[[], ['NOPE'], [''], ['GETNAME'], ['GETNAME', 'x'], ['SETNAME', 'me'], ['SETNAME', 'a b'], ['SETNAME', '']],
      ...[['SETNAME', '\xff'], ['setname', '__proto__'], ['ID', 'x'], ['KILL', 'x'], ['KILL', 'ID', 'x'], ['KILL']],
      ...[
        ['KILL', 'ID', '0'],
        ['KILL', 'FOO', 'x'],
        ['KILL', 'SKIPME', 'x'],
        ['KILL', 'TYPE', 'x'],
        ['NO-EVICT', 'x'],
      ],
      ...[['GETREDIR'], ['GETREDIR', 'x'], ['TRACKINGINFO'], ['TRACKINGINFO', 'x'], ['UNPAUSE'], ['UNPAUSE', 'x']],
      ...[['UNBLOCK'], ['UNBLOCK', '99999999'], ['UNBLOCK', 'x'], ['UNBLOCK', '1', 'x'], ['UNBLOCK', '0', 'error']],
      ...[['REPLY'], ['REPLY', 'x'], ['REPLY', 'ON'], ['REPLY', 'on', 'x'], ['PAUSE'], ['HELP', 'x']],
      ...[['NO-EVICT', 'ON'], ['NO-EVICT'], ['LIST', 'TYPE', 'x'], ['LIST', 'FOO'], ['LIST', 'ID', 'x'], ['INFO', 'x']],
    ),
  ],
  [
    'config',
    fixed(
      ...[[], ['GET'], ['GET', 'save'], ['NOPE'], ['GET', '__proto__'], ['GET', '['], ['RESETSTAT', 'x']],
      ...[
        ['SET', 'slowlog-max-len', 'x'],
        ['SET', 'slowlog-log-slower-than', ''],
        ['SET', 'port'],
        ['SET', 'a', 'b', 'c'],
      ],
      ...[
        ['SET', 'databases', '1'],
        ['SET', 'Nope', '1'],
        ['SET', 'slowlog-max-len', '5', 'databases', '5'],
        ['REWRITE', 'x'],
      ],
      ...[
        ['SET', 'slowlog-max-len', '7', 'SLOWLOG-max-len', '8'],
        ['set', 'slowlog-log-slower-than', '10000'],
      ],
      ...[['GET', 'slowlog-log-slower-than'], ['GET', 'latency-monitor-threshold'], ['REWRITE']],
    ),
  ],
  [
    'command',
    fixed(
      ...[
        ['NOPE'],
        ['COUNT', 'x'],
        ['GETKEYS', 'GET'],
        ['GETKEYS', 'MSET', 'a', 'b', 'c', 'd'],
        ['GETKEYS', 'PING', 'x'],
        ['GETKEYSANDFLAGS', 'GET', 'a'],
        ['GETKEYSANDFLAGS', 'DEL', 'a', 'b'],
        ['GETKEYSANDFLAGS', 'MSET', 'a', 'b', 'c', 'd'],
        ['GETKEYSANDFLAGS', 'PING', 'x'],
        ['INFO', 'GET'],
      ],
      ...[
        ['GETKEYS', 'DEL', '__proto__', '\xff', ''],
        ['GETKEYS', 'constructor', 'x'],
        ['INFO', '__proto__', 'nope'],
      ],
      ...[
        ['DOCS', 'nope'],
        ['LIST', 'FOO'],
        ['LIST', 'FILTERBY', 'PATTERN'],
        ['LIST', 'FILTERBY', 'MODULE', 'x'],
      ],
    ),
  ],
  [
    'script',
    fixed(['FLUSH'], ['FLUSH', 'x'], ['flush', 'sync'], ['EXISTS'], ['EXISTS', 'a', ''], ['KILL'], ['KILL', 'x']),
  ],
  [
    'function',
    fixed(
      ...[['FLUSH'], ['FLUSH', 'x'], ['flush', 'ASYNC'], ['LIST'], ['LIST', 'WITHCODE', 'libraryname', '*'], ['KILL']],
      ...[['LIST', 'x'], ['LIST', 'LIBRARYNAME'], ['DELETE', 'x'], ['DELETE'], ['STATS', 'x'], ['LOAD']],
    ),
  ],
  ['role', fixed([], ['x'])],
  [
    'slowlog',
    fixed([], ['GET', 'x'], ['GET', '-2'], ['GET', '1', '2'], ['LEN', 'x'], ['RESET'], ['reset', 'x'], ['NOPE']),
  ],
]);

/** Commands of both that the grammar never gives, each with its reason. */
export const LEFT_OUT: ReadonlyMap<string, string> = new Map([
  ['cluster', 'describes another cluster; its answers have tests of their own'],
  ['info', 'describes another server'],
  ['memory', 'tells of another memory'],
  ['latency', 'times differ'],
  ['monitor', 'makes the connection a watcher; core/commands/probe.test.ts compares its lines'],
  ['lolwut', 'a picture of its own'],
  ['quit', 'ends the connection that the sequence goes on with; its own case below'],
  ['pttl', 'the millisecond of the answer differs'],
  [
    'expiretime',
    'of a relative expiry the second differs; of absolute ones there is a table in core/commands/redis.test.ts',
  ],
  ['pexpiretime', 'the same, in ms'],
]);

/** Commands for which random words could mean something that differs. */
const FORMED_ONLY = [
  ...[
    'client',
    'config',
    'command',
    'script',
    'function',
    'hello',
    'auth',
    'flushall',
    'flushdb',
    'wait',
    'role',
    'slowlog',
    'keys',
    'scan',
  ],
  ...['object', 'copy', 'randomkey', 'readonly', 'readwrite', 'asking', 'time', 'pfadd', 'pfcount', 'pfmerge'],
  ...['expire', 'pexpire', 'expireat', 'pexpireat', 'setex', 'psetex', 'select'],
];
const plain = [...FORMS.keys()].filter((name) => !FORMED_ONLY.includes(name));

const formed = fc
  .constantFrom(...FORMS.keys())
  .chain((name) =>
    fc
      .tuple(fc.constantFrom(name, name.toUpperCase()), FORMS.get(name) ?? fc.constant([]))
      .map((parts) => parts.flat()),
  );
const unknown = fc.constantFrom('NOPE', '__proto__', 'constructor', '', 'toString', 'ge', 'gett', '\xff', 'a\r\nb');

/** Redis ends a quoted word at a NUL: see `ACCEPTED` in redis.test.ts. */
function withoutNul(text: string): string {
  return text.replaceAll('\0', '\x01');
}

const NOT_SHORT = [
  'randomkey',
  'readonly',
  'readwrite',
  'asking',
  'time',
  'scan',
  'command',
  'dbsize',
  'pfadd',
  'pfmerge',
];
/** Too few words for any command that has keys. */
const short = fc.tuple(
  fc.constantFrom(...[...FORMS.keys()].filter((name) => !NOT_SHORT.includes(name))),
  fc.constantFrom([], ['a'], ['']),
);

/** One command: whole, with words that do not fit, or unknown. */
export const command: Words = fc.oneof(
  { weight: 12, arbitrary: formed },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.constantFrom(...plain), any).map(([name, words]) => [name, ...words.map(withoutNul)]),
  },
  { weight: 1, arbitrary: short.map(([name, words]) => [name, ...words]) },
  { weight: 1, arbitrary: fc.tuple(unknown, keys).map(([name, words]) => [name, ...words.map(withoutNul)]) },
);
