/**
 * The load generator, in a process of its own: `hearsay bench-child load SPEC` runs it and prints its result as one line of JSON.
 * It does what redis-benchmark can not: a mixed load, p99.9, and an open loop, in which requests start at a rate whether or not
 * earlier ones are answered, and latency counts from when a request was due (no coordinated omission).
 * Guarded: it ends at its time limit; requests under way are bounded; a closed loop allocates nothing per request.
 */
import { writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { LatencyHistogram } from './histogram.js';
import { type LoadResult, type LoadSpec, repliesPerRequest } from './load-spec.js';
import { ReplyCounter } from './reply-counter.js';
import { RequestWriter } from './requests.js';

const HOST = '127.0.0.1';
const READ_BYTES = 256 * 1024;
/** Requests of an open loop that one connection has under way at most; those that are due then wait, and it counts. */
const UNDER_WAY_MAX = 4096;
const SAMPLES_MAX = 8_000_000;
const ANSWER_LIMIT_MS = 30_000;

/** What connections of one load share. */
interface Tally {
  readonly spec: LoadSpec;
  readonly writer: RequestWriter;
  readonly histogram: LatencyHistogram;
  readonly samples: Float32Array | null;
  /** When the first request left, by both clocks. */
  startedMs: number;
  startedAtMs: number;
  sent: number;
  answered: number;
}

class LoadConnection {
  readonly counter = new ReplyCounter();
  underWay = 0;
  private readonly bytes: Buffer;
  private sentAtMs = 0;
  /** Open loop: when each request under way was due; a ring. */
  private readonly dueMs: Float64Array;
  private first = 0;
  private readonly repliesEach: number;
  /** Replies to a request that has not all of them yet. */
  private replies = 0;

  constructor(
    private readonly socket: Socket,
    private readonly tally: Tally,
  ) {
    const { spec, writer } = tally;
    this.repliesEach = repliesPerRequest(spec.operation);
    this.bytes = Buffer.alloc(writer.bytesMax(spec.pipeline));
    this.dueMs = new Float64Array(spec.ratePerSecond > 0 ? UNDER_WAY_MAX : 0);
  }

  get full(): boolean {
    return this.underWay >= UNDER_WAY_MAX;
  }

  /** Closed loop: the next batch, from the buffer whose last batch was answered. */
  sendBatch(): boolean {
    const { tally } = this;
    const { spec } = tally;
    const count = Math.min(spec.pipeline, spec.requests - tally.sent);
    if (count <= 0) return false;
    tally.sent += count;
    this.underWay = count;
    const length = tally.writer.fill(this.bytes, count);
    this.sentAtMs = performance.now();
    this.socket.write(length === this.bytes.length ? this.bytes : this.bytes.subarray(0, length));
    return true;
  }

  /** Open loop: one request that was due at this time. */
  sendDue(dueMs: number): void {
    const { writer } = this.tally;
    this.dueMs[(this.first + this.underWay++) % UNDER_WAY_MAX] = dueMs;
    this.tally.sent++;
    const request = Buffer.allocUnsafe(writer.bytesMax(1));
    this.socket.write(request.subarray(0, writer.fill(request, 1)));
  }

  /** Takes replies in; true when the batch is answered. */
  receive(bytes: Uint8Array, length: number): boolean {
    this.replies += this.counter.feed(bytes, length);
    const answered = Math.floor(this.replies / this.repliesEach);
    if (answered === 0) return false;
    this.replies -= answered * this.repliesEach;
    const { tally } = this;
    const nowMs = performance.now();
    if (tally.spec.ratePerSecond > 0) {
      for (let request = 0; request < answered; request++) this.note(nowMs);
    } else {
      tally.histogram.record((nowMs - this.sentAtMs) * 1000, answered);
    }
    tally.answered += answered;
    this.underWay -= answered;
    return this.underWay === 0;
  }

  close(): void {
    this.socket.destroy();
  }

  private note(nowMs: number): void {
    const { tally } = this;
    const dueMs = this.dueMs[this.first % UNDER_WAY_MAX];
    this.first++;
    tally.histogram.record((nowMs - dueMs) * 1000);
    const at = tally.histogram.count * 2 - 2;
    if (tally.samples !== null && at < tally.samples.length) {
      tally.samples[at] = dueMs - tally.startedMs;
      tally.samples[at + 1] = nowMs - dueMs;
    }
  }
}

/** Runs a load to its end, or until `onStop` calls; rejects when a connection breaks or nothing is answered any more. */
export async function runLoad(spec: LoadSpec, onStop: (listener: () => void) => void): Promise<LoadResult> {
  const writer = new RequestWriter(spec);
  const tally: Tally = {
    spec,
    writer,
    histogram: new LatencyHistogram(),
    samples: spec.samplesFile === null ? null : new Float32Array(samplesFor(spec) * 2),
    startedMs: performance.now(),
    startedAtMs: Date.now(),
    sent: 0,
    answered: 0,
  };
  const connections: LoadConnection[] = [];
  try {
    await drive(tally, connections, onStop);
    const seconds = (performance.now() - tally.startedMs) / 1000;
    if (spec.samplesFile !== null && tally.samples !== null) {
      writeFileSync(spec.samplesFile, tally.samples.subarray(0, tally.histogram.count * 2));
    }
    const counters = connections.map((connection) => connection.counter);
    return {
      requests: tally.answered,
      seconds,
      operationsPerSecond: tally.answered / seconds,
      ...tally.histogram.summary(),
      errors: counters.reduce((sum, counter) => sum + counter.errors, 0),
      firstError: counters.find((counter) => counter.errors > 0)?.firstError ?? '',
      misses: counters.reduce((sum, counter) => sum + counter.misses, 0),
      startedAtMs: tally.startedAtMs,
    };
  } finally {
    for (const connection of connections) connection.close();
  }
}

function samplesFor(spec: LoadSpec): number {
  return Math.min(SAMPLES_MAX, Math.ceil((spec.ratePerSecond * spec.durationMs) / 1000) + 1);
}

async function drive(
  tally: Tally,
  connections: LoadConnection[],
  onStop: (listener: () => void) => void,
): Promise<void> {
  const { spec } = tally;
  await new Promise<void>((resolve, reject) => {
    let over = false;
    const end = (error: Error | null): void => {
      over = true;
      clearTimeout(timer);
      clearTimeout(patience);
      if (error === null) resolve();
      else reject(error);
    };
    const answered = (): boolean => tally.answered >= tally.sent;
    let patience: NodeJS.Timeout | undefined;
    const finish = (): void => {
      if (over) return;
      over = true;
      if (answered()) end(null);
      else patience = setTimeout(() => end(new Error('requests were not answered in time')), ANSWER_LIMIT_MS);
    };
    const timer = setTimeout(finish, spec.durationMs);
    onStop(finish);
    const batchAnswered = (connection: LoadConnection): void => {
      if (spec.ratePerSecond > 0 || over || !connection.sendBatch()) {
        if ((over || tally.sent >= spec.requests) && answered()) end(null);
      }
    };
    let open = 0;
    const opened = (): void => {
      if (++open < spec.connections) return;
      tally.startedMs = performance.now();
      tally.startedAtMs = Date.now();
      if (spec.ratePerSecond > 0) pace(tally, connections, () => over);
      else for (const connection of connections) connection.sendBatch();
    };
    for (let index = 0; index < spec.connections; index++) {
      connections.push(openConnection(tally, opened, batchAnswered, (error) => end(error)));
    }
  });
}

function openConnection(
  tally: Tally,
  opened: () => void,
  batchAnswered: (connection: LoadConnection) => void,
  failed: (error: Error) => void,
): LoadConnection {
  const socket = connect({
    host: HOST,
    port: tally.spec.port,
    noDelay: true,
    onread: {
      buffer: Buffer.allocUnsafe(READ_BYTES),
      callback: (length, bytes) => {
        try {
          if (connection.receive(bytes, length)) batchAnswered(connection);
        } catch (error) {
          failed(error as Error);
        }
        return true;
      },
    },
  });
  const connection = new LoadConnection(socket, tally);
  socket.on('connect', opened);
  socket.on('error', failed);
  socket.on('close', () => failed(new Error('the server closed a connection')));
  return connection;
}

/** Sends what is due, turn after turn of the event loop (a timer would be late by up to a millisecond), or sleeping. */
function pace(tally: Tally, connections: readonly LoadConnection[], over: () => boolean): void {
  const { spec } = tally;
  const intervalMs = 1000 / spec.ratePerSecond;
  let due = 0;
  let turn = 0;
  const next = (): void => {
    if (over()) return;
    const nowMs = performance.now();
    while (due * intervalMs <= nowMs - tally.startedMs && due < spec.requests) {
      const connection = connections[turn++ % connections.length];
      if (connection.full) break;
      connection.sendDue(spec.sleeps ? nowMs : tally.startedMs + due * intervalMs);
      due++;
    }
    if (due >= spec.requests) return;
    if (spec.sleeps) setTimeout(next, 1);
    else setImmediate(next);
  };
  next();
}
