/** The ledgers of siblings and sketches against stories written by hand: what they must catch, and what they must let pass. */
import { describe, expect, it } from 'vitest';
import type { Ended, Ledger } from '../../src/sim/ledger.js';
import type { Reply } from '../../src/sim/replies.js';
import type { Level } from '../../src/sim/schedule.js';
import { SiblingsLedger } from '../../src/sim/siblings.js';
import { SketchLedger } from '../../src/sim/sketches.js';

const NULL: Reply = { type: 'null' };

class Story<L extends Ledger> {
  private number = 0;
  nowMs = 1_000;

  constructor(readonly ledger: L) {}

  /** One command through node 0 that ends before the next begins; what the ledger says of its reply. */
  did(words: string[], reply: Reply | null, level: Level = 'one', outcome: Ended['outcome'] = 'ok'): readonly string[] {
    const number = ++this.number;
    const plan = { node: 0, readLevel: level, writeLevel: level, protocol: 2 } as const;
    const sent = this.ledger.wordsOf?.(words, 0) ?? words;
    this.ledger.begin({ number, client: 0, plan, words: sent, strayed: new Set(), observed: this.observe() });
    this.nowMs += 10;
    return this.ledger.end({ number, outcome, reply, observed: this.observe() });
  }

  finally(key: string, reply: Reply): string | null {
    return this.ledger.checkFinal(key, reply, this.nowMs);
  }

  private observe() {
    const wallMs = 1_000_000 + this.nowMs;
    const walls = { wallLowMs: wallMs, wallHighMs: wallMs, nodeWallMs: wallMs };
    return { nowMs: this.nowMs, ...walls, nodeLife: 1, nodeSteady: true };
  }
}

function set(...texts: string[]): Reply {
  return { type: 'array', items: texts.map((text) => ({ type: 'bulk', text })) };
}

const count = (value: number): Reply => ({ type: 'integer', value });

describe('the ledger of siblings', () => {
  const begun = () => {
    const story = new Story(new SiblingsLedger({ nodes: 3, replicas: 3 }));
    story.did(['CPUT', 'k', '', 'a'], NULL);
    story.did(['CPUT', 'k', '', 'b'], NULL);
    return story;
  };

  it('takes no reply of another shape for one that shows nothing wrong', () => {
    for (const items of [[], [NULL]]) expect(begun().finally('k', { type: 'array', items })).toMatch(/^reply: CGET/);
  });

  it('wants every value that was acknowledged and that nobody who saw it has replaced', () => {
    const story = begun();
    expect(story.finally('k', set('c1', 'a', 'b'))).toBeNull();
    expect(story.finally('k', set('c1', 'a'))).toMatch(/^lost: CPUT of b/);
    story.did(['CGET', 'k'], set('c1', 'b'));
    story.did(['CPUT', 'k', '@0', 'c'], NULL);
    expect(story.finally('k', set('c2', 'a', 'c'))).toBeNull();
    expect(story.finally('k', set('c2', 'c'))).toMatch(/^lost: CPUT of a/);
    expect(story.finally('k', set('c2', 'a', 'b', 'c'))).toMatch(/^sibling: k has b beside c/);
  });

  it('lets a write of unknown outcome stand or not, with what it saw or in its place', () => {
    const story = begun();
    story.did(['CGET', 'k'], set('c1', 'a', 'b'));
    story.did(['CPUT', 'k', '@0', 'c'], null, 'one', 'indeterminate');
    expect(story.finally('k', set('c2', 'c'))).toBeNull();
    expect(story.finally('k', set('c2', 'a', 'b'))).toBeNull();
    story.did(['CPUT', 'k', '@0', 'd'], { type: 'error', text: 'BUSY' }, 'one', 'refused');
    expect(story.finally('k', set('c2', 'd'))).toMatch(/^foreign: /);
  });

  it('knows what a delete had seen, and what came back', () => {
    const story = begun();
    story.did(['CGET', 'k'], set('c1', 'a', 'b'));
    story.did(['CDEL', 'k', '@0'], count(2));
    expect(story.finally('k', set(''))).toBeNull();
    expect(story.finally('k', set('c1', 'b'))).toMatch(/^sibling: b of k is there in the end/);
  });

  it('excuses what a disk lost, but not what a quorum has', () => {
    const story = begun();
    story.did(['CPUT', 'k', '', 'c'], NULL, 'quorum');
    story.ledger.damaged(1, story.nowMs);
    expect(story.finally('k', set('c1', 'c'))).toBeNull();
    expect(story.finally('k', set('c1', 'a', 'b'))).toMatch(/^lost: CPUT of c/);
  });

  it('wants a reader at quorum to see what was written at quorum', () => {
    const story = begun();
    story.did(['CPUT', 'k', '', 'c'], NULL, 'quorum');
    expect(story.did(['CGET', 'k'], set('c1', 'c'), 'quorum')).toEqual([]);
    expect(story.did(['CGET', 'k'], set('c1', 'a', 'b'), 'one')).toEqual([]);
    expect(story.did(['CGET', 'k'], set('c1', 'a', 'b'), 'quorum')).toEqual([expect.stringMatching(/^stale: /)]);
  });
});

describe('the ledger of sketches', () => {
  const begun = () => {
    const story = new Story(new SketchLedger({ nodes: 3, replicas: 3 }));
    story.did(['PFADD', 'h', 'a', 'b', 'c'], count(1));
    story.did(['PFADD', 'h', 'd'], null, 'one', 'indeterminate');
    return story;
  };

  it('counts no less than is certain and no more than may be', () => {
    const story = begun();
    for (const value of [3, 4]) expect(story.finally('h', count(value))).toBeNull();
    for (const value of [2, 5]) expect(story.finally('h', count(value))).toMatch(/^count: /);
    expect(story.did(['PFCOUNT', 'h'], count(0))).toEqual([]);
    expect(story.did(['PFCOUNT', 'h'], count(5))).toHaveLength(1);
  });

  it('lets a merge bring what its sources may have held, and them through others', () => {
    const story = begun();
    story.did(['PFADD', 'i', 'x', 'y'], count(1));
    story.did(['PFMERGE', 'j', 'i'], { type: 'status', text: 'OK' });
    story.did(['PFMERGE', 'h', 'j'], { type: 'status', text: 'OK' });
    expect(story.finally('h', count(6))).toBeNull();
    expect(story.finally('h', count(7))).toMatch(/^count: /);
    expect(story.finally('i', count(3))).toMatch(/^count: /);
  });

  it('believes nobody who knows an element that was never added', () => {
    const story = begun();
    expect(story.did(['PFADD', 'h', 'a'], count(0))).toEqual([]);
    expect(story.did(['PFADD', 'h', 'new'], count(0))).toEqual([expect.stringMatching(/^count: /)]);
  });

  it('excuses what a disk lost and what was flushed', () => {
    const story = begun();
    story.ledger.damaged(1, story.nowMs);
    expect(story.finally('h', count(0))).toBeNull();
    const other = begun();
    other.ledger.flushed();
    expect(other.finally('h', count(0))).toBeNull();
  });
});
