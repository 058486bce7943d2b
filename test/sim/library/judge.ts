/**
 * What a client library promises, held against every call of a run: work.ts makes its calls through `watch`, which says how each ended and
 * notes what was wrong with that. Guarded: a call is judged by the clock, by what it says of itself and by what went over the wire, never
 * by what the library counts.
 */
import { getEventListeners } from 'node:events';
import { HearsayError } from '../../../src/core/base/errors.js';
import type { Application } from './application.js';
import { isRefusal, type Repeat } from './wire.js';

/** A call as it is made. */
export interface Asked {
  what: string;
  repeat: Repeat;
  /** What stands in its requests; none for reads. */
  marks: readonly number[];
  timeoutMs: number;
  signal?: AbortSignal;
}

export type Outcome<T> = { done: true; value: T } | { done: false; error: unknown; isOpen: boolean };

interface Call extends Asked {
  application: Application;
  startedMs: number;
  stoodStillMs: number;
}

/** A turn of the process, and the grain of a timer set anew at half time. */
const GRACE_MS = 2;
/** A call that has less left than this is not worth another try when nodes are busy (BUSY_WAIT of src/client/dispatcher.ts). */
const BUSY_LEFT_MS = 10;
/** What a node or the library may answer to a call that is well formed. */
const CODES = new Set(['TIMEOUT', 'CLOSED', 'UNAVAILABLE', 'BUSY', 'LOADING', 'NOQUORUM', 'SESSION', 'CLOCKDRIFT']);
const SENT_NOTHING = 'nothing was sent';
const VIOLATIONS_MAX = 20;

export class Judge {
  readonly violations: string[] = [];
  readonly marks: Record<string, number> = {};
  /** Calls without an end. */
  readonly open = new Set<Call>();
  private nextMark = 1;

  mark(name: string, count = 1): void {
    this.marks[name] = (this.marks[name] ?? 0) + count;
  }

  violate(line: string): void {
    if (this.violations.length < VIOLATIONS_MAX) this.violations.push(line);
  }

  newMark(): number {
    return this.nextMark++;
  }

  /** Makes a call and tells how it ended. Never rejects. */
  async watch<T>(application: Application, asked: Asked, make: () => Promise<T>): Promise<Outcome<T>> {
    const call: Call = {
      ...asked,
      application,
      startedMs: application.nowMs(),
      stoodStillMs: application.stoodStillMs,
    };
    for (const mark of asked.marks) application.wire.expect(mark, asked.repeat);
    this.open.add(call);
    try {
      const value = await make();
      this.ended(call);
      this.mark('calls done');
      if (asked.signal?.aborted) this.mark('calls done before their abort was heard of');
      return { done: true, value };
    } catch (error) {
      this.ended(call);
      return { done: false, error, isOpen: this.judgeFailure(call, error) };
    }
  }

  private ended(call: Call): void {
    this.open.delete(call);
    const { application, signal } = call;
    const tookMs = application.nowMs() - call.startedMs;
    const stoodStillMs = application.stoodStillMs - call.stoodStillMs;
    if (tookMs > call.timeoutMs + stoodStillMs + GRACE_MS) this.complain(call, `took ${tookMs} ms`);
    if (signal !== undefined && getEventListeners(signal, 'abort').length > 0) this.complain(call, 'left a listener');
  }

  /** Whether a write that failed so may have run. */
  private judgeFailure(call: Call, error: unknown): boolean {
    const { application, signal } = call;
    const attempts = call.marks.flatMap((mark) => application.wire.attemptsOf(mark));
    const open = attempts.filter(({ reply }) => !isRefusal(reply));
    if (signal?.aborted) {
      this.mark('calls aborted');
      if (error !== signal.reason) this.complain(call, `was aborted and rejects with ${error}`);
      return open.length > 0;
    }
    if (!(error instanceof HearsayError)) {
      this.complain(call, `rejects with ${error instanceof Error ? error.stack : error}`);
      return true;
    }
    const { code, message } = error;
    this.mark(`error ${code}`);
    if (!CODES.has(code)) this.complain(call, `${code} ${message}`);
    const isOurs = !attempts.some(({ reply }) => reply?.type === 'error' && reply.text.includes(message));
    const isDeadline = code === 'TIMEOUT' && message.includes('no answer within');
    const leftMs = call.timeoutMs - (application.nowMs() - call.startedMs);
    if (isDeadline && leftMs > 1e-6) this.complain(call, `TIMEOUT with ${leftMs} ms left`);
    if (
      code === 'BUSY' &&
      call.repeat !== 'raw' &&
      !/under way|too much is queued/.test(message) &&
      leftMs > BUSY_LEFT_MS
    )
      this.complain(call, `BUSY with ${leftMs} ms left: ${message}`);
    if (message.includes(SENT_NOTHING) && open.length > 0 && call.marks.length === 1)
      this.complain(call, `says that ${SENT_NOTHING} after ${open.length} requests: ${code} ${message}`);
    if (call.repeat !== 'read' && (code === 'TIMEOUT' || code === 'CLOSED') && isOurs) {
      const says = message.includes(SENT_NOTHING) || message.includes('may have been applied');
      if (!says) this.complain(call, `does not say what became of it: ${code} ${message}`);
    }
    return open.length > 0;
  }

  private complain({ what, startedMs, timeoutMs }: Call, line: string): void {
    this.violate(`call: ${what}, made at ${startedMs} with ${timeoutMs} ms: ${line}`);
  }
}
