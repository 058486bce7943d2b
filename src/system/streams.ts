/**
 * The Node side of the stream port: TCP listeners for clients and peers, and connections to peers.
 * Every socket reads into ONE shared buffer (the `onread` option of net.Socket), so a read allocates nothing; its bytes
 * are gone when the event returns. The world (world.ts) opens turns around the events.
 * Guarded: ids are never reused; each stream accepted or connected gets exactly one `streamClosed`, the last event of
 * its life; a buffer given away to be recycled comes back exactly once, written or not.
 */
import { createServer, isIP, type Server, Socket, type SocketConstructorOpts } from 'node:net';
import type { StreamId, Streams } from '../ports/streams.js';
import type { Machine } from '../ports/world.js';

const READ_BUFFER_BYTES = 256 * 1024;
/** A stream with more than this queued is full; below half it has drained. */
const FULL_BYTES = 256 * 1024;
/** What is queued at a flushing close may take this long; then the rest is lost. */
const FLUSH_LIMIT_MS = 5000;
/** The same when everything stops. */
const STOP_FLUSH_MS = 500;
const KEEPALIVE_AFTER_MS = 60_000;
const BACKLOG = 1024;

export type StreamArrivals = Pick<
  Machine,
  'streamAccepted' | 'streamConnected' | 'streamBytes' | 'streamDrained' | 'streamClosed' | 'bufferReleased'
>;

interface NodeStream {
  readonly id: StreamId;
  readonly socket: Socket;
  /** For each write not yet taken by the system, in order: the buffer to hand back, or null. */
  readonly pending: (Buffer | null)[];
  readonly written: () => void;
  full: boolean;
  closing: boolean;
  why: string;
  flushTimer?: NodeJS.Timeout;
}

export class NodeStreams implements Streams {
  accepted = 0;
  /** Writes to streams that had closed. */
  writesDropped = 0;
  private readonly arrivals: StreamArrivals;
  private readonly streams = new Map<StreamId, NodeStream>();
  private readonly servers: Server[] = [];
  private readonly readBuffer = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);
  private lastId = 0;

  constructor(arrivals: StreamArrivals) {
    this.arrivals = arrivals;
  }

  /** Listens, and returns the port. Rejects with the system's error. */
  listen(kind: 'client' | 'peer', host: string, port: number): Promise<number> {
    // Paused at birth: the socket net makes cannot read into our buffer, so its handle moves into one that can.
    const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (born) => this.adopt(kind, born));
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ port, host, backlog: BACKLOG, exclusive: true }, () => {
        server.removeListener('error', reject);
        // EMFILE and the like at accept: the next connection may do better.
        server.on('error', () => {});
        this.servers.push(server);
        const address = server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : port);
      });
    });
  }

  connect(host: string, port: number): StreamId {
    const id = this.reserve();
    this.dial(id, host, port);
    return id;
  }

  /** An id for a connection that is dialled later. */
  reserve(): StreamId {
    this.lastId++;
    return this.lastId;
  }

  dial(id: StreamId, host: string, port: number): void {
    const socket = new Socket(this.socketOptions(id));
    this.open(id, socket);
    socket.once('connect', () => {
      if (this.streams.get(id)?.closing === false) this.arrivals.streamConnected(id);
    });
    if (isIP(host) !== 0 && port >= 1 && port <= 65_535) socket.connect({ host, port });
    else socket.destroy(new Error(`not a numeric address: ${host}:${port}`));
  }

  write(stream: StreamId, bytes: Buffer, recycle: boolean): void {
    const open = this.streams.get(stream);
    if (open === undefined || open.closing || !open.socket.writable) {
      this.writesDropped++;
      if (recycle) this.arrivals.bufferReleased(bytes);
      return;
    }
    open.pending.push(recycle ? bytes : null);
    open.socket.write(bytes, open.written);
    if (!open.full && open.socket.writableLength > FULL_BYTES) open.full = true;
  }

  queued(stream: StreamId): number {
    return this.streams.get(stream)?.socket.writableLength ?? 0;
  }

  pause(stream: StreamId, paused: boolean): void {
    const open = this.streams.get(stream);
    if (open === undefined || open.closing) return;
    if (paused) open.socket.pause();
    else open.socket.resume();
  }

  close(stream: StreamId, flush: boolean): void {
    const open = this.streams.get(stream);
    if (open === undefined) return;
    if (!open.closing) open.why = 'closed here';
    this.finish(open, flush);
  }

  /** Number of open streams. */
  count(): number {
    return this.streams.size;
  }

  /** Stops listening and closes every stream; what is queued has a moment to leave. Resolves when all is closed. */
  async stop(): Promise<void> {
    const closed = this.servers
      .splice(0)
      .map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
    const open = [...this.streams.values()];
    const gone = open.map((each) => new Promise((resolve) => each.socket.once('close', resolve)));
    for (const each of open) this.finish(each, true);
    const cut = setTimeout(() => {
      for (const each of open) each.socket.destroy();
    }, STOP_FLUSH_MS);
    await Promise.all([...closed, ...gone]);
    clearTimeout(cut);
  }

  /** Moves the handle of a fresh, still unread connection into a socket that reads into the shared buffer. */
  private adopt(kind: 'client' | 'peer', born: Socket): void {
    const carrier = born as unknown as { _handle: object | null };
    const handle = carrier._handle;
    if (handle === null) return;
    carrier._handle = null;
    born.destroy();
    const id = this.reserve();
    const socket = new Socket({ ...this.socketOptions(id), handle, manualStart: true } as SocketConstructorOpts);
    this.open(id, socket);
    this.accepted++;
    const peer = joinAddress(socket.remoteAddress, socket.remotePort);
    this.arrivals.streamAccepted(id, kind, peer, joinAddress(socket.localAddress, socket.localPort));
    const open = this.streams.get(id);
    if (open?.closing === false && !socket.isPaused()) socket.resume();
  }

  private open(id: StreamId, socket: Socket): void {
    const open: NodeStream = {
      id,
      socket,
      pending: [],
      written: () => this.written(open),
      full: false,
      closing: false,
      why: 'closed by the other side',
    };
    this.streams.set(id, open);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEPALIVE_AFTER_MS);
    socket.on('error', (error) => {
      if (!open.closing) open.why = error.message;
    });
    // The turn that holds this stream's last bytes was opened before, so its replies are written before this runs.
    socket.on('end', () => setImmediate(() => this.finish(open, true)));
    socket.on('close', () => {
      clearTimeout(open.flushTimer);
      this.streams.delete(id);
      for (const bytes of open.pending.splice(0)) if (bytes !== null) this.arrivals.bufferReleased(bytes);
      this.arrivals.streamClosed(id, open.why);
    });
  }

  private socketOptions(id: StreamId): SocketConstructorOpts {
    const onread = {
      buffer: this.readBuffer,
      callback: (length: number): boolean => {
        if (this.streams.get(id)?.closing === false) this.arrivals.streamBytes(id, this.readBuffer, 0, length);
        return true;
      },
    };
    return { allowHalfOpen: true, onread } as SocketConstructorOpts;
  }

  /** The system has taken the oldest pending write, or refused it for good. */
  private written(open: NodeStream): void {
    const bytes = open.pending.shift();
    if (bytes !== undefined && bytes !== null) this.arrivals.bufferReleased(bytes);
    if (open.full && open.socket.writableLength < FULL_BYTES / 2) {
      open.full = false;
      if (!open.closing) this.arrivals.streamDrained(open.id);
    }
  }

  private finish(open: NodeStream, flush: boolean): void {
    open.closing = true;
    if (!flush || open.socket.connecting) {
      open.socket.destroy();
      return;
    }
    open.socket.destroySoon();
    open.flushTimer ??= setTimeout(() => open.socket.destroy(), FLUSH_LIMIT_MS).unref();
  }
}

/** `host:port`, `[v6]:port`; an IPv4 address in IPv6 clothes is undressed. */
function joinAddress(host: string | undefined, port: number | undefined): string {
  const plain = (host ?? '').replace(/^::ffff:(?=\d+\.)/, '');
  return plain.includes(':') ? `[${plain}]:${port ?? 0}` : `${plain}:${port ?? 0}`;
}
