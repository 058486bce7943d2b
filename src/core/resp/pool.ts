/**
 * Buffers for output, in two sizes, used again and again: a fresh one each reply costs page faults and garbage. Replies take
 * them, the world hands them back when a write is done with them, and the node gives those here.
 * Guarded: at most a fixed number of idle buffers are kept, and a buffer is never in the pool twice.
 */

export const SMALL_BUFFER_BYTES = 16 * 1024;
export const LARGE_BUFFER_BYTES = 64 * 1024;
const SMALL_IDLE_MAX = 256;
const LARGE_IDLE_MAX = 128;

export class BufferPool {
  /** Buffers made, for want of an idle one. */
  made = 0;
  /** Buffers handed back and let go, being too many or of no pooled size. */
  dropped = 0;
  private readonly small: Buffer[] = [];
  private readonly large: Buffer[] = [];

  /** A buffer of at least `bytes`; beyond the large size it is made to measure. */
  take(bytes: number): Buffer {
    if (bytes <= SMALL_BUFFER_BYTES) return this.small.pop() ?? this.make(SMALL_BUFFER_BYTES);
    if (bytes <= LARGE_BUFFER_BYTES) return this.large.pop() ?? this.make(LARGE_BUFFER_BYTES);
    return this.make(bytes);
  }

  /** Takes back a buffer, or a part of one: the whole of it is used again. */
  give(bytes: Buffer): void {
    const size = bytes.buffer.byteLength;
    const idle = size === SMALL_BUFFER_BYTES ? this.small : size === LARGE_BUFFER_BYTES ? this.large : null;
    if (idle === null || idle.length >= (idle === this.small ? SMALL_IDLE_MAX : LARGE_IDLE_MAX)) {
      this.dropped++;
      return;
    }
    idle.push(bytes.length === size ? bytes : Buffer.from(bytes.buffer));
  }

  private make(bytes: number): Buffer {
    this.made++;
    return Buffer.allocUnsafeSlow(bytes);
  }
}
