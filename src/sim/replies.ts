/**
 * RESP replies as the simulator's client reads them: an incremental parser over pieces of any size.
 * client.ts feeds it and takes whole replies out. Guarded: bytes that are no RESP make `broken`, with the reason, and
 * nothing is guessed after that; this parser shares no code with the core, so a wrong encoder does not fit a wrong decoder.
 */
export type Reply =
  | { type: 'status'; text: string }
  | { type: 'error'; text: string }
  | { type: 'integer'; value: number }
  | { type: 'bulk'; text: string }
  | { type: 'null' }
  | { type: 'array'; items: Reply[] };

/** What a reply holds as a value; null for anything else. */
export function textOf(reply: Reply | null): string | null {
  return reply?.type === 'bulk' ? reply.text : null;
}

/** The line about a reply that its command never gives. */
export function misshapen(command: string, reply: Reply | null): string {
  return `reply: ${command} was answered ${JSON.stringify(reply).slice(0, 120)}`;
}

const INCOMPLETE = 'incomplete';
const DEPTH_MAX = 8;

export class ReplyReader {
  broken: string | null = null;
  private pending: Buffer = Buffer.alloc(0);
  private at = 0;

  feed(bytes: Uint8Array): void {
    this.pending = Buffer.concat([this.pending.subarray(this.at), bytes]);
    this.at = 0;
  }

  /** The next whole reply, or null. */
  next(): Reply | null {
    if (this.broken !== null || this.at >= this.pending.length) return null;
    const start = this.at;
    const reply = this.parse(0);
    if (typeof reply !== 'string') return reply;
    this.at = start;
    if (reply !== INCOMPLETE) this.broken = reply;
    return null;
  }

  /** A reply, or the word for why there is none. */
  private parse(depth: number): Reply | string {
    if (depth > DEPTH_MAX) return 'nested too deep';
    const lineEnd = this.pending.indexOf('\r\n', this.at);
    if (lineEnd < 0) return this.pending.length - this.at > 1_000 ? 'endless line' : INCOMPLETE;
    const kind = String.fromCharCode(this.pending[this.at]);
    const line = this.pending.toString('latin1', this.at + 1, lineEnd);
    this.at = lineEnd + 2;
    switch (kind) {
      case '+':
        return { type: 'status', text: line };
      case '-':
        return { type: 'error', text: line };
      case '#':
      case ',':
      case ':':
        return /^-?\d+$/.test(line) ? { type: 'integer', value: Number(line) } : { type: 'status', text: line };
      case '_':
        return { type: 'null' };
      case '$':
      case '=':
        return this.bulk(line);
      case '*':
      case '~':
        return this.items(line, 1, depth);
      case '%':
        return this.items(line, 2, depth);
      default:
        return `type byte ${JSON.stringify(kind)}`;
    }
  }

  private bulk(line: string): Reply | string {
    const length = Number(line);
    if (length === -1) return { type: 'null' };
    if (!/^\d+$/.test(line)) return `bulk length ${line}`;
    if (this.pending.length - this.at < length + 2) return INCOMPLETE;
    const text = this.pending.toString('latin1', this.at, this.at + length);
    if (this.pending[this.at + length] !== 13 || this.pending[this.at + length + 1] !== 10)
      return 'bulk without its end';
    this.at += length + 2;
    return { type: 'bulk', text };
  }

  private items(line: string, perEntry: number, depth: number): Reply | string {
    if (line === '-1') return { type: 'null' };
    if (!/^\d+$/.test(line)) return `array length ${line}`;
    const items: Reply[] = [];
    for (let left = Number(line) * perEntry; left > 0; left--) {
      if (this.at >= this.pending.length) return INCOMPLETE;
      const item = this.parse(depth + 1);
      if (typeof item === 'string') return item;
      items.push(item);
    }
    return { type: 'array', items };
  }
}

/** A command as an array of bulk strings. */
export function encodeCommand(words: readonly string[]): Buffer {
  let text = `*${words.length}\r\n`;
  for (const word of words) text += `$${Buffer.byteLength(word, 'latin1')}\r\n${word}\r\n`;
  return Buffer.from(text, 'latin1');
}
