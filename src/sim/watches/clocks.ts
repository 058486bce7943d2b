/**
 * Watches the hybrid clocks: each stamp of a node is above every stamp it gave before, in earlier lives too, as far as its disk had
 * kept them; above everything that stands in its store; and no stamp from elsewhere drags a clock further ahead of the wall than the
 * drift allowed. It stands between the node and its clock from the end of the first turn on. Guarded: what a loss of power may take
 * from the log is no stamp that has to be known afterwards; a disk that was replaced or rotted starts the count anew.
 */
import { describeStamp, HLC_TICKS } from '../../core/base/hlc.js';
import type { Inspected } from '../../core/node/inspected.js';
import { recordHlc } from '../../core/record/record.js';
import type { Store } from '../../core/store/store.js';
import type { Complain, Watch } from './watches.js';

/** The greatest stamp given while a batch of the log collected. */
interface Given {
  batch: number;
  hlc: number;
}

interface Watched {
  /** In order; of what is durable the last alone. Batches are counted on over restarts. */
  given: Given[];
  /** The last batch that was durable when the node ended. */
  durable: number;
  /** The greatest stamp of a record that was linked in this life. */
  linked: number;
}

export class ClockWatch implements Watch {
  private readonly nodes: Watched[] = [];

  constructor(private readonly complain: Complain) {}

  opened(node: number): void {
    this.of(node).linked = 0;
  }

  linking(node: number, { buffer, offset }: Store): void {
    const watched = this.of(node);
    const hlc = recordHlc(buffer, offset);
    if (hlc > watched.linked) watched.linked = hlc;
  }

  started(node: number, { rooms, wal, config, damaged }: Inspected): void {
    if (rooms === null) return;
    const watched = this.of(node);
    if (damaged) watched.given = [];
    const { clock } = rooms;
    const driftTicks = config.maxClockDriftMs * HLC_TICKS;
    const { stamp, observe } = clock;
    clock.stamp = (wallMs) => {
      const hlc = stamp.call(clock, wallMs);
      this.stamped(node, watched, wal.batch, hlc);
      return hlc;
    };
    clock.observe = (hlc, wallMs) => {
      const before = clock.last;
      const taken = observe.call(clock, hlc, wallMs);
      if (taken && clock.last > before && clock.last > wallMs * HLC_TICKS + driftTicks) {
        this.complain(`clock: node ${node} follows ${describeStamp(hlc, 0)}, which is too far ahead of ${wallMs}`);
      }
      return taken;
    };
  }

  turned(node: number, { rooms, wal }: Inspected): void {
    const watched = this.of(node);
    if (rooms === null) return;
    if (watched.linked > rooms.clock.last) {
      this.complain(`clock: node ${node} holds ${describeStamp(watched.linked, 0)}, above all that its clock has seen`);
      watched.linked = 0;
    }
    const { given } = watched;
    while (given.length > 1 && given[1].batch <= wal.durableBatch) given.shift();
  }

  ended(node: number, { wal }: Inspected): void {
    const watched = this.of(node);
    watched.durable = wal.durableBatch;
    watched.given = watched.given.filter(({ batch }) => batch <= wal.writtenBatch);
  }

  crashed(node: number): void {
    const watched = this.of(node);
    watched.given = watched.given.filter(({ batch }) => batch <= watched.durable);
  }

  replaced(node: number): void {
    this.of(node).given = [];
  }

  /** A node gave a stamp while this batch collected. */
  private stamped(node: number, watched: Watched, batch: number, hlc: number): void {
    const last = watched.given[watched.given.length - 1];
    if (last !== undefined && hlc <= last.hlc) {
      this.complain(`clock: node ${node} stamps ${describeStamp(hlc, 0)} after ${describeStamp(last.hlc, 0)}`);
    } else if (last !== undefined && last.batch === batch) last.hlc = hlc;
    else watched.given.push({ batch, hlc });
  }

  private of(node: number): Watched {
    this.nodes[node] ??= { given: [], durable: 0, linked: 0 };
    return this.nodes[node];
  }
}
