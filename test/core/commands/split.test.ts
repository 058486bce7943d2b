/** Commands of many keys on a node that holds only some of them. */
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { HearsayError } from '../../../src/core/base/errors.js';
import { slotOf } from '../../../src/core/partitions/slots.js';
import { estimate, REGISTERS, SketchUnion, SPARSE_MAX, sketchOf } from '../../../src/core/types/hyperloglog.js';
import { encode, Harness } from '../session/harness.js';

/** Answers what waits elsewhere in an order of its own until nothing does. */
function answerAll(harness: Harness, order: number[]): void {
  for (let turn = 0; harness.host.remote.length > 0; turn++) {
    harness.host.answerRemote((order[turn % Math.max(1, order.length)] ?? 0) % harness.host.remote.length);
  }
  harness.settle();
}

function apart(): Harness {
  const harness = new Harness();
  harness.host.away = (partition) => (partition & 4) !== 0;
  return harness;
}

describe('a command of many keys', () => {
  it('answers as if all keys lay here, in whatever order the others answer', () => {
    const key = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h');
    const command = fc.oneof(
      fc.tuple(fc.constantFrom('MGET', 'DEL', 'UNLINK', 'EXISTS', 'TOUCH'), fc.uniqueArray(key, { minLength: 1 })),
      fc.tuple(
        fc.constant('MSET'),
        fc.uniqueArray(key, { minLength: 1 }).map((keys) => keys.flatMap((at) => [at, `value of ${at}`])),
      ),
    );
    fc.assert(
      fc.property(
        fc.array(command, { maxLength: 8 }),
        fc.array(fc.nat(20), { minLength: 1 }),
        fc.boolean(),
        (commands, order, three) => {
          const whole = new Harness();
          const split = apart();
          if (three) expect(split.line('HELLO 3').length).toBe(whole.line('HELLO 3').length);
          for (const [name, words] of commands) {
            const bytes = encode(name, ...words);
            whole.receive(bytes);
            whole.settle();
            split.receive(bytes);
            split.settle();
            answerAll(split, order);
            expect(split.output()).toBe(whole.output());
          }
          expect([...split.host.keyspace.entries.keys()].sort()).toEqual(
            [...whole.host.keyspace.entries.keys()].sort(),
          );
        },
      ),
    );
  });

  it('lets go of what comes for it once it is more than a reply may be, begins no further read, and closes its connection', () => {
    const harness = new Harness();
    const isAway = (partition: number): boolean => (partition & 4) !== 0;
    harness.host.away = isAway;
    const value = Buffer.alloc(8 * 1024 * 1024);
    const keys = Array.from({ length: 64 }, (_, index) => `key${index}`);
    for (const key of keys) harness.host.keyspace.entries.set(key, { value, expireAtMs: 0 });
    const lookup = vi.spyOn(harness.host.keyspace, 'lookup');
    harness.receive(encode('MGET', ...keys));
    const away = harness.host.remote.map(({ place }) => place.reply);
    expect(lookup.mock.calls.length).toBe(4);
    expect(away.length).toBeLessThan(30);
    while (harness.host.remote.length > 0) harness.host.answerRemote(0);
    expect(away.every(({ buffer }) => buffer.length === 0)).toBe(true);
    harness.settle();
    expect(harness.output()).toBe('');
    expect(harness.host.stats.outputLimitClosed).toBe(1);
  });

  it('unites sketches as they come, however many there are and whoever of them answers first', () => {
    const dense = (from: number): Buffer =>
      sketchOf(
        Array.from(
          { length: SPARSE_MAX + 1 },
          (_, index) => (((index * 16 + from) % REGISTERS) << 6) | (1 + (from % 9)),
        ),
      );
    for (const command of ['PFCOUNT', 'PFMERGE']) {
      const harness = new Harness();
      const { remote } = harness.host;
      harness.host.away = () => true;
      const keys = Array.from({ length: 3000 }, (_, index) => `key${index}`);
      harness.receive(encode(command, ...keys));
      const places = remote.map(({ place }) => place);
      expect(places).toHaveLength(3000);
      const union = new SketchUnion();
      for (let part = 0; part < 3000; part++) {
        const [{ place }] = remote.splice((part * 7) % remote.length, 1);
        const sketch = dense(part % 16);
        union.add(sketch, 0, sketch.length);
        place.reply.bulk(sketch, 0, sketch.length);
        place.done();
        expect(place.reply.buffer.length).toBe(0);
      }
      const united = union.toSketch();
      if (command === 'PFMERGE') {
        expect(remote.map(({ args }) => [args.string(0), args.string(1)])).toEqual([['hearsay.absorb', 'key0']]);
        expect(remote[0].args.copy(2).equals(united)).toBe(true);
        remote[0].place.reply.ok();
        remote[0].place.done();
      }
      harness.settle();
      expect(harness.output()).toBe(command === 'PFMERGE' ? '+OK\r\n' : `:${estimate(united, 0, united.length)}\r\n`);
      expect(harness.streams.closes.size).toBe(0);
    }
  });

  it('sends each part under the name and with the words of the command it is', () => {
    const harness = new Harness();
    harness.host.away = () => true;
    harness.receive(encode('MSET', 'a', '1', 'b', '2'));
    harness.receive(encode('MGET', 'a', 'b'));
    const words = harness.host.remote.map(({ command, args }) => [
      command.name,
      ...Array.from({ length: args.count }, (_, index) => args.string(index)),
    ]);
    expect(words).toEqual([
      ['set', 'set', 'a', '1'],
      ['set', 'set', 'b', '2'],
      ['get', 'get', 'a'],
      ['get', 'get', 'b'],
    ]);
  });

  it('says that it was carried out in part when one part was and another was refused', () => {
    const harness = new Harness();
    harness.host.away = () => true;
    harness.receive(encode('MSET', 'a', '1', 'b', '2', 'c', '3'));
    harness.host.answerRemote(0);
    harness.host.keyspace.refuseWrites = new HearsayError('BUSY', 'later');
    harness.host.answerRemote(1);
    harness.host.keyspace.refuseWrites = new HearsayError('OOM', 'full');
    harness.host.answerRemote(0);
    harness.settle();
    expect(harness.output()).toBe('-UNAVAILABLE carried out for some keys only: OOM full\r\n');
  });

  it('answers the first error as it is when no part was carried out', () => {
    const harness = new Harness();
    harness.host.away = () => true;
    harness.receive(encode('MSET', 'a', '1', 'b', '2'));
    harness.host.keyspace.refuseWrites = new HearsayError('BUSY', 'later');
    harness.host.answerRemote(1);
    harness.host.keyspace.refuseWrites = new HearsayError('OOM', 'full');
    harness.host.answerRemote(0);
    harness.settle();
    expect(harness.output()).toBe('-OOM full\r\n');
    expect(harness.host.stats.errors.get('OOM')).toBe(1);
  });

  it('does not say that nothing changed when one part was refused and another may have been carried out', () => {
    const harness = new Harness();
    harness.host.away = () => true;
    harness.receive(encode('MSET', 'a', '1', 'b', '2', 'c', '3'));
    for (const error of [
      new HearsayError('CLOCKDRIFT', 'later'),
      new HearsayError('UNAVAILABLE', 'the outcome is unknown'),
      new HearsayError('BUSY', 'later'),
    ]) {
      harness.host.keyspace.refuseWrites = error;
      harness.host.answerRemote(0);
    }
    harness.settle();
    expect(harness.output()).toBe('-UNAVAILABLE the outcome is unknown\r\n');
  });

  it('waits until the parts that ran here are durable', () => {
    const harness = apart();
    harness.host.batch = 7;
    const keys = ['a', 'b', 'c', 'd', 'e', 'f'];
    expect(new Set(keys.map((key) => (slotOf(Buffer.from(key), 0, 1) >> 10) & 4)).size).toBe(2);
    harness.receive(encode('MSET', ...keys.flatMap((key) => [key, '1'])));
    answerAll(harness, [0]);
    expect(harness.output()).toBe('');
    harness.durable = 7;
    harness.settle();
    expect(harness.output()).toBe('+OK\r\n');
  });

  it('refuses an odd MSET before any part runs', () => {
    const harness = new Harness();
    harness.host.away = () => true;
    expect(harness.ask('MSET', 'a', '1', 'b')).toBe("-ERR wrong number of arguments for 'mset' command\r\n");
    expect(harness.host.remote).toHaveLength(0);
  });

  it('refuses more keys than may be under way at once', () => {
    const harness = new Harness();
    harness.host.away = () => true;
    const many = Array.from({ length: 16_385 }, (_, index) => `k${index}`);
    expect(harness.ask('EXISTS', ...many)).toBe('-ERR at most 16384 keys in one command that spans nodes\r\n');
  });
});

describe('the whole of the keys', () => {
  const names = Array.from({ length: 60 }, (_, index) => `key:${index}`);

  function filled(away: boolean, topology: 'partition' | 'off'): Harness {
    const harness = new Harness((host) => {
      host.settings = { ...host.settings, topology };
    });
    for (const name of names) harness.host.keyspace.entries.set(name, { value: Buffer.from('v'), expireAtMs: 0 });
    if (away) harness.host.away = (partition) => partition % 3 === 1;
    return harness;
  }

  function scanAll(harness: Harness, ...options: string[]): string[] {
    const found: string[] = [];
    let cursor = '0';
    for (let page = 0; page < 1000; page++) {
      harness.receive(encode('SCAN', cursor, ...options));
      harness.settle();
      answerAll(harness, [0]);
      const lines = harness.output().split('\r\n');
      cursor = lines[2];
      for (let at = 5; at < lines.length; at += 2) found.push(lines[at]);
      if (cursor === '0') return found;
    }
    throw new Error('the scan never ends');
  }

  it.each([
    [false, 'partition'],
    [false, 'off'],
    [true, 'off'],
  ] as const)('is counted, listed and scanned once (some away: %s, topology %s)', (away, topology) => {
    const harness = filled(away, topology);
    harness.receive(encode('DBSIZE'));
    harness.receive(encode('KEYS', 'key:*'));
    answerAll(harness, [5, 2, 9]);
    // KEYS begins when what was asked before is answered.
    answerAll(harness, [3, 1]);
    const [count, header, ...rest] = harness.output().split('\r\n');
    expect(count).toBe(':60');
    expect(header).toBe('*60');
    expect(rest.filter((line) => line.startsWith('key:')).sort()).toEqual([...names].sort());
    expect(scanAll(harness).sort()).toEqual([...names].sort());
    expect(scanAll(harness, 'COUNT', '1').sort()).toEqual([...names].sort());
    expect(scanAll(harness, 'COUNT', '1000000000').sort()).toEqual([...names].sort());
    expect(scanAll(harness, 'MATCH', 'key:1?', 'COUNT', '7').sort()).toEqual(
      names.filter((name) => /^key:1.$/.test(name)).sort(),
    );
    expect(scanAll(harness, 'TYPE', 'string', 'COUNT', '20')).toHaveLength(60);
    expect(scanAll(harness, 'TYPE', 'list', 'COUNT', '20')).toHaveLength(0);
  });

  it('is what this node answers for, when clients know the slot map', () => {
    const harness = filled(true, 'partition');
    const mine = names.filter((name) => {
      const slot = slotOf(Buffer.from(name), 0, name.length);
      return (slot >> 10) % 3 !== 1;
    });
    expect(harness.ask('DBSIZE')).toBe(`:${mine.length}\r\n`);
    expect(scanAll(harness).sort()).toEqual(mine.sort());
  });

  it('is refused to KEYS when there are too many', () => {
    const harness = filled(false, 'partition');
    harness.host.countKeys = () => 1_000_000;
    expect(harness.ask('KEYS', '*')).toBe('-ERR too many keys for KEYS, use SCAN\r\n');
  });

  it("keeps nodes' own commands from clients", () => {
    const harness = filled(false, 'partition');
    expect(harness.ask('HEARSAY.PARTITION', 'COUNT', '1')).toMatch(/^-ERR unknown command 'HEARSAY.PARTITION'/);
    expect(harness.ask('COMMAND', 'INFO', 'hearsay.partition')).toBe('*1\r\n$-1\r\n');
  });
});
