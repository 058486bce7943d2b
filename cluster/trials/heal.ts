/**
 * Trial: a partition of 30 seconds in which 10 thousand of 1 million keys come to differ. After it heals the owners agree soon, and what
 * goes over the wire for it is in proportion to the difference, not to what is held.
 */
import { fill, runBulk } from './bulk.js';
import { atMost, exactly, type Finding } from './finding.js';
import { part, rejoin, untilApart } from './parted.js';
import type { Trial } from './trial.js';

const VALUE_BYTES = 100;
/** Header, key and padding of one record, about. */
const RECORD_BYTES = VALUE_BYTES + 48;
/** Of three owners, on average on the other side of the node that wrote, when two nodes of five are parted from three. */
const OWNERS_ELSEWHERE = 1.5;
/** A write that a cut stream carried to an owner is given again. */
const ATTEMPTS = 4;
const AGREED_SECONDS = 10;
const MIB = 2 ** 20;

export const heal: Trial = {
  name: 'heal',
  title:
    'after 30 s of partition with 10 thousand keys changed: owners equal in 10 s, at 3 times the bytes of the difference',
  sabotage: 'hints are off and anti-entropy comes by every ten minutes only',
  async run(context) {
    const keys = context.quick ? 50_000 : 1_000_000;
    const differing = context.quick ? 2000 : 10_000;
    const stage = await context.open({
      nodes: 5,
      memory: context.quick ? '64mb' : '320mb',
      settings: context.sabotage ? { antiEntropyIntervalMs: 600_000, hintBytesPerPeerMax: 0 } : {},
    });
    context.tell(`filling ${keys} keys`);
    await fill(stage.ports(), 'heal', keys, VALUE_BYTES);
    await stage.untilEachAgreed(60_000);
    const sides = await part(stage, 2);
    const partedAtMs = performance.now();
    await untilApart(stage, sides);
    const half = differing / 2;
    const value = 'w'.repeat(VALUE_BYTES);
    // Keys all over the range, so that no leaf of a digest is like another.
    const keyOf = (index: number): string => `heal:${Math.floor((index * keys) / differing)}`;
    const [left, right] = await Promise.all([
      runBulk(stage.ports(sides.left), 'one', half, (index) => ['SET', keyOf(index), value], ATTEMPTS),
      runBulk(stage.ports(sides.right), 'one', half, (index) => ['SET', keyOf(half + index), value], ATTEMPTS),
    ]);
    await context.pass(Math.max(0, (context.quick ? 15_000 : 30_000) - (performance.now() - partedAtMs)));
    const before = await stage.wireBytes();
    await rejoin(stage);
    context.tell('healed');
    const agreedMs = await stage.untilEachAgreed(context.quick ? 60_000 : 180_000);
    const bytes = (await stage.wireBytes()) - before;
    const delta = differing * RECORD_BYTES * OWNERS_ELSEWHERE;
    context.note(
      `${keys} keys held, ${left.answered + right.answered} changed while parted, refused left: ${left.refused} ` +
        `(${left.firstRefusal ?? 'none'}), right: ${right.refused} (${right.firstRefusal ?? 'none'}); the difference is ${(delta / MIB).toFixed(2)} MiB by ` +
        `${OWNERS_ELSEWHERE} owners a key; wire bytes are of all traffic between nodes from the heal to the agreement`,
    );
    context.note(
      `repair sent ${await stage.total('repair_records_sent')} records, hints delivered ${await stage.total('hints_delivered')}`,
    );
    return [
      exactly('keys that changed', left.answered + right.answered, differing),
      atMost('owners equal after the heal', agreedMs / 1000, AGREED_SECONDS, 's'),
      atMost('bytes on the wire', bytes / MIB, (3 * delta + MIB) / MIB, 'MiB'),
    ] satisfies Finding[];
  },
};
