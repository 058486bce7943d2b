/**
 * How a worker of the checked load (load.ts) speaks to the cluster: through the client library, or by plain RESP to one node after the
 * other. Both say of a failed call whether anything was sent.
 * Guarded: a RESP worker changes its node only behind a pause, longer than clocks of one machine and one turn differ, so that the
 * later of two writes through different nodes has the later stamp.
 */
import { createClient, HearsayError } from '../../src/index.js';
import { NoAnswer } from '../trials/connection.js';
import type { Doors } from '../trials/doors.js';
import type { Draws } from './draws.js';

export interface Door {
  /** The reply; rejects for an error reply, too. */
  call(words: readonly string[]): Promise<unknown>;
  /** Whether a call that failed had sent nothing. */
  wasUnsent(error: unknown): boolean;
  /** The name that a call was refused by; null for one that had no answer. */
  refusalOf(error: unknown): string | null;
}

/** What the client library says when no node has said anything. */
const NO_ANSWER: readonly string[] = ['CLOSED', 'TIMEOUT'];

export class ClientDoor implements Door {
  private readonly client: ReturnType<typeof createClient>;

  constructor(servers: readonly string[], level: 'one' | 'quorum', timeoutMs: number) {
    this.client = createClient({
      servers,
      consistency: level,
      requestTimeout: timeoutMs,
      onError: 'throw',
      name: 'chaos',
    });
  }

  call(words: readonly string[]): Promise<unknown> {
    const [name, ...rest] = words;
    return this.client.command(name, ...rest);
  }

  wasUnsent(error: unknown): boolean {
    return (error as Error).message.endsWith('nothing was sent');
  }

  refusalOf(error: unknown): string | null {
    return error instanceof HearsayError && !NO_ANSWER.includes(error.code) ? error.code : null;
  }

  close(): Promise<void> {
    return this.client.close();
  }
}

const CALLS_PER_NODE = 60;
const CHANGE_PAUSE_MS = 20;

export class RespDoor implements Door {
  private port: number;
  private calls = 0;

  constructor(
    private readonly doors: Doors,
    private readonly ports: readonly number[],
    private readonly draws: Draws,
  ) {
    this.port = this.draw();
  }

  async call(words: readonly string[]): Promise<unknown> {
    if (++this.calls >= CALLS_PER_NODE) await this.change();
    try {
      return await this.doors.call(this.port, ...words);
    } catch (error) {
      await this.change();
      throw error;
    }
  }

  wasUnsent(error: unknown): boolean {
    return error instanceof NoAnswer && !error.sent;
  }

  refusalOf(error: unknown): string | null {
    return error instanceof NoAnswer ? null : ((error as Error).message.match(/^[A-Z]+/)?.[0] ?? null);
  }

  private async change(): Promise<void> {
    this.calls = 0;
    this.port = this.draw();
    await new Promise((resolve) => setTimeout(resolve, CHANGE_PAUSE_MS));
  }

  private draw(): number {
    return this.ports[this.draws.below(this.ports.length)];
  }
}
