/** Crashes within recovery, and within the recovery after that; and what a recovery read from the cache and called durable. */
import { describe, expect, it } from 'vitest';
import { Random } from '../../../../src/core/base/random.js';
import { FaultyDisk, type Files } from './faulty-disk.js';
import { EXHAUSTIVE, judge, POLICIES, Rig, signature } from './rig.js';

const TIMEOUT_MS = 600_000;

/** States of a log in the middle of its work, one per seed: torn tails, half a checkpoint, recycled files. */
function crashed(seed: number): { rig: Rig; files: Files } {
  const random = new Random(seed);
  const disk = new FaultyDisk();
  disk.options.garbled = seed % 2 === 0;
  const rig = new Rig(disk, { durability: POLICIES[seed % 3] }, [], undefined, seed).start();
  const rounds = random.between(3, 16);
  for (let write = 0; write < rounds; write++) {
    rig.write(`k${random.below(4)}`, random.below(900) - 1);
    rig.turn();
    if (random.chance(0.5)) rig.pass(random.between(1, 12));
    if (random.chance(0.1)) rig.checkpoint();
  }
  const states: Files[] = [];
  disk.crashStates(6, random, (files) => states.push(files));
  return { rig, files: states[random.below(states.length)] };
}

/** States that a loss of power within the recovery of `files` may leave, each once. */
function statesWithin(rig: Rig, files: Files, most: number): Map<string, Files> {
  const found = new Map<string, Files>();
  const next = rig.next(files);
  next.disk.observe = () => next.disk.crashStates(most, rig.random, (state) => found.set(signature(state), state));
  next.start();
  return found;
}

describe('a recovery that is cut off', () => {
  it(
    'is made good by the next one, which finds the same, and by the one after two cuts',
    () => {
      let cuts = 0;
      for (let seed = 1; seed <= (EXHAUSTIVE ? 200 : 24); seed++) {
        const { rig, files } = crashed(seed);
        const whole = [...judge(rig, files, { prefix: false }, `seed ${seed}`).found.keys()].sort();
        for (const once of statesWithin(rig, files, 6).values()) {
          const found = [...judge(rig, once, { prefix: false }, `seed ${seed}, cut once`).found.keys()].sort();
          expect(found, `seed ${seed}`).toEqual(whole);
          cuts++;
          if (!EXHAUSTIVE && cuts % 6 !== 0) continue;
          for (const twice of statesWithin(rig, once, 2).values()) {
            const found = [...judge(rig, twice, { prefix: false }, `seed ${seed}, cut twice`).found.keys()].sort();
            expect(found, `seed ${seed}`).toEqual(whole);
            cuts++;
          }
        }
      }
      expect(cuts).toBeGreaterThan(300);
    },
    TIMEOUT_MS,
  );

  it(
    'has made durable whatever it read from the cache before it calls it so',
    () => {
      for (let seed = 1; seed <= 40; seed++) {
        const random = new Random(seed);
        const rig = new Rig(new FaultyDisk(), { durability: POLICIES[seed % 3] }, [], undefined, seed).start();
        for (let write = random.between(1, 12); write > 0; write--) {
          rig.write(`k${random.below(4)}`, random.below(700));
          rig.nowMs += 20;
          rig.turn();
          if (random.chance(0.3)) rig.land();
        }
        rig.disk.kill();
        const next = new Rig(rig.disk, {}, rig.ledger, rig.promised, seed).start();
        expect(next.found.size).toBeGreaterThanOrEqual(rig.promised.handed);
        const kept = next.ledger.filter(({ hlc }) => next.found.has(hlc));
        next.disk.crashStates(12, random, (files) => {
          const third = new Rig(new FaultyDisk(files), {}, kept).start();
          expect([...third.found.keys()].sort(), `seed ${seed}`).toEqual([...next.found.keys()].sort());
        });
      }
    },
    TIMEOUT_MS,
  );

  it(
    'lets nothing that one recovery cut come back in a later one, over many lives',
    () => {
      for (let seed = 1; seed <= (EXHAUSTIVE ? 400 : 40); seed++) {
        const random = new Random(seed, 5);
        let rig = new Rig(new FaultyDisk(), { durability: POLICIES[seed % 3] }, [], undefined, seed).start();
        const cut = new Set<number>();
        for (let life = 0; life < 6; life++) {
          for (let write = random.below(8); write > 0; write--) {
            rig.write(`k${random.below(3)}`, random.below(life % 2 === 0 ? 500 : 60));
            rig.nowMs += random.below(12);
            rig.turn();
            if (random.chance(0.4)) rig.land();
          }
          const states: Files[] = [];
          rig.disk.options.garbled = life % 2 === 1;
          rig.disk.crashStates(8, random, (files) => states.push(files));
          const files = states[random.below(states.length)];
          const next = judge(rig, files, { prefix: true }, `seed ${seed}, life ${life}`);
          for (const hlc of next.found.keys()) expect(cut.has(hlc), `${hlc} is back, seed ${seed}`).toBe(false);
          for (const { hlc } of rig.ledger) if (!next.found.has(hlc)) cut.add(hlc);
          const kept = rig.ledger.filter(({ hlc }) => next.found.has(hlc));
          rig = new Rig(new FaultyDisk(files), { durability: POLICIES[seed % 3] }, kept, undefined, seed * 10 + life);
          rig.skipVersions(cut);
          rig.start();
        }
      }
    },
    TIMEOUT_MS,
  );
});
