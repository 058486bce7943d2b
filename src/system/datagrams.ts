/**
 * The Node side of the datagram port: one UDP socket through `dgram-as-promised`.
 * The world (world.ts) binds it and hands its arrivals on. Packets are taken from the constructor's callback: the
 * package's `recv` listens only while a call is pending and loses bursts. Sends are never awaited.
 * Guarded: nothing that happens to a packet reaches the caller; what failed is counted.
 */
import type { LookupOneOptions } from 'node:dns';
import { lookup } from 'node:dns';
import { isIP, isIPv6 } from 'node:net';
import type { SocketAsPromised } from 'dgram-as-promised';
import { DgramAsPromised } from 'dgram-as-promised';
import type { Datagrams } from '../ports/datagrams.js';
import type { Log } from '../ports/log.js';
import type { Machine } from '../ports/world.js';

const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;

export type DatagramArrivals = Pick<Machine, 'datagramArrived'>;

export class NodeDatagrams implements Datagrams {
  sent = 0;
  sendFailures = 0;
  socketErrors = 0;
  /** What the system really gave of the 4 MiB asked for (it reports twice the usable size on Linux). */
  receiveBufferBytes = 0;
  private readonly socket: SocketAsPromised;
  private readonly log: Log;
  private bound = false;

  constructor(arrivals: DatagramArrivals, log: Log, options: { host: string }) {
    this.log = log;
    this.socket = DgramAsPromised.createSocket(
      { type: isIPv6(options.host) ? 'udp6' : 'udp4', lookup: this.numericAtOnce },
      (bytes, from) => arrivals.datagramArrived(bytes, from.address, from.port),
    );
    this.socket.socket.on('error', (error) => {
      this.socketErrors++;
      if (this.bound) this.log.warn('datagram socket error', { error: error.message });
    });
  }

  /** Binds, and returns the port: the one asked for, or a free one for 0. Rejects with the system's error. */
  async bind(port: number, host: string): Promise<number> {
    const address = await this.socket.bind({ port, address: host, exclusive: true });
    this.bound = true;
    try {
      this.socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
      this.socket.setSendBufferSize(RECEIVE_BUFFER_BYTES);
    } catch (error) {
      this.log.warn('datagram buffer size refused', { error: String(error) });
    }
    this.receiveBufferBytes = this.socket.getRecvBufferSize();
    this.log.debug('datagrams bound', {
      port: address.port,
      receiveBufferBytes: this.receiveBufferBytes,
      receiveBufferBytesAsked: RECEIVE_BUFFER_BYTES,
    });
    return address.port;
  }

  send(host: string, port: number, bytes: Buffer): void {
    if (!this.bound) {
      this.sendFailures++;
      return;
    }
    this.sent++;
    this.socket.send(bytes, port, host).catch(this.countFailure);
  }

  async close(): Promise<void> {
    if (!this.bound) return;
    this.bound = false;
    await this.socket.close();
  }

  private readonly countFailure = (): void => {
    this.sendFailures++;
  };

  /**
   * Answering without the system's resolver saves a turn of the loop a packet. A name in a packet's way comes from another node's
   * word: it is not asked for, since the threads that would wait for the answer are those of the disk.
   */
  private readonly numericAtOnce = (
    host: string,
    options: LookupOneOptions,
    done: (error: NodeJS.ErrnoException | null, address: string, family: number) => void,
  ): void => {
    const family = isIP(host);
    if (family !== 0) done(null, host, family);
    else if (this.bound) done(new Error(`not a numeric address: ${host}`), '', 0);
    else lookup(host, options, done);
  };
}
