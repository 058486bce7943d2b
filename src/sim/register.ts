/**
 * The ledger of values: SET, GET, DEL, expiry and FLUSHALL on keys that hold one value each. run.ts keeps one; history.ts knows the
 * order of versions as far as it is certain and checkers.ts what follows from it. Guarded: a read is judged by what was known when it began.
 */
import { checkFinal, checkRead } from './checkers.js';
import { History, type HistoryOptions, type Observed, type Operation, parseCommand } from './history.js';
import type { Asked, Ended, Ledger, Question } from './ledger.js';
import type { Reply } from './replies.js';

const COMMANDS = new Set(['SET', 'MSET', 'GET', 'MGET', 'DEL', 'FLUSHALL', 'PEXPIRE', 'PERSIST']);

export class Register implements Ledger {
  readonly history: History;
  private readonly open = new Map<number, Operation[]>();

  constructor(options: HistoryOptions) {
    this.history = new History(options);
  }

  takes(words: readonly string[]): boolean {
    return COMMANDS.has(words[0]);
  }

  begin({ number, words, plan, observed, strayed }: Asked): void {
    this.open.set(number, this.history.begin(number, words, plan, observed, strayed));
  }

  end({ number, outcome, reply, observed }: Ended): readonly string[] {
    const lines: string[] = [];
    for (const [place, operation] of (this.open.get(number) ?? []).entries()) {
      const own = reply?.type === 'array' ? (reply.items[place] ?? null) : reply;
      this.history.end(operation, outcome, own, observed);
      const wrong = outcome === 'ok' ? this.judge(operation, own, observed) : null;
      if (wrong !== null) lines.push(wrong);
    }
    this.open.delete(number);
    return lines;
  }

  damaged(node: number, nowMs: number): void {
    this.history.damaged(node, nowMs);
  }

  restarted(wallHighMs: number): void {
    this.history.restarted(wallHighMs);
  }

  /** A flush is an operation of its own here. */
  flushed(): void {}

  questions(): readonly Question[] {
    return [...this.history.byKey.keys()].sort().map((key) => ({ key, words: ['GET', key], types: ['bulk', 'null'] }));
  }

  checkFinal(key: string, reply: Reply | null, wallHighMs: number): string | null {
    return checkFinal(this.history, key, reply?.type === 'bulk' ? reply.text : null, wallHighMs);
  }

  private judge(operation: Operation, reply: Reply | null, observed: Observed): string | null {
    const { history } = this;
    if (operation.kind !== 'read' || (reply?.type !== 'bulk' && reply?.type !== 'null')) return null;
    const value = reply.type === 'bulk' ? reply.text : null;
    const wrong = checkRead(history, operation, value, observed.wallHighMs);
    const write = value === null ? undefined : history.byValue.get(value);
    if (write !== undefined && operation.level === 'one' && operation.steady) history.sawAt(operation.node, write);
    return wrong;
  }
}

/** Whether these words write a value, so that their acknowledgement promises something. */
export function isWrite(words: readonly string[]): boolean {
  return COMMANDS.has(words[0]) && parseCommand(words).some(({ kind }) => kind === 'write');
}
