/**
 * A sequence of keys to replay: from a file with one key a line, gzipped or not, or drawn by Zipf's law. Keys become numbers in the
 * order of their first appearance, so that every trace uses the same wire format.
 * Guarded: lines and distinct keys are bounded; a file that is damaged or empty is refused by name.
 */
import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import { createInterface } from 'node:readline';
import { createGunzip } from 'node:zlib';
import { Draws } from '../chaos/draws.js';
import { Zipf } from './zipf.js';

const REQUESTS_MAX = 50_000_000;
const FIRST_BYTES = 1_000_000;

export type TraceSource =
  | { readonly kind: 'file'; readonly path: string; readonly requestsMax: number | null }
  | {
      readonly kind: 'zipf';
      readonly alpha: number;
      readonly keys: number;
      readonly requests: number;
      readonly seed: number;
    };

export interface Trace {
  /** Numbers of keys, in the order of the requests. */
  readonly requests: Uint32Array;
  readonly distinct: number;
}

export function traceName(source: TraceSource): string {
  if (source.kind === 'file') return basename(source.path).replace(/(?:\.txt)?(?:\.gz)?$/, '');
  return `zipf ${source.alpha}`;
}

export async function loadTrace(source: TraceSource): Promise<Trace> {
  if (source.kind === 'file') return readTrace(source.path, source.requestsMax ?? REQUESTS_MAX);
  const zipf = new Zipf(source.alpha, source.keys, new Draws(source.seed));
  return numbered(Uint32Array.from({ length: source.requests }, () => zipf.key()));
}

/** Throws with the file's name when it can not be read. */
export async function readTrace(path: string, requestsMax: number): Promise<Trace> {
  const numbers = new Map<string, number>();
  let requests = new Uint32Array(FIRST_BYTES);
  let count = 0;
  const file = createReadStream(path);
  const unzipped = path.endsWith('.gz') ? file.pipe(createGunzip()) : file;
  try {
    const failed = new Promise<never>((_, reject) => {
      file.once('error', reject);
      unzipped.once('error', reject);
    });
    const reading = (async () => {
      for await (const line of createInterface({ input: unzipped, crlfDelay: Number.POSITIVE_INFINITY })) {
        if (line === '') continue;
        if (count >= Math.min(requestsMax, REQUESTS_MAX)) break;
        let number = numbers.get(line);
        if (number === undefined) {
          number = numbers.size;
          numbers.set(line, number);
        }
        if (count === requests.length) {
          const longer = new Uint32Array(requests.length * 2);
          longer.set(requests);
          requests = longer;
        }
        requests[count++] = number;
      }
    })();
    await Promise.race([reading, failed]);
  } catch (error) {
    throw new Error(`${path} can not be read: ${(error as Error).message}`);
  } finally {
    file.destroy();
  }
  if (count === 0) throw new Error(`${path} holds no keys`);
  return { requests: requests.slice(0, count), distinct: numbers.size };
}

function numbered(keys: Uint32Array): Trace {
  const numbers = new Map<number, number>();
  for (let at = 0; at < keys.length; at++) {
    const known = numbers.get(keys[at]);
    if (known === undefined) numbers.set(keys[at], numbers.size);
    keys[at] = known ?? numbers.size - 1;
  }
  return { requests: keys, distinct: numbers.size };
}
