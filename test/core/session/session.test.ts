/** One connection: order of replies, fairness, back-pressure, and its bounds. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GUESS_BACK_MS, GUESSES_MAX } from '../../../src/core/commands/password-guesses.js';
import { OUTPUT_ROOM_BYTES_MIN, outputMarks } from '../../../src/core/resp/output-marks.js';
import { PLACES_MAX } from '../../../src/core/session/outbox.js';
import { COMMANDS_PER_TURN, WRONG_PASSWORD_MS, WRONG_PASSWORDS_MAX } from '../../../src/core/session/session.js';
import { encode, Harness } from './harness.js';

function store(harness: Harness, key: string, value: Buffer | string): void {
  harness.host.keyspace.entries.set(key, { value: Buffer.from(value as string), expireAtMs: 0 });
}

/** The other nodes answer all that is asked of them now. */
function answerAll(harness: Harness): void {
  for (let left = harness.host.remote.length; left > 0; left--) harness.host.answerRemote(0);
  harness.settle();
}

/** What happens in one step of a run of mixed replies. */
type Step = 'here' | 'away' | 'held' | 'here and held' | 'answer' | 'durable' | 'end turn';
const step = fc.tuple(
  fc.constantFrom<Step>('here', 'away', 'held', 'here and held', 'answer', 'durable', 'end turn'),
  fc.nat(1000),
);

/** With the limits that a node has by itself. */
const MARKS = outputMarks(new Harness().host.settings.limits);
const AT_FIRST = Math.max(1, Math.floor(MARKS.awaitedBytesHigh / MARKS.replyBytesAtFirst));

describe('a session', () => {
  it('sends replies in the order of commands, whole, and none before its batch, however they become known', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const harness = new Harness();
        let expected = '';
        let sent = '';
        /** Where held replies begin, and the batch each waits for. */
        const holds: { at: number; batch: number }[] = [];
        let batch = 0;
        let commands = 0;
        const give = (away: boolean): void => {
          const text = `v${commands}`.repeat(1 + (commands % 9));
          store(harness, `k${commands}`, text);
          harness.host.away = () => away;
          harness.receive(encode('GET', `k${commands++}`));
          expected += `$${text.length}\r\n${text}\r\n`;
        };
        const check = (): void => {
          harness.endTurn();
          sent += harness.output();
          expect(expected.startsWith(sent)).toBe(true);
          const open = holds.find((hold) => hold.batch > harness.durable);
          if (open !== undefined) expect(sent.length).toBeLessThanOrEqual(open.at);
        };
        for (const [what, number] of steps) {
          if (what === 'here') give(false);
          else if (what === 'away') give(true);
          else if (what === 'held' || what === 'here and held') {
            if (what === 'held' || batch === 0) batch++;
            holds.push({ at: expected.length, batch });
            harness.host.batch = batch;
            give(false);
            harness.host.batch = 0;
          } else if (what === 'answer') {
            if (harness.host.remote.length > 0) harness.host.answerRemote(number % harness.host.remote.length);
          } else if (what === 'durable') harness.durable = Math.min(batch, harness.durable + (number % 3));
          else check();
        }
        check();
        while (harness.host.remote.length > 0) harness.host.answerRemote(harness.host.remote.length - 1);
        check();
        harness.durable = batch;
        check();
        expect(sent).toBe(expected);
      }),
      { numRuns: 400 },
    );
  });

  it('writes all replies of a turn at once', () => {
    const harness = new Harness();
    harness.receive(Buffer.concat(Array.from({ length: 16 }, () => encode('PING'))));
    harness.receive(encode('ECHO', 'x'));
    harness.endTurn();
    expect(harness.output()).toBe(`${'+PONG\r\n'.repeat(16)}$1\r\nx\r\n`);
    expect(harness.streams.writes).toBe(1);
  });

  it('never throws at random bytes, and answers what it can', () => {
    const words = fc.constantFrom(
      'GET',
      'SET',
      'CLIENT',
      'LIST',
      'HELLO',
      '3',
      'COMMAND',
      'MGET',
      'SCAN',
      '0',
      'EX',
      '9',
      '*',
      'a',
    );
    const parts = fc.oneof(
      { weight: 4, arbitrary: fc.array(words, { minLength: 1, maxLength: 6 }).map((list) => encode(...list)) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)) },
    );
    fc.assert(
      fc.property(fc.array(parts, { maxLength: 20 }), fc.boolean(), (pieces, locked) => {
        const harness = new Harness((host) => {
          if (locked) host.settings = { ...host.settings, password: 'secret' };
        });
        for (const piece of pieces) harness.receive(piece);
        harness.settle();
        expect(harness.output()).toMatch(/^([+\-:$*_#,=%~>]|$)/);
      }),
      { numRuns: 300 },
    );
  });

  it('runs a thousand commands a turn and lets others have theirs in between', () => {
    const harness = new Harness();
    harness.accept(2);
    harness.receive('PING\r\n'.repeat(COMMANDS_PER_TURN * 2 + 500));
    harness.receive('PING\r\n', 2);
    harness.endTurn();
    expect(harness.output(1)).toBe('+PONG\r\n'.repeat(COMMANDS_PER_TURN));
    expect(harness.output(2)).toBe('+PONG\r\n');
    expect(harness.sessions.wantsTurn).toBe(true);
    harness.sessions.turn();
    expect(harness.settle()).toBe(2);
    expect(harness.output(1)).toBe('+PONG\r\n'.repeat(COMMANDS_PER_TURN + 500));
    expect(harness.sessions.wantsTurn).toBe(false);
  });

  it('shares a turn among all who have more to do than it allows', () => {
    const harness = new Harness();
    const crowd = 10;
    for (let stream = 2; stream <= crowd; stream++) harness.accept(stream);
    for (let stream = 1; stream <= crowd; stream++) harness.receive('PING\r\n'.repeat(COMMANDS_PER_TURN * 3), stream);
    harness.endTurn();
    for (let stream = 1; stream <= crowd; stream++) harness.output(stream);
    harness.sessions.turn();
    harness.endTurn();
    for (let stream = 1; stream <= crowd; stream++) {
      expect(harness.output(stream)).toBe('+PONG\r\n'.repeat(COMMANDS_PER_TURN / crowd));
    }
  });

  it('stops reading while more input waits than one turn takes', () => {
    const harness = new Harness();
    harness.receive('PING\r\n'.repeat(40_000));
    harness.endTurn();
    expect(harness.streams.paused.get(1)).toBe(true);
    harness.settle();
    expect(harness.streams.paused.get(1)).toBe(false);
    expect(harness.output()).toBe('+PONG\r\n'.repeat(40_000));
  });

  it('neither runs nor reads for a client that does not take its replies, and goes on when it does', () => {
    const harness = new Harness();
    store(harness, 'big', Buffer.alloc(100_000, 'x'));
    harness.streams.stuck.set(1, 0);
    harness.receive(Buffer.concat(Array.from({ length: 200 }, () => encode('GET', 'big'))));
    harness.settle();
    expect(harness.streams.paused.get(1)).toBe(true);
    expect(harness.streams.queued(1)).toBeLessThan(MARKS.owedBytesHigh + 200_000);
    expect(harness.host.stats.calls[0]).toBeLessThan(20);
    harness.streams.stuck.delete(1);
    harness.sessions.drained(1);
    harness.settle();
    expect(harness.streams.paused.get(1)).toBe(false);
    expect(harness.output()).toBe(`$100000\r\n${'x'.repeat(100_000)}\r\n`.repeat(200));
    expect(harness.host.stats.pauses).toBeGreaterThan(0);
  });

  it('looks again at a paused client by the pulse, if nobody says that it has drained', () => {
    const harness = new Harness();
    store(harness, 'big', Buffer.alloc(1_200_000, 'x'));
    harness.streams.stuck.set(1, 0);
    harness.receive(encode('GET', 'big'));
    harness.receive(encode('PING'));
    harness.settle();
    expect(harness.streams.paused.get(1)).toBe(true);
    harness.streams.stuck.delete(1);
    harness.sessions.tick();
    harness.settle();
    expect(harness.output().endsWith('+PONG\r\n')).toBe(true);
  });

  it('closes a client that is owed more than the output limit, and counts it', () => {
    const harness = new Harness();
    store(harness, 'big', Buffer.alloc(12_000_000));
    harness.receive(encode('MGET', 'big', 'big', 'big'));
    harness.settle();
    expect(harness.streams.closes.get(1)).toBe(false);
    expect(harness.output()).toBe('');
    expect(harness.host.stats.outputLimitClosed).toBe(1);
  });

  it('takes no more commands while very many replies are still to come', () => {
    const harness = new Harness();
    harness.host.away = () => true;
    // It has seen that they are short.
    harness.receive(Buffer.concat(Array.from({ length: 200 }, () => encode('GET', 'k'))));
    for (harness.settle(); harness.host.remote.length > 0; ) answerAll(harness);
    harness.output();
    harness.receive(Buffer.concat(Array.from({ length: PLACES_MAX + 300 }, () => encode('GET', 'k'))));
    harness.settle();
    harness.sessions.turn();
    harness.settle();
    expect(harness.host.remote.length).toBe(PLACES_MAX);
    expect(harness.streams.paused.get(1)).toBe(true);
    while (harness.host.remote.length > 0) harness.host.answerRemote(0);
    harness.settle();
    while (harness.host.remote.length > 0) harness.host.answerRemote(0);
    harness.settle();
    expect(harness.output()).toBe('$-1\r\n'.repeat(PLACES_MAX + 300));
  });

  it('has few replies of unknown length come from elsewhere at once, and more when they are short', () => {
    const harness = new Harness();
    harness.host.away = () => true;
    harness.receive(Buffer.concat(Array.from({ length: 600 }, () => encode('GET', 'k'))));
    harness.settle();
    const rounds: number[] = [];
    while (harness.host.remote.length > 0) {
      rounds.push(harness.host.remote.length);
      answerAll(harness);
    }
    expect(rounds[0]).toBe(AT_FIRST);
    expect(rounds.length).toBeLessThan(6);
    expect(harness.output()).toBe('$-1\r\n'.repeat(600));
  });

  it('has as many writes under way elsewhere as it has places, for they answer no value', () => {
    const harness = new Harness();
    harness.host.away = () => true;
    harness.receive(Buffer.concat(Array.from({ length: 300 }, (_, at) => encode('SET', `k${at}`, 'v'))));
    harness.settle();
    expect(harness.host.remote.length).toBe(300);
    harness.receive(Buffer.concat(Array.from({ length: 300 }, (_, at) => encode('GETDEL', `k${at}`))));
    harness.settle();
    expect(harness.host.remote.length).toBe(300 + AT_FIRST);
    for (let round = 0; harness.host.remote.length > 0 && round < 20; round++) answerAll(harness);
    expect(harness.output()).toBe(`${'+OK\r\n'.repeat(300)}${'$1\r\nv\r\n'.repeat(300)}`);
  });

  it('asks other nodes for little more than a client takes that does not read, whatever they answer', () => {
    const harness = new Harness();
    harness.host.away = () => true;
    const value = Buffer.alloc(1024 * 1024, 'x');
    store(harness, 'big', value);
    harness.streams.stuck.set(1, 0);
    harness.receive(Buffer.concat(Array.from({ length: 200 }, () => encode('GET', 'big'))));
    harness.settle();
    let answered = 0;
    while (harness.host.remote.length > 0) {
      answered += harness.host.remote.length;
      answerAll(harness);
    }
    expect(answered).toBe(AT_FIRST);
    expect(harness.streams.queued(1)).toBeLessThan((answered + 1) * value.length);
    expect(harness.streams.closes.has(1)).toBe(false);
  });

  it.each(['reads slowly', 'was given errors before'])(
    'gives a client that %s every reply in order, from here and from elsewhere, with few long ones under way',
    (how) => {
      const harness = new Harness();
      const isAway = (partition: number): boolean => (partition & 4) !== 0;
      const bytes = 1024 * 1024;
      let expected = '';
      let given = '';
      if (how !== 'reads slowly') {
        harness.host.away = () => true;
        harness.receive(Buffer.concat(Array.from({ length: 400 }, () => encode('INCR', 'none'))));
        store(harness, 'none', 'text');
        for (harness.settle(); harness.host.remote.length > 0; ) answerAll(harness);
        harness.output();
      }
      harness.host.away = isAway;
      const asked: Buffer[] = [];
      for (let number = 0; number < 60; number++) {
        const value = `${number % 7}`.repeat(bytes);
        store(harness, `key${number % 7}`, value);
        asked.push(encode('GET', `key${number % 7}`));
        expected += `$${bytes}\r\n${value}\r\n`;
      }
      harness.streams.stuck.set(1, 0);
      harness.receive(Buffer.concat(asked));
      harness.settle();
      let most = 0;
      for (let turn = 0; given.length < expected.length && turn < 1000; turn++) {
        most = Math.max(most, harness.host.remote.length);
        if (harness.host.remote.length > 0) harness.host.answerRemote(turn % harness.host.remote.length);
        harness.settle();
        given += harness.output();
        harness.streams.stuck.set(1, 0);
        harness.sessions.drained(1);
        harness.settle();
      }
      expect(given === expected).toBe(true);
      expect(most).toBeGreaterThan(0);
      expect(most).toBeLessThanOrEqual(AT_FIRST);
      expect(harness.streams.closes.has(1)).toBe(false);
    },
  );

  it.each([
    [64 * 1024, 64 * 1024 + OUTPUT_ROOM_BYTES_MIN],
    [512 * 1024, 512 * 1024 + OUTPUT_ROOM_BYTES_MIN],
    [1024 * 1024, 4 * 1024 * 1024],
  ])(
    'closes no client that takes what it is given, with values of %i bytes and a limit of %i',
    (bulkBytesMax, outputBytesMax) => {
      const harness = new Harness((host) => {
        host.settings = { ...host.settings, limits: { ...host.settings.limits, bulkBytesMax, outputBytesMax } };
      });
      const value = 'v'.repeat(bulkBytesMax);
      const reply = `$${bulkBytesMax}\r\n${value}\r\n`;
      for (let key = 0; key < 8; key++) store(harness, `key${key}`, value);
      harness.host.away = (partition) => (partition & 4) !== 0;
      const asked = Array.from({ length: 100 }, (_, number) => encode('GET', `key${number % 8}`));
      harness.streams.stuck.set(1, 0);
      harness.receive(Buffer.concat(asked));
      harness.settle();
      let given = 0;
      let most = 0;
      for (let turn = 0; given < asked.length * reply.length && turn < 1000; turn++) {
        answerAll(harness);
        most = Math.max(most, harness.streams.queued(1));
        given += harness.output().length;
        harness.streams.stuck.set(1, 0);
        harness.sessions.drained(1);
        harness.settle();
      }
      expect(harness.streams.closes.has(1)).toBe(false);
      expect(given).toBe(asked.length * reply.length);
      expect(most).toBeGreaterThan(0);
    },
  );

  it('keeps nothing of what comes for a client that was closed', () => {
    const harness = new Harness();
    harness.host.away = () => true;
    store(harness, 'big', Buffer.alloc(1024 * 1024));
    harness.receive(encode('GET', 'big'));
    harness.settle();
    const [{ place }] = harness.host.remote;
    harness.sessions.closed(1);
    harness.host.answerRemote(0);
    expect(place.reply.buffer.length).toBe(0);
  });

  it('closes after QUIT only when every earlier reply has left', () => {
    const harness = new Harness();
    harness.host.away = () => true;
    harness.receive(Buffer.concat([encode('GET', 'k'), encode('QUIT'), encode('PING')]));
    harness.settle();
    expect(harness.streams.closes.has(1)).toBe(false);
    harness.host.answerRemote(0);
    harness.settle();
    expect(harness.output()).toBe('$-1\r\n+OK\r\n');
    expect(harness.streams.closes.get(1)).toBe(true);
  });

  it('answers a protocol error once, in its place, and closes', () => {
    const harness = new Harness();
    harness.host.away = () => true;
    harness.receive(Buffer.concat([encode('GET', 'k'), Buffer.from('*1\r\n!')]));
    harness.receive('\r\n*1\r\n$4\r\nPING\r\n');
    harness.receive(encode('PING'));
    harness.settle();
    harness.host.answerRemote(0);
    harness.settle();
    expect(harness.output()).toBe("$-1\r\n-ERR Protocol error: expected '$', got '!'\r\n");
    expect(harness.streams.closes.get(1)).toBe(true);
    expect(harness.host.stats.protocolErrors).toBe(1);
  });

  it('forgets replies that come after its stream has closed', () => {
    const harness = new Harness();
    harness.host.away = () => true;
    harness.receive(encode('GET', 'k'));
    harness.settle();
    harness.sessions.closed(1);
    harness.host.answerRemote(0);
    harness.settle();
    expect(harness.output()).toBe('');
    expect(harness.sessions.size).toBe(0);
  });

  it('hears nothing from a stranger but HELLO, AUTH, RESET and QUIT', () => {
    const harness = new Harness((host) => {
      host.settings = { ...host.settings, password: 'secret' };
    });
    expect(harness.ask('GET', 'k')).toBe('-NOAUTH Authentication required.\r\n');
    expect(harness.ask('GET')).toBe("-ERR wrong number of arguments for 'get' command\r\n");
    expect(harness.ask('HELLO', '3')).toMatch(/^-NOAUTH HELLO must be called/);
    expect(harness.ask('AUTH', 'wrong!')).toBe('-WRONGPASS invalid username-password pair or user is disabled.\r\n');
    harness.host.monotonicMs += WRONG_PASSWORD_MS;
    expect(harness.ask('AUTH', 'secre')).toMatch(/^-WRONGPASS/);
    harness.host.monotonicMs += WRONG_PASSWORD_MS;
    expect(harness.ask('AUTH', 'secretsecret')).toMatch(/^-WRONGPASS/);
    harness.host.monotonicMs += WRONG_PASSWORD_MS;
    expect(harness.ask('AUTH', '')).toMatch(/^-WRONGPASS/);
    harness.host.monotonicMs += WRONG_PASSWORD_MS;
    expect(harness.ask('AUTH', 'other', 'secret')).toMatch(/^-WRONGPASS/);
    harness.host.monotonicMs += WRONG_PASSWORD_MS;
    expect(harness.host.stats.passwordsRefused).toBe(5);
    expect(harness.ask('HELLO', '3', 'AUTH', 'default', 'secret', 'SETNAME', 'me')).toMatch(/^%7\r\n/);
    expect(harness.ask('GET', 'k')).toBe('_\r\n');
    expect(harness.ask('RESET')).toBe('+RESET\r\n');
    expect(harness.ask('GET', 'k')).toBe('-NOAUTH Authentication required.\r\n');
    expect(harness.ask('AUTH', 'secret')).toBe('+OK\r\n');
    expect(harness.ask('GET', 'k')).toBe('$-1\r\n');
    harness.accept(2);
    harness.receive('*11\r\n', 2);
    harness.settle();
    expect(harness.output(2)).toBe('-ERR Protocol error: unauthenticated multibulk length\r\n');
  });

  it('counts calls, refusals and errors by code', () => {
    const harness = new Harness();
    harness.line('SET a 1');
    harness.line('GET a');
    harness.line('GET b');
    harness.line('GET');
    harness.line('INCR a x');
    harness.line('SET a x');
    harness.line('INCR a');
    const info = harness.line('INFO stats commandstats errorstats');
    expect(info).toContain('keyspace_hits:1\r\n');
    expect(info).toContain('keyspace_misses:1\r\n');
    expect(info).toContain('cmdstat_get:calls=2,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=0\r\n');
    expect(info).toContain('cmdstat_incr:calls=1,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=1\r\n');
    expect(info).toContain('errorstat_ERR:count=3\r\n');
    expect(info).toContain('total_error_replies:3\r\n');
    harness.line('CONFIG RESETSTAT');
    expect(harness.line('INFO errorstats')).not.toContain('errorstat_ERR');
  });
});

describe('the table of sessions', () => {
  it('refuses a connection past the greatest number, and says so', () => {
    const harness = new Harness((host) => {
      host.settings = { ...host.settings, maxClients: 2 };
    });
    harness.accept(2);
    harness.accept(3);
    expect(harness.output(3)).toBe('-ERR max number of clients reached\r\n');
    expect(harness.streams.closes.get(3)).toBe(true);
    harness.receive('PING\r\n', 3);
    harness.settle();
    expect(harness.output(3)).toBe('');
    harness.sessions.closed(2);
    harness.accept(4);
    expect(harness.sessions.size).toBe(2);
    expect(harness.host.stats.connectionsRejected).toBe(1);
  });

  it('is told that the outcome is open where the log does not take what its replies wait for, and goes on', () => {
    const harness = new Harness();
    const outcome = (why: string): string =>
      `-UNAVAILABLE the log does not take this write (${why}): it may or may not be there after a restart\r\n`;
    harness.ask('SET', 'text', 'v');
    harness.receive(encode('GET', 'text'));
    harness.host.batch = 1;
    harness.receive(Buffer.concat([encode('SET', 'a', '1'), encode('HELLO', '9'), encode('INCR', 'text')]));
    harness.endTurn();
    expect(harness.output()).toBe('$1\r\nv\r\n');
    harness.sessions.refuseHeld('NOSPACE');
    harness.endTurn();
    const [first, ...refused] = harness.output().split(/(?<=\r\n)/);
    expect(first).toBe(outcome('NOSPACE'));
    expect(refused).toEqual([expect.stringMatching(/^-NOPROTO/), expect.stringMatching(/^-/)]);
    expect(harness.host.stats.heldRefused).toBe(1);
    expect(harness.host.stats.errors.get('UNAVAILABLE')).toBe(1);

    // What waits for another node is told when it comes.
    harness.host.away = () => true;
    harness.receive(encode('GET', 'text'));
    harness.host.away = () => false;
    harness.receive(encode('SET', 'a', '2'));
    harness.sessions.refuseHeld('DISKFAILED');
    harness.endTurn();
    expect(harness.output()).toBe('');
    harness.host.answerRemote(0);
    harness.endTurn();
    expect(harness.output()).toBe('$1\r\nv\r\n');
    harness.sessions.refuseHeld('DISKFAILED');
    harness.sessions.refuseHeld('DISKFAILED');
    harness.endTurn();
    expect(harness.output()).toBe(outcome('DISKFAILED'));
    harness.durable = 1;
    expect(harness.ask('GET', 'a')).toBe('$1\r\n2\r\n');
    expect(harness.streams.closes.size).toBe(0);
  });

  it('is not looked at when its address was wrong too often, right or wrong, until that is a while ago', () => {
    const harness = new Harness((host) => {
      host.settings = { ...host.settings, password: 'secret', maxClients: 1000 };
    });
    const ask = (stream: number, password: string): string => {
      harness.accept(stream);
      harness.receive(encode('HELLO', '2', 'AUTH', 'default', password), stream);
      harness.settle();
      return harness.output(stream);
    };
    for (let stream = 2; stream < 2 + GUESSES_MAX; stream++) expect(ask(stream, 'wrong')).toMatch(/^-WRONGPASS/);
    const refusal = '-ERR too many wrong passwords from this address, try again later\r\n';
    expect(ask(1000, 'wrong')).toBe(refusal);
    expect(ask(1001, 'secret')).toBe(refusal);
    expect(harness.host.stats.passwordsRefused).toBe(GUESSES_MAX);
    harness.host.monotonicMs += GUESS_BACK_MS;
    expect(ask(1002, 'secret')).toMatch(/^\*14/);
    expect(ask(1003, 'wrong')).toMatch(/^-WRONGPASS/);
    expect(ask(1004, 'secret')).toBe(refusal);
    harness.receive(encode('INFO', 'stats'), 1002);
    harness.settle();
    expect(harness.output(1002)).toMatch(/hearsay_passwords_unheard:3\r\n/);
  });

  it('is not heard for a second after a wrong password, and closed after ten: once it is let in, neither', () => {
    const harness = new Harness((host) => {
      host.settings = { ...host.settings, password: 'secret' };
    });
    harness.receive(Buffer.concat([encode('AUTH', 'wrong'), encode('AUTH', 'secret')]));
    harness.settle();
    expect(harness.output()).toMatch(/^-WRONGPASS[^\n]*\n$/);
    expect(harness.streams.paused.get(1)).toBe(true);
    harness.host.monotonicMs += WRONG_PASSWORD_MS - 1;
    harness.sessions.tick();
    harness.settle();
    expect(harness.output()).toBe('');
    harness.host.monotonicMs += 1;
    harness.sessions.tick();
    harness.settle();
    expect(harness.output()).toBe('+OK\r\n');
    expect(harness.streams.paused.get(1)).toBe(false);
    expect(harness.ask('AUTH', 'wrong')).toMatch(/^-WRONGPASS/);
    expect(harness.ask('PING')).toBe('+PONG\r\n');

    harness.accept(2);
    for (let guess = 1; guess <= WRONG_PASSWORDS_MAX; guess++) {
      expect(harness.streams.closes.has(2)).toBe(false);
      harness.receive(encode('AUTH', `guess ${guess}`), 2);
      harness.settle();
      harness.host.monotonicMs += WRONG_PASSWORD_MS;
    }
    expect(harness.streams.closes.get(2)).toBe(true);
    expect(harness.output(2).match(/WRONGPASS/g)).toHaveLength(WRONG_PASSWORDS_MAX);
    expect(harness.host.stats.passwordsRefused).toBe(2 + WRONG_PASSWORDS_MAX);
  });

  it('is bounded by the settings of its node in arguments, in their length and in input, each to the last one', () => {
    const limits = { argumentsMax: 16, bulkBytesMax: 64 * 1024, queryBytesMax: 1024 * 1024 };
    const answer = (input: Buffer, password: string | null = null): string => {
      const harness = new Harness((host) => {
        host.settings = { ...host.settings, password, limits: { ...host.settings.limits, ...limits } };
      });
      for (let at = 0; at < input.length; at += 50_000) harness.receive(input.subarray(at, at + 50_000));
      harness.settle();
      const closed = harness.streams.closes.has(1) ? '<closed>' : '';
      return `${harness.output().slice(0, 60)}${closed}`;
    };
    const words = (count: number): string[] => Array.from({ length: count }, (_unused, index) => `k${index}`);
    expect(answer(encode('DEL', ...words(15)))).toBe(':0\r\n');
    expect(answer(encode('DEL', ...words(16)))).toBe('-ERR Protocol error: invalid multibulk length\r\n<closed>');
    expect(answer(encode('SET', 'k', Buffer.alloc(64 * 1024)))).toBe('+OK\r\n');
    expect(answer(encode('SET', 'k', Buffer.alloc(64 * 1024 + 1)))).toBe(
      '-ERR Protocol error: invalid bulk length\r\n<closed>',
    );
    const whole = encode(...words(15), Buffer.alloc(1));
    expect(answer(whole.subarray(0, -1))).toBe('');
    const most = encode('MSET', ...Array.from({ length: 15 }, () => Buffer.alloc(64 * 1024)));
    expect(answer(most.subarray(0, -1))).toBe('');
    // Before AUTH: ten arguments of 16 KiB.
    expect(answer(encode('AUTH', Buffer.alloc(16 * 1024)), 'x')).toMatch(/^-WRONGPASS/);
    expect(answer(encode('AUTH', Buffer.alloc(16 * 1024 + 1)), 'x')).toContain('unauthenticated bulk length');
    expect(answer(encode(...words(10)), 'x')).toMatch(/^-ERR unknown command/);
    expect(answer(encode(...words(11)), 'x')).toContain('unauthenticated multibulk length');
  });

  it('closes a connection whose half command stays half, and no idle one', () => {
    const harness = new Harness();
    harness.accept(2);
    harness.receive('*2\r\n$3\r\nGE', 1);
    harness.receive('PING\r\n', 2);
    harness.settle();
    harness.host.monotonicMs += harness.host.settings.limits.partialCommandMs - 1;
    harness.receive('T', 1);
    harness.sessions.tick();
    expect(harness.streams.closes.has(1)).toBe(false);
    harness.host.monotonicMs += 1;
    harness.sessions.tick();
    expect(harness.streams.closes.get(1)).toBe(false);
    expect(harness.streams.closes.has(2)).toBe(false);
    expect(harness.host.stats.partialCommandClosed).toBe(1);
  });
});
