/**
 * The trace of a run: a rolling 64-bit hash over (time, node, event kind, bytes) of every event delivered.
 * The cluster and the clients add to it; a run returns it. Guarded: the same seed gives the same hash, and one differing
 * byte or microsecond gives another, so nondeterminism anywhere in the core or the simulator shows.
 */
import { mix32 } from '../core/base/hash.js';

export class TraceHash {
  private low = 0x9e3779b9;
  private high = 0x243f6a88;

  add(timeMs: number, node: number, kind: number, bytes: Uint8Array | null): void {
    const micros = Math.floor(timeMs * 1000);
    this.word(micros | 0);
    this.word((node << 8) | kind);
    if (bytes === null) return;
    this.word(bytes.length);
    let at = 0;
    for (; at + 4 <= bytes.length; at += 4) {
      this.word(bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24));
    }
    for (; at < bytes.length; at++) this.word(bytes[at]);
  }

  private word(word: number): void {
    this.low = mix32(this.low, word);
    this.high = (Math.imul(this.high ^ this.low, 0x01000193) + word) | 0;
  }

  get hex(): string {
    return (this.high >>> 0).toString(16).padStart(8, '0') + (this.low >>> 0).toString(16).padStart(8, '0');
  }
}
