/**
 * Replays a trace as a program with a cache does: GET, and on a miss SET. `hearsay bench-child replay SPEC` runs it. GETs are sent
 * a few at once to be fast; what missed is SET before the next ones, in the order of the trace, and no key is asked for twice in
 * one go, so that hits are those of one request after the other.
 * Guarded: it ends at its time limit with an error; replies are matched to requests by their order on the one connection.
 */
import { connect } from 'node:net';
import { LatencyHistogram, type LatencySummary } from './histogram.js';
import { ReplyCounter } from './reply-counter.js';
import { incompressible, writeDigits } from './requests.js';
import { loadTrace, type TraceSource } from './trace.js';

const HOST = '127.0.0.1';
const WINDOW = 16;
const READ_BYTES = 256 * 1024;
const KEY_BYTES = 16;

export interface ReplaySpec {
  readonly port: number;
  readonly source: TraceSource;
  readonly valueBytes: number;
  readonly limitMs: number;
}

export interface ReplayResult extends LatencySummary {
  requests: number;
  distinct: number;
  /** Of all requests, and of those of the second half. */
  hitRatio: number;
  hitRatioSecondHalf: number;
  requestsPerSecond: number;
}

export async function runReplay(spec: ReplaySpec): Promise<ReplayResult> {
  const trace = await loadTrace(spec.source);
  const replay = new Replay(trace.requests, spec.valueBytes);
  const startedMs = performance.now();
  await replay.run(spec.port, spec.limitMs);
  const { requests } = trace;
  return {
    ...replay.histogram.summary(),
    requests: requests.length,
    distinct: trace.distinct,
    hitRatio: replay.hits / requests.length,
    hitRatioSecondHalf: replay.hitsSecondHalf / (requests.length - Math.floor(requests.length / 2)),
    requestsPerSecond: (requests.length / (performance.now() - startedMs)) * 1000,
  };
}

class Replay {
  hits = 0;
  hitsSecondHalf = 0;
  readonly histogram = new LatencyHistogram();
  private readonly outcomes = new Uint8Array(WINDOW * 2);
  private readonly counter = new ReplyCounter(this.outcomes);
  private readonly window = new Uint32Array(WINDOW);
  private readonly missed = new Uint32Array(WINDOW);
  private windowLength = 0;
  private missedLength = 0;
  private setsUnderWay = 0;
  private next = 0;
  private sentAtMs = 0;
  private readonly get: Buffer;
  private readonly set: Buffer;
  private readonly keyAt: number;
  private readonly bytes: Buffer;

  constructor(
    private readonly requests: Uint32Array,
    valueBytes: number,
  ) {
    const key = `$${KEY_BYTES}\r\nkey:${'0'.repeat(KEY_BYTES - 4)}\r\n`;
    this.get = Buffer.from(`*2\r\n$3\r\nGET\r\n${key}`, 'latin1');
    this.set = Buffer.from(`*3\r\n$3\r\nSET\r\n${key}$${valueBytes}\r\n${incompressible(valueBytes, 1)}\r\n`, 'latin1');
    this.keyAt = this.get.indexOf('key:') + 4;
    this.bytes = Buffer.alloc(WINDOW * (this.get.length + this.set.length));
  }

  run(port: number, limitMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (error: Error | null): void => {
        clearTimeout(timer);
        socket.destroy();
        if (error === null) resolve();
        else reject(error);
      };
      const timer = setTimeout(() => end(new Error(`the trace was not replayed in ${limitMs / 1000} s`)), limitMs);
      const send = (): void => {
        const length = this.fillWindow();
        this.sentAtMs = performance.now();
        if (length === 0) end(null);
        else socket.write(this.bytes.subarray(0, length));
      };
      const socket = connect({
        host: HOST,
        port,
        noDelay: true,
        onread: {
          buffer: Buffer.allocUnsafe(READ_BYTES),
          callback: (length, bytes) => {
            try {
              if (this.receive(bytes, length)) send();
            } catch (error) {
              end(error as Error);
            }
            return true;
          },
        },
      });
      socket.on('connect', send);
      socket.on('error', end);
      socket.on('close', () => end(new Error('the server closed the connection')));
    });
  }

  /** SETs of what missed, then the next GETs; the length of both, 0 at the end of the trace. */
  private fillWindow(): number {
    let at = 0;
    for (let index = 0; index < this.missedLength; index++) at = this.put(this.set, at, this.missed[index]);
    this.setsUnderWay = this.missedLength;
    this.missedLength = 0;
    this.windowLength = 0;
    while (this.windowLength < WINDOW && this.next < this.requests.length) {
      const key = this.requests[this.next];
      if (this.asked(key)) break;
      this.window[this.windowLength++] = key;
      this.next++;
      at = this.put(this.get, at, key);
    }
    this.counter.outcomeCount = 0;
    return at;
  }

  private put(template: Buffer, at: number, key: number): number {
    template.copy(this.bytes, at);
    writeDigits(this.bytes, at + this.keyAt, key);
    return at + template.length;
  }

  private asked(key: number): boolean {
    for (let index = 0; index < this.windowLength; index++) if (this.window[index] === key) return true;
    return false;
  }

  /** True when everything sent is answered. */
  private receive(bytes: Uint8Array, length: number): boolean {
    this.counter.feed(bytes, length);
    if (this.counter.errors > 0) throw new Error(`a request was refused: ${this.counter.firstError}`);
    if (this.counter.outcomeCount < this.setsUnderWay + this.windowLength) return false;
    if (this.windowLength > 0) this.histogram.record((performance.now() - this.sentAtMs) * 1000, this.windowLength);
    const first = this.next - this.windowLength;
    const half = Math.floor(this.requests.length / 2);
    for (let index = 0; index < this.windowLength; index++) {
      if (this.outcomes[this.setsUnderWay + index] === 1) {
        this.hits++;
        if (first + index >= half) this.hitsSecondHalf++;
      } else {
        this.missed[this.missedLength++] = this.window[index];
      }
    }
    return true;
  }
}
