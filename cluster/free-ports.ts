/**
 * A run of free ports for a cluster of this machine, found by taking each for a moment (ports.ts).
 * Temporary clusters start on it. Guarded: it lies below the range from which the kernel draws the local ports of outgoing
 * connections, so that a node which was killed finds its port free again.
 */
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { portTaken } from './ports.js';

const LOWEST = 10_240;
const ATTEMPTS_MAX = 200;

/** The first of `count` consecutive ports that nothing uses, by TCP or UDP. */
export async function freePorts(host: string, count: number): Promise<number> {
  const end = firstEphemeralPort() - count;
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const first = randomInt(LOWEST, end);
    if (await allFree(host, first, count)) return first;
  }
  throw new Error(`no ${count} consecutive free ports on ${host}`);
}

async function allFree(host: string, first: number, count: number): Promise<boolean> {
  for (let port = first; port < first + count; port++) if (await portTaken(host, port)) return false;
  return true;
}

function firstEphemeralPort(): number {
  try {
    const [first] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'latin1').split(/\s+/);
    return Math.max(Number(first) || 0, LOWEST + 4096);
  } catch {
    return 32_768;
  }
}
