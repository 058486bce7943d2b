/**
 * What reaches below `net.Socket`, and nothing else does: moving a fresh connection's handle into a socket with a read buffer of
 * our choice, and writing to a handle without the stream machinery in between. NodeStreams (streams.ts) asks for it once; where
 * Node does not offer these doors it gets null and uses plain sockets, slower and otherwise alike.
 * Why: a write through net.Socket costs a request, a closure, two ticks and their garbage; a reply that the system takes at
 * once needs none of them. The doors are those that `net` itself uses (lib/net.js, lib/internal/stream_base_commons.js).
 * Guarded: a buffer that was not taken at once is not touched until its write has completed, and completes exactly once.
 */
import type { Socket } from 'node:net';

/** A libuv stream as `net` holds it. */
export interface Handle {
  /** Returns 0 or a negative error number; the binding's state says whether the system took all bytes at once. */
  writeBuffer(request: WriteRequest, bytes: Buffer): number;
}

interface WriteRequest {
  oncomplete: (this: WriteRequest, status: number) => void;
  bytes: Buffer | null;
  stream: RawStream | null;
}

interface StreamBinding {
  WriteWrap: new () => WriteRequest;
  streamBaseState: Int32Array;
  kLastWriteWasAsync: number;
}

/** The stream that writes: told when bytes it gave for later have left, or never will (`status` below 0). */
export interface RawStream {
  written(bytes: Buffer, status: number): void;
}

/** The system took every byte: the buffer is free. */
export const TAKEN = 1;
/** It will take them; `RawStream.written` follows. */
export const QUEUED = 2;
/** The connection is broken; nothing follows. */
export const BROKEN = 3;
export type Written = typeof TAKEN | typeof QUEUED | typeof BROKEN;

export class BelowNet {
  private spare: WriteRequest;

  private constructor(private readonly binding: StreamBinding) {
    this.spare = this.request();
  }

  /** Null where this Node has no such doors. */
  static open(): BelowNet | null {
    try {
      const reach = process as unknown as { binding(name: string): unknown };
      const binding = reach.binding('stream_wrap') as Partial<StreamBinding>;
      if (typeof binding.WriteWrap !== 'function' || typeof binding.kLastWriteWasAsync !== 'number') return null;
      if (binding.streamBaseState?.[binding.kLastWriteWasAsync] === undefined) return null;
      return new BelowNet(binding as StreamBinding);
    } catch {
      return null;
    }
  }

  /** Takes the handle out of a connection that has not been read; what is left of `born` is destroyed. Null: keep `born`. */
  detach(born: Socket): Handle | null {
    const carrier = born as unknown as { _handle: Partial<Handle> | null };
    const handle = carrier._handle;
    if (handle === null || typeof handle?.writeBuffer !== 'function') return null;
    carrier._handle = null;
    born.destroy();
    return handle as Handle;
  }

  /** Writes to a handle whose earlier bytes all went this way. */
  write(handle: Handle, bytes: Buffer, stream: RawStream): Written {
    const request = this.spare;
    const { binding } = this;
    const status = handle.writeBuffer(request, bytes);
    if (status !== 0) return BROKEN;
    if (binding.streamBaseState[binding.kLastWriteWasAsync] === 0) return TAKEN;
    request.bytes = bytes;
    request.stream = stream;
    this.spare = this.request();
    return QUEUED;
  }

  private request(): WriteRequest {
    const request = new this.binding.WriteWrap();
    request.oncomplete = completed;
    request.bytes = null;
    request.stream = null;
    return request;
  }
}

function completed(this: WriteRequest, status: number): void {
  const { bytes, stream } = this;
  this.bytes = null;
  this.stream = null;
  if (bytes !== null && stream !== null) stream.written(bytes, status);
}
