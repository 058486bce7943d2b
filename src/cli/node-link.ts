/**
 * A connection to one node for the verbs that move data: requests in order, replies as bytes. backup and restore hold one to each
 * node they speak to, by cluster-door.ts.
 * Guarded: every request is answered once, by its reply or by an error; a node that says nothing for `timeoutMs` while one waits
 * is given up with all that wait.
 */
import { connect, type Socket } from 'node:net';
import { encodeCommand } from '../client/command-bytes.js';
import { type Reply, ReplyParser } from '../client/reply-parser.js';
import { HearsayError } from '../core/base/errors.js';
import { gossipPortHint } from './gossip-port.js';

interface Waiting {
  resolve(reply: Reply): void;
  reject(error: HearsayError): void;
}

export interface NodeLinkOptions {
  host: string;
  port: number;
  /** Whether a person has named this node: when nobody is there, the error says what can be done. */
  isContact?: boolean;
  password: string | null;
  timeoutMs: number;
}

export class NodeLink {
  private readonly parser = new ReplyParser();
  private readonly replies: Reply[] = [];
  private waiting: Waiting[] = [];
  private failure: HearsayError | null = null;

  private constructor(
    private readonly socket: Socket,
    private readonly options: NodeLinkOptions,
  ) {
    socket.setNoDelay(true);
    socket.on('timeout', () => this.fail(`gave no answer in ${options.timeoutMs / 1000} s`));
    socket.on('error', (error) => this.fail(options.isContact ? whyUnreachable(error, '--host') : error.message));
    socket.on('close', () => this.fail('closed the connection'));
    socket.on('data', (bytes: Buffer) => this.arrived(bytes));
  }

  /** Connects and authenticates. Throws UNAVAILABLE when the node cannot be reached, or what it says to the password. */
  static async open(options: NodeLinkOptions): Promise<NodeLink> {
    const link = new NodeLink(connect({ host: options.host, port: options.port }), options);
    try {
      if (options.password === null) await link.request('PING');
      else await link.request('AUTH', options.password);
      return link;
    } catch (error) {
      const { isContact, host, port } = options;
      const unanswered = isContact === true && link.failure !== null;
      link.close();
      const hint = unanswered ? await gossipPortHint(host, port) : '';
      throw hint === '' ? error : new HearsayError('UNAVAILABLE', `${host}:${port}: ${hint}`);
    }
  }

  get usable(): boolean {
    return this.failure === null;
  }

  /** One command; an error reply rejects with its code. */
  request(...words: (string | Uint8Array)[]): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (this.failure !== null) {
        reject(this.failure);
        return;
      }
      if (this.waiting.length === 0) this.socket.setTimeout(this.options.timeoutMs);
      this.waiting.push({ resolve, reject });
      this.socket.write(encodeCommand(words));
    });
  }

  close(): void {
    this.fail('was let go');
  }

  private arrived(bytes: Buffer): void {
    const broken = this.parser.feed(bytes, 0, bytes.length, this.replies);
    for (const reply of this.replies.splice(0)) {
      const next = this.waiting.shift();
      if (next === undefined) this.fail('sent a reply to no request');
      else if (reply instanceof HearsayError) next.reject(reply);
      else next.resolve(reply);
    }
    if (this.waiting.length === 0) this.socket.setTimeout(0);
    if (broken !== null) this.fail(broken.message);
  }

  private fail(why: string): void {
    if (this.failure !== null) return;
    this.failure = new HearsayError('UNAVAILABLE', `${this.options.host}:${this.options.port}: ${why}`);
    this.socket.destroy();
    for (const { reject } of this.waiting.splice(0)) reject(this.failure);
  }
}

/** Why a node that a person has named was not reached, and what to do about it; `hostFlag` names its address. */
export function whyUnreachable(error: NodeJS.ErrnoException, hostFlag: string): string {
  if (error.code === 'ECONNREFUSED') {
    return `no node listens there (${error.code}): start one with hearsay serve or hearsay cluster, or name another with --port or ${hostFlag}`;
  }
  if (error.code === 'ENOTFOUND' || error.code === 'EAI_AGAIN') {
    return `the name is not known here (${error.code}): see ${hostFlag}`;
  }
  return error.message;
}
