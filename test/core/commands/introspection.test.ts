/** What a node tells of itself, and replies that are switched off: CLIENT REPLY, MEMORY, SCRIPT, FUNCTION, ROLE, LOLWUT, HELP. */
import { describe, expect, it } from 'vitest';
import { encode, Harness } from '../session/harness.js';

describe('CLIENT REPLY', () => {
  it('SKIP drops the reply of the next command alone, and OFF all until ON', () => {
    const harness = new Harness();
    harness.line('CLIENT REPLY SKIP\r\nSET a 1\r\nGET a');
    harness.receive('CLIENT REPLY SKIP\r\nSET a 2\r\nGET a\r\n');
    harness.settle();
    expect(harness.output()).toBe('$1\r\n2\r\n');
    expect(harness.line('CLIENT REPLY OFF')).toBe('');
    expect(harness.line('NOPE')).toBe('');
    expect(harness.line('CLIENT REPLY SKIP')).toBe('');
    expect(harness.line('GET a')).toBe('');
    expect(harness.line('GET a')).toBe('');
    expect(harness.line('CLIENT REPLY ON')).toBe('+OK\r\n');
    expect(harness.line('GET a')).toBe('$1\r\n2\r\n');
    expect(harness.host.stats.errors.get('ERR')).toBe(1);
  });

  it('drops replies that come later, without holding up or mixing those of other commands', () => {
    const harness = new Harness((host) => {
      host.away = () => true;
    });
    harness.receive(
      Buffer.concat([encode('GET', 'a'), encode('CLIENT', 'REPLY', 'SKIP'), encode('GET', 'b'), encode('GET', 'c')]),
    );
    harness.settle();
    expect(harness.output()).toBe('');
    for (let left = 3; left > 0; left--) harness.host.answerRemote(left - 1);
    harness.settle();
    expect(harness.output()).toBe('$-1\r\n$-1\r\n');
    harness.receive(
      Buffer.concat([encode('CLIENT', 'REPLY', 'OFF'), encode('GET', 'a'), encode('CLIENT', 'REPLY', 'ON')]),
    );
    harness.settle();
    harness.host.answerRemote(0);
    harness.settle();
    expect(harness.output()).toBe('+OK\r\n');
  });

  it('RESET is answered, and switches replies on', () => {
    const harness = new Harness();
    harness.line('CLIENT REPLY OFF');
    expect(harness.line('RESET')).toBe('+RESET\r\n');
    expect(harness.line('PING')).toBe('+PONG\r\n');
  });

  it('RESET that SKIP asked to drop is dropped as any other, and the next command is answered', () => {
    const harness = new Harness();
    harness.receive('CLIENT REPLY SKIP\r\nRESET\r\nPING\r\n');
    harness.settle();
    expect(harness.output()).toBe('+PONG\r\n');
    harness.receive('CLIENT REPLY SKIP\r\nPING\r\nRESET\r\nPING\r\n');
    harness.settle();
    expect(harness.output()).toBe('+RESET\r\n+PONG\r\n');
    harness.receive('CLIENT REPLY OFF\r\nCLIENT REPLY SKIP\r\nRESET\r\nPING\r\n');
    harness.settle();
    expect(harness.output()).toBe('+RESET\r\n+PONG\r\n');
  });

  it('a reply that is dropped holds nothing back for the log', () => {
    const harness = new Harness();
    harness.host.batch = 5;
    harness.receive('CLIENT REPLY SKIP\r\nSET a 1\r\nPING\r\n');
    harness.settle();
    expect(harness.output()).toBe('+PONG\r\n');
  });
});

describe('MEMORY', () => {
  it('USAGE grows with key and value, and is nothing where there is no key', () => {
    const harness = new Harness();
    harness.ask('SET', 'a', 'x'.repeat(1000));
    const small = Number(/^:(\d+)\r\n$/.exec(harness.line('MEMORY USAGE a'))?.[1]);
    expect(small).toBeGreaterThan(1000);
    expect(small).toBeLessThan(1100);
    expect(harness.line('MEMORY USAGE a SAMPLES 5')).toBe(`:${small}\r\n`);
    harness.ask('SET', 'a', 'x'.repeat(1000), 'EX', '100');
    expect(Number(harness.line('MEMORY USAGE a').slice(1))).toBeGreaterThan(small);
    expect(harness.line('MEMORY USAGE none')).toBe('$-1\r\n');
    expect(harness.line('MEMORY USAGE a SAMPLES -1')).toBe('-ERR syntax error\r\n');
    expect(harness.line('MEMORY USAGE a FOO 1')).toBe('-ERR syntax error\r\n');
    expect(harness.line('MEMORY.USAGE a')).toMatch(/^-ERR unknown command/);
  });

  it('USAGE is asked of an owner', () => {
    const harness = new Harness((host) => {
      host.away = () => true;
    });
    harness.host.keyspace.entries.set('a', { value: Buffer.from('v'), expireAtMs: 0 });
    harness.receive('MEMORY USAGE a\r\nPING\r\n');
    harness.settle();
    expect(harness.output()).toBe('');
    harness.host.answerRemote(0);
    harness.settle();
    expect(harness.output()).toMatch(/^:\d+\r\n\+PONG\r\n$/);
  });

  it('STATS, DOCTOR, PURGE, MALLOC-STATS and HELP answer, and what is no subcommand is refused', () => {
    const harness = new Harness();
    harness.ask('HELLO', '3');
    expect(harness.line('MEMORY STATS')).toMatch(/^%13\r\n\$14\r\npeak\.allocated\r\n:2048\r\n/);
    expect(harness.line('MEMORY DOCTOR')).toContain('Nothing is amiss');
    expect(harness.line('MEMORY PURGE')).toBe('+OK\r\n');
    expect(harness.line('MEMORY MALLOC-STATS')).toContain('HEARSAY.STATUS');
    expect(harness.line('MEMORY HELP')).toContain('USAGE <key>');
    expect(harness.line('MEMORY FOO')).toBe("-ERR unknown subcommand 'FOO'. Try MEMORY HELP.\r\n");
    harness.host.settings = { ...harness.host.settings, maxMemoryBytes: 2048, eviction: 'none' };
    expect(harness.line('MEMORY DOCTOR')).toContain('writes are refused with OOM');
  });
});

describe('what has nothing behind it', () => {
  it('scripts and functions are flushed and listed as none, and none is loaded', () => {
    const harness = new Harness();
    expect(harness.line('SCRIPT EXISTS a b')).toBe('*2\r\n:0\r\n:0\r\n');
    expect(harness.line('FUNCTION LIST')).toBe('*0\r\n');
    expect(harness.line('FUNCTION STATS')).toBe('*4\r\n$14\r\nrunning_script\r\n$-1\r\n$7\r\nengines\r\n*0\r\n');
    expect(harness.line('SCRIPT LOAD x')).toMatch(/^-ERR SCRIPT LOAD is not had: scripts need one leader/);
    expect(harness.line('FUNCTION LOAD x')).toMatch(/^-ERR FUNCTION LOAD is not had: scripts need one leader/);
    expect(harness.line('EVAL x 0')).toMatch(/^-ERR unknown command 'EVAL': scripts need one leader/);
  });

  it('PAUSE is refused with the reason, and UNPAUSE does no harm', () => {
    const harness = new Harness();
    expect(harness.line('CLIENT PAUSE 100')).toMatch(/^-ERR CLIENT PAUSE is not had: other nodes go on serving/);
    expect(harness.line('CLIENT UNPAUSE')).toBe('+OK\r\n');
  });

  it('LOLWUT draws the same picture for the same version and size, within a bound', () => {
    const [left, right] = [new Harness(), new Harness()];
    const picture = left.line('LOLWUT');
    expect(right.line('LOLWUT')).toBe(picture);
    expect(left.line('LOLWUT VERSION 5')).not.toBe(picture);
    expect(left.line('LOLWUT VERSION 5 10 3')).not.toBe(left.line('LOLWUT VERSION 6 10 3'));
    expect(left.line('LOLWUT 9999999 9999999').length).toBeLessThan(16_384);
    expect(left.line('LOLWUT 1 1')).toContain('1 of 1 have heard it');
    expect(left.line('LOLWUT x')).toMatch(/^-ERR value is not an integer/);
  });

  it.each(['CLIENT', 'COMMAND', 'CONFIG', 'FUNCTION', 'MEMORY', 'SCRIPT'])(
    '%s HELP is in the form of Redis',
    (name) => {
      const lines = new Harness().line(`${name} HELP`).split('\r\n');
      expect(lines[0]).toBe(`*${lines.length - 2}`);
      expect(lines[1]).toBe(`+${name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`);
      expect(lines.slice(-3)).toEqual(['+HELP', '+    Print this help.', '']);
    },
  );
});

describe('INFO', () => {
  it('tells how many commands ran in the last second', () => {
    const harness = new Harness();
    harness.sessions.tick();
    for (let count = 0; count < 20; count++) harness.line('PING');
    harness.host.monotonicMs += 2000;
    harness.sessions.tick();
    expect(harness.line('INFO stats')).toContain('instantaneous_ops_per_sec:10\r\n');
  });

  it('gives several sections that are named at once', () => {
    const text = new Harness().line('INFO server MODULES cluster');
    expect([...text.matchAll(/# (\w+)/g)].map((found) => found[1])).toEqual(['Server', 'Modules', 'Cluster']);
  });
});
