/** Whole nodes under a peer that lies in every kind of message, with sums that hold: nothing throws, and whoever is left still serves. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HearsayError } from '../../src/core/base/errors.js';
import { Scenario } from '../sim/scenario.js';
import { Insider } from './insider.js';
import { isLong, law } from './room.js';

const COMMANDS = 90;

/** A run in which node 1 believes nobody rightly; throws what a machine threw, with the last lies. */
function run(seed: number, chance: number): { changed: number; kinds: Set<number> } {
  const liars: Insider[] = [];
  let calm = false;
  const scenario = new Scenario({
    seed,
    plan: { partitions: 16, replicas: 3 },
    wrap: (machine, place) => {
      if (place.index !== 1) return machine;
      // It first gets to know the others.
      const liar = new Insider(machine, seed, 0);
      liars.push(liar);
      return liar;
    },
  });
  const summary = () => ({
    changed: liars.reduce((sum, liar) => sum + liar.changed, 0),
    kinds: new Set(liars.flatMap((liar) => [...liar.kinds])),
  });
  try {
    for (const liar of liars) liar.chance = chance;
    for (let index = 0; index < COMMANDS; index++) {
      const node = index % 3;
      const key = `k${index % 17}`;
      const words = [
        ['SET', key, `value ${index}`],
        ['INCRBY', `c${index % 3}`, '7'],
        ['PFADD', `h${index % 2}`, `${index}`],
        ['CPUT', `s${index % 3}`, '', `${index}`],
        ['GET', key],
        ['DEL', `k${(index * 7) % 17}`],
        ['EXPIRE', key, '100'],
        ['HEARSAY.CONSISTENCY', 'READ', 'quorum', 'WRITE', index % 2 === 0 ? 'all' : 'one'],
        ['CGET', `s${index % 3}`],
      ][(index * 5) % 9];
      scenario.send(node, ...words);
      scenario.rest(20);
      if (index === 30) {
        scenario.cluster.kill(1);
        scenario.rest(200);
        scenario.cluster.start(1);
        for (const liar of liars) liar.chance = chance;
      }
      if (index === 60) scenario.send(0, 'FLUSHALL');
    }
    scenario.rest(3000);
    for (const liar of liars) liar.chance = 0;
    calm = true;
    scenario.rest(500);
    // The others heard lies through it alone. What they hand to clients may be wrong, but it is one answer to one question.
    scenario.until(10_000, () => {
      const replies = [0, 2].map((node) => scenario.ask(node, 'PING').reply);
      for (const reply of replies) if (reply !== null) expect(reply).toMatchObject({ text: 'PONG' });
      return replies.includes(null) ? 'a node does not answer' : null;
    });
  } catch (error) {
    // Somebody with the keys may say that the node is another, or forgotten: it ends, and says so by name.
    if (error instanceof HearsayError && error.code === 'CONFIG') return summary();
    const { stack } = error as Error;
    throw new Error(`seed ${seed}, chance ${chance}, calm ${calm}: ${stack}\n${liars.at(-1)?.last.join('\n')}`);
  }
  return summary();
}

describe('a node among liars', () => {
  law(
    'takes no harm by what they say',
    6,
    fc.property(fc.noShrink(fc.nat(0xffffff)), fc.constantFrom(0.1, 0.4, 0.9), (seed, chance) => {
      expect(run(seed, chance).changed).toBeGreaterThan(0);
    }),
  );

  it('hears lies of every kind that these runs have', () => {
    const kinds = new Set<number>();
    for (let seed = 1; seed <= (isLong ? 8 : 2); seed++) for (const kind of run(seed, 0.3).kinds) kinds.add(kind);
    // Datagrams, acks, requests and their responses, rings, roots, slices, what is ready.
    expect([...kinds].sort((a, b) => a - b)).toEqual(expect.arrayContaining([0, 4, 5, 6, 7, 8, 17, 18]));
  });
});
