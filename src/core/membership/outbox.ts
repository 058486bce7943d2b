/**
 * What membership wants to send now, until the spine drains it: a pull, so that the machine never calls out. Membership, the
 * prober and the contact points put messages in. Guarded: bounded; past it the newest is dropped and counted, as a datagram
 * may be.
 */
import type { ControlMessage } from './messages.js';

export interface Outgoing {
  host: string;
  port: number;
  message: ControlMessage;
  /** By peer stream instead of datagram; the stream to `memberId` if there is one, else a new one to the address. */
  viaStream: boolean;
  /** Whom it is for; null if only the address is known. */
  memberId: string | null;
}

const NOTHING: readonly Outgoing[] = [];

export class Outbox {
  dropped = 0;
  private readonly outgoingMax: number;
  private queue: Outgoing[] = [];

  constructor(outgoingMax: number) {
    this.outgoingMax = outgoingMax;
  }

  send(host: string, port: number, message: ControlMessage, viaStream: boolean, memberId: string | null): void {
    if (this.queue.length >= this.outgoingMax) {
      this.dropped++;
      return;
    }
    this.queue.push({ host, port, message, viaStream, memberId });
  }

  drain(): readonly Outgoing[] {
    if (this.queue.length === 0) return NOTHING;
    const drained = this.queue;
    this.queue = [];
    return drained;
  }
}
