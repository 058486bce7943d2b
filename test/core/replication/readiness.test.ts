import { describe, expect, it } from 'vitest';
import type { Peer } from '../../../src/core/replication/peers.js';
import { decodeReady, encodeReady, Readiness, type ReadyReport } from '../../../src/core/replication/readiness.js';

const REPORT: ReadyReport = {
  ringHash: 0xfedcba98,
  version: 3,
  unready: new Set([1, 15]),
  handing: new Set([4]),
  before: [{ id: 'a', zone: 'z', weight: 2.5 }],
};
const peer = (actor: number) => ({ id: 'a', actor }) as Peer;

describe('a report of what is ready', () => {
  it('arrives as it was sent, with the ring that went before or without', () => {
    expect(decodeReady(encodeReady(REPORT), 16)).toEqual(REPORT);
    const settled = { ...REPORT, before: null };
    expect(decodeReady(encodeReady(settled), 16)).toEqual(settled);
  });

  it('is refused when it is cut short, names partitions that there are not, or the same member twice', () => {
    const body = encodeReady(REPORT);
    const whole = encodeReady({ ...REPORT, before: null }).length;
    for (let end = 0; end < body.length; end++) {
      if (end !== whole) expect(decodeReady(body.subarray(0, end), 16)).toBeNull();
    }
    expect(decodeReady(body, 15)).toBeNull();
    const [member] = REPORT.before ?? [];
    expect(decodeReady(encodeReady({ ...REPORT, before: [member, member] }), 16)).toBeNull();
    expect(decodeReady(encodeReady({ ...REPORT, before: [{ ...member, weight: 0 }] }), 16)).toBeNull();
  });

  it('takes the place of an older one, never of a newer one of the same start; what is none is counted', () => {
    const readiness = new Readiness({ partitions: 16 });
    readiness.arrived(peer(7), encodeReady(REPORT), 0);
    readiness.arrived(peer(7), encodeReady({ ...REPORT, version: 2, unready: new Set() }), 1);
    expect(readiness.of('a')?.unready).toEqual(new Set([1, 15]));
    expect(readiness.stats.stale).toBe(1);
    readiness.arrived(peer(8), encodeReady({ ...REPORT, version: 1, unready: new Set() }), 2);
    expect(readiness.of('a')?.unready).toEqual(new Set());
    readiness.arrived(peer(8), Buffer.alloc(5), 3);
    expect(readiness.stats.malformed).toBe(1);
    readiness.forget('a');
    expect(readiness.of('a')).toBeUndefined();
  });
});
