/**
 * Requests as bytes, laid out once: what changes from one to the next is the digits of its keys. The load generator fills a
 * buffer per connection and sends it; nothing is allocated per request.
 * Guarded: all requests of one kind have one length; equal seeds give equal requests.
 */
import { Draws } from '../chaos/draws.js';
import { KEY_DIGITS, type LoadSpec, MIXED_SET_EVERY, MSET_KEYS } from './load-spec.js';

interface Template {
  readonly bytes: Buffer;
  /** Where the digits of each key begin. */
  readonly keyAt: readonly number[];
}

const DIGITS = '0'.repeat(KEY_DIGITS);
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

export class RequestWriter {
  private readonly draws: Draws;
  private readonly write: Template;
  private readonly read: Template | null;
  private nextKey: number;

  constructor(private readonly spec: LoadSpec) {
    this.draws = new Draws(spec.seed);
    this.nextKey = spec.sequentialFrom ?? 0;
    const { operation } = spec;
    const value = incompressible(spec.valueBytes, spec.seed);
    this.write = operation === 'get' ? getTemplate() : writeTemplate(spec, value);
    this.read = operation === 'mixed' ? getTemplate() : null;
  }

  /** Bytes that `count` requests take at most. */
  bytesMax(count: number): number {
    return count * Math.max(this.write.bytes.length, this.read?.bytes.length ?? 0);
  }

  /** Puts `count` requests into `target` from its beginning; returns where they end. */
  fill(target: Buffer, count: number): number {
    let at = 0;
    for (let index = 0; index < count; index++) {
      const template = this.read !== null && this.draws.below(MIXED_SET_EVERY) !== 0 ? this.read : this.write;
      template.bytes.copy(target, at);
      for (const keyAt of template.keyAt) writeDigits(target, at + keyAt, this.key());
      at += template.bytes.length;
    }
    return at;
  }

  private key(): number {
    if (this.spec.sequentialFrom === null) return this.draws.below(this.spec.keys);
    const key = this.nextKey++;
    if (this.nextKey >= this.spec.keys) this.nextKey = this.spec.sequentialFrom;
    return key;
  }
}

/** Text that no compression makes shorter; the same for equal seeds. */
export function incompressible(bytes: number, seed: number): string {
  const draws = new Draws(seed ^ 0x5eed);
  return Array.from({ length: bytes }, () => LETTERS[draws.below(LETTERS.length)]).join('');
}

export function writeDigits(target: Buffer, at: number, value: number): void {
  let left = value;
  for (let digit = at + KEY_DIGITS - 1; digit >= at; digit--) {
    const next = Math.floor(left / 10);
    target[digit] = 48 + left - next * 10;
    left = next;
  }
}

function getTemplate(): Template {
  return templateOf(['GET', `key:${DIGITS}`]);
}

function writeTemplate({ operation, ttlSeconds }: LoadSpec, value: string): Template {
  if (operation === 'incr') return templateOf(['INCR', `counter:${DIGITS}`]);
  if (operation === 'mset') {
    return templateOf(['MSET', ...Array.from({ length: MSET_KEYS }, () => [`key:${DIGITS}`, value]).flat()]);
  }
  const wait = operation === 'set-wait' ? templateOf(['WAIT', '1', '0']).bytes : Buffer.alloc(0);
  const set = templateOf(['SET', `key:${DIGITS}`, value, ...(ttlSeconds > 0 ? ['EX', String(ttlSeconds)] : [])]);
  return { ...set, bytes: Buffer.concat([set.bytes, wait]) };
}

function templateOf(words: readonly string[]): Template {
  let text = `*${words.length}\r\n`;
  const keyAt: number[] = [];
  for (const word of words) {
    text += `$${word.length}\r\n`;
    if (word.endsWith(DIGITS)) keyAt.push(text.length + word.length - KEY_DIGITS);
    text += `${word}\r\n`;
  }
  return { bytes: Buffer.from(text, 'latin1'), keyAt };
}
