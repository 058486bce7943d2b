/**
 * Values that are alive by one clock and ended by another: while clocks are apart, nodes that hold the same answer differently for them,
 * as they should. verdict.ts asks for them before it compares answers. Guarded: nothing is left out of a comparison for it, which is only
 * made later.
 */
import { recordExpireAtMs, recordType, TYPE_SIBLINGS } from '../../core/record/record.js';
import type { Store } from '../../core/store/store.js';
import { takeSet } from '../../core/types/siblings-record.js';

/** Times of the wall clock. */
export interface EndSpan {
  readonly afterMs: number;
  readonly throughMs: number;
  /** For one of the values that stand beside each other, whose end leaves the key and changes its reply. */
  readonly siblingsThroughMs: number;
}

/** Whether something ends in that span. */
export function endsWithin(store: Store, partition: number, span: EndSpan): boolean {
  const { afterMs, throughMs, siblingsThroughMs } = span;
  let found = false;
  store.scan(partition, 0, Number.POSITIVE_INFINITY, (bytes, at) => {
    const endMs = recordExpireAtMs(bytes, at);
    found ||= endMs > afterMs && endMs <= throughMs;
    if (found || recordType(bytes, at) !== TYPE_SIBLINGS) return;
    found = takeSet(bytes, at).siblings.some(
      ({ expireAtMs }) => expireAtMs > afterMs && expireAtMs <= siblingsThroughMs,
    );
  });
  return found;
}
