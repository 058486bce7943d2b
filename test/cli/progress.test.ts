/** The line that says how far a long verb has come. */
import { describe, expect, it } from 'vitest';
import { factsIn } from '../../src/cli/cluster-door.js';
import { countText, durationText, progressLine, sizeText } from '../../src/cli/progress.js';

describe('a line of progress', () => {
  it('says part, bytes, facts, rate and time left', () => {
    const moment = { part: 0.25, bytes: 10 * 1024 * 1024, facts: ['7 keys'] };
    expect(progressLine(moment, 2000)).toBe('[#####...............]  25%  10.0 MiB  7 keys  5.0 MiB/s  6 s left');
  });

  it('has no time left before there is something to go by, nor at the end, whatever it is given', () => {
    expect(progressLine({ part: 0, bytes: 0, facts: [] }, 0)).toBe('[....................]   0%  0 B  0 B/s');
    expect(progressLine({ part: 1.5, bytes: 1, facts: [] }, 1000)).toBe('[####################] 100%  1 B  1 B/s');
  });

  it('has sizes, times and counts for people', () => {
    expect([0, 1023, 1024, 5 * 1024 ** 3, 2 * 1024 ** 4].map(sizeText)).toEqual([
      '0 B',
      '1023 B',
      '1.0 KiB',
      '5.0 GiB',
      '2.0 TiB',
    ]);
    expect([400, 59_400, 61_000, 3_660_000].map(durationText)).toEqual(['0 s', '59 s', '1 min 1 s', '1 h 1 min']);
    expect([countText(1, 'key'), countText(0, 'key'), countText(12_345, 'key')]).toEqual([
      '1 key',
      '0 keys',
      '12,345 keys',
    ]);
  });
});

describe('what a node says of its cluster', () => {
  const numbers = ['hlc', 'flushed_hlc', 'flushed_actor', 'replicas', 'tombstone_grace_ms', 'max_clock_drift_ms'];
  const text = (word: string): Buffer => Buffer.from(word);
  const rows = [
    [text('a'), text('0.0.0.0'), 7001, text('alive'), 0, 8191],
    [text('b'), text('10.0.0.2'), 7002, text('dead')],
    [text('c'), text('10.0.0.3'), 7003, text('suspect'), 8192, 12287],
  ];

  it('becomes nodes, and who answers for each partition', () => {
    const facts = factsIn([...numbers.flatMap((name) => [text(name), 3]), text('partitions'), 4, text('nodes'), rows], {
      host: 'here',
      port: 1,
    });
    expect([...facts.answers]).toEqual([0, 0, 2, -1]);
    expect(facts.nodes.map(({ host, state }) => `${host} ${state}`)).toEqual([
      'here alive',
      '10.0.0.2 dead',
      '10.0.0.3 suspect',
    ]);
  });

  it('is refused when it lacks something', () => {
    expect(() => factsIn(['hlc', 3], { host: 'here', port: 1 })).toThrow('the node says no partitions');
    expect(() => factsIn(null, { host: 'here', port: 1 })).toThrow('is it of another version');
  });
});
