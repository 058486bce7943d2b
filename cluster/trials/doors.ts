/**
 * The doors to some nodes: connections at one level, opened when needed and kept. A call takes one that is idle, so that a slow reply
 * holds up no other. Loads go through it.
 * Guarded: at most so many connections a node, past it calls queue on the least busy; what broke is replaced.
 */
import type { Reply } from '../../src/client/reply-parser.js';
import { type Level, NoAnswer, NodeConnection } from './connection.js';

const CONNECTIONS_PER_NODE_MAX = 24;

export class Doors {
  private readonly open = new Map<number, NodeConnection[]>();
  private readonly opening = new Map<number, Promise<NodeConnection>[]>();
  private closed = false;

  constructor(
    private readonly level: Level,
    private readonly timeoutMs: number,
  ) {}

  /** One command through the node that listens on `port`. */
  async call(port: number, ...words: string[]): Promise<Reply> {
    return (await this.connectionTo(port)).call(...words);
  }

  close(): void {
    this.closed = true;
    for (const connections of this.open.values()) for (const connection of connections) connection.close();
    this.open.clear();
  }

  private async connectionTo(port: number): Promise<NodeConnection> {
    const known = (this.open.get(port) ?? []).filter((connection) => !connection.broken);
    this.open.set(port, known);
    const idle = known.find((connection) => connection.pending === 0);
    if (idle !== undefined) return idle;
    const underWay = this.opening.get(port) ?? [];
    if (known.length + underWay.length < CONNECTIONS_PER_NODE_MAX) return this.connect(port);
    if (known.length === 0) return Promise.race(underWay);
    return known.reduce((best, connection) => (connection.pending < best.pending ? connection : best));
  }

  private connect(port: number): Promise<NodeConnection> {
    const connecting = this.openOne(port);
    const underWay = this.opening.get(port) ?? [];
    this.opening.set(port, [...underWay, connecting]);
    const over = (): void => {
      const left = (this.opening.get(port) ?? []).filter((other) => other !== connecting);
      this.opening.set(port, left);
    };
    connecting.then(over, over);
    return connecting;
  }

  private async openOne(port: number): Promise<NodeConnection> {
    const connection = await NodeConnection.open(port, this.level, this.timeoutMs);
    if (this.closed) {
      connection.close();
      throw new NoAnswer('closed', false);
    }
    this.open.get(port)?.push(connection);
    return connection;
  }
}
