/**
 * What the client needs of its world: sockets, a clock, timers, chance. node-connector.ts implements it over node:net; the
 * simulator drives the same client by implementing it over its own network and clock.
 * Laws: no call throws and none calls back before it returns. Every socket gets exactly one `socketClosed`, and nothing
 * after it. Bytes arrive in order, in pieces of any size, and are only lent for the length of the call.
 */

/** Told what happens to one socket. */
export interface SocketEvents {
  socketConnected(): void;
  socketBytes(bytes: Buffer, start: number, end: number): void;
  /**
   * Whichever side ended it; `why` is for people. `byNode`: the other side said so, by its end or a reset, so nothing that was sent lies
   * there unread. Else this side or the way between gave up, and the other may read it at any time yet.
   */
  socketClosed(why: string, byNode: boolean): void;
}

export interface ClientSocket {
  /** Queues bytes; they belong to the socket from then on. After the end they are dropped. */
  write(bytes: Buffer): void;
  /** Bytes queued that the operating system has not taken. */
  queuedBytes(): number;
  /** Ends it at once; `socketClosed` follows. */
  destroy(why: string): void;
}

/** A timer that can be cancelled; cancelling one that has fired does nothing. */
export interface ClientTimer {
  cancel(): void;
}

export interface Connector {
  /** Monotonic milliseconds, any origin. */
  nowMs(): number;
  /** Uniform in [0, 1). */
  random(): number;
  /** Starts connecting. An open socket does not keep the process alive. */
  connect(host: string, port: number, events: SocketEvents): ClientSocket;
  /** Runs `task` once, after `delayMs`. `holds`: the process lives until then. */
  startTimer(delayMs: number, holds: boolean, task: () => void): ClientTimer;
  /** Runs `task` after everything that is ready now: bytes waiting in sockets, promises, other calls of this turn. */
  afterTurn(task: () => void): void;
}
