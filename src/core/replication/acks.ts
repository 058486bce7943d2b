/**
 * Acknowledgements of one peer's messages, on the receiving side, and their bytes. The replicator notes each message as it is
 * taken in; once a turn those whose log batch is released leave, in the datagram that is being filled or, for what came by
 * stream, by stream.
 *
 * Body of an ACKS section or frame: 0 the actor whose messages they are (6 bytes)  6 u16 messages acknowledged
 * 8 f64 log batch of this node that holds all of them, or a later one   16 f64 last batch of this node that is durable
 * 24 u16 messages refused in part   26 u16 zero   28 u32 number of each acknowledged
 * then for each refused in part: u32 number, u16 how many records, u16 position of each in the message.
 *
 * So durability needs no message of its own while writes flow: what was acknowledged with a batch is durable at the peer as soon
 * as any later section names that batch durable. When writes stop, one empty section follows the sync.
 * Guarded: a message is acknowledged only once all of its records are in the log, refused ones aside; nothing is said twice.
 */

/** Numbers in one datagram's section, with room for its head. */
const ACKS_PER_SECTION = 256;
export const ACKS_HEADER_BYTES = 28;
/** Records that one message may name as refused: a datagram holds fewer. */
export const REFUSED_MAX = 128;

interface Held {
  readonly batch: number;
  readonly number: number;
  readonly refused: readonly number[] | null;
  readonly viaStream: boolean;
}

export class AckBook {
  private held: Held[] = [];
  private heldHead = 0;
  private datagram: Held[] = [];
  private stream: Held[] = [];
  /** The highest batch that an acknowledgement has named, and the durable batch that the peer was last told. */
  private namedBatch = 0;
  private toldDurable = 0;

  /** A message was taken in: its records are in `batch`, but for those at `refused`. */
  note(number: number, batch: number, refused: readonly number[] | null, viaStream: boolean): void {
    this.held.push({ batch, number, refused, viaStream });
  }

  /** Lets go what waits for no later batch than this. */
  release(releasedBatch: number): void {
    while (this.heldHead < this.held.length && this.held[this.heldHead].batch <= releasedBatch) {
      const ack = this.held[this.heldHead++];
      if (ack.viaStream) this.stream.push(ack);
      else this.datagram.push(ack);
    }
    if (this.heldHead === 0) return;
    if (this.heldHead === this.held.length) this.held = [];
    else if (this.heldHead >= 1024) this.held = this.held.slice(this.heldHead);
    else return;
    this.heldHead = 0;
  }

  /** Bodies for frames of the stream. */
  takeStream(actor: number, durableBatch: number): Buffer[] {
    if (this.stream.length === 0) return [];
    const acks = this.stream;
    this.stream = [];
    return this.encodeAll(acks, actor, durableBatch);
  }

  /** Bodies for sections of datagrams; one without numbers when only the durable batch is news. */
  takeDatagrams(actor: number, durableBatch: number): Buffer[] {
    if (this.datagram.length === 0) {
      if (durableBatch <= this.toldDurable || this.namedBatch <= this.toldDurable) return [];
      this.toldDurable = durableBatch;
      return [encodeAcks([], actor, 0, durableBatch)];
    }
    const acks = this.datagram;
    this.datagram = [];
    return this.encodeAll(acks, actor, durableBatch);
  }

  private encodeAll(acks: readonly Held[], actor: number, durableBatch: number): Buffer[] {
    const bodies: Buffer[] = [];
    let from = 0;
    for (let at = 0; at < acks.length; at++) {
      // Refused ones go alone, so that a section stays within a datagram whatever it names.
      const alone = acks[at].refused !== null;
      if (!alone && at - from + 1 < ACKS_PER_SECTION && at + 1 < acks.length && acks[at + 1].refused === null) continue;
      const part = acks.slice(from, at + 1);
      from = at + 1;
      const batch = part[part.length - 1].batch;
      this.namedBatch = Math.max(this.namedBatch, batch);
      bodies.push(encodeAcks(part, actor, batch, durableBatch));
    }
    this.toldDurable = Math.max(this.toldDurable, durableBatch);
    return bodies;
  }
}

function encodeAcks(acks: readonly Held[], actor: number, batch: number, durableBatch: number): Buffer {
  let bytes = ACKS_HEADER_BYTES;
  for (const ack of acks) bytes += ack.refused === null ? 4 : 6 + ack.refused.length * 2;
  const body = Buffer.alloc(bytes);
  body.writeUIntLE(actor, 0, 6);
  body.writeDoubleLE(batch, 8);
  body.writeDoubleLE(durableBatch, 16);
  let at = ACKS_HEADER_BYTES;
  let whole = 0;
  for (const ack of acks) {
    if (ack.refused !== null) continue;
    at = body.writeUInt32LE(ack.number, at);
    whole++;
  }
  body.writeUInt16LE(whole, 6);
  body.writeUInt16LE(acks.length - whole, 24);
  for (const ack of acks) {
    if (ack.refused === null) continue;
    at = body.writeUInt32LE(ack.number, at);
    at = body.writeUInt16LE(ack.refused.length, at);
    for (const position of ack.refused) at = body.writeUInt16LE(position, at);
  }
  return body;
}

export interface Acks {
  readonly actor: number;
  readonly batch: number;
  readonly durableBatch: number;
  readonly count: number;
  /** Where the numbers begin. */
  readonly numbersStart: number;
  readonly refused: { readonly number: number; readonly records: number[] }[];
}

/** Null when the bytes are no ACKS. */
export function readAcks(bytes: Buffer, start: number, end: number): Acks | null {
  if (end - start < ACKS_HEADER_BYTES) return null;
  const count = bytes.readUInt16LE(start + 6);
  const batch = bytes.readDoubleLE(start + 8);
  const durableBatch = bytes.readDoubleLE(start + 16);
  if (!Number.isSafeInteger(batch) || !Number.isSafeInteger(durableBatch) || batch < 0 || durableBatch < 0) return null;
  const numbersStart = start + ACKS_HEADER_BYTES;
  let at = numbersStart + count * 4;
  if (at > end) return null;
  const refused: Acks['refused'] = [];
  for (let left = bytes.readUInt16LE(start + 24); left > 0; left--) {
    if (at + 6 > end) return null;
    const number = bytes.readUInt32LE(at);
    const size = bytes.readUInt16LE(at + 4);
    at += 6;
    if (size > REFUSED_MAX || at + size * 2 > end) return null;
    const records: number[] = [];
    for (let index = 0; index < size; index++) records.push(bytes.readUInt16LE(at + index * 2));
    at += size * 2;
    refused.push({ number, records });
  }
  return { actor: bytes.readUIntLE(start, 6), batch, durableBatch, count, numbersStart, refused };
}

/** Marks that are kept apart; past it neighbours are taken together, as if both were as late as the later. */
const MARKS_MAX = 1024;

/**
 * The sender's side of durability: from the batches that acknowledgements name, through which of this node's writes a peer has
 * everything on its disk.
 */
export class DurableMarks {
  private durableBatch = 0;
  /** The latest batch named so far: a message acknowledged earlier may lie in an earlier one, never in a later. */
  private namedBatch = 0;
  /** Writes up to `from` need no longer wait when all before are met; `batch` is what those after it wait for. */
  private marks: { from: number; through: number; batch: number }[] = [];
  private metThrough = 0;
  /** The least `from` of all marks: later ones begin earlier where they hold what had been owed for long. */
  private least = Number.POSITIVE_INFINITY;

  /**
   * Acknowledgements with this batch have come: the peer now has every write through `through`, and none of what was in them is earlier
   * than `after`, or than what was acknowledged before, whichever is less.
   */
  acknowledged(through: number, batch: number, after = Number.POSITIVE_INFINITY): void {
    this.namedBatch = Math.max(this.namedBatch, batch);
    if (this.namedBatch <= this.durableBatch) return;
    const last = this.marks.length - 1;
    const from = Math.min(after, last >= 0 ? this.marks[last].through : this.metThrough);
    this.least = Math.min(this.least, from);
    if (last >= 0 && (this.marks[last].batch === this.namedBatch || last + 1 >= MARKS_MAX)) {
      this.marks[last].batch = this.namedBatch;
      this.marks[last].through = through;
      this.marks[last].from = Math.min(this.marks[last].from, from);
      return;
    }
    this.marks.push({ from, through, batch: this.namedBatch });
  }

  /** The peer's log is durable up to this batch. */
  durable(batch: number): void {
    if (batch <= this.durableBatch) return;
    this.durableBatch = batch;
    let met = 0;
    while (met < this.marks.length && this.marks[met].batch <= batch) this.metThrough = this.marks[met++].through;
    if (met === 0) return;
    this.marks.splice(0, met);
    this.least = Number.POSITIVE_INFINITY;
    for (const { from } of this.marks) if (from < this.least) this.least = from;
  }

  /** Everything written through this count is durable there, given that all through `ackedThrough` is acknowledged. */
  through(ackedThrough: number): number {
    return Math.min(this.least, ackedThrough);
  }

  /** Whether what is acknowledged with this batch is durable there already. */
  isDurable(batch: number): boolean {
    return batch <= this.durableBatch;
  }
}
