/**
 * The ledger of values: SET, GET, DEL, expiry and FLUSHALL on keys that hold one value each. run.ts keeps one; history.ts knows the
 * order of versions as far as it is certain and checkers.ts what follows from it. Guarded: a read is judged by what was known when it began.
 */
import { checkEndless, checkFinal, checkRead, checkTold } from './checkers.js';
import { History, type HistoryOptions, type Observed, type Operation } from './history.js';
import type { Asked, Ended, Ledger, Question } from './ledger.js';
import { isParsed, parseCommand } from './parse.js';
import { misshapen, type Reply, textOf } from './replies.js';

/** They change nothing and read no value. */
const ABOUT = new Set(['PTTL', 'WAIT', 'WAITAOF']);

export class Register implements Ledger {
  readonly history: History;
  private readonly open = new Map<number, { asked: Asked; operations: Operation[] }>();
  /** Per client: what was acknowledged on its connection, for WAIT to speak of. */
  private readonly written = new Map<number, { connection: number; operations: Operation[] }>();

  constructor(options: HistoryOptions) {
    this.history = new History(options);
  }

  takes(words: readonly string[]): boolean {
    return isParsed(words) || ABOUT.has(words[0]);
  }

  begin(asked: Asked): void {
    const { number, words, plan, observed, strayed } = asked;
    const operations = ABOUT.has(words[0]) ? [] : this.history.begin(number, words, plan, observed, strayed);
    this.open.set(number, { asked, operations });
  }

  end({ number, outcome, reply, observed }: Ended): readonly string[] {
    const open = this.open.get(number);
    this.open.delete(number);
    if (open === undefined) return [];
    const { asked, operations } = open;
    if (operations.length === 0) return outcome === 'ok' ? this.endAbout(asked, reply) : [];
    const lines: string[] = [];
    for (const [place, operation] of operations.entries()) {
      const own = reply?.type === 'array' ? (reply.items[place] ?? null) : reply;
      this.history.end(operation, outcome, own, observed);
      const wrong = outcome === 'ok' ? this.judge(operation, own, observed) : null;
      if (wrong !== null) lines.push(wrong);
      if (operation.outcome === 'ok') this.noteWritten(asked, operation);
    }
    return lines;
  }

  damaged(node: number, nowMs: number, keepsSynced: boolean): void {
    this.history.damaged(node, nowMs, keepsSynced);
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
    return checkFinal(this.history, key, textOf(reply), wallHighMs);
  }

  private judge(operation: Operation, reply: Reply | null, observed: Observed): string | null {
    const { history } = this;
    if (operation.tells && reply?.type === 'bulk') return checkTold(history, operation, reply.text);
    if (operation.kind !== 'read' || (reply?.type !== 'bulk' && reply?.type !== 'null')) return null;
    const value = textOf(reply);
    const wrong = checkRead(history, operation, value, observed.wallHighMs);
    const write = value === null ? undefined : history.byValue.get(value);
    if (write !== undefined && operation.level === 'one' && operation.steady) history.sawAt(operation.node, write);
    return wrong;
  }

  /** PTTL, and what WAIT and WAITAOF say of the writes before them on their connection. */
  private endAbout({ client, connection, words }: Asked, reply: Reply | null): readonly string[] {
    const figures = reply?.type === 'array' ? reply.items : [reply];
    const [first, last] = [figures[0], figures.at(-1)];
    if (first?.type !== 'integer' || last?.type !== 'integer' || figures.length !== (words[0] === 'WAITAOF' ? 2 : 1)) {
      return [misshapen(words[0], reply)];
    }
    if (words[0] === 'PTTL') {
      const wrong = first.value === -1 ? checkEndless(this.history, words[1]) : null;
      return wrong === null ? [] : [wrong];
    }
    const written = this.written.get(client);
    if (written === undefined || written.connection !== connection) return [];
    const onDisk = words[0] === 'WAITAOF' ? first.value + last.value : 0;
    for (const operation of written.operations) this.history.spread(operation, last.value, onDisk);
    // A coordinator that is gone is asked once: what went through another node is not in later answers.
    if (last.value === 0) written.operations = written.operations.filter(({ steady }) => steady);
    return [];
  }

  private noteWritten({ client, connection = 0 }: Asked, operation: Operation): void {
    if (operation.key === null || (operation.kind !== 'write' && operation.kind !== 'erase')) return;
    const written = this.written.get(client);
    if (written?.connection === connection) written.operations.push(operation);
    else this.written.set(client, { connection, operations: [operation] });
  }
}

/** Whether these words write a value, so that their acknowledgement promises something. */
export function isWrite(words: readonly string[]): boolean {
  return isParsed(words) && parseCommand(words).some(({ kind }) => kind === 'write');
}
