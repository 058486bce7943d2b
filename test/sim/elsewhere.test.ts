/** Which writes of a run may have been coordinated by another node than they were sent to, and what the history then claims of them. */
import { describe, expect, it } from 'vitest';
import { checkRead } from '../../src/sim/checkers.js';
import { Elsewhere } from '../../src/sim/elsewhere.js';
import { History } from '../../src/sim/history.js';

/** Keys in the partition of `count0`, of the 16 of a run. */
const k4 = 'k4';
const sharesWithCount0 = 'k0';

describe('a write behind a count of its connection', () => {
  it('may be elsewhere while the count is under way, and so may what follows the write', () => {
    const elsewhere = new Elsewhere(1);
    expect([...elsewhere.begin(0, 1, ['INCR', 'count0'])]).toEqual(['count0']);
    expect([...elsewhere.begin(0, 2, ['MSET', 'k0', 'v1', 'k1', 'v2'])]).toEqual(['k0', 'k1']);
    elsewhere.end(0, 1);
    expect([...elsewhere.begin(0, 3, ['SET', 'k2', 'v3'])]).toEqual(['k2']);
    elsewhere.end(0, 2);
    elsewhere.end(0, 3);
    expect([...elsewhere.begin(0, 4, ['SET', 'k2', 'v4'])]).toEqual([]);
  });

  it('is where it was sent if it is of another connection or partition', () => {
    const elsewhere = new Elsewhere(16);
    elsewhere.begin(0, 1, ['INCR', 'count0']);
    expect([...elsewhere.begin(1, 2, ['SET', sharesWithCount0, 'v1'])]).toEqual([]);
    expect([...elsewhere.begin(0, 3, ['SET', 'k1', 'v2'])]).toEqual([]);
    expect([...elsewhere.begin(0, 4, ['MSET', 'k1', 'v3', k4, 'v4'])]).toEqual([k4]);
  });

  it('need not be read at the node that it was sent to, and what was sent there must be', () => {
    const client = { node: 0, readLevel: 'one', writeLevel: 'one', protocol: 2 } as const;
    const at = (nowMs: number) => ({
      nowMs,
      wallLowMs: nowMs,
      wallHighMs: nowMs,
      nodeWallMs: nowMs,
      nodeLife: 1,
      nodeSteady: true,
    });
    for (const [strayed, complaint] of [
      [new Set(['k']), null],
      [new Set<string>(), expect.stringContaining('stale')],
    ] as const) {
      const history = new History({ nodes: 3, replicas: 3, clockTrouble: false });
      const [former] = history.begin(1, ['SET', 'k', 'v1'], client, at(10));
      history.end(former, 'ok', { type: 'status', text: 'OK' }, at(11));
      const [write] = history.begin(2, ['SET', 'k', 'v2'], client, at(20), strayed);
      history.end(write, 'ok', { type: 'status', text: 'OK' }, at(21));
      const [read] = history.begin(3, ['GET', 'k'], client, at(30));
      history.end(read, 'ok', { type: 'bulk', text: 'v1' }, at(31));
      expect(checkRead(history, read, 'v1', 31)).toEqual(complaint);
    }
  });
});
