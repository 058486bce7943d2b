/**
 * Port: reliable byte streams (TCP), to peers and from clients.
 * Laws: bytes of one stream arrive in order, in pieces of any size, or the stream closes. Every stream that was accepted or
 * connected gets exactly one `streamClosed` event, whichever side ended it, and nothing after it; a stream id is never
 * used twice. Calls never throw and never call back: completions come as events.
 */
export type StreamId = number;

export interface Streams {
  /** Starts connecting to a peer's gossip address. `streamConnected` or `streamClosed` follows. */
  connect(host: string, port: number): StreamId;
  /**
   * Queues `bytes`. They belong to the world until it hands them back by `bufferReleased` (if `recycle`) or for good.
   * Bytes written to a stream that has closed are dropped.
   */
  write(stream: StreamId, bytes: Buffer, recycle: boolean): void;
  /** Bytes queued and not yet taken by the operating system. */
  queued(stream: StreamId): number;
  /** Stops (or restarts) reading from a stream: back-pressure. */
  pause(stream: StreamId, paused: boolean): void;
  /** Closes after what is queued has gone (`flush`), or at once. */
  close(stream: StreamId, flush: boolean): void;
}
