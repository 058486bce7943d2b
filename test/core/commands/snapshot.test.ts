import { describe, expect, it } from 'vitest';
import { partitionOf } from '../../../src/core/partitions/slots.js';
import { TYPE_TOMBSTONE } from '../../../src/core/record/record.js';
import { record } from '../record/records.js';
import { Harness } from '../session/harness.js';
import { PARTITIONS } from './fake-host.js';

let stamp = 1;

function put(harness: Harness, key: string, value: string, expireAtMs = 0): void {
  merge(harness, key, record({ hlc: ++stamp, actor: 0xab, expireAtMs }, key, value));
}

function remove(harness: Harness, key: string): void {
  merge(harness, key, record({ hlc: ++stamp, type: TYPE_TOMBSTONE }, key));
}

function merge({ host }: Harness, key: string, bytes: Buffer): void {
  const name = Buffer.from(key);
  host.store.wallMs = host.wallMs;
  host.store.merge(partition(key), host.store.hasher.hash(name, 0, name.length), bytes, 0);
}

function partition(key: string): number {
  return partitionOf(Buffer.from(key), 0, key.length, PARTITIONS);
}

function open(harness: Harness): string {
  const reply = harness.ask('HEARSAY.SNAPSHOT', 'OPEN');
  expect(reply).toMatch(/^:\d+\r\n$/);
  return reply.slice(1, -2);
}

/** Bulk strings of a page, and its cursor. */
function page(reply: string): { cursor: string; words: string[] } {
  const [cursor, ...words] = [...reply.matchAll(/\$\d+\r\n([^\r]*)\r\n/g)].map(([, word]) => word);
  return { cursor, words };
}

function scanned(harness: Harness, id: string, ...options: string[]): string[] {
  const all: string[] = [];
  let cursor = '0';
  do {
    const found = page(harness.ask('HEARSAY.SNAPSHOT', 'SCAN', id, cursor, ...options));
    all.push(...found.words);
    cursor = found.cursor;
  } while (cursor !== '0');
  return all;
}

describe('HEARSAY.SNAPSHOT', () => {
  it('reads several keys as of one moment', () => {
    const harness = new Harness();
    put(harness, 'a', '1');
    put(harness, 'b', '2');
    const id = open(harness);
    put(harness, 'a', '10');
    remove(harness, 'b');
    put(harness, 'c', '3');
    expect(harness.ask('HEARSAY.SNAPSHOT', 'GET', id, 'a', 'b', 'c')).toBe('*3\r\n$1\r\n1\r\n$1\r\n2\r\n$-1\r\n');
    const later = open(harness);
    expect(harness.ask('HEARSAY.SNAPSHOT', 'GET', later, 'a', 'b', 'c')).toBe('*3\r\n$2\r\n10\r\n$-1\r\n$1\r\n3\r\n');
  });

  it('goes through the keys of that moment once each, by COUNT, MATCH and PARTITION', () => {
    const harness = new Harness();
    const names = Array.from({ length: 200 }, (_, index) => `key-${index}`);
    for (const name of names) put(harness, name, 'v');
    const id = open(harness);
    for (const name of names) remove(harness, name);
    for (let index = 0; index < 200; index++) put(harness, `new-${index}`, 'v');
    expect(scanned(harness, id, 'COUNT', '7').sort()).toEqual([...names].sort());
    expect(scanned(harness, id, 'MATCH', 'key-1?', 'COUNT', '30').sort()).toEqual(
      names.filter((name) => /^key-1.$/.test(name)).sort(),
    );
    const here = names.filter((name) => partition(name) === 5);
    expect(here.length).toBeGreaterThan(0);
    expect(scanned(harness, id, 'PARTITION', '5', 'COUNT', '3').sort()).toEqual(here.sort());
  });

  it('gives values with expiry and version, in pages of bounded size', () => {
    const harness = new Harness();
    put(harness, 'a', 'one', harness.host.wallMs + 5000);
    const version = `0.${stamp}@0000000000ab`;
    const id = open(harness);
    put(harness, 'a', 'two');
    expect(scanned(harness, id, 'VALUES')).toEqual(['a', 'one', version, 'string']);
    expect(harness.ask('HEARSAY.SNAPSHOT', 'SCAN', id, '0', 'VALUES', 'COUNT', '100')).toContain(
      `:${harness.host.wallMs + 5000}\r\n`,
    );
    const large = new Harness();
    for (let index = 0; index < 6; index++) put(large, `large-${index}`, 'x'.repeat(100_000));
    const all = open(large);
    expect(scanned(large, all, 'VALUES', 'COUNT', '10000').length).toBe(24);
  });

  it('reads by PARTITION what the node held and another answered for, and by nothing else', () => {
    const harness = new Harness();
    const names = Array.from({ length: 100 }, (_, index) => `key-${index}`);
    for (const name of names) put(harness, name, 'v');
    harness.host.away = (at) => at === 4;
    harness.host.elsewhere = (at) => at !== 3;
    const id = open(harness);
    const inPartition = (at: number) => names.filter((name) => partition(name) === at).sort();
    expect(inPartition(5).length).toBeGreaterThan(0);
    expect(scanned(harness, id).sort()).toEqual(inPartition(3));
    expect(scanned(harness, id, 'PARTITION', '5').sort()).toEqual(inPartition(5));
    expect(scanned(harness, id, 'PARTITION', '4')).toEqual([]);
    const held = Array.from({ length: PARTITIONS }, (_, at) => at).filter((at) => at !== 4);
    expect(harness.ask('HEARSAY.SNAPSHOT', 'INFO', id)).toContain(
      `*1\r\n:3\r\n$15\r\npartitions_held\r\n*${PARTITIONS - 1}\r\n${held.map((at) => `:${at}\r\n`).join('')}`,
    );
  });

  it('covers what the node answered for when it was opened, and says which partitions those were', () => {
    const harness = new Harness();
    for (let index = 0; index < 100; index++) put(harness, `key-${index}`, 'v');
    harness.host.away = (at) => at % 2 === 1;
    const id = open(harness);
    harness.host.away = () => false;
    for (const key of scanned(harness, id)) expect(partition(key) % 2).toBe(0);
    const even = Array.from({ length: PARTITIONS / 2 }, (_, index) => `:${index * 2}\r\n`).join('');
    expect(harness.ask('HEARSAY.SNAPSHOT', 'INFO', id)).toContain(`*${PARTITIONS / 2}\r\n${even}`);
    const odd = Array.from({ length: 100 }, (_, index) => `key-${index}`).find((key) => partition(key) % 2 === 1);
    expect(harness.ask('HEARSAY.SNAPSHOT', 'GET', id, odd ?? '')).toMatch(/^-ERR this node held no whole copy/);
  });

  it('says that a snapshot is too old: after CLOSE, after thirty seconds, and when its connection has gone', () => {
    const harness = new Harness();
    const { host } = harness;
    const first = open(harness);
    expect(harness.ask('HEARSAY.SNAPSHOT', 'CLOSE', first)).toBe('+OK\r\n');
    const tooOld = '-SNAPSHOT snapshot too old\r\n';
    expect(harness.ask('HEARSAY.SNAPSHOT', 'GET', first, 'a')).toBe(tooOld);
    expect(harness.ask('HEARSAY.SNAPSHOT', 'CLOSE', first)).toBe(tooOld);
    const second = open(harness);
    host.snapshots.tick(host.monotonicMs + 30_000);
    expect(harness.ask('HEARSAY.SNAPSHOT', 'INFO', second)).toContain(second);
    host.snapshots.tick(host.monotonicMs + 30_001);
    expect(harness.ask('HEARSAY.SNAPSHOT', 'SCAN', second, '0')).toBe(tooOld);
    harness.accept(2);
    harness.receive('HEARSAY.SNAPSHOT OPEN\r\n', 2);
    harness.settle();
    const third = harness.output(2).slice(1, -2);
    expect(harness.ask('HEARSAY.SNAPSHOT', 'GET', third, 'a')).toBe('*1\r\n$-1\r\n');
    harness.sessions.closed(2);
    host.snapshots.tick(host.monotonicMs);
    expect(harness.ask('HEARSAY.SNAPSHOT', 'GET', third, 'a')).toBe(tooOld);
    expect(harness.ask('HEARSAY.SNAPSHOT', 'LIST')).toBe('*0\r\n');
  });

  it('does not call an id too old that it never gave', () => {
    const harness = new Harness();
    const unknown = '-SNAPSHOT no snapshot of that id was opened here since this node started\r\n';
    for (const words of [
      ['GET', '42', 'a', 'b'],
      ['SCAN', '42', '0'],
      ['INFO', '42'],
      ['CLOSE', '42'],
    ]) {
      expect(harness.ask('HEARSAY.SNAPSHOT', ...words)).toBe(unknown);
    }
    const id = Number(open(harness));
    for (const other of [id - 1, id + 1]) expect(harness.ask('HEARSAY.SNAPSHOT', 'GET', `${other}`, 'a')).toBe(unknown);
  });

  it('refuses a ninth, and words that mean nothing', () => {
    const harness = new Harness();
    for (let index = 0; index < 8; index++) open(harness);
    expect(harness.ask('HEARSAY.SNAPSHOT', 'OPEN')).toMatch(/^-BUSY 8 snapshots are open/);
    expect(harness.ask('HEARSAY.SNAPSHOT', 'LIST')).toMatch(/^\*8\r\n/);
    expect(harness.ask('HEARSAY.SNAPSHOT', 'TAKE')).toMatch(/^-ERR unknown subcommand/);
    expect(harness.ask('HEARSAY.SNAPSHOT', 'GET', '1')).toMatch(/^-ERR wrong number/);
    expect(harness.ask('HEARSAY.SNAPSHOT', 'GET', 'x', 'a')).toMatch(/^-ERR value is not an integer/);
    for (const words of [['COUNT'], ['COUNT', '0'], ['TYPE', 'string']]) {
      expect(harness.ask('HEARSAY.SNAPSHOT', 'SCAN', '1', '0', ...words)).toMatch(/^-ERR syntax error/);
    }
    expect(harness.ask('HEARSAY.SNAPSHOT', 'HELP')).toContain('OPEN');
  });
});
