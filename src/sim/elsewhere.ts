/**
 * Commands of a run that their node may pass on though it owns every key: what reads before it writes, as a count, goes to the first owner, and what follows it on its
 * connection and partition goes along until it is answered (DESIGN.md, section 5: what reads before it writes). run.ts asks at each
 * command and says when it is done; history.ts claims no coordinator for such a write.
 * Guarded: whatever may have been passed on is named; more is named than was, for nobody says where a command ran.
 */
import { partitionOf } from '../core/partitions/slots.js';
import { keysOf, readsFirst } from './parse.js';

const NOTHING: ReadonlySet<string> = new Set();

export class Elsewhere {
  /** Per client: the partitions of each command under way that may have gone, or asked, elsewhere. */
  private readonly open = new Map<number, Map<number, readonly number[]>>();

  constructor(private readonly partitions: number) {}

  /** A command is sent; returns those of its keys that may be looked after elsewhere. */
  begin(client: number, number: number, words: readonly string[]): ReadonlySet<string> {
    const under = this.open.get(client) ?? new Map<number, readonly number[]>();
    const goesFirst = readsFirst(words);
    if (under.size === 0 && !goesFirst) return NOTHING;
    const taken = new Set([...under.values()].flat());
    const all = keysOf(words);
    const keys = goesFirst ? all : all.filter((key) => taken.has(this.partition(key)));
    if (keys.length === 0) return NOTHING;
    under.set(
      number,
      keys.map((key) => this.partition(key)),
    );
    this.open.set(client, under);
    return new Set(keys);
  }

  /** It was answered, or its connection is gone. */
  end(client: number, number: number): void {
    this.open.get(client)?.delete(number);
  }

  private partition(key: string): number {
    const bytes = Buffer.from(key);
    return partitionOf(bytes, 0, bytes.length, this.partitions);
  }
}
