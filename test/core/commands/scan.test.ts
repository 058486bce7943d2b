/** What Redis promises of SCAN, through a session and over a real store that changes between the calls. */
import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/core/base/random.js';
import { partitionOf } from '../../../src/core/partitions/slots.js';
import { recordKeyEnd, recordKeyStart, recordType, TYPE_PUT, TYPE_TOMBSTONE } from '../../../src/core/record/record.js';
import { record } from '../record/records.js';
import { Harness } from '../session/harness.js';
import { PARTITIONS } from './fake-host.js';

/** A session over a store, with the names that were ever there. */
class Scanned {
  readonly harness = new Harness();
  readonly present = new Set<string>();
  /** Keys that were there at any time since the scan began. */
  readonly seen = new Set<string>();
  private hlc = 1;

  constructor(private readonly random: Random) {
    const { host } = this.harness;
    host.scanPartition = (partition, fromHash, count, visit) =>
      host.store.scan(partition, fromHash, count, (bytes, offset) => {
        if (recordType(bytes, offset) !== TYPE_PUT) return;
        visit(bytes, recordKeyStart(bytes, offset), recordKeyEnd(bytes, offset), TYPE_PUT);
      });
  }

  put(key: string): void {
    const value = 'v'.repeat(this.random.below(300));
    this.merge(key, record({ hlc: ++this.hlc }, key, value));
    this.present.add(key);
    this.seen.add(key);
  }

  remove(key: string): void {
    this.merge(key, record({ hlc: ++this.hlc, type: TYPE_TOMBSTONE }, key));
    this.present.delete(key);
  }

  /** Forgets tombstones, which shrinks the index, and cleans. */
  tidy(): void {
    const { store } = this.harness.host;
    store.dropTombstones(this.hlc, 100_000);
    store.prepare();
  }

  private merge(key: string, bytes: Buffer): void {
    const { store } = this.harness.host;
    const name = Buffer.from(key);
    const partition = partitionOf(name, 0, name.length, PARTITIONS);
    expect(store.merge(partition, store.hasher.hash(name, 0, name.length), bytes, 0)).toBe(0);
  }
}

function page(reply: string): { cursor: string; keys: string[] } {
  const [cursor, ...keys] = [...reply.matchAll(/\$\d+\r\n([^\r]*)\r\n/g)].map(([, word]) => word);
  return { cursor, keys };
}

/** Writes, deletes in masses (the index shrinks) or births in masses (it splits). */
function disturb(scanned: Scanned, random: Random): void {
  const dice = random.below(10);
  const first = random.below(800);
  const many = dice < 6 ? 5 : 200;
  for (let at = first; at < first + many; at++) {
    if (dice % 2 === 0) scanned.put(`come-${at % 800}`);
    else if (scanned.present.has(`come-${at % 800}`)) scanned.remove(`come-${at % 800}`);
  }
  for (let step = 0; step < 20; step++) scanned.put(`stay-${random.below(300)}`);
  if (random.chance(0.5)) scanned.tidy();
}

describe('SCAN', () => {
  it.each([
    ['nothing', [], /./],
    ['COUNT 1', ['COUNT', '1'], /./],
    ['COUNT 50 and MATCH', ['COUNT', '50', 'MATCH', '*-1*'], /^[a-z]+-1/],
    ['TYPE string', ['TYPE', 'string', 'COUNT', '7'], /./],
  ])(
    'with %s gives every key that is there throughout, and none that never was, while others come and go',
    (_, options, fits) => {
      let cleaned = 0;
      for (let seed = 1; seed <= 4; seed++) {
        const random = new Random(seed, 8, 9);
        const scanned = new Scanned(random);
        // More than memory holds, so that cleaning goes on from then on.
        for (let at = 0; at < 9000; at++) scanned.put(at % 30 === 0 ? `still-${at / 30}` : `stay-${at % 300}`);
        for (let at = 0; at < 300; at += 30) scanned.put(`stay-${at}`);
        for (let round = 0; round < 5; round++) disturb(scanned, random);
        scanned.seen.clear();
        for (const key of scanned.present) scanned.seen.add(key);
        const given = new Set<string>();
        let cursor = '0';
        do {
          const { harness } = scanned;
          const found = page(harness.ask('SCAN', cursor, ...options));
          for (const key of found.keys) given.add(key);
          cursor = found.cursor;
          if (random.chance(0.3)) disturb(scanned, random);
        } while (cursor !== '0');
        for (let at = 0; at < 300; at++) {
          for (const key of [`stay-${at}`, `still-${at}`]) if (fits.test(key)) expect(given).toContain(key);
        }
        for (const key of given) {
          expect(scanned.seen).toContain(key);
          expect(key).toMatch(fits);
        }
        cleaned += scanned.harness.host.store.stats().cleanedBytes;
      }
      expect(cleaned).toBeGreaterThan(0);
    },
  );

  it('with a TYPE that nothing has gives nothing, and ends', () => {
    const scanned = new Scanned(new Random(1, 2, 3));
    for (let at = 0; at < 100; at++) scanned.put(`stay-${at}`);
    let cursor = '0';
    do {
      const found = page(scanned.harness.ask('SCAN', cursor, 'TYPE', 'list'));
      expect(found.keys).toEqual([]);
      cursor = found.cursor;
    } while (cursor !== '0');
  });
});
