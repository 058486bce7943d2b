/**
 * The arguments of one command: slices of one buffer, without a copy or a string each. The parser fills one and lends it to
 * a command for the length of its call; a split command and a forwarding peer build their own.
 * Guarded: `starts` and `ends` grow with arguments that have arrived, never with a declared count.
 */
import { readInteger } from './integer.js';

const SLOTS_AT_FIRST = 8;
/** Slots kept between commands; what a longer command took is given back. */
const SLOTS_KEPT = 1024;
const EMPTY = Buffer.alloc(0);

export class Args {
  buffer: Buffer = EMPTY;
  count = 0;
  starts = new Int32Array(SLOTS_AT_FIRST);
  ends = new Int32Array(SLOTS_AT_FIRST);

  /** Arguments as a client would send them, for commands that this node itself gives. */
  static of(...words: (string | Uint8Array)[]): Args {
    const args = new Args();
    const parts = words.map((word) => (typeof word === 'string' ? Buffer.from(word, 'utf8') : word));
    args.buffer = Buffer.concat(parts);
    let at = 0;
    for (const part of parts) {
      args.push(at, at + part.length);
      at += part.length;
    }
    return args;
  }

  /** Forgets the arguments, and the room that a very long command took. */
  clear(): void {
    this.count = 0;
    if (this.starts.length > SLOTS_KEPT) {
      this.starts = new Int32Array(SLOTS_AT_FIRST);
      this.ends = new Int32Array(SLOTS_AT_FIRST);
    }
  }

  push(start: number, end: number): void {
    if (this.count === this.starts.length) this.grow();
    this.starts[this.count] = start;
    this.ends[this.count] = end;
    this.count++;
  }

  /** Follows bytes that moved down by `distance` in their buffer. */
  shift(distance: number): void {
    for (let index = 0; index < this.count; index++) {
      this.starts[index] -= distance;
      this.ends[index] -= distance;
    }
  }

  length(index: number): number {
    return this.ends[index] - this.starts[index];
  }

  /** Whether an argument is `word` (ASCII, upper case) in any case. */
  equalsIgnoreCase(index: number, word: string): boolean {
    const start = this.starts[index];
    const length = word.length;
    if (this.ends[index] - start !== length) return false;
    for (let at = 0; at < length; at++) {
      let byte = this.buffer[start + at];
      if (byte >= 0x61 && byte <= 0x7a) byte -= 0x20;
      if (byte !== word.charCodeAt(at)) return false;
    }
    return true;
  }

  /** Strict 64-bit integer; NaN if it is none, an infinity if it is one beyond 2^53 (see `readInteger`). */
  integer(index: number): number {
    return readInteger(this.buffer, this.starts[index], this.ends[index]);
  }

  /** UTF-8 text. */
  string(index: number): string {
    return this.buffer.utf8Slice(this.starts[index], this.ends[index]);
  }

  /** One character per byte, at most `limit` of them: for quoting a client's bytes back at it. */
  quote(index: number, limit: number): string {
    const start = this.starts[index];
    return this.buffer.latin1Slice(start, Math.min(this.ends[index], start + limit));
  }

  /** A copy of the bytes, to keep. */
  copy(index: number): Buffer {
    return Buffer.from(this.buffer.subarray(this.starts[index], this.ends[index]));
  }

  private grow(): void {
    const starts = new Int32Array(this.starts.length * 2);
    const ends = new Int32Array(this.starts.length * 2);
    starts.set(this.starts);
    ends.set(this.ends);
    this.starts = starts;
    this.ends = ends;
  }
}
