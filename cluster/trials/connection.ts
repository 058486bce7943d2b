/**
 * One connection to one node, which never follows the slot map: commands in order, replies matched first in, first out. Loads, fills
 * and trials that must speak to one side of a partition send through it.
 * Guarded: each call settles once; a call that does not answer in time breaks the connection and with it all that wait, since what
 * comes late would be matched to another; a failure says whether anything was sent.
 */
import { connect, type Socket } from 'node:net';
import { encodeCommand } from '../../src/client/command-bytes.js';
import { type Reply, ReplyParser } from '../../src/client/reply-parser.js';

export type Level = 'one' | 'quorum' | 'all';

const HOST = '127.0.0.1';

/** A call without an answer. */
export class NoAnswer extends Error {
  constructor(
    message: string,
    readonly sent: boolean,
  ) {
    super(message);
    this.name = 'NoAnswer';
  }
}

interface Waiting {
  resolve(reply: Reply): void;
  reject(error: Error): void;
  readonly deadlineMs: number;
}

export class NodeConnection {
  private readonly parser = new ReplyParser();
  private readonly replies: Reply[] = [];
  private waiting: Waiting[] = [];
  private oldest = 0;
  private outbox: Buffer[] = [];
  private failure: Error | null = null;
  private readonly timer: NodeJS.Timeout;

  private constructor(
    private readonly socket: Socket,
    private readonly timeoutMs: number,
  ) {
    socket.setNoDelay(true);
    socket.on('error', (error) => this.fail(error));
    socket.on('close', () => this.fail(new Error('the node closed the connection')));
    socket.on('data', (bytes: Buffer) => this.bytes(bytes));
    this.timer = setInterval(() => this.watch(), Math.max(5, timeoutMs / 20));
    this.timer.unref();
  }

  /** Resolves when the node answers at this level for reads and writes; rejects with NoAnswer of nothing sent. */
  static async open(port: number, level: Level, timeoutMs: number): Promise<NodeConnection> {
    const connection = new NodeConnection(connect({ host: HOST, port }), timeoutMs);
    const word = level.toUpperCase();
    try {
      await connection.call('HEARSAY.CONSISTENCY', 'READ', word, 'WRITE', word);
    } catch (error) {
      connection.close();
      throw new NoAnswer((error as Error).message, false);
    }
    return connection;
  }

  get pending(): number {
    return this.waiting.length - this.oldest;
  }

  get broken(): boolean {
    return this.failure !== null;
  }

  /** The reply; an error reply rejects as itself, anything else as NoAnswer. */
  call(...words: string[]): Promise<Reply> {
    if (this.failure !== null) return Promise.reject(new NoAnswer(this.failure.message, false));
    if (this.outbox.length === 0) queueMicrotask(() => this.flush());
    this.outbox.push(encodeCommand(words));
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject, deadlineMs: performance.now() + this.timeoutMs });
    });
  }

  close(): void {
    this.fail(new Error('closed'));
  }

  private flush(): void {
    const out = this.outbox;
    this.outbox = [];
    if (this.failure === null) this.socket.write(out.length === 1 ? out[0] : Buffer.concat(out));
  }

  private bytes(bytes: Buffer): void {
    const refusal = this.parser.feed(bytes, 0, bytes.length, this.replies);
    for (const reply of this.replies) this.settle(reply);
    this.replies.length = 0;
    if (refusal !== null) this.fail(refusal);
  }

  private settle(reply: Reply): void {
    const call = this.waiting[this.oldest];
    if (call === undefined) return;
    this.oldest++;
    if (this.oldest === this.waiting.length || this.oldest >= 4096) {
      this.waiting = this.waiting.slice(this.oldest);
      this.oldest = 0;
    }
    if (reply instanceof Error) call.reject(reply);
    else call.resolve(reply);
  }

  private watch(): void {
    const call = this.waiting[this.oldest];
    if (call !== undefined && performance.now() > call.deadlineMs) {
      this.fail(new Error(`no answer within ${this.timeoutMs} ms`));
    }
  }

  private fail(error: Error): void {
    if (this.failure !== null) return;
    this.failure = error;
    clearInterval(this.timer);
    this.socket.destroy();
    const lost = this.waiting.slice(this.oldest);
    this.waiting = [];
    this.oldest = 0;
    for (const call of lost) call.reject(new NoAnswer(error.message, true));
  }
}
