/**
 * What goes over the connections of a library, read by parsers that share no code with it: each request with its reply, first in, first
 * out, and which attempts were made for each call. application.ts shows it every byte; judge.ts asks what became of a call on the wire.
 * Guarded: a request counts as sent once its bytes were handed to a socket, whatever happens to the socket.
 */
import { type Reply, ReplyReader } from '../../../src/sim/replies.js';
import { readRequest } from '../../client/virtual-connector.js';

/** How a request of a call may be repeated, in the words of src/client/call.ts; a raw one is not even repeated when a node is busy. */
export type Repeat = 'read' | 'idempotent' | 'once' | 'raw';

export interface Attempt {
  atMs: number;
  words: readonly string[];
  /** Null: none came. */
  reply: Reply | null;
  /** The node ended the connection before it replied. */
  dropped: boolean;
}

interface Line {
  reader: ReplyReader;
  waiting: Attempt[];
}

const SENDS_MAX = 2;
/** Errors that promise that the node did nothing and another may. */
const ELSEWHERE = /^(?:LOADING|CLOCKDRIFT|ERR (?:CLUSTERDOWN|TRYAGAIN|MASTERDOWN)|CLUSTERDOWN|TRYAGAIN|MASTERDOWN)\b/;
const MARK = /#(\d+)#/;

export class Wire {
  readonly wrong: string[] = [];
  /** Most requests without a reply that one connection had. */
  waitingMost = 0;
  private readonly lines = new Map<number, Line>();
  private readonly attempts = new Map<number, Attempt[]>();
  private readonly repeats = new Map<number, Repeat>();

  /** A call is about to be made under this mark, which its request bears. */
  expect(mark: number, repeat: Repeat): void {
    this.repeats.set(mark, repeat);
  }

  attemptsOf(mark: number): readonly Attempt[] {
    return this.attempts.get(mark) ?? [];
  }

  sent(line: number, bytes: Buffer, atMs: number): void {
    let known = this.lines.get(line);
    if (known === undefined) {
      known = { reader: new ReplyReader(), waiting: [] };
      this.lines.set(line, known);
    }
    let rest = bytes;
    while (rest.length > 0) {
      const request = readRequest(rest);
      if (request === null) {
        this.wrong.push(`wire: a write ends within a request: ${rest.toString('latin1').slice(0, 80)}`);
        return;
      }
      rest = rest.subarray(request.bytes);
      const attempt: Attempt = {
        atMs,
        words: request.words.map((word) => word.toString('latin1')),
        reply: null,
        dropped: false,
      };
      known.waiting.push(attempt);
      for (const mark of marksOf(attempt.words)) this.note(mark, attempt);
    }
    this.waitingMost = Math.max(this.waitingMost, known.waiting.length);
  }

  received(line: number, bytes: Buffer): void {
    const known = this.lines.get(line);
    if (known === undefined) return;
    known.reader.feed(bytes);
    for (let reply = known.reader.next(); reply !== null; reply = known.reader.next()) {
      const attempt = known.waiting.shift();
      if (attempt === undefined) this.wrong.push('wire: a reply to no request');
      else attempt.reply = reply;
    }
    if (known.reader.broken !== null) this.wrong.push(`wire: no RESP: ${known.reader.broken}`);
  }

  /** `theirs`: the library has not ended it. */
  closed(line: number, theirs: boolean): void {
    if (theirs) for (const attempt of this.lines.get(line)?.waiting ?? []) attempt.dropped = true;
    this.lines.delete(line);
  }

  private note(mark: number, attempt: Attempt): void {
    const earlier = this.attempts.get(mark) ?? [];
    this.attempts.set(mark, earlier);
    const repeat = this.repeats.get(mark) ?? 'raw';
    const open = earlier.filter(({ reply }) => !isRefusal(reply, repeat !== 'raw'));
    const most = repeat === 'idempotent' && open.every(({ dropped }) => dropped) ? SENDS_MAX : 1;
    earlier.push(attempt);
    if (open.length >= most) this.wrong.push(`twice: ${attempt.words.join(' ')}: ${open.length} before it may yet run`);
  }
}

/** Nothing was done: the reply promises it. */
export function isRefusal(reply: Reply | null, busyToo = true): boolean {
  return reply?.type === 'error' && (ELSEWHERE.test(reply.text) || (busyToo && reply.text.startsWith('BUSY ')));
}

/** The marks in a request: of INCRBY its amount, else what stands between # in its words. */
function marksOf(words: readonly string[]): number[] {
  if (words[0] === 'INCRBY') return [Number(words[2])];
  const marks: number[] = [];
  for (const word of words) {
    const mark = MARK.exec(word);
    if (mark !== null) marks.push(Number(mark[1]));
  }
  return marks;
}
