/**
 * A toy replicated register for tests of the simulator: every node holds everything, a write is logged and told to all, and
 * every 200 ms a node tells its whole state to another. Last writer wins by (HLC, actor), expiry by a version of its own,
 * FLUSHALL by a mark. Small enough to be right by reading, with planted bugs by name.
 */

import { mix32 } from '../../src/core/base/hash.js';
import { HLC_TICKS, HybridClock } from '../../src/core/base/hlc.js';
import { Random } from '../../src/core/base/random.js';
import type { FileHandle } from '../../src/ports/disk.js';
import type { Ports } from '../../src/ports/world.js';
import type { MachineSeed, NodePlace } from '../../src/sim/cluster.js';
import type { SimMachine } from '../../src/sim/process.js';
import { COUNTERS } from '../../src/sim/verdict.js';

interface Entry {
  key: string;
  hlc: number;
  actor: number;
  value: string | null;
  expireAtMs: number;
  expiryHlc: number;
  expiryActor: number;
}

const TELL_INTERVAL_MS = 200;
const CHUNK_BYTES = 1_000;

export class ToyRegister implements SimMachine {
  stopped = false;
  readonly fatal = null;
  readonly wantsTurn = false;
  private wallMs = 0;
  private monotonicMs = 0;
  private toldAtMs = 0;
  private flushedHlc = 0;
  private readonly entries = new Map<string, Entry>();
  private readonly clock = new HybridClock(0, 600_000);
  private readonly random: Random;
  private readonly actor: number;
  private readonly inputs = new Map<number, string>();
  private log: FileHandle = 0;
  private logEnd = 0;
  private unlogged: Entry[] = [];

  constructor(
    private readonly ports: Ports,
    private readonly place: NodePlace,
    private readonly nodes: number,
    seed: MachineSeed,
    private readonly mutation: string | null,
  ) {
    this.random = new Random(...seed);
    this.actor = this.random.actor();
  }

  start(): void {
    const { disk } = this.ports;
    this.log = disk.open('log', true);
    const size = disk.size(this.log);
    const bytes = Buffer.alloc(size);
    disk.read(this.log, 0, bytes, 0, size);
    this.logEnd = bytes.lastIndexOf('\n') + 1;
    for (const line of bytes.toString('utf8', 0, this.logEnd).split('\n')) {
      const entry = unsealed<Entry>(line);
      if (entry !== null) this.replay(entry);
    }
  }

  shutdown(): void {
    this.stopped = true;
  }

  turnStarted(monotonicMs: number, wallMs: number): void {
    this.monotonicMs = monotonicMs;
    this.wallMs = wallMs;
  }

  turnEnded(): void {
    if (this.mutation !== 'ack-before-log') this.writeLog();
  }

  tick(): void {
    if (this.mutation === 'ack-before-log') this.writeLog();
    if (this.monotonicMs < this.toldAtMs + TELL_INTERVAL_MS || this.mutation === 'no-repair') return;
    this.toldAtMs = this.monotonicMs;
    const other = this.random.below(this.nodes);
    let chunk: Entry[] = [];
    let bytes = 0;
    for (const entry of this.entries.values()) {
      chunk.push(entry);
      bytes += 150 + (entry.value?.length ?? 0);
      if (bytes < CHUNK_BYTES - 250) continue;
      this.tell(other, chunk);
      chunk = [];
      bytes = 0;
    }
    this.tell(other, chunk);
  }

  datagramArrived(bytes: Buffer): void {
    const message = unsealed<{ flushed: number; entries: Entry[] }>(bytes.toString('utf8'));
    if (message === null) return;
    this.flushedHlc = Math.max(this.flushedHlc, message.flushed);
    if (this.mutation !== 'hlc-ignores-received') this.clock.observe(message.flushed, this.wallMs);
    for (const entry of message.entries) {
      if (this.mutation !== 'hlc-ignores-received') this.clock.observe(entry.hlc, this.wallMs);
      this.absorb(this.mutation === 'ttl-restarted-per-hop' ? this.renewed(entry) : entry, true);
    }
  }

  streamAccepted(stream: number): void {
    this.inputs.set(stream, '');
  }

  streamBytes(stream: number, bytes: Buffer, start: number, end: number): void {
    let input = (this.inputs.get(stream) ?? '') + bytes.toString('latin1', start, end);
    for (;;) {
      const taken = takeCommand(input);
      if (taken === null) break;
      input = input.slice(taken.length);
      this.ports.streams.write(stream, Buffer.from(this.answer(taken.words), 'latin1'), true);
    }
    this.inputs.set(stream, input);
  }

  streamClosed(stream: number): void {
    this.inputs.delete(stream);
  }

  streamConnected(): void {}
  streamDrained(): void {}
  bufferReleased(): void {}
  diskCompleted(): void {}
  nameResolved(): void {}

  private counters(): readonly string[] {
    return this.mutation === 'counter-renamed' ? COUNTERS.slice(1) : COUNTERS;
  }

  private answer(words: string[]): string {
    const [name, key, value] = words;
    switch (name) {
      case 'HELLO':
        return '*0\r\n';
      case 'HEARSAY.CONSISTENCY':
        return '*2\r\n+one\r\n+one\r\n';
      case 'CLUSTER':
        return bulk(Array.from({ length: this.nodes }, (_, node) => `${node} address flags`).join('\n'));
      case 'HEARSAY.STATUS':
        return statusOf([['ready', 1], ...this.counters().map((name): [string, number] => [name, 0])]);
      case 'HEARSAY.DIGEST':
        return `*1\r\n*2\r\n:0\r\n${bulk(this.digest())}`;
      case 'GET':
        return bulk(this.read(key));
      case 'MGET':
        return `*${words.length - 1}\r\n${words
          .slice(1)
          .map((each) => bulk(this.read(each)))
          .join('')}`;
      case 'SET':
        this.write(key, value, words[3] === 'PX' ? this.wallMs + Number(words[4]) : 0);
        return '+OK\r\n';
      case 'MSET':
        for (let at = 1; at < words.length; at += 2) this.write(words[at], words[at + 1], 0);
        return '+OK\r\n';
      case 'DEL': {
        if (this.read(key) === null) return ':0\r\n';
        this.write(key, null, 0);
        return ':1\r\n';
      }
      case 'FLUSHALL':
        this.flushedHlc = this.clock.stamp(this.wallMs);
        this.unlogged.push(flushMark(this.flushedHlc));
        this.spread([]);
        return '+OK\r\n';
      case 'PEXPIRE':
        return this.touch(key, this.wallMs + Number(value));
      case 'PERSIST':
        return this.touch(key, 0);
      default:
        return `-ERR unknown command ${name}\r\n`;
    }
  }

  private read(key: string): string | null {
    const entry = this.entries.get(key);
    return entry === undefined || this.isGone(entry) ? null : entry.value;
  }

  private isGone(entry: Entry): boolean {
    return entry.hlc <= this.flushedHlc || (entry.expireAtMs !== 0 && entry.expireAtMs <= this.wallMs);
  }

  private write(key: string, value: string | null, expireAtMs: number): void {
    const hlc = this.clock.stamp(this.wallMs);
    const { actor } = this;
    this.spread([{ key, hlc, actor, value, expireAtMs, expiryHlc: hlc, expiryActor: actor }]);
  }

  private touch(key: string, expireAtMs: number): string {
    const entry = this.entries.get(key);
    if (entry === undefined || this.read(key) === null) return ':0\r\n';
    const expiryHlc = this.clock.stamp(this.wallMs);
    this.spread([{ ...entry, expireAtMs, expiryHlc, expiryActor: this.actor }]);
    return ':1\r\n';
  }

  private spread(entries: Entry[]): void {
    for (const entry of entries) this.absorb(entry, true);
    for (let node = 0; node < this.nodes; node++) this.tell(node, entries);
  }

  private tell(node: number, entries: Entry[]): void {
    if (node === this.place.index) return;
    const bytes = Buffer.from(sealed({ flushed: this.flushedHlc, entries }));
    const address = this.place.address.replace(/\d+$/, String(node + 1));
    this.ports.datagrams.send(address, this.place.gossipPort, bytes);
  }

  private absorb(entry: Entry, log: boolean): void {
    const mine = this.entries.get(entry.key);
    if (mine !== undefined && !this.isLater(entry, mine)) return;
    if (this.mutation === 'tombstone-dropped-at-once' && entry.value === null) this.entries.delete(entry.key);
    else this.entries.set(entry.key, entry);
    if (log) this.unlogged.push(entry);
  }

  private isLater(left: Entry, right: Entry): boolean {
    if (left.hlc !== right.hlc) return left.hlc > right.hlc;
    if (left.actor !== right.actor) return this.mutation !== 'asymmetric-tie-break' && left.actor > right.actor;
    if (left.expiryHlc !== right.expiryHlc) return left.expiryHlc > right.expiryHlc;
    return left.expiryActor > right.expiryActor;
  }

  private renewed(entry: Entry): Entry {
    if (entry.expireAtMs === 0 || this.entries.get(entry.key)?.hlc === entry.hlc) return entry;
    return { ...entry, expireAtMs: Math.max(entry.expireAtMs, this.wallMs + 1_500) };
  }

  private replay(entry: Entry): void {
    this.clock.observe(Math.max(entry.hlc, entry.expiryHlc), entry.hlc / HLC_TICKS);
    if (entry.key === '') this.flushedHlc = Math.max(this.flushedHlc, entry.hlc);
    else this.absorb(entry, false);
  }

  private writeLog(): void {
    if (this.unlogged.length === 0) return;
    const text = this.unlogged.map((entry) => `${sealed(entry)}\n`).join('');
    const bytes = Buffer.from(text);
    this.ports.disk.write(this.log, this.logEnd, bytes, 0, bytes.length);
    this.logEnd += bytes.length;
    this.unlogged = [];
  }

  private digest(): string {
    let sum = 0;
    for (const entry of this.entries.values()) {
      if (!this.isGone(entry)) sum = (sum + sumOf(JSON.stringify(entry))) >>> 0;
    }
    return sum.toString(16);
  }
}

/** Stands in the log for a FLUSHALL. */
function flushMark(hlc: number): Entry {
  return { key: '', hlc, actor: 0, value: null, expireAtMs: 0, expiryHlc: 0, expiryActor: 0 };
}

function statusOf(fields: [string, number][]): string {
  return `*${fields.length * 2}\r\n${fields.map(([name, value]) => `${bulk(name)}:${value}\r\n`).join('')}`;
}

function bulk(text: string | null): string {
  return text === null ? '$-1\r\n' : `$${text.length}\r\n${text}\r\n`;
}

function sealed(thing: unknown): string {
  const text = JSON.stringify(thing);
  return `${sumOf(text)} ${text}`;
}

/** Null for what does not match its sum: a damaged datagram, a torn line of the log. */
function unsealed<Thing>(line: string): Thing | null {
  const parts = /^(\d+) (.*)$/s.exec(line);
  return parts !== null && Number(parts[1]) === sumOf(parts[2]) ? (JSON.parse(parts[2]) as Thing) : null;
}

function sumOf(text: string): number {
  let sum = 1;
  for (let at = 0; at < text.length; at++) sum = mix32(sum, text.charCodeAt(at));
  return sum;
}

/** A whole command at the start of the input, with the bytes it takes. */
function takeCommand(input: string): { words: string[]; length: number } | null {
  const header = /^\*(\d+)\r\n/.exec(input);
  if (header === null) return null;
  const words: string[] = [];
  let at = header[0].length;
  while (words.length < Number(header[1])) {
    const lineEnd = input.indexOf('\r\n', at);
    if (lineEnd < 0) return null;
    const length = Number(input.slice(at + 1, lineEnd));
    at = lineEnd + 2;
    if (input.length < at + length + 2) return null;
    words.push(input.slice(at, at + length));
    at += length + 2;
  }
  return { words, length: at };
}
