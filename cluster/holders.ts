/**
 * Who runs a node on a data directory of this machine, as its lock file and the system tell it. The local cluster asks here about
 * nodes that were started by hand: it names them, and stops them when it stops itself.
 * Guarded: no process is stopped unless its own command line names the data directory; the id in a lock file may have passed to
 * another process since.
 */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const LOCK_NAME = 'lock';
const POLL_INTERVAL_MS = 50;

/** A process that lives and that the lock file of a data directory names. */
export interface Holder {
  pid: number;
  /** Whether its command line names the directory: then it is the node's process beyond doubt. */
  certain: boolean;
}

/** Null if nobody that lives holds the directory. */
export function holderOf(dataDirectory: string): Holder | null {
  let pid: number;
  try {
    const text = readFileSync(join(dataDirectory, LOCK_NAME), 'latin1').slice(0, 16);
    pid = /^\d+\n$/.test(text) ? Number.parseInt(text, 10) : 0;
  } catch {
    return null;
  }
  if (pid === 0 || pid === process.pid || !lives(pid)) return null;
  return { pid, certain: wordsOf(pid).includes(resolve(dataDirectory)) };
}

/** Asks the process to end in order; whether it has within the time. */
export async function stopHolder({ pid }: Holder, limitMs: number): Promise<boolean> {
  try {
    process.kill(pid, 'SIGTERM');
  } catch {
    return !lives(pid);
  }
  const deadline = performance.now() + limitMs;
  while (lives(pid)) {
    if (performance.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL_MS));
  }
  return true;
}

/** The words of a process's command line; none where the system does not show them. */
function wordsOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  // One that has ended and that nobody has waited for yet still has its id.
  try {
    return !/^\d+ \(.*\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return true;
  }
}
