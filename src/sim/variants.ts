/**
 * The other ways to write, read and expire, in a share of the runs: conditions, values told back, expiries kept and changed, several
 * keys at once, appends, counts that expire, and WAIT and WAITAOF behind them. families.ts draws them with clients of their own; the
 * register judges all but appends (appends.ts) and counts (counters.ts).
 * Guarded: kinds of keys stay apart, so that what is certain of one is not lost for what another lets happen: `w` never expires, `x`
 * may at any time, every write to `y` has an end.
 */
import type { Random } from '../core/base/random.js';
import { WALL_EPOCH_MS } from './clock.js';
import type { Family } from './families.js';
import { addClients, addCommand } from './own-clients.js';
import type { Plan } from './schedule.js';

const PER_SECOND_MAX = 14;
const TTL_MS_MAX = 1_500;
/** What a WAIT may wait for, ms. */
const WAIT_MS = [1, 50, 400];

export const VARIANTS: Family = {
  name: 'variants',
  stream: 0x5ced0033,
  draw(plan: Plan, random: Random): void {
    if (!random.chance(0.35)) return;
    const clients = addClients(plan, random, 4);
    let written = 0;
    const value = (): string => `w${++written}`;
    const of = (...choices: (() => string[])[]): string[] => choices[random.below(choices.length)]();
    const ttl = (): string => String(random.between(50, TTL_MS_MAX));
    const w = (): string => `w${random.below(3)}`;
    const x = (): string => `x${random.below(2)}`;
    const add = (atMs: number, words: string[]): void => {
      const client = clients[random.below(clients.length)];
      addCommand(plan, atMs, client, words);
    };
    const kinds: (() => string[])[] = [
      () =>
        of(
          () => ['SETNX', w(), value()],
          () => ['SET', w(), value(), 'NX'],
          () => ['SET', w(), value(), 'XX'],
          () => ['SET', w(), value(), 'GET'],
          () => ['SET', w(), value(), 'NX', 'GET'],
          () => ['GETSET', w(), value()],
          () => ['GETDEL', w()],
          () => ['DEL', 'w0', 'w1', 'w2'],
          () => ['UNLINK', w()],
          () => ['MSET', 'w0', value(), 'w1', value(), 'w2', value()],
          () => ['MGET', 'w2', 'w1', 'w0'],
          () => ['GET', w()],
        ),
      () =>
        of(
          () => ['SET', x(), value()],
          () => ['SET', x(), value(), 'NX', 'PX', ttl()],
          () => ['GETEX', x(), 'PX', ttl()],
          () => ['GETEX', x(), 'PERSIST'],
          () => ['GETEX', x()],
          () => ['EXPIRE', x(), '1'],
          () => ['PEXPIREAT', x(), String(WALL_EPOCH_MS + random.between(3_000, 11_000))],
          () => ['PERSIST', x()],
          () => ['GET', x()],
        ),
      () =>
        of(
          () => ['SET', 'y', value(), 'PX', ttl()],
          () => ['PSETEX', 'y', ttl(), value()],
          () => ['SET', 'y', value(), 'XX', 'KEEPTTL'],
          () => ['SET', 'y', value(), 'XX', 'KEEPTTL', 'GET'],
          () => ['PTTL', 'y'],
          () => ['GET', 'y'],
        ),
      () =>
        of(
          () => ['APPEND', 'app', `+${++written}`],
          () => ['GET', 'app'],
        ),
      () =>
        of(
          () => ['INCR', 'ticket'],
          () => ['PEXPIRE', 'ticket', ttl()],
        ),
    ];
    const perSecond = random.between(5, PER_SECOND_MAX);
    for (let left = Math.floor((plan.lengthMs / 1_000) * perSecond); left > 0; left--) {
      const atMs = random.below(plan.lengthMs * 1_000) / 1_000;
      const words = kinds[random.below(kinds.length)]();
      add(atMs, words);
      if (words[0] === 'SET' && words[1] === 'y' && words[3] === 'PX') {
        add(atMs + random.between(5, 40), ['SET', 'y', value(), 'XX', 'KEEPTTL']);
        add(atMs + random.between(41, 90), ['PTTL', 'y']);
        add(atMs + Number(words[4]) + random.between(20, 300), ['GET', 'y']);
      }
    }
  },
};

export const WAITS: Family = {
  name: 'waits',
  stream: 0x5ced0034,
  draw(plan: Plan, random: Random): void {
    if (!random.chance(0.35)) return;
    const clients = addClients(plan, random, 3);
    let written = 0;
    for (let left = random.between(20, 60); left > 0; left--) {
      const atMs = random.below(plan.lengthMs);
      const client = clients[random.below(clients.length)];
      const add = (afterMs: number, by: number, ...words: string[]): void => {
        addCommand(plan, atMs + afterMs, by, words);
      };
      const key = `z${random.below(4)}`;
      for (let writes = random.between(1, 2); writes > 0; writes--) add(0, client, 'SET', key, `z${++written}`);
      if (random.chance(0.15)) add(0, client, 'DEL', key);
      const forMs = String(WAIT_MS[random.below(WAIT_MS.length)]);
      const others = String(random.between(1, plan.replicas - 1));
      const local = plan.durability === 'off' ? '0' : String(random.below(2));
      if (random.chance(0.6)) add(0, client, 'WAIT', others, forMs);
      else add(0, client, 'WAITAOF', local, others, forMs);
      for (let reads = 2; reads > 0; reads--) {
        add(random.between(2, 500), clients[random.below(clients.length)], 'GET', key);
      }
    }
  },
};
