/**
 * Reads from one node and no other: a connection that never follows the slot map, at level one, so that what it gives is
 * what this node itself would tell a client. Demonstrations and chaos runs check every node by it.
 * Guarded: an answer that does not come in time, or that is an error, rejects; values are decoded as the client does.
 */
import { connect, type Socket } from 'node:net';
import { encodeCommand } from '../src/client/command-bytes.js';
import { type Reply, ReplyParser } from '../src/client/reply-parser.js';
import { decodeValue } from '../src/client/values.js';

const KEYS_PER_COMMAND = 500;

export class DirectReader {
  private readonly parser = new ReplyParser();
  private readonly replies: Reply[] = [];
  private wake: (() => void) | null = null;
  private failure: Error | null = null;

  private constructor(
    private readonly socket: Socket,
    private readonly timeoutMs: number,
  ) {
    socket.setTimeout(timeoutMs, () => this.fail(new Error(`no answer within ${timeoutMs} ms`)));
    socket.on('error', (error) => this.fail(error));
    socket.on('close', () => this.fail(new Error('the node closed the connection')));
    socket.on('data', (bytes: Buffer) => {
      const refusal = this.parser.feed(bytes, 0, bytes.length, this.replies);
      if (refusal !== null) this.fail(refusal);
      this.wake?.();
    });
  }

  static async open(host: string, port: number, timeoutMs = 10_000): Promise<DirectReader> {
    const socket = connect({ host, port });
    const reader = new DirectReader(socket, timeoutMs);
    await reader.command('HEARSAY.CONSISTENCY', 'READ', 'ONE', 'WRITE', 'ONE');
    return reader;
  }

  /** The reply to one command; an error reply rejects. */
  async command(...words: string[]): Promise<Reply> {
    this.socket.setTimeout(this.timeoutMs);
    this.socket.write(encodeCommand(words));
    while (this.replies.length === 0) {
      if (this.failure !== null) throw this.failure;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    this.socket.setTimeout(0);
    const reply = this.replies.shift() as Reply;
    if (reply instanceof Error) throw reply;
    return reply;
  }

  /** Values in the order of the keys; undefined for none. */
  async values(keys: readonly string[]): Promise<unknown[]> {
    const values: unknown[] = [];
    for (let at = 0; at < keys.length; at += KEYS_PER_COMMAND) {
      const reply = await this.command('MGET', ...keys.slice(at, at + KEYS_PER_COMMAND));
      if (!Array.isArray(reply)) throw new Error('MGET answered no list');
      for (const item of reply) values.push(Buffer.isBuffer(item) ? decodeValue(item) : undefined);
    }
    return values;
  }

  close(): void {
    this.socket.destroy();
  }

  private fail(error: Error): void {
    this.failure ??= error;
    this.socket.destroy();
    this.wake?.();
  }
}
