/**
 * One key of a partition, drawn at random: the first behind a hash that is drawn. RANDOMKEY and what it asks of other nodes share it.
 * Guarded: one key is copied, and a partition is gone through once at most.
 */
import type { Reply } from '../resp/reply.js';
import type { CommandHost } from './host.js';
import { HASHES } from './page.js';

/** Keys looked at in one go: most find one at once. */
const KEYS_AT_ONCE = 16;

/** Writes a key of the partition; false, with nothing written, if none of it lives. */
export function replyRandomOf(host: CommandHost, partition: number, reply: Reply): boolean {
  if (host.countKeys(partition) === 0) return false;
  const from = Math.min(host.drawUint32(), HASHES - 1);
  return replyFrom(host, partition, from, reply) || replyFrom(host, partition, 0, reply);
}

function replyFrom(host: CommandHost, partition: number, from: number, reply: Reply): boolean {
  let found = false;
  for (let hash = from; hash >= 0 && !found; ) {
    hash = host.scanPartition(partition, hash, KEYS_AT_ONCE, (bytes, start, end) => {
      if (!found) reply.bulk(bytes, start, end);
      found = true;
    });
  }
  return found;
}
