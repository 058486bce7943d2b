/** A flush that a node hears of after it has merged what came before it with what came after. */
import { describe, expect, it } from 'vitest';
import { recordEnd, recordKeyEnd } from '../../../src/core/record/record.js';
import { MERGE_DERIVED } from '../../../src/core/store/merging.js';
import { at, Replica } from '../types/counted.js';
import { Shelf } from './harness.js';

const NOBODY = { flushedHlc: 0, flushedActor: 0 };

describe('a counter of which a flush takes a part', () => {
  function mixed(): Shelf {
    const shelf = new Shelf();
    const [before, after] = [new Replica(11), new Replica(12)];
    before.add(at(1), 20);
    after.add(at(3), 1);
    for (const { stored, flushed } of [before, after]) {
      expect(flushed).toEqual(NOBODY);
      if (stored !== null) shelf.merge('key', stored);
    }
    shelf.put('later', 'stays', { hlc: at(4) });
    return shelf;
  }

  function text(shelf: Shelf): string {
    const bytes = shelf.read('key');
    return bytes === null ? '' : bytes.latin1Slice(recordKeyEnd(bytes, 0), recordEnd(bytes, 0));
  }

  it('is what was counted after it once a sweep has come by', () => {
    const shelf = mixed();
    expect(text(shelf)).toBe('21');
    shelf.store.flush(at(2), 9);
    shelf.store.sweep(1000);
    expect(text(shelf)).toBe('1');
    expect(shelf.value('later')).toBe('stays');
  });

  it('has the digest of a store that knew the flush all along', () => {
    const [late, aware] = [mixed(), new Shelf()];
    aware.put('later', 'stays', { hlc: at(4) });
    aware.store.flush(at(2), 9);
    const after = new Replica(12);
    after.add(at(3), 1);
    if (after.stored !== null) expect(aware.merge('key', after.stored)).toBe(MERGE_DERIVED);
    late.store.flush(at(2), 9);
    expect(late.digests()).toEqual(aware.digests());
  });
});
