/** The garbage of the chaos scenario of that name: drawn from a seed, of every shape, within its bounds. */
import { expect, test } from 'vitest';
import { Draws } from '../../../cluster/chaos/draws.js';
import { command, datagram } from '../../../cluster/chaos/garbage.js';
import { PacketReader } from '../../../src/core/gossip/packet.js';

test('is decided by the seed', () => {
  const thrown = (seed: number): string => {
    const draws = new Draws(seed);
    return Array.from({ length: 50 }, () => datagram(draws).toString('hex') + command(draws).toString('hex')).join();
  };
  expect(thrown(1)).toBe(thrown(1));
  expect(thrown(1)).not.toBe(thrown(2));
});

test('has packets that are refused for their cluster alone, sealed ones, cut ones and noise', () => {
  const draws = new Draws(3);
  const reader = new PacketReader([1, 2], 7, null);
  const refusals = new Map<string, number>();
  for (let count = 0; count < 500; count++) {
    const bytes = datagram(draws);
    expect(bytes.length).toBeLessThanOrEqual(1400);
    const refusal = reader.open(bytes) ?? 'taken';
    refusals.set(refusal, (refusals.get(refusal) ?? 0) + 1);
  }
  expect(refusals.get('foreign')).toBeGreaterThan(200);
  expect(refusals.get('malformed')).toBeGreaterThan(20);
  expect(refusals.has('taken')).toBe(false);
});
