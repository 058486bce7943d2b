/**
 * Many commands in a short time: pipelined over one connection to each of some nodes. Trials fill a cluster by it, delete a range of
 * keys, or write one side of a partition.
 * Guarded: every command is answered before it resolves; error replies are counted and the first is kept, a connection that breaks
 * rejects; the pipeline has a bound.
 */
import { type Level, NoAnswer, NodeConnection } from './connection.js';

const PIPELINE = 200;
const TIMEOUT_MS = 30_000;

export interface BulkResult {
  answered: number;
  refused: number;
  firstRefusal: string | null;
}

/**
 * Runs `commandOf(0)` to `commandOf(count - 1)`, shared out among the ports. One that is refused is tried again until `attempts` are
 * used up: more than one is for commands that may run twice.
 */
export async function runBulk(
  ports: readonly number[],
  level: Level,
  count: number,
  commandOf: (index: number) => readonly string[],
  attempts = 1,
): Promise<BulkResult> {
  const result: BulkResult = { answered: 0, refused: 0, firstRefusal: null };
  let next = 0;
  const lane = async (connection: NodeConnection): Promise<void> => {
    while (next < count) {
      const index = next++;
      const refusal = await attempt(connection, commandOf(index), attempts);
      if (refusal === null) result.answered++;
      else result.refused++;
      result.firstRefusal ??= refusal;
    }
  };
  const connections = await Promise.all(ports.map((port) => NodeConnection.open(port, level, TIMEOUT_MS)));
  try {
    await Promise.all(connections.flatMap((connection) => Array.from({ length: PIPELINE }, () => lane(connection))));
  } finally {
    for (const connection of connections) connection.close();
  }
  return result;
}

/** The last refusal, null when it was answered. */
async function attempt(connection: NodeConnection, words: readonly string[], attempts: number): Promise<string | null> {
  let refusal: string | null = null;
  for (let left = attempts; left > 0; left--) {
    try {
      await connection.call(...words);
      return null;
    } catch (error) {
      if (error instanceof NoAnswer) throw error;
      refusal = refusalText(error);
    }
  }
  return refusal;
}

/** An error reply as the wire has it: code, then message. */
export function refusalText(error: unknown): string {
  const { code, message } = error as Error & { code?: string };
  return code === undefined ? message : `${code} ${message}`;
}

/** A write that a busy machine was too slow for is given again: the value is the same. */
const FILL_ATTEMPTS = 4;

/** Writes `prefix:0` to `prefix:count - 1` with values of so many bytes; throws when one is refused. */
export async function fill(
  ports: readonly number[],
  prefix: string,
  count: number,
  valueBytes: number,
  level: Level = 'quorum',
): Promise<void> {
  const value = 'v'.repeat(valueBytes);
  const wordsOf = (index: number): string[] => ['SET', `${prefix}:${index}`, value];
  const { refused, firstRefusal } = await runBulk(ports, level, count, wordsOf, FILL_ATTEMPTS);
  if (refused > 0) throw new Error(`${refused} of ${count} writes of the fill were refused: ${firstRefusal}`);
}
