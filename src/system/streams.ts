/**
 * The Node side of the stream port: TCP listeners for clients and peers, and connections to peers.
 * Every socket reads into ONE shared buffer (the `onread` option of net.Socket), so a read allocates nothing; its bytes
 * are gone when the event returns. Accepted connections are written through below-net.ts where that can be had, those dialled
 * from here (which queue before they stand) through net.Socket. The world (world.ts) opens turns around the events.
 * Guarded: ids are never reused; each stream accepted or connected gets exactly one `streamClosed`, the last event of
 * its life; a buffer given away to be recycled comes back exactly once, written or not.
 */
import { createServer, isIP, type Server, Socket, type SocketConstructorOpts } from 'node:net';
import type { StreamId, Streams } from '../ports/streams.js';
import type { Machine } from '../ports/world.js';
import { BelowNet, BROKEN, type Handle, type RawStream, TAKEN } from './below-net.js';

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

class NodeStream implements RawStream {
  /** For each write not yet taken by the system, in order: the buffer to hand back, or null. */
  readonly pending: (Buffer | null)[] = [];
  readonly taken = (): void => this.owner.taken(this);
  /** Bytes given to the handle and not yet taken by the system. */
  rawQueuedBytes = 0;
  full = false;
  paused = false;
  closing = false;
  why = 'closed by the other side';
  flushTimer?: NodeJS.Timeout;

  constructor(
    private readonly owner: NodeStreams,
    readonly id: StreamId,
    readonly socket: Socket,
    /** Where it is written to; null: through the socket. */
    readonly handle: Handle | null,
  ) {}

  get queuedBytes(): number {
    return this.handle === null ? this.socket.writableLength : this.rawQueuedBytes;
  }

  written(bytes: Buffer, status: number): void {
    this.rawQueuedBytes -= bytes.length;
    this.owner.taken(this);
    if (status < 0) this.socket.destroy(new Error('the connection is broken'));
  }
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

  private readonly belowNet: BelowNet | null;

  /** `plain`: uses nothing below net.Socket. */
  constructor(arrivals: StreamArrivals, options: { plain: boolean } = { plain: false }) {
    this.arrivals = arrivals;
    this.belowNet = options.plain ? null : BelowNet.open();
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
    this.open(id, socket, null);
    socket.once('connect', () => {
      if (this.streams.get(id)?.closing === false) this.arrivals.streamConnected(id);
    });
    if (isIP(host) !== 0 && port >= 1 && port <= 65_535) socket.connect({ host, port });
    else socket.destroy(new Error(`not a numeric address: ${host}:${port}`));
  }

  write(stream: StreamId, bytes: Buffer, recycle: boolean): void {
    const open = this.streams.get(stream);
    if (open === undefined || open.closing || open.socket.destroyed) {
      this.writesDropped++;
      if (recycle) this.arrivals.bufferReleased(bytes);
      return;
    }
    if (open.handle !== null && this.belowNet !== null) this.writeRaw(this.belowNet, open, open.handle, bytes, recycle);
    else this.writePlain(open, bytes, recycle);
    if (!open.full && open.queuedBytes > FULL_BYTES) open.full = true;
  }

  queued(stream: StreamId): number {
    return this.streams.get(stream)?.queuedBytes ?? 0;
  }

  pause(stream: StreamId, paused: boolean): void {
    const open = this.streams.get(stream);
    if (open === undefined || open.closing) return;
    open.paused = paused;
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
    const handle = this.belowNet?.detach(born) ?? null;
    const id = this.reserve();
    let socket = born;
    if (handle !== null) {
      socket = new Socket({ ...this.socketOptions(id), handle, manualStart: true } as SocketConstructorOpts);
    } else {
      socket.on('data', (bytes: Buffer) => {
        if (this.streams.get(id)?.closing === false) this.arrivals.streamBytes(id, bytes, 0, bytes.length);
      });
    }
    this.open(id, socket, handle);
    this.accepted++;
    const peer = joinAddress(socket.remoteAddress, socket.remotePort);
    this.arrivals.streamAccepted(id, kind, peer, joinAddress(socket.localAddress, socket.localPort));
    const open = this.streams.get(id);
    if (open?.closing === false && !open.paused) socket.resume();
  }

  private open(id: StreamId, socket: Socket, handle: Handle | null): void {
    const open = new NodeStream(this, id, socket, handle);
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
  taken(open: NodeStream): void {
    const bytes = open.pending.shift();
    if (bytes !== undefined && bytes !== null) this.arrivals.bufferReleased(bytes);
    if (open.full && open.queuedBytes < FULL_BYTES / 2) {
      open.full = false;
      if (!open.closing) this.arrivals.streamDrained(open.id);
    }
  }

  private writeRaw(belowNet: BelowNet, open: NodeStream, handle: Handle, bytes: Buffer, recycle: boolean): void {
    const outcome = belowNet.write(handle, bytes, open);
    if (outcome === TAKEN) {
      if (recycle) this.arrivals.bufferReleased(bytes);
    } else if (outcome === BROKEN) {
      this.writesDropped++;
      if (recycle) this.arrivals.bufferReleased(bytes);
      open.socket.destroy(new Error('the connection is broken'));
    } else {
      open.rawQueuedBytes += bytes.length;
      open.pending.push(recycle ? bytes : null);
    }
  }

  private writePlain(open: NodeStream, bytes: Buffer, recycle: boolean): void {
    if (!open.socket.writable) {
      this.writesDropped++;
      if (recycle) this.arrivals.bufferReleased(bytes);
      return;
    }
    open.pending.push(recycle ? bytes : null);
    open.socket.write(bytes, open.taken);
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
