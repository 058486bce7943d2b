/**
 * A peer that lies: it stands between the simulated world and a node, and changes what the others say inside, with sums that hold. So
 * every decoder of a body meets what no checksum kept away: control messages, records, acks, requests, anti-entropy, rings.
 * Guarded: what it changes depends on its seed and on the run alone; the last changes are kept, for the report of what they broke.
 */
import { crc32 } from '../../src/core/base/crc32.js';
import { Random } from '../../src/core/base/random.js';
import { encodeFrame, FRAME_CONFIRM, FRAME_HEADER_BYTES, FRAME_HELLO } from '../../src/core/gossip/frames.js';
import { PACKET_BYTES_MAX, PACKET_HEADER_BYTES } from '../../src/core/gossip/packet.js';
import { readWord, sealRecord, verifyRecord, writeWord } from '../../src/core/record/record.js';
import type { StreamId } from '../../src/ports/streams.js';
import type { SimMachine } from '../../src/sim/process.js';
import { applyChanges, type Change } from './mutations.js';

const KINDS: readonly Change['kind'][] = [
  'cut',
  'flip',
  'flip',
  'byte',
  'word',
  'word',
  'insert',
  'remove',
  'repeat',
  'splice',
];
const LIES = [0, 1, 2, 7, 0x7f, 0xff, 0x100, 0xffff, 0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff];
const SECTION_HEADER_BYTES = 4;
const KEPT_MAX = 4;

export class Insider implements SimMachine {
  changed = 0;
  /** The last changed messages, for people. */
  readonly last: string[] = [];
  /** Frame kinds that were changed, and datagrams as 0. */
  readonly kinds = new Set<number>();
  private readonly random: Random;
  private readonly carry = new Map<StreamId, Buffer>();
  private readonly clients = new Set<StreamId>();
  private before: Buffer = Buffer.alloc(0);

  /** `chance`: of each message, in [0, 1]. */
  constructor(
    private readonly inner: SimMachine,
    seed: number,
    public chance: number,
  ) {
    this.random = new Random(seed, 0xf022);
  }

  datagramArrived(bytes: Buffer, host: string, port: number): void {
    if (!this.lies()) {
      this.inner.datagramArrived(bytes, host, port);
      return;
    }
    const packet = this.changePacket(bytes);
    this.note(0, packet);
    this.inner.datagramArrived(packet, host, port);
    if (this.random.below(2) === 0) this.inner.datagramArrived(bytes, host, port);
  }

  streamBytes(stream: StreamId, bytes: Buffer, start: number, end: number): void {
    if (this.clients.has(stream)) {
      this.inner.streamBytes(stream, bytes, start, end);
      return;
    }
    let rest = Buffer.concat([this.carry.get(stream) ?? Buffer.alloc(0), bytes.subarray(start, end)]);
    while (rest.length >= FRAME_HEADER_BYTES) {
      const length = FRAME_HEADER_BYTES + readWord(rest, 0);
      if (rest.length < length) break;
      this.frame(stream, rest.subarray(0, length));
      rest = rest.subarray(length);
    }
    this.carry.set(stream, rest);
  }

  private frame(stream: StreamId, frame: Buffer): void {
    const kind = readWord(frame, 4);
    if (kind !== FRAME_HELLO && kind !== FRAME_CONFIRM && this.lies()) {
      const body = this.change(frame.subarray(FRAME_HEADER_BYTES));
      const spoiled = encodeFrame(kind, body.length === 0 ? Buffer.alloc(1) : body);
      this.note(kind, spoiled);
      this.inner.streamBytes(stream, spoiled, 0, spoiled.length);
      if (this.random.below(2) === 0) return;
    }
    this.inner.streamBytes(stream, Buffer.from(frame), 0, frame.length);
  }

  private lies(): boolean {
    return this.random.below(10_000) < this.chance * 10_000;
  }

  /** One section's body is changed; its length and the sum are made right. */
  private changePacket(bytes: Buffer): Buffer {
    const out = Buffer.from(bytes.subarray(0, PACKET_HEADER_BYTES));
    const parts: Buffer[] = [out];
    const which = this.random.below(3);
    let room = PACKET_BYTES_MAX - bytes.length;
    for (let at = PACKET_HEADER_BYTES, index = 0; at + SECTION_HEADER_BYTES <= bytes.length; index++) {
      const end = at + SECTION_HEADER_BYTES + bytes.readUInt16LE(at + 2);
      const head = Buffer.from(bytes.subarray(at, at + SECTION_HEADER_BYTES));
      let body: Buffer = bytes.subarray(at + SECTION_HEADER_BYTES, end);
      if (index % 3 === which || end === bytes.length) {
        const changed = this.change(body);
        if (changed.length - body.length <= room) {
          room -= changed.length - body.length;
          body = changed;
        }
      }
      head.writeUInt16LE(body.length, 2);
      parts.push(head, body);
      at = end;
    }
    const packet = Buffer.concat(parts);
    writeWord(packet, 4, crc32(packet, 8, packet.length) ^ readWord(packet, 0));
    return packet;
  }

  private change(body: Buffer): Buffer {
    const { random } = this;
    const list: Change[] = Array.from({ length: 1 + random.below(2) }, () => ({
      kind: KINDS[random.below(KINDS.length)],
      at: random.below(1 << 20),
      size: random.below(24),
      value: LIES[random.below(LIES.length)],
      bytes: Uint8Array.from({ length: random.below(9) }, () => random.below(256)),
    }));
    const records = recordsIn(body);
    let out = applyChanges(body, this.before, list);
    // Half of the time a record is changed inside, and its own sum made right.
    if (records.length > 0 && random.below(2) === 0) {
      const { at, length } = records[random.below(records.length)];
      out = Buffer.from(body);
      const inside = applyChanges(out.subarray(at + 4, at + length), this.before, list).subarray(0, length - 4);
      inside.copy(out, at + 4);
      sealRecord(out, at, length);
    }
    this.before = Buffer.from(body);
    return out;
  }

  private note(kind: number, bytes: Buffer): void {
    this.changed++;
    this.kinds.add(kind);
    this.last.push(`${kind === 0 ? 'datagram' : `frame ${kind}`} ${bytes.toString('hex').slice(0, 4000)}`);
    if (this.last.length > KEPT_MAX) this.last.shift();
  }

  get stopped(): boolean {
    return this.inner.stopped;
  }

  get fatal(): Error | null {
    return this.inner.fatal;
  }

  get wantsTurn(): boolean {
    return this.inner.wantsTurn;
  }

  start(): void {
    this.inner.start();
  }

  shutdown(): void {
    this.inner.shutdown();
  }

  assertInvariants(): void {
    this.inner.assertInvariants?.();
  }

  turnStarted(monotonicMs: number, wallMs: number): void {
    this.inner.turnStarted(monotonicMs, wallMs);
  }

  turnEnded(): void {
    this.inner.turnEnded();
  }

  tick(): void {
    this.inner.tick();
  }

  streamAccepted(stream: StreamId, kind: 'client' | 'peer', peerAddress: string, localAddress: string): void {
    if (kind === 'client') this.clients.add(stream);
    this.inner.streamAccepted(stream, kind, peerAddress, localAddress);
  }

  streamConnected(stream: StreamId): void {
    this.inner.streamConnected(stream);
  }

  streamDrained(stream: StreamId): void {
    this.inner.streamDrained(stream);
  }

  streamClosed(stream: StreamId, why: string): void {
    this.carry.delete(stream);
    this.clients.delete(stream);
    this.inner.streamClosed(stream, why);
  }

  bufferReleased(bytes: Buffer): void {
    this.inner.bufferReleased(bytes);
  }

  diskCompleted(token: number, error: Error | null): void {
    this.inner.diskCompleted(token, error);
  }

  nameResolved(token: number, hosts: string[], why: string): void {
    this.inner.nameResolved(token, hosts, why);
  }
}

/** Whole records in a body, wherever they begin. */
function recordsIn(body: Buffer): { at: number; length: number }[] {
  const found: { at: number; length: number }[] = [];
  for (let at = 0; at + 32 <= body.length && found.length < 8; at += 4) {
    const length = verifyRecord(body, at, body.length);
    if (length === 0) continue;
    found.push({ at, length });
    at += ((length + 3) & ~3) - 4;
  }
  return found;
}
