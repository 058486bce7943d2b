/** HEARSAY.DUMP and HEARSAY.LOAD as a connection sees them: pages of records, their bounds, and what is refused. */
import { describe, expect, it } from 'vitest';
import { HearsayError } from '../../../src/core/base/errors.js';
import { DUMP_BYTES_MAX } from '../../../src/core/commands/backup.js';
import {
  align8,
  RECORD_BYTES_MAX,
  recordBytes,
  recordHlc,
  recordLength,
  TYPE_PUT,
  writeRecord,
} from '../../../src/core/record/record.js';
import { Harness } from '../session/harness.js';
import { PARTITIONS } from './fake-host.js';

function record(hlc: number, valueBytes = 10, expiryHlc = 0): Buffer {
  const key = Buffer.from(`key-${hlc}`);
  const bytes = Buffer.alloc(recordLength(key.length, valueBytes, expiryHlc > 0 ? 3 : 0));
  const fields = { type: TYPE_PUT, hlc, actor: 7, sequence: 1, expireAtMs: 0, expiryHlc, expiryActor: expiryHlc && 8 };
  writeRecord(bytes, 0, fields, key, 0, key.length, Buffer.alloc(valueBytes), 0, valueBytes);
  return bytes;
}

/** The reply `[next, records]`: where it goes on, the stamps of its records, and their bytes. */
function pageOf(text: string): { next: number; stamps: number[]; bytes: number } {
  const head = /^\*2\r\n:(-?\d+)\r\n\$(\d+)\r\n/.exec(text);
  if (head === null) throw new Error(text.slice(0, 200));
  const bytes = Buffer.from(text, 'latin1').subarray(head[0].length, head[0].length + Number(head[2]));
  const stamps: number[] = [];
  for (let at = 0; at < bytes.length; at += align8(recordBytes(bytes, at))) stamps.push(recordHlc(bytes, at));
  return { next: Number(head[1]), stamps, bytes: bytes.length };
}

function harnessWith(records: { hash: number; bytes: Buffer }[]): Harness {
  return new Harness((host) => {
    host.records = records;
  });
}

describe('HEARSAY.DUMP', () => {
  it('gives records as they stand, 8-aligned, and goes on where it ended', () => {
    const harness = harnessWith([1, 2, 3].map((at) => ({ hash: at * 10, bytes: record(at, at) })));
    expect(pageOf(harness.ask('HEARSAY.DUMP', '0', '0', '2'))).toMatchObject({ next: 30, stamps: [1, 2] });
    expect(pageOf(harness.ask('HEARSAY.DUMP', '0', '30', '2'))).toMatchObject({ next: -1, stamps: [3] });
  });

  it('gives with SINCE what was written or given another expiry after it', () => {
    const harness = harnessWith([record(5), record(6), record(3, 4, 9)].map((bytes, hash) => ({ hash, bytes })));
    expect(pageOf(harness.ask('HEARSAY.DUMP', '0', '0', '100', 'SINCE', '5')).stamps).toEqual([6, 3]);
    expect(pageOf(harness.ask('HEARSAY.DUMP', '0', '0', '100', 'SINCE', '9')).stamps).toEqual([]);
  });

  it('refuses SINCE where deletes after that are forgotten: the page would lack them', () => {
    const harness = new Harness((host) => {
      host.forgotten = 6;
    });
    expect(harness.ask('HEARSAY.DUMP', '0', '0', '100', 'SINCE', '5')).toMatch(/^-UNAVAILABLE deletes since then/);
    expect(pageOf(harness.ask('HEARSAY.DUMP', '0', '0', '100', 'SINCE', '6')).stamps).toEqual([]);
    expect(pageOf(harness.ask('HEARSAY.DUMP', '0', '0', '100')).stamps).toEqual([]);
  });

  it('ends a page before it is too long, but never between records of one hash', () => {
    const large = DUMP_BYTES_MAX * 0.75;
    const hashes = [1, 2, 2, 3];
    const harness = harnessWith(hashes.map((hash, at) => ({ hash, bytes: record(at + 1, large) })));
    expect(pageOf(harness.ask('HEARSAY.DUMP', '0', '0', '100'))).toMatchObject({ next: 2, stamps: [1] });
    expect(pageOf(harness.ask('HEARSAY.DUMP', '0', '2', '100'))).toMatchObject({ next: 3, stamps: [2, 3] });
    expect(pageOf(harness.ask('HEARSAY.DUMP', '0', '3', '100'))).toMatchObject({ next: -1, stamps: [4] });
  });

  it('refuses a partition that is not held here, and words that make no sense', () => {
    const harness = harnessWith([]);
    harness.host.away = (partition) => partition === 1;
    expect(harness.ask('HEARSAY.DUMP', '1', '0', '10')).toMatch(/^-UNAVAILABLE /);
    expect(harness.ask('HEARSAY.DUMP', `${PARTITIONS}`, '0', '10')).toMatch(/^-ERR no such partition/);
    expect(harness.ask('HEARSAY.DUMP', '0', '4294967296', '10')).toMatch(/^-ERR invalid cursor/);
    for (const words of [
      ['0', '0'],
      ['0', '0', '0'],
      ['0', '0', '1', 'SINCE'],
      ['0', '0', '1', 'UNTIL', '3'],
    ]) {
      expect(harness.ask('HEARSAY.DUMP', ...words), words.join(' ')).toMatch(/^-ERR syntax error/);
    }
  });

  it('START tells clock, settings and who answers for what', () => {
    const text = new Harness().ask('HEARSAY.DUMP', 'START');
    for (const part of [
      'hlc',
      'cluster_id',
      '0123456789abcdef',
      'partitions',
      `:${PARTITIONS}`,
      '10.0.0.2',
      'suspect',
      ':8192',
    ]) {
      expect(text).toContain(part);
    }
  });
});

describe('HEARSAY.LOAD', () => {
  it('hands its bytes on and tells what became of them', () => {
    const harness = new Harness();
    harness.host.loaded = { applied: 2, stale: 1, expired: 3 };
    const records = Buffer.concat([record(8), Buffer.alloc(7)]);
    const text = harness.ask('HEARSAY.LOAD', records);
    expect(harness.host.loads).toEqual([records]);
    expect(text).toContain(
      `bytes\r\n:${records.length}\r\n$7\r\napplied\r\n:2\r\n$5\r\nstale\r\n:1\r\n$7\r\nexpired\r\n:3\r\n`,
    );
    expect(text).toMatch(/stopped\r\n\$0\r\n\r\n$/);
  });

  it('is an error when nothing could be taken, and says why it stopped when something was', () => {
    const harness = new Harness();
    harness.host.loaded = { bytes: 0, refusal: new HearsayError('BUSY', 'wait') };
    expect(harness.ask('HEARSAY.LOAD', 'x')).toBe('-BUSY wait\r\n');
    harness.host.loaded = { bytes: 64, applied: 1, refusal: new HearsayError('NOSPACE', 'full') };
    expect(harness.ask('HEARSAY.LOAD', 'x')).toMatch(/stopped\r\n\$12\r\nNOSPACE full\r\n$/);
  });

  it('is answered when its batch is durable, also when the records were there already', () => {
    for (const loaded of [{ applied: 1 }, { stale: 1 }]) {
      const harness = new Harness();
      harness.host.batch = 4;
      harness.host.loaded = loaded;
      expect(harness.ask('HEARSAY.LOAD', 'x')).toBe('');
      harness.durable = 4;
      harness.settle();
      expect(harness.output()).toContain('applied');
    }
  });

  it('takes a record of the greatest length', () => {
    const harness = new Harness();
    harness.host.loaded = { applied: 1 };
    expect(harness.ask('HEARSAY.LOAD', Buffer.alloc(align8(RECORD_BYTES_MAX)))).toContain('applied\r\n:1');
    expect(harness.host.loads[0].length).toBe(align8(RECORD_BYTES_MAX));
  });

  it('and DUMP are not for strangers', () => {
    const harness = new Harness((host) => {
      host.settings = { ...host.settings, password: 'secret' };
    });
    expect(harness.ask('HEARSAY.LOAD', 'x')).toMatch(/^-NOAUTH/);
    expect(harness.ask('HEARSAY.DUMP', 'START')).toMatch(/^-NOAUTH/);
    expect(harness.host.loads).toEqual([]);
  });
});
