/** What is concluded from answers of contact points, with time as an argument. */
import { describe, expect, it } from 'vitest';
import { JoinWatch } from '../../../src/core/node/join-watch.js';
import type { ContactNews } from '../../../src/core/replication/outgoing.js';

const CONTACTS = ['a:17379', 'b:17379'];

function watchOf(contactPoints: readonly string[] = CONTACTS, isSealed = false, wasTold = true) {
  const lines: { level: string; event: string; fields: Record<string, unknown> }[] = [];
  const at =
    (level: string) =>
    (event: string, fields: Record<string, unknown> = {}): void =>
      void lines.push({ level, event, fields });
  const log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  return { watch: new JoinWatch({ log }, { contactPoints, isSealed, wasTold }), lines };
}

const refused = (address: string, why = 'cluster name is "x" here, "y" there'): ContactNews => ({
  address,
  outcome: 'refused',
  reason: 'foreign',
  why,
});
const accepted = (address: string): ContactNews => ({ address, outcome: 'accepted', reason: 'foreign', why: '' });

describe('a join watch', () => {
  it('has joined from the start when there is nobody to ask', () => {
    const { watch, lines } = watchOf([]);
    watch.tick(false, true, 0);
    expect([watch.state, lines]).toEqual(['joined', []]);
  });

  it("takes no refusal by an address that it only remembers for its own cluster's", () => {
    const { watch } = watchOf(CONTACTS, false, false);
    watch.heard(refused('a:17379'));
    watch.tick(false, true, 100);
    expect([watch.state, watch.refusal]).toEqual(['alone', '']);
  });

  it('is refused as long as all that answered refuse, and asks on when one would have it', () => {
    const { watch } = watchOf();
    watch.tick(false, false, 0);
    expect(watch.state).toBe('asking');
    watch.heard(refused('a:17379'));
    watch.tick(false, true, 100);
    expect(watch.state).toBe('refused');
    expect(watch.refusal).toBe(
      'refused by a:17379: cluster name is "x" here, "y" there; start this node with what the others have, or with another --join',
    );
    watch.heard(accepted('b:17379'));
    watch.tick(false, false, 200);
    expect([watch.state, watch.refusal]).toEqual(['asking', '']);
    watch.heard(refused('b:17379'));
    watch.tick(false, true, 300);
    expect(watch.state).toBe('refused');
    watch.tick(true, true, 400);
    expect([watch.state, watch.refusal]).toEqual(['joined', '']);
    // What is refused later is another matter: it has a cluster.
    watch.heard(refused('a:17379'));
    watch.tick(false, true, 500);
    expect([watch.state, watch.refusal]).toEqual(['joined', '']);
  });

  it('says that it serves alone with what is known of why, once, then at growing intervals, and when that is over', () => {
    const { watch, lines } = watchOf();
    watch.lookedUp('b', 'ENOTFOUND', 0);
    watch.heard({ address: 'a:17379', outcome: 'mute', reason: 'unanswered', why: '' });
    for (let nowMs = 0; nowMs < 3_000; nowMs += 100) watch.tick(false, false, nowMs);
    expect(lines.map(({ event }) => event)).toEqual(['the name of a contact point does not resolve']);
    for (let nowMs = 3_000; nowMs < 200_000; nowMs += 100) watch.tick(false, true, nowMs);
    const alone = lines.slice(1);
    expect(alone).toHaveLength(3);
    expect(alone[0]).toEqual({
      level: 'warn',
      event: 'serves alone: none of its contact points answered: a:17379, b:17379',
      fields: {
        lookupFailed: 'b ENOTFOUND',
        mute: 'a:17379 closed the stream without a word: does it hold a secret that this node lacks?',
      },
    });
    watch.tick(true, true, 200_000);
    expect(lines.at(-1)).toMatchObject({ level: 'info', event: 'met its cluster: it serves alone no more' });
  });

  it('says once which name does not resolve, again when the error changes, and when it resolves', () => {
    const { watch, lines } = watchOf();
    for (let nowMs = 0; nowMs < 50_000; nowMs += 1_000) watch.lookedUp('b', 'ENOTFOUND', nowMs);
    expect(lines).toHaveLength(1);
    expect(lines[0].fields).toEqual({ name: 'b', error: 'ENOTFOUND' });
    watch.lookedUp('b', 'EAI_AGAIN', 50_000);
    expect([watch.lookupFailures, watch.stats.lookupsFailed]).toEqual(['b EAI_AGAIN', 51]);
    watch.lookedUp('b', null, 51_000);
    watch.lookedUp('b', null, 52_000);
    expect(lines.map(({ fields }) => fields.error)).toEqual(['ENOTFOUND', 'EAI_AGAIN', undefined]);
    expect(watch.lookupFailures).toBe('');
  });

  it('keeps no more than a bounded number of addresses, and nothing of them that breaks a line', () => {
    const { watch } = watchOf();
    for (let port = 1; port <= 70; port++) watch.heard(refused(`a:${port}`, `x\r\n+OK${'y'.repeat(1_000)}`));
    watch.tick(false, true, 0);
    expect(watch.stats).toMatchObject({ refused: 70, addressesDropped: 6 });
    expect(watch.refusal).toMatch(/^refused by a:64: x {2}\+OKy+; start/);
    expect(watch.refusal.length).toBeLessThan(500);
  });

  it('names a few of many contact points, and the address that this node cannot be reached at', () => {
    const many = Array.from({ length: 12 }, (_, at) => `n${at}:1`);
    const { watch, lines } = watchOf(many, true);
    watch.heard(accepted('n3:1'));
    watch.tick(false, true, 0);
    expect(lines[0].event).toMatch(/: n0:1, .*, n7:1 and 4 more$/);
    expect(lines[0].fields.oneWay).toMatch(/^n3:1 would have this node, and does not reach it/);
  });
});
