/**
 * Datagrams under faults: lost, late, doubled or overtaken, by the rules that stand (fault-rules.ts).
 * Outward it is the datagram port of the machine, inward the arrivals of the socket.
 * Guarded: without rules a datagram passes untouched and at once; what is held is bounded, past it datagrams are lost and
 * counted.
 */
import type { Random } from '../core/base/random.js';
import type { Datagrams } from '../ports/datagrams.js';
import type { DatagramArrivals } from './datagrams.js';
import type { FaultRules, Way } from './fault-rules.js';

const HELD_MAX = 8192;
/** A reordered datagram is held this long at most, so that later ones overtake it. */
const REORDER_MS_MAX = 50;

export class FaultyDatagrams implements Datagrams, DatagramArrivals {
  lost = 0;
  private readonly rules: FaultRules;
  private readonly random: Random;
  private readonly arrivals: DatagramArrivals;
  private readonly held = new Set<NodeJS.Timeout>();
  private socket: Datagrams | null = null;

  constructor(rules: FaultRules, random: Random, arrivals: DatagramArrivals) {
    this.rules = rules;
    this.random = random;
    this.arrivals = arrivals;
  }

  /** Gives it the real socket, whose arrivals come here. */
  attach(socket: Datagrams): void {
    this.socket = socket;
  }

  stop(): void {
    for (const timer of this.held) clearTimeout(timer);
    this.held.clear();
  }

  send(host: string, port: number, bytes: Buffer): void {
    if (this.rules.empty) this.socket?.send(host, port, bytes);
    else this.disturb('OUT', host, port, () => this.socket?.send(host, port, bytes));
  }

  datagramArrived(bytes: Buffer, host: string, port: number): void {
    if (this.rules.empty) this.arrivals.datagramArrived(bytes, host, port);
    else this.disturb('IN', host, port, () => this.arrivals.datagramArrived(bytes, host, port));
  }

  private disturb(way: Way, host: string, port: number, pass: () => void): void {
    const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
    const { random, rules } = this;
    const value = (kind: 'DROP' | 'DELAY' | 'DUP' | 'REORDER'): number => rules.value(kind, address, way, 'DATAGRAMS');
    if (random.chance(value('DROP') / 100)) {
      this.lost++;
      return;
    }
    const copies = random.chance(value('DUP') / 100) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const overtaken = random.chance(value('REORDER') / 100) ? random.between(1, REORDER_MS_MAX) : 0;
      this.passAfter(value('DELAY') + overtaken, pass);
    }
  }

  private passAfter(ms: number, pass: () => void): void {
    if (ms === 0) {
      pass();
    } else if (this.held.size >= HELD_MAX) {
      this.lost++;
    } else {
      const timer = setTimeout(() => {
        this.held.delete(timer);
        pass();
      }, ms);
      this.held.add(timer);
    }
  }
}
