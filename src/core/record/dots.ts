/**
 * The dots of a record: which writes it stands for. Frontiers ask it of every record that is taken in, and of every record that a
 * catch-up walk may ship. Guarded: a record without a dot (a flush, a record local to one log) names none, so it is never taken for seen.
 * An expiry change folded into its value has left its dot behind: it is known by the version of the expiry alone. A value of a merge
 * type names the latest write of each node that is in it, whether or not it has a dot of its own.
 */
import { mergeTypeOf } from '../types/types.js';
import { recordActor, recordHlc, recordSequence, recordType } from './record.js';

/** One write: who stamped it, its number in its partition, and its stamp. */
export type DotVisitor = (actor: number, sequence: number, hlc: number) => void;

/** Visits the dots that the record at `offset` stands for. */
export function forEachDot(bytes: Buffer, offset: number, visit: DotVisitor): void {
  const type = mergeTypeOf(recordType(bytes, offset));
  if (type !== null) {
    type.forEachDot(bytes, offset, visit);
    return;
  }
  const sequence = recordSequence(bytes, offset);
  if (sequence !== 0) visit(recordActor(bytes, offset), sequence, recordHlc(bytes, offset));
}
