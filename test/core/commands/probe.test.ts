/** SLOWLOG, LATENCY, MONITOR, latencystats and CONFIG SET, with the clock as an argument. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quoted, shownWords } from '../../../src/core/commands/shown-words.js';
import { Timings } from '../../../src/core/commands/timings.js';
import { Args } from '../../../src/core/resp/args.js';
import { encode, Harness } from '../session/harness.js';

/** A harness in which every reading of the clock comes `stepMs` after the one before. */
function ticking(stepMs: number): Harness {
  const harness = new Harness();
  let nowMs = 0;
  Object.defineProperty(harness, 'workMs', {
    get: () => {
      nowMs += stepMs;
      return nowMs;
    },
  });
  return harness;
}

describe('SLOWLOG', () => {
  it('keeps what took as long as asked for, the newest first, with who asked', () => {
    const harness = ticking(20);
    harness.host.keyspace.wallMs = 5_000_500;
    harness.line('CLIENT SETNAME me');
    harness.line('SLOWLOG RESET');
    harness.line('KEYS x');
    const text = harness.line('SLOWLOG GET 1');
    expect(text).toMatch(
      /^\*1\r\n\*6\r\n:\d+\r\n:5000\r\n:20000\r\n\*2\r\n\$4\r\nKEYS\r\n\$1\r\nx\r\n\$15\r\n127\.0\.0\.1:50001\r\n\$2\r\nme\r\n$/,
    );
    expect(harness.line('SLOWLOG LEN')).toBe(':3\r\n');
  });

  it('forgets the oldest past its bound, and counts them', () => {
    const harness = ticking(20);
    harness.line('CONFIG SET slowlog-max-len 3');
    for (let count = 0; count < 10; count++) harness.line('KEYS x');
    expect(harness.line('SLOWLOG LEN')).toBe(':3\r\n');
    expect(harness.line('INFO stats')).toMatch(/hearsay_slowlog_dropped:[1-9]/);
    harness.line('CONFIG SET slowlog-max-len 0');
    expect(harness.line('SLOWLOG LEN')).toBe(':0\r\n');
    expect(harness.line('CONFIG SET slowlog-max-len 1000000')).toMatch(/must be between 0 and 1024 inclusive/);
  });

  it('is off at -1, and sees each command of constant work only below a millisecond', () => {
    const harness = ticking(20);
    harness.line('CONFIG SET slowlog-log-slower-than -1');
    harness.line('SLOWLOG RESET');
    harness.line('KEYS x');
    expect(harness.line('SLOWLOG LEN')).toBe(':0\r\n');
    harness.line('CONFIG SET slowlog-log-slower-than 0');
    harness.line('SLOWLOG RESET');
    harness.receive(Buffer.concat(Array.from({ length: 50 }, () => encode('GET', 'a'))));
    harness.settle();
    harness.output();
    expect(harness.line('SLOWLOG LEN')).toBe(':51\r\n');
  });
});

describe('what operators see of a command', () => {
  const seen = (...words: string[]): string[] =>
    shownWords(words[0].toLowerCase(), Args.of(...words)).map((word) => word.toString('latin1'));

  it('hides every password, in any case and place', () => {
    expect(seen('AUTH', 'me', 'secret')).toEqual(['AUTH', '(redacted)', '(redacted)']);
    expect(seen('hello', '3', 'setname', 'x', 'Auth', 'me', 'secret')).toEqual([
      'hello',
      '3',
      'setname',
      'x',
      'Auth',
      '(redacted)',
      '(redacted)',
    ]);
    expect(seen('HELLO', '3', 'AUTH', 'auth', 'secret', 'SETNAME', 'x').slice(3)).toEqual([
      '(redacted)',
      '(redacted)',
      'SETNAME',
      'x',
    ]);
    expect(seen('CONFIG', 'set', 'maxmemory', '1', 'requirePass', 'secret')).toEqual([
      'CONFIG',
      'set',
      'maxmemory',
      '1',
      'requirePass',
      '(redacted)',
    ]);
  });

  it('reads HELLO as HELLO does, and hides all from the first word that it would refuse', () => {
    const hidden = '(redacted)';
    expect(seen('HELLO', '3', 'SETNAME', 'AUTH', 'AUTH', 'default', 'secret')).toEqual([
      'HELLO',
      '3',
      'SETNAME',
      'AUTH',
      'AUTH',
      hidden,
      hidden,
    ]);
    expect(seen('HELLO', '3', 'AUTH', 'SETNAME', 'secret', 'setname', 'AUTH').slice(3)).toEqual([
      hidden,
      hidden,
      'setname',
      'AUTH',
    ]);
    for (const words of [
      ['3', 'SETNAME', 'AUTH', 'default', 'secret'],
      ['3', 'NOPE', 'AUTH', 'default', 'secret'],
      ['3', 'AUTH', 'secret'],
      ['3', 'AUTH', 'default', 'not', 'secret'],
      ['AUTH', 'default', 'secret'],
      ['AUTH', 'SETNAME', 'secret'],
      ['secret'],
    ]) {
      expect(seen('HELLO', ...words)).not.toContain('secret');
    }
  });

  it('holds no password of a HELLO that lets its client in, wherever AUTH stands among the options', () => {
    const option = fc.oneof(
      fc.constantFrom('AUTH', 'name', 'SETNAME').map((name) => ['SETNAME', name]),
      fc.constantFrom('AUTH', 'default', 'SETNAME').map((user) => ['AUTH', user, 'secret']),
    );
    fc.assert(
      fc.property(fc.array(option, { maxLength: 5 }), (options) => {
        const words = ['HELLO', '3', ...options.flat()];
        const shown = seen(...words);
        expect(shown).not.toContain('secret');
        const secrets = options.filter(([name]) => name === 'AUTH').length * 2;
        expect(shown.filter((word) => word === '(redacted)')).toHaveLength(secrets);
      }),
    );
  });

  it('is bounded, whatever came', () => {
    expect(seen('SET', 'k', 'v'.repeat(200))[2]).toBe(`${'v'.repeat(128)}... (72 more bytes)`);
    const many = seen('MGET', ...Array.from({ length: 40 }, (_, index) => `${index}`));
    expect(many).toHaveLength(32);
    expect(many[31]).toBe('... (10 more arguments)');
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 60 }), (words) => {
        const shown = shownWords('set', Args.of(...words));
        expect(shown.length).toBe(Math.min(32, words.length));
        for (const word of shown) expect(quoted(word)).toMatch(/^"[\x20-\x7e]*"$/);
      }),
    );
  });
});

describe('MONITOR', () => {
  function watched(): Harness {
    const harness = new Harness();
    harness.host.keyspace.wallMs = 5_000_500;
    harness.accept(2);
    harness.receive('MONITOR\r\n', 2);
    harness.settle();
    expect(harness.output(2)).toBe('+OK\r\n');
    return harness;
  }

  it('is told each command as Redis writes it, but those of operators, and no password', () => {
    const harness = watched();
    harness.ask('set', 'k', 'a\xff\n"\\');
    harness.line('CONFIG GET save');
    harness.line('AUTH hidden');
    harness.line('NOPE');
    expect(harness.output(2)).toBe(
      '+5000.500000 [0 127.0.0.1:50001] "set" "k" "a\\xff\\n\\"\\\\"\r\n' +
        '+5000.500000 [0 127.0.0.1:50001] "AUTH" "(redacted)"\r\n',
    );
    expect(harness.line('CLIENT LIST ID 2')).toContain('flags=O ');
  });

  it('sees every command of a pipeline, and its own replies stay in order', () => {
    const harness = watched();
    harness.receive(Buffer.concat(Array.from({ length: 100 }, () => encode('GET', 'a'))));
    harness.settle();
    expect(harness.output(2).split('\r\n')).toHaveLength(101);
    harness.receive('PING\r\n', 2);
    harness.settle();
    expect(harness.output(2)).toBe('+PONG\r\n+5000.500000 [0 127.0.0.1:50002] "PING"\r\n');
  });

  it('ends with RESET and with the connection, and has a bound', () => {
    const harness = watched();
    harness.receive('RESET\r\n', 2);
    harness.settle();
    harness.output(2);
    harness.ask('GET', 'a');
    expect(harness.output(2)).toBe('');
    for (let stream = 3; stream < 20; stream++) {
      harness.accept(stream);
      harness.receive('MONITOR\r\n', stream);
    }
    harness.settle();
    expect(harness.output(18)).toBe('+OK\r\n');
    expect(harness.output(19)).toMatch(/^-ERR at most 16 connections may MONITOR/);
    harness.sessions.closed(18);
    harness.receive('MONITOR\r\n', 19);
    harness.settle();
    expect(harness.output(19)).toBe('+OK\r\n');
    expect(harness.line('INFO stats')).toContain('hearsay_monitors:16\r\nhearsay_monitors_refused:1\r\n');
  });

  it('closes a watcher that does not read', () => {
    const harness = watched();
    harness.host.settings = {
      ...harness.host.settings,
      limits: { ...harness.host.settings.limits, outputBytesMax: 10_000 },
    };
    harness.streams.stuck.set(2, 0);
    for (let count = 0; count < 400; count++) harness.ask('GET', 'a');
    expect(harness.streams.closes.get(2)).toBe(false);
    expect(harness.host.stats.outputLimitClosed).toBe(1);
    expect(harness.line('INFO stats')).toContain('hearsay_monitors:0\r\n');
  });
});

describe('timings', () => {
  it('a percentile is no less than the sample it stands for, and at most a quarter more', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 1, max: 1e8, noNaN: true }), { minLength: 1, maxLength: 50 }),
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        (samples, fraction) => {
          const timings = new Timings(1);
          for (const us of samples) timings.add(0, us);
          const sorted = [...samples].sort((left, right) => left - right);
          const exact = sorted[Math.max(1, Math.ceil(samples.length * fraction)) - 1];
          expect(timings.percentileUs(0, fraction)).toBeGreaterThanOrEqual(exact);
          expect(timings.percentileUs(0, fraction)).toBeLessThanOrEqual(exact * 1.25 + 0.125);
          const pairs = timings.cumulative(0, samples.length);
          expect(pairs.at(-1)?.[1]).toBe(samples.length);
          for (const [us, count] of pairs) {
            expect(count).toBe(samples.filter((sample) => Math.floor(sample * 8) < us * 8).length);
          }
        },
      ),
    );
  });

  it('of constant work the first after a tick and one in 61 are timed, of all else each', () => {
    const harness = ticking(1);
    harness.sessions.tick();
    harness.receive(Buffer.concat(Array.from({ length: 129 }, () => encode('GET', 'a'))));
    harness.settle();
    harness.output();
    const { timings } = harness.sessions.probe;
    const get = harness.sessions.table.find(Args.of('get'));
    expect(timings.samples[get]).toBe(3);
    const keys = harness.sessions.table.find(Args.of('keys'));
    for (let count = 0; count < 5; count++) harness.line('KEYS x');
    expect(timings.samples[keys]).toBe(5);
    expect(harness.line('INFO commandstats')).toContain('cmdstat_get:calls=129,usec=129000,usec_per_call=1000.00,');
    expect(harness.line('INFO latencystats')).toMatch(/latency_percentiles_usec_get:p50=1\d{3}\.\d{3},p99=/);
    expect(harness.line('LATENCY HISTOGRAM get nope')).toBe(
      '*2\r\n$3\r\nget\r\n*4\r\n$5\r\ncalls\r\n:129\r\n$14\r\nhistogram_usec\r\n*2\r\n:1024\r\n:129\r\n',
    );
    harness.line('CONFIG RESETSTAT');
    expect(harness.line('LATENCY HISTOGRAM get')).toBe('*0\r\n');
  });
});

describe('sampling', () => {
  /** How many of so many rounds of these commands in a pipeline are timed, by command. */
  function timed(rounds: number, ...commands: string[][]): number[] {
    const harness = ticking(1);
    const round = commands.map((words) => encode(...words));
    harness.receive(Buffer.concat(Array.from({ length: rounds }, () => round).flat()));
    harness.settle();
    harness.output();
    const { probe, table } = harness.sessions;
    return commands.map((words) => probe.timings.samples[table.find(Args.of(words[0]))]);
  }

  it('a command that is always timed does not keep those of constant work from their turn', () => {
    const [keys, get] = timed(200, ['KEYS', 'x'], ['GET', 'a']);
    expect(keys).toBe(200);
    expect(get).toBe(4);
  });

  it('of SET and its kin one in 61 is timed, too', () => {
    expect(timed(123, ['SET', 'a', '1'])).toEqual([3]);
    expect(timed(123, ['SETEX', 'a', '9', '1'])).toEqual([3]);
    expect(timed(123, ['PSETEX', 'a', '9000', '1'])).toEqual([3]);
  });

  it('commands that take turns are all timed', () => {
    for (const count of timed(200, ['SET', 'a', '1'], ['GET', 'a'])) expect(count).toBeGreaterThanOrEqual(3);
    for (const count of timed(200, ['SET', 'a', '1'], ['GET', 'a'], ['TTL', 'a'], ['EXISTS', 'a'])) {
      expect(count).toBeGreaterThanOrEqual(3);
    }
  });

  it('tells no client that SET is fast, where Redis does not', () => {
    const harness = new Harness();
    for (const name of ['set', 'setex', 'psetex']) {
      expect(harness.line(`COMMAND INFO ${name}`)).toContain('+@slow\r\n');
      expect(harness.line(`COMMAND INFO ${name}`)).not.toContain('fast');
    }
  });
});

describe('LATENCY', () => {
  it('notes what takes as long as the threshold, the longest of each second', () => {
    const harness = ticking(7);
    expect(harness.line('LATENCY DOCTOR')).toContain('monitoring is off');
    expect(harness.line('LATENCY LATEST')).toBe('*0\r\n');
    harness.line('CONFIG SET latency-monitor-threshold 5');
    harness.host.keyspace.wallMs = 9_000_000;
    harness.line('LATENCY RESET');
    harness.line('GET a');
    expect(harness.line('LATENCY HISTORY fast-command')).toBe('*1\r\n*2\r\n:9000\r\n:7\r\n');
    expect(harness.line('LATENCY LATEST')).toContain('$12\r\nfast-command\r\n:9000\r\n:7\r\n:7\r\n');
    expect(harness.line('LATENCY GRAPH fast-command')).toContain('9000        7 ms ####');
    expect(harness.line('LATENCY GRAPH nope')).toBe("-ERR No samples available for event 'nope'\r\n");
    expect(harness.line('LATENCY DOCTOR')).toContain('fast-command: 1 spikes, mean 7 ms');
    expect(harness.line('LATENCY RESET fast-command nope')).toBe(':1\r\n');
    for (let second = 0; second < 500; second++) {
      harness.host.keyspace.wallMs += 1000;
      harness.line('GET a');
    }
    expect(harness.line('LATENCY HISTORY fast-command')).toMatch(/^\*160\r\n/);
  });
});

describe('CONFIG SET', () => {
  it('sets all pairs or none', () => {
    const harness = new Harness();
    expect(harness.line('CONFIG SET slowlog-max-len 7 latency-monitor-threshold x')).toMatch(
      /^-ERR CONFIG SET failed \(possibly related to argument 'latency-monitor-threshold'\)/,
    );
    expect(harness.line('CONFIG GET slowlog-max-len')).toContain('$3\r\n128\r\n');
    expect(harness.line('CONFIG SET slowlog-max-len 7 SLOWLOG-log-slower-than 5')).toBe('+OK\r\n');
    expect(harness.line('CONFIG GET slowlog-max-len')).toContain('$1\r\n7\r\n');
    expect(harness.line('CONFIG SET slowlog-max-len 7 slowlog-max-len 8')).toMatch(/duplicate parameter\r\n$/);
    expect(harness.line('CONFIG SET slowlog-max-len 7 port 8')).toMatch(/can't set immutable config\r\n$/);
  });
});
