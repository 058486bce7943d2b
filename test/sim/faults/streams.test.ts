/** Streams that are forgotten on their way, narrow ones, and peers that read none: what a node does while its system still believes in them. */
import { describe, expect, it } from 'vitest';
import { Scenario } from '../scenario.js';

/** Beyond a datagram, so that it goes by stream. */
const LONG = 'v'.repeat(5_000);

function writesAtAll(scenario: Scenario): () => string | null {
  scenario.text(0, 'HEARSAY.CONSISTENCY', 'WRITE', 'all');
  return () => {
    const { outcome, reply } = scenario.ask(0, 'SET', 'k', LONG);
    return outcome === 'ok' ? null : `SET was answered ${JSON.stringify(reply)}`;
  };
}

describe('a stream that was forgotten on its way', () => {
  it.each([false, true])(
    'is given up in seconds, and another one carries what it should have (one end knows: %s)',
    (closed) => {
      const scenario = new Scenario({ nodes: 3, seed: 51 });
      const write = writesAtAll(scenario);
      expect(write()).toBeNull();
      scenario.cluster.streams.halve(1, 0, closed);
      scenario.cluster.streams.halve(0, 2, closed);
      scenario.until(12_000, write);
      expect(scenario.cluster.streams.counters.vanished).toBeGreaterThan(0);
      scenario.untilEqual(10_000);
      expect(Number(scenario.fact(0, 'streams_given_up'))).toBeGreaterThan(0);
      expect(scenario.cluster.log.some(({ event }) => event.startsWith('a stream is given up'))).toBe(true);
    },
  );
});

describe('a peer that reads no stream', () => {
  it('holds up what goes by stream, and gets all of it once it reads again', () => {
    const scenario = new Scenario({ nodes: 3, seed: 52 });
    const { troubles } = scenario.cluster.network;
    const write = writesAtAll(scenario);
    troubles.deaf.begin(2);
    expect(write()).toMatch(/NOQUORUM/);
    for (let key = 0; key < 40; key++) scenario.send(1, 'SET', `key:${key}`, LONG);
    scenario.rest(3_000);
    troubles.deaf.end(2);
    scenario.cluster.streams.hears(2);
    scenario.until(10_000, write);
    scenario.untilEqual(10_000);
  });
});

describe('a narrow stream', () => {
  it('is not taken for a dead one while bytes leave', () => {
    const scenario = new Scenario({ nodes: 2, seed: 53, plan: { replicas: 2 } });
    // 600 kB at 40 bytes a millisecond: three times as long as an answer is waited for.
    scenario.cluster.network.troubles.narrow(0, 1, 1 / 40);
    scenario.send(0, 'SET', 'k', 'v'.repeat(600_000));
    scenario.rest(14_000);
    scenario.cluster.network.troubles.clear();
    scenario.untilEqual(30_000);
    expect(scenario.fact(0, 'streams_given_up')).toBe('0');
    expect(scenario.text(1, 'STRLEN', 'k')).toBe('600000');
  });
});

describe('a narrow stream whose bytes lie in the buffers of systems', () => {
  it('is not taken for a dead one, though nothing is left to be taken', () => {
    const scenario = new Scenario({ nodes: 2, seed: 56, plan: { replicas: 2 } });
    scenario.cluster.network.troubles.narrow(0, 1, 1 / 2.6);
    // All of it is within the window: more than seven seconds on a way on which no queue moves.
    scenario.send(0, 'SET', 'k', 'v'.repeat(20_000));
    scenario.rest(10_000);
    scenario.cluster.network.troubles.clear();
    scenario.untilEqual(30_000);
    expect(scenario.fact(0, 'streams_given_up')).toBe('0');
    expect(scenario.text(1, 'STRLEN', 'k')).toBe('20000');
  });
});

describe('a listener that refuses, or takes its time', () => {
  it.each([null, 1_500])('is dialled until it has us (delay %s)', (delayMs) => {
    const scenario = new Scenario({ nodes: 3, seed: 54 });
    const { troubles } = scenario.cluster.network;
    const write = writesAtAll(scenario);
    expect(write()).toBeNull();
    troubles.welcome(2, delayMs);
    scenario.cluster.streams.halve(2, 0, true);
    scenario.cluster.streams.halve(0, 2, true);
    expect(write()).toMatch(/NOQUORUM/);
    scenario.rest(1_000);
    troubles.endWelcome(2, delayMs);
    scenario.until(15_000, write);
  });
});
