import { describe, expect, it } from 'vitest';
import { recordBytes, TYPE_PUT, writeRecord } from '../../../src/core/record/record.js';
import { Link, recordsNumber, recordsRingHash, UNACKED_BYTES_MAX } from '../../../src/core/replication/link.js';

function record(key: string, valueBytes: number): Buffer {
  const bytes = Buffer.alloc(128 + key.length + valueBytes);
  const value = Buffer.alloc(valueBytes, 0x76);
  const fields = { type: TYPE_PUT, hlc: 5, actor: 7, sequence: 1, expireAtMs: 0, expiryHlc: 0, expiryActor: 0 };
  const length = writeRecord(bytes, 0, fields, Buffer.from(key), 0, key.length, value, 0, valueBytes);
  return bytes.subarray(0, length);
}

function add(link: Link, key: string, count: number, nowMs = 0, valueBytes = 10): void {
  const bytes = record(key, valueBytes);
  link.add(bytes, 0, recordBytes(bytes, 0), count, nowMs, null);
}

describe('a link', () => {
  it('packs the records of a turn into one message marked with the ring', () => {
    const link = new Link();
    for (let count = 1; count <= 5; count++) add(link, `k${count}`, count);
    const ready = link.takeReady(0xabcdef01, 0);
    expect(ready).toHaveLength(1);
    expect(recordsNumber(ready[0].body, 0)).toBe(1);
    expect(recordsRingHash(ready[0].body, 0)).toBe(0xabcdef01);
    expect(ready[0].firstCount).toBe(1);
    expect(ready[0].records).toBe(5);
    expect(link.takeReady(0, 0)).toHaveLength(0);
  });

  it('sends a record too large for a datagram by stream, alone', () => {
    const link = new Link();
    add(link, 'small', 1);
    add(link, 'large', 2, 0, 5000);
    add(link, 'after', 3);
    const ready = link.takeReady(1, 0);
    expect(ready.map((message) => message.viaStream)).toEqual([false, true, false]);
    expect(ready.map((message) => message.firstCount)).toEqual([1, 2, 3]);
  });

  it('knows through which write everything is acknowledged, messages out of order included', () => {
    const link = new Link();
    add(link, 'a', 1);
    link.takeReady(1, 0);
    add(link, 'b', 2);
    link.takeReady(1, 0);
    add(link, 'c', 3);
    expect(link.ackedThrough(3)).toBe(0);
    link.acknowledge(2, 1);
    expect(link.ackedThrough(3)).toBe(0);
    link.acknowledge(1, 1);
    expect(link.ackedThrough(3)).toBe(2);
    link.takeReady(1, 1);
    link.acknowledge(3, 2);
    expect(link.ackedThrough(3)).toBe(3);
    expect(link.unackedBytes).toBe(0);
  });

  it('answers through which write at a constant cost: the oldest message that is left is the first asked', () => {
    const link = new Link(0xfffffffe);
    for (let count = 1; count <= 6; count++) {
      add(link, `k${count}`, count);
      link.takeReady(1, 0);
    }
    const numbers = [0xfffffffe, 0xffffffff, 1, 2, 3, 4];
    for (const index of [1, 2, 4]) link.acknowledge(numbers[index], 1);
    expect(link.ackedThrough(6)).toBe(0);
    link.acknowledge(numbers[0], 1);
    expect(link.ackedThrough(6)).toBe(3);
    link.acknowledge(numbers[3], 1);
    expect(link.ackedThrough(6)).toBe(5);
    link.acknowledge(numbers[5], 1);
    expect(link.ackedThrough(9)).toBe(9);
  });

  it('sends a message that is not answered in time by stream, once', () => {
    const link = new Link();
    add(link, 'a', 1);
    link.takeReady(1, 100);
    expect(link.takeOverdue(100 + link.resendAfterMs - 1)).toHaveLength(0);
    expect(link.takeOverdue(100 + link.resendAfterMs)).toHaveLength(1);
    expect(link.takeOverdue(10_000)).toHaveLength(0);
    expect(link.streamMessages()).toHaveLength(1);
  });

  it('sends nothing again that has not left yet: its number and ring are not written', () => {
    const link = new Link();
    add(link, 'large', 1, 0, 5000);
    expect(link.streamMessages()).toEqual([]);
    expect(link.takeOverdue(10_000)).toEqual([]);
    const [message] = link.takeReady(7, 10_000);
    expect([recordsNumber(message.body, 0), recordsRingHash(message.body, 0)]).toEqual([1, 7]);
    expect(link.streamMessages()).toEqual([message]);
  });

  it('takes to the stream when too many datagrams are in flight', () => {
    const link = new Link();
    for (let count = 1; count <= 70; count++) {
      add(link, `k${count}`, count);
      link.takeReady(1, 0);
    }
    expect(link.streamMessages()).toHaveLength(6);
  });

  it('hands back what it gives up, and forgets acknowledgements of it', () => {
    const link = new Link();
    add(link, 'old', 1, 0);
    link.takeReady(1, 0);
    add(link, 'new', 2, 500);
    link.takeReady(1, 500);
    const abandoned = link.abandon(400);
    expect(abandoned.map((message) => message.number)).toEqual([1]);
    expect(link.acknowledge(1, 600)).toBeNull();
    expect(link.unackedMessages).toBe(1);
    add(link, 'open', 3, 700);
    expect(link.abandon(Number.POSITIVE_INFINITY)).toHaveLength(2);
    expect(link.unackedBytes).toBe(0);
    expect(link.takeReady(1, 700)).toHaveLength(0);
  });

  it('says that it is full past its bound', () => {
    const link = new Link();
    for (let count = 1; !link.full; count++) {
      add(link, `k${count}`, count, 0, 1_000_000);
      link.takeReady(1, 0);
    }
    expect(link.unackedBytes).toBeGreaterThan(UNACKED_BYTES_MAX);
    expect(link.unackedBytes).toBeLessThan(UNACKED_BYTES_MAX + 1_100_000);
  });
});
