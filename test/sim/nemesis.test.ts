/** What the nemesis does of a plan's steps: it is marked where it happens, and an end for a disk is excused by what that disk did alone. */
import { describe, expect, it } from 'vitest';
import { HearsayError } from '../../src/core/base/errors.js';
import { DiskNemesis } from '../../src/sim/disk-nemesis.js';
import { Nemesis } from '../../src/sim/nemesis.js';
import { drawPlan, PLAN_LIMITS, type Plan } from '../../src/sim/schedule.js';
import { Scenario } from './scenario.js';

function nemesisOf(scenario: Scenario): { nemesis: Nemesis; marks: string[] } {
  const plan: Plan = { ...drawPlan(1, { ...PLAN_LIMITS, families: [] }), nodes: 3, disks: [], steps: [] };
  const marks: string[] = [];
  return { nemesis: new Nemesis(scenario.cluster, plan, [], (kind) => marks.push(kind)), marks };
}

describe('a step', () => {
  it('that meets nobody is refused and not marked', () => {
    const scenario = new Scenario({ nodes: 3 });
    const { nemesis, marks } = nemesisOf(scenario);
    scenario.kill(1);
    expect(nemesis.apply({ atMs: 0, kind: 'leave', node: 1 })).toBe(false);
    expect(nemesis.apply({ atMs: 0, kind: 'pause', node: 1, forMs: 10 })).toBe(false);
    expect(nemesis.apply({ atMs: 0, kind: 'stop', node: 1, downMs: 10 })).toBe(false);
    nemesis.apply({ atMs: 0, kind: 'kill', nodes: [1], downMs: 10, onAck: false });
    expect(marks).toEqual([]);
    expect(nemesis.apply({ atMs: 0, kind: 'leave', node: 0 })).toBe(true);
    expect(nemesis.apply({ atMs: 0, kind: 'leave', node: 0 })).toBe(false);
    expect(nemesis.apply({ atMs: 0, kind: 'wipe', node: 0, downMs: 10 })).toBe(false);
    nemesis.apply({ atMs: 0, kind: 'move', node: 0, downMs: 10, graceful: false });
    expect(marks).toEqual(['leave']);
  });

  it('that waits for an acknowledged write is marked when it strikes', () => {
    const { nemesis, marks } = nemesisOf(new Scenario({ nodes: 3 }));
    nemesis.apply({ atMs: 0, kind: 'power', nodes: [2], downMs: 10, onAck: true });
    nemesis.acknowledged(1);
    expect(marks).toEqual([]);
    nemesis.acknowledged(2);
    expect(marks).toEqual(['power']);
  });

  it('that has a stopping node leave for good has it started again to do so', () => {
    const scenario = new Scenario({ nodes: 3 });
    const { nemesis } = nemesisOf(scenario);
    nemesis.apply({ atMs: 0, kind: 'stop', node: 0, downMs: 500 });
    nemesis.apply({ atMs: 0, kind: 'leave', node: 0 });
    scenario.rest(5_000);
    expect(scenario.cluster.nodes[0].up).toBe(false);
    nemesis.resumeLeaving();
    expect(scenario.cluster.nodes[0].up).toBe(true);
  });
});

describe('a process that ends for its disk', () => {
  const nemesisOfDisks = (scenario: Scenario) =>
    new DiskNemesis(scenario.cluster, { kill: () => {}, start: () => {}, damaged: () => {}, later: () => {} });
  const ended = (code: 'DATADIR' | 'NOSPACE' | 'DISKFAILED', message = '') => ({
    atMs: 0,
    node: 0,
    error: new HearsayError(code, message),
  });
  const unusable = (code: string) => ended('DATADIR', `the data directory can not be used: ${code} a write failed`);

  it('is excused by an error that it met in that life, and by no other', () => {
    const scenario = new Scenario({ nodes: 3 });
    const disks = nemesisOfDisks(scenario);
    const { disk } = scenario.cluster.nodes[0];
    if (disk === null) throw new Error('a node that runs has a disk');
    disks.starting(0);
    disks.apply({ atMs: 0, kind: 'disk', fault: 'slow', node: 0, forMs: 10, syncMs: 5 });
    disks.apply({ atMs: 0, kind: 'disk', fault: 'write', node: 0, count: 1, code: 'EIO' });
    for (const failure of [ended('DISKFAILED'), ended('NOSPACE'), unusable('EIO'), ended('DATADIR', 'no manifest')]) {
      expect(disks.explains(failure)).toBe(false);
    }
    expect(() => disk.write(disk.open('any', true), 0, Buffer.from('x'), 0, 1)).toThrow('a write failed');
    expect(disks.explains(ended('DISKFAILED'))).toBe(true);
    expect(disks.explains(unusable('EIO'))).toBe(true);
    for (const failure of [ended('NOSPACE'), unusable('ENOSPC'), ended('DATADIR', 'no manifest')]) {
      expect(disks.explains(failure)).toBe(false);
    }
    disks.starting(0);
    expect(disks.explains(ended('DISKFAILED'))).toBe(false);
  });
});
