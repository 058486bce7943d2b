/** Keys drawn at random, here and of other nodes. */
import { expect, it } from 'vitest';
import { encode, Harness } from '../session/harness.js';

function draw(harness: Harness): string {
  harness.receive(encode('RANDOMKEY'));
  harness.settle();
  while (harness.host.remote.length > 0) harness.host.answerRemote(0);
  harness.settle();
  return harness.output();
}

it('RANDOMKEY gives each of the keys for some number that is drawn, and nothing else', () => {
  const harness = new Harness();
  expect(draw(harness)).toBe('$-1\r\n');
  const keys = [...'abcdefgh'];
  for (const key of keys) harness.ask('SET', key, '1');
  harness.ask('SET', 'gone', '1', 'PXAT', '1000');
  const found = new Set<string>();
  for (let step = 0; step < 97 * 16; step++) {
    harness.host.draws = [Math.floor(step / 97) * 2 ** 28, step % 97];
    found.add(draw(harness));
  }
  expect([...found].sort()).toEqual(keys.map((key) => `$1\r\n${key}\r\n`));
  for (const key of keys) harness.ask('DEL', key);
  expect(draw(harness)).toBe('$-1\r\n');
});

it('RANDOMKEY asks others where nothing is held here', () => {
  const harness = new Harness();
  harness.ask('SET', 'a', '1');
  harness.host.away = () => true;
  harness.receive(encode('RANDOMKEY'));
  harness.settle();
  expect(harness.host.remote.length).toBe(16);
  harness.host.away = () => false;
  while (harness.host.remote.length > 0) harness.host.answerRemote(0);
  harness.settle();
  expect(harness.output()).toBe('$1\r\na\r\n');
});
