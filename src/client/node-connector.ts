/**
 * The client's world on Node: sockets of node:net, setTimeout and setImmediate. `createClient` hands it to the client.
 * All sockets read into one buffer (the `onread` option), which is why bytes are lent; sockets never hold the process.
 */
import { connect, type Socket } from 'node:net';
import type { ClientSocket, ClientTimer, Connector, SocketEvents } from './connector.js';

const READ_BYTES = 64 * 1024;
const KEEP_ALIVE_MS = 10_000;

/** Node reads and calls back in one step, so sockets that share a process can share the buffer. */
const readBuffer = Buffer.allocUnsafeSlow(READ_BYTES);

export const nodeConnector: Connector = {
  nowMs: () => performance.now(),
  random: () => Math.random(),
  connect: (host, port, events) => new NodeSocket(host, port, events),
  startTimer: (delayMs, holds, task) => new NodeTimer(delayMs, holds, task),
  afterTurn: (task) => {
    setImmediate(task);
  },
};

/**
 * Whether an error of a socket tells that the other side has ended it: its system resets what a process left unread when it died. Silence
 * that lasted too long (ETIMEDOUT) or a way that is closed (EHOSTUNREACH, ENETDOWN) says nothing of what was sent.
 */
export function isByNode(code: string | undefined): boolean {
  return code === 'ECONNRESET' || code === 'EPIPE';
}

class NodeSocket implements ClientSocket {
  private readonly socket: Socket;
  private why = 'the server closed the connection';
  private byNode = false;

  constructor(host: string, port: number, events: SocketEvents) {
    this.socket = connect({
      host,
      port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
      onread: {
        buffer: readBuffer,
        callback: (length: number) => {
          if (!this.socket.destroyed) events.socketBytes(readBuffer, 0, length);
          return true;
        },
      },
    });
    this.socket.unref();
    this.socket.on('connect', () => events.socketConnected());
    this.socket.on('error', (error) => {
      const { code } = error as NodeJS.ErrnoException;
      this.why = error.message || code || 'the connection failed';
      this.byNode = isByNode(code);
    });
    this.socket.on('end', () => {
      this.byNode = true;
      this.socket.destroy();
    });
    this.socket.on('close', () => events.socketClosed(this.why, this.byNode));
  }

  write(bytes: Buffer): void {
    if (!this.socket.destroyed) this.socket.write(bytes);
  }

  queuedBytes(): number {
    return this.socket.writableLength;
  }

  destroy(why: string): void {
    if (this.socket.destroyed) return;
    this.why = why;
    this.socket.destroy();
  }
}

class NodeTimer implements ClientTimer {
  private readonly timeout: NodeJS.Timeout;

  constructor(delayMs: number, holds: boolean, task: () => void) {
    this.timeout = setTimeout(task, delayMs);
    if (!holds) this.timeout.unref();
  }

  cancel(): void {
    clearTimeout(this.timeout);
  }
}
