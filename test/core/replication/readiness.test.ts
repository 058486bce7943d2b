import { describe, expect, it } from 'vitest';
import type { Peer } from '../../../src/core/replication/peers.js';
import { decodeReady, encodeReady, Readiness, type ReadyReport } from '../../../src/core/replication/readiness.js';

const REPORT: ReadyReport = {
  ringHash: 0xfedcba98,
  version: 3,
  unready: new Set([1, 15]),
  handing: new Set([4]),
  holding: new Set([15]),
  before: [{ id: 'a', zone: 'z', weight: 2.5 }],
};
const FLUSHED = { flushedHlc: 2 ** 52, flushedActor: 2 ** 47 };
const peer = (actor: number) => ({ id: 'a', actor }) as Peer;

describe('a report of what is ready', () => {
  it('arrives as it was sent, with the ring that went before or without', () => {
    expect(decodeReady(encodeReady(REPORT, FLUSHED), 16)).toEqual({ report: REPORT, flushed: FLUSHED });
    const settled = { ...REPORT, before: null };
    expect(decodeReady(encodeReady(settled, FLUSHED), 16)).toEqual({ report: settled, flushed: FLUSHED });
  });

  it('is refused when it is cut short, names partitions that there are not, or the same member twice', () => {
    const body = encodeReady(REPORT, FLUSHED);
    const whole = encodeReady({ ...REPORT, before: null }, FLUSHED).length;
    for (let end = 0; end < body.length; end++) {
      if (end !== whole) expect(decodeReady(body.subarray(0, end), 16)).toBeNull();
    }
    expect(decodeReady(body, 15)).toBeNull();
    const [member] = REPORT.before ?? [];
    expect(decodeReady(encodeReady({ ...REPORT, before: [member, member] }, FLUSHED), 16)).toBeNull();
    expect(decodeReady(encodeReady({ ...REPORT, before: [{ ...member, weight: 0 }] }, FLUSHED), 16)).toBeNull();
  });

  it('takes the place of an older one, never of a newer one of the same start; what is none is counted', () => {
    const readiness = new Readiness({ partitions: 16 });
    expect(readiness.arrived(peer(7), encodeReady(REPORT, FLUSHED), 0)).toEqual(FLUSHED);
    readiness.arrived(peer(7), encodeReady({ ...REPORT, version: 2, unready: new Set() }, FLUSHED), 1);
    expect(readiness.of(peer(7))?.unready).toEqual(new Set([1, 15]));
    expect(readiness.stats.stale).toBe(1);
    readiness.arrived(peer(8), encodeReady({ ...REPORT, version: 1, unready: new Set() }, FLUSHED), 2);
    expect(readiness.of(peer(8))?.unready).toEqual(new Set());
    expect(readiness.arrived(peer(8), Buffer.alloc(5), 3)).toBeNull();
    expect(readiness.stats.malformed).toBe(1);
    readiness.forget('a');
    expect(readiness.of(peer(8))).toBeUndefined();
  });
});
