/**
 * Replicas of one key that write, forget and exchange siblings: what the tests of the laws draw their sets from, and a model of
 * which values must be there. Guarded: each dot is given once, and stamps rise, as a partition's sequence and clock do.
 */
import { Random } from '../../../src/core/base/random.js';
import type { Cover } from '../../../src/core/types/cover.js';
import {
  EMPTY_SET,
  expire,
  fold,
  join,
  lift,
  remove,
  type SiblingSet,
  write,
} from '../../../src/core/types/siblings.js';

export interface Replica {
  readonly actor: number;
  set: SiblingSet;
}

export class Replicas {
  readonly replicas: Replica[];
  /** Contexts that clients hold. */
  readonly seen: Cover[] = [EMPTY_SET];
  hlc = 1000;
  private readonly last = new Map<number, number>();
  private readonly before = new Map<number, number>();
  private sequence = 0;
  private values = 0;
  private readonly random: Random;

  constructor(
    seed: number,
    count: number,
    private readonly options: { lossy: boolean } = { lossy: true },
  ) {
    this.random = new Random(seed, 0x51b1);
    this.replicas = Array.from({ length: count }, (_, index) => ({ actor: 100 + index, set: EMPTY_SET }));
  }

  /** What a replica remembers of its own writes. */
  private knows(replica: Replica): (sequence: number) => boolean {
    const last = this.before.get(replica.actor);
    return (sequence) => sequence === last;
  }

  stamp(replica: Replica) {
    const stamped = this.next(replica);
    this.before.set(replica.actor, this.last.get(replica.actor) ?? 0);
    this.last.set(replica.actor, stamped.sequence);
    return stamped;
  }

  private next(replica: Replica) {
    return { hlc: ++this.hlc, actor: replica.actor, sequence: ++this.sequence };
  }

  step(): void {
    const { random } = this;
    const replica = this.replicas[random.below(this.replicas.length)];
    const other = this.replicas[random.below(this.replicas.length)];
    const context = this.seen[random.below(this.seen.length)];
    switch (random.below(this.options.lossy ? 9 : 5)) {
      case 0:
      case 1:
        replica.set = write(
          replica.set,
          context,
          this.stamp(replica),
          Buffer.from(`v${++this.values}`),
          0,
          0,
          this.knows(replica),
        );
        break;
      case 2:
        replica.set = join(replica.set, other.set);
        break;
      case 3:
        this.seen.push(replica.set);
        break;
      case 4:
        replica.set = remove(replica.set, context, this.stamp(replica), 0, this.knows(replica));
        break;
      case 5:
        replica.set = expire(replica.set, 1_000_000 + random.below(9), ++this.hlc);
        break;
      case 6:
        replica.set = EMPTY_SET;
        break;
      case 7:
        replica.set = join(replica.set, lift(this.stamp(replica), Buffer.from(`s${++this.values}`), 0, this.hlc));
        break;
      default:
        // What every replica has been told of.
        for (const one of this.replicas) for (const two of this.replicas) one.set = join(one.set, two.set);
        for (const one of this.replicas) one.set = fold(one.set, this.hlc - random.below(5));
    }
  }
}
