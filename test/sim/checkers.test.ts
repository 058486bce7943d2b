/** The checkers against histories written by hand: what they must catch, and what they must let pass. */
import { describe, expect, it } from 'vitest';
import { checkEndless, checkFinal, checkRead, checkShape } from '../../src/sim/checkers.js';
import { History, type Observed, type Operation } from '../../src/sim/history.js';
import type { Level } from '../../src/sim/schedule.js';

const OK = { type: 'status', text: 'OK' } as const;
const ONE = { type: 'integer', value: 1 } as const;
const NONE = { type: 'integer', value: 0 } as const;

class Story {
  readonly history: History;
  nowMs = 10_000;
  private number = 0;

  constructor(nodes = 3, clockTrouble = false) {
    this.history = new History({ nodes, replicas: 3, clockTrouble });
  }

  begin(node: number, words: string[], level: Level = 'one'): Operation {
    const client = { node, readLevel: level, writeLevel: level, protocol: 2 } as const;
    return this.history.begin(++this.number, words, client, this.observe())[0];
  }

  end(
    operation: Operation,
    outcome: 'ok' | 'refused' | 'indeterminate',
    reply: typeof OK | typeof ONE | typeof NONE = OK,
  ) {
    this.nowMs += 10;
    this.history.end(operation, outcome, reply, this.observe());
    return operation;
  }

  did(node: number, words: string[], level: Level = 'one'): Operation {
    const reply = ['SET', 'FLUSHALL'].includes(words[0]) ? OK : ONE;
    return this.end(this.begin(node, words, level), 'ok', reply);
  }

  /** What is wrong with this value as the answer to a GET at this node. */
  read(node: number, value: string | null, level: Level = 'one'): string | null {
    const read = this.end(this.begin(node, ['GET', 'k'], level), 'ok');
    return checkRead(this.history, read, value, this.observe().wallHighMs);
  }

  finally(value: string | null): string | null {
    return checkFinal(this.history, 'k', value, this.observe().wallHighMs);
  }

  private observe(): Observed {
    const wallMs = 1_000_000 + this.nowMs;
    return {
      nowMs: this.nowMs,
      wallLowMs: wallMs - 100,
      wallHighMs: wallMs + 100,
      nodeWallMs: wallMs,
      nodeLife: 1,
      nodeSteady: true,
    };
  }
}

describe('reads', () => {
  it('may not return what nobody wrote, what was written elsewhere, or what was refused', () => {
    const story = new Story();
    story.did(0, ['SET', 'other', 'v1']);
    story.end(story.begin(0, ['SET', 'k', 'v2']), 'refused');
    expect(story.read(0, 'v9')).toMatch(/^foreign: .*nobody wrote/);
    expect(story.read(0, 'v1')).toMatch(/^foreign: .*written to other/);
    expect(story.read(0, 'v2')).toMatch(/^foreign: .*refused/);
  });

  it('must see what their own node acknowledged, and may be behind at another', () => {
    const story = new Story();
    story.did(0, ['SET', 'k', 'v1']);
    story.did(0, ['SET', 'k', 'v2']);
    expect(story.read(0, 'v1')).toMatch(/^stale/);
    expect(story.read(0, null)).toMatch(/^stale/);
    expect(story.read(0, 'v2')).toBeNull();
    expect(story.read(1, 'v1')).toBeNull();
    expect(story.read(1, null)).toBeNull();
  });

  it('must see what all owners acknowledged, wherever they ask, and a quorum what a quorum did', () => {
    const story = new Story();
    story.did(0, ['SET', 'k', 'v1']);
    story.did(0, ['SET', 'k', 'v2'], 'quorum');
    expect(story.read(1, 'v1')).toBeNull();
    expect(story.read(1, 'v1', 'quorum')).toMatch(/^stale/);
    story.did(0, ['SET', 'k', 'v3'], 'all');
    expect(story.read(1, 'v1')).toMatch(/^stale/);
  });

  it('may lose to a write through another node within the bound of skew, not beyond it', () => {
    const story = new Story();
    story.did(1, ['SET', 'k', 'v1']);
    story.did(0, ['SET', 'k', 'v2']);
    expect(story.read(0, 'v1')).toBeNull();
    story.nowMs += 5_000;
    story.did(0, ['SET', 'k', 'v3']);
    expect(story.read(0, 'v1')).toMatch(/^stale/);
  });

  it('order a write above what its node had read', () => {
    const story = new Story();
    const first = story.did(1, ['SET', 'k', 'v1']);
    story.history.sawAt(0, first);
    story.did(0, ['SET', 'k', 'v2']);
    expect(story.read(0, 'v1')).toMatch(/^stale/);
  });

  it('may find nothing after an expiry that can have come, not before', () => {
    const story = new Story();
    story.did(0, ['SET', 'k', 'v1', 'PX', '1000']);
    expect(story.read(0, null)).toMatch(/^stale/);
    expect(story.read(0, 'v1')).toBeNull();
    story.nowMs += 1_000;
    expect(story.read(0, null)).toBeNull();
    story.nowMs += 1_000;
    expect(story.read(0, 'v1')).toMatch(/^expired/);
  });

  it('may find a value past its first expiry if that may have been changed', () => {
    const story = new Story();
    story.did(0, ['SET', 'k', 'v1', 'PX', '100']);
    story.end(story.begin(1, ['PERSIST', 'k']), 'indeterminate');
    story.nowMs += 5_000;
    expect(story.read(0, 'v1')).toBeNull();
  });

  it('promise less when clocks are set, and where the coordinator is not known', () => {
    for (const story of [new Story(3, true), new Story(5)]) {
      story.did(0, ['SET', 'k', 'v1']);
      story.did(0, ['SET', 'k', 'v2']);
      expect(story.read(0, 'v1')).toBeNull();
    }
  });
});

describe('the state at the end', () => {
  it('may not be older than an acknowledged write or erasure', () => {
    const story = new Story();
    story.did(0, ['SET', 'k', 'v1']);
    story.did(0, ['DEL', 'k']);
    expect(story.finally('v1')).toMatch(/^lost/);
    expect(story.finally(null)).toBeNull();
    story.did(0, ['SET', 'k', 'v2']);
    expect(story.finally(null)).toMatch(/^lost/);
    expect(story.finally('v2')).toBeNull();
  });

  it('may be that of a write without an answer, or of none', () => {
    const story = new Story();
    story.did(0, ['SET', 'k', 'v1']);
    story.end(story.begin(1, ['SET', 'k', 'v2']), 'indeterminate');
    expect(story.finally('v1')).toBeNull();
    expect(story.finally('v2')).toBeNull();
    expect(story.finally(null)).toMatch(/^lost/);
  });

  it('excuses what only a damaged disk held, and no more', () => {
    const story = new Story();
    story.did(0, ['SET', 'k', 'v1']);
    story.did(0, ['SET', 'k', 'v2'], 'quorum');
    story.history.damaged(0, story.nowMs);
    expect(story.finally('v1')).toMatch(/^lost/);
    story.history.damaged(1, story.nowMs);
    expect(story.finally('v1')).toBeNull();
  });

  it('holds a FLUSHALL against every key, and a DEL that found nothing against none', () => {
    const story = new Story();
    story.did(0, ['SET', 'k', 'v1']);
    story.end(story.begin(0, ['DEL', 'k']), 'ok', NONE);
    expect(story.finally('v1')).toBeNull();
    story.did(0, ['FLUSHALL']);
    expect(story.finally('v1')).toMatch(/^lost/);
  });
});

describe('replies', () => {
  it('must have the shape of their command', () => {
    expect(checkShape(['SET', 'k', 'v'], OK)).toBeNull();
    expect(checkShape(['SET', 'k', 'v'], ONE)).toMatch(/^reply/);
    expect(checkShape(['DEL', 'k'], ONE)).toBeNull();
    expect(checkShape(['GET', 'k'], ONE)).toMatch(/^reply/);
    expect(checkShape(['MGET', 'a', 'b'], { type: 'array', items: [{ type: 'null' }] })).toMatch(/^reply/);
    expect(checkShape(['GET', 'k'], { type: 'error', text: 'ERR wrong number of arguments' })).toMatch(/^reply/);
    expect(checkShape(['GET', 'k'], { type: 'error', text: 'NOQUORUM too few owners answered' })).toBeNull();
  });
});

describe('conditions, values told back and expiries kept', () => {
  it('catches a value that was answered not to be written', () => {
    const story = new Story();
    story.did(0, ['SET', 'k', 'v1']);
    story.end(story.begin(0, ['SETNX', 'k', 'v2']), 'ok', NONE);
    expect(story.read(0, 'v1')).toBeNull();
    expect(story.read(0, 'v2')).toMatch(/^foreign: .*answered not to be written/);
  });

  it('catches a value that outlives the expiry it took over, and lets it live as long', () => {
    const story = new Story();
    story.did(0, ['SET', 'k', 'v1', 'PX', '500']);
    story.did(0, ['SET', 'k', 'v2', 'XX', 'KEEPTTL']);
    expect(story.read(0, 'v2')).toBeNull();
    expect(checkEndless(story.history, 'k')).toMatch(/^expired: k lives for ever/);
    story.nowMs += 1_000;
    expect(story.read(0, 'v2')).toMatch(/^expired: /);
    story.did(0, ['SET', 'k', 'v3']);
    expect(checkEndless(story.history, 'k')).toBeNull();
  });

  it('lets a delete of several keys that found but some leave the others as they were', () => {
    const story = new Story();
    story.did(0, ['SET', 'k', 'v1']);
    story.end(story.begin(0, ['DEL', 'k', 'other']), 'ok', ONE);
    expect(story.read(0, null)).toBeNull();
    expect(story.read(0, 'v1')).toBeNull();
  });
});

describe('a write that WAIT spoke of', () => {
  it('is seen through every node once all have it, and survives what fewer nodes lose', () => {
    const story = new Story();
    const write = story.did(0, ['SET', 'k', 'v1']);
    expect(story.read(1, null)).toBeNull();
    story.history.spread(write, 2, 0);
    expect(story.read(1, null)).toMatch(/^stale: /);
    for (const node of [0, 1]) story.history.damaged(node, story.nowMs);
    expect(story.finally(null)).toMatch(/^lost: /);
    story.history.damaged(2, story.nowMs);
    expect(story.finally(null)).toBeNull();
  });

  it('survives every loss of power once one disk has it, but not the loss of that disk', () => {
    const story = new Story();
    const write = story.did(0, ['SET', 'k', 'v1']);
    story.history.spread(write, 0, 1);
    for (const node of [0, 1, 2]) story.history.damaged(node, story.nowMs, true);
    expect(story.finally(null)).toMatch(/^lost: /);
    story.history.damaged(0, story.nowMs);
    expect(story.finally(null)).toBeNull();
  });
});
