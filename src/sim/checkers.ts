/**
 * The checks of a run: what a reply may say, given the history. run.ts calls them at every reply and, after healing, for the
 * state that is left; each gives back a line of what is wrong, or null. Guarded: soundness before sharpness: a line is a
 * broken promise, never a surprise; whatever the design leaves open (concurrent writes, lost acknowledgements, a damaged disk)
 * is excused by history.ts.
 */
import type { History, Operation } from './history.js';
import { misshapen, type Reply } from './replies.js';

export interface Violation {
  /** `foreign`, `stale`, `expired`, `lost`, `sibling`, `session`, `count`, `reply`, `diverged`, `unformed`, `threw`, `datagram`,
   * `buffer`, `dot`, `frontier`, `restart`, `identity`, `rot`. */
  kind: string;
  atMs: number;
  message: string;
}

/** Wall clocks differ in their grain, and a turn begins a little before its reply arrives. */
const EXPIRY_SLACK_MS = 2;

/** A reply to one read. `wallHighMs`: the most any wall clock has shown. */
export function checkRead(history: History, read: Operation, value: string | null, wallHighMs: number): string | null {
  const key = read.key as string;
  const write = value === null ? null : (history.byValue.get(value) ?? null);
  if (value !== null) {
    const wrong = checkForeign(history, key, value);
    if (wrong !== null) return wrong;
    const expired = checkExpired(history, write as Operation, read.judgedAtMs);
    if (expired !== null) return expired;
  }
  for (const known of history.mustSee(read)) {
    if (contradicts(history, key, write, known, wallHighMs)) {
      return `stale: ${describe(read)} read ${show(value)} after ${describe(known)}`;
    }
  }
  return null;
}

/** What a write, a delete or a change of expiry says that it found: some value of the key, not past its end. */
export function checkTold(history: History, operation: Operation, value: string): string | null {
  const wrong = checkForeign(history, operation.key as string, value);
  return wrong ?? checkExpired(history, history.byValue.get(value) as Operation, operation.judgedAtMs);
}

/** A value that some write gave no end, where every write of the key gives one. */
export function checkEndless(history: History, key: string): string | null {
  const done = (history.byKey.get(key) ?? []).filter(({ outcome }) => outcome !== 'refused' && outcome !== 'idle');
  const isEndless = ({ kind, ttlMs, keepsTtl }: Operation): boolean =>
    (kind === 'write' && ttlMs === 0 && !keepsTtl) || (kind === 'touch' && ttlMs === 0);
  return done.some(isEndless) ? null : `expired: ${key} lives for ever, though every write to it has an end`;
}

/** The state that is left of one key after healing, against every write that was protected. */
export function checkFinal(history: History, key: string, value: string | null, wallHighMs: number): string | null {
  const write = value === null ? null : (history.byValue.get(value) ?? null);
  if (value !== null) {
    const wrong = checkForeign(history, key, value);
    if (wrong !== null) return wrong;
  }
  for (const kept of history.protectedOn(key)) {
    if (contradicts(history, key, write, kept, wallHighMs)) {
      return `lost: ${key} is ${show(value)} in the end, in spite of ${describe(kept)}`;
    }
  }
  return null;
}

/** Whether a reply has the shape that its command must have. */
export function checkShape(words: readonly string[], reply: Reply): string | null {
  const wrong = (): string => misshapen(words[0], reply);
  if (reply.type === 'error') return /^(ERR|WRONGTYPE|NOAUTH) /.test(reply.text) ? wrong() : null;
  switch (words[0]) {
    case 'SET':
      if (words.length > 3 && words.some((word) => ['NX', 'XX', 'GET'].includes(word))) return null;
      return reply.type === 'status' && reply.text === 'OK' ? null : wrong();
    case 'MSET':
    case 'FLUSHALL':
      return reply.type === 'status' && reply.text === 'OK' ? null : wrong();
    case 'INCR':
    case 'INCRBY':
      return reply.type === 'integer' ? null : wrong();
    case 'GET':
      return reply.type === 'bulk' || reply.type === 'null' ? null : wrong();
    case 'MGET': {
      const fits = reply.type === 'array' && reply.items.length === words.length - 1;
      return fits && reply.items.every((item) => item.type === 'bulk' || item.type === 'null') ? null : wrong();
    }
    case 'DEL':
      return reply.type === 'integer' && reply.value >= 0 && reply.value < words.length ? null : wrong();
    case 'PEXPIRE':
    case 'PERSIST':
      return reply.type === 'integer' && (reply.value === 0 || reply.value === 1) ? null : wrong();
    // Judged by the ledger that takes it.
    default:
      return null;
  }
}

/** A value must have been written to this key, by a write that was not refused. */
function checkForeign(history: History, key: string, value: string): string | null {
  const write = history.byValue.get(value);
  if (write === undefined) return `foreign: ${key} holds ${show(value)}, which nobody wrote`;
  if (write.key !== key) return `foreign: ${key} holds ${show(value)}, which was written to ${write.key}`;
  if (write.outcome === 'idle') return `foreign: ${key} holds ${show(value)}, which was answered not to be written`;
  if (write.outcome === 'refused') return `foreign: ${key} holds ${show(value)}, whose write was refused`;
  return null;
}

/** A value must not be read past the latest expiry that it can have. */
function checkExpired(history: History, write: Operation, judgedAtMs: number): string | null {
  if (write.outcome !== 'ok') return null;
  if (history.touchesOf(write.key as string).length > 0) return null;
  const expiryHighMs = latestEnd(history, write) + EXPIRY_SLACK_MS;
  if (judgedAtMs <= expiryHighMs) return null;
  return `expired: ${describe(write)} was read ${judgedAtMs - expiryHighMs} ms past the latest end of its life`;
}

/** The latest moment to which a write's value can live. One that takes an expiry over has that of some write before it. */
function latestEnd(history: History, write: Operation): number {
  if (!write.keepsTtl) return write.ttlMs === 0 ? Number.POSITIVE_INFINITY : write.stampHighMs + write.ttlMs;
  let latest = 0;
  for (const other of history.byKey.get(write.key as string) ?? []) {
    const isBasis =
      other.kind === 'write' && !other.keepsTtl && other.outcome !== 'refused' && other.outcome !== 'idle';
    if (isBasis && other.invokedMs <= write.completedMs) latest = Math.max(latest, latestEnd(history, other));
  }
  return latest;
}

/** Whether seeing `write` (null: nothing) is impossible where `kept` has been applied. */
function contradicts(
  history: History,
  key: string,
  write: Operation | null,
  kept: Operation,
  wallHighMs: number,
): boolean {
  if (write !== null) return write !== kept && history.isBefore(write, kept);
  if (kept.kind === 'erase') return false;
  return !history.changesOf(key).some((other) => mayHaveEnded(history, key, other, wallHighMs) && isNotBelow(other));

  function isNotBelow(other: Operation): boolean {
    return other === kept || !history.isBefore(other, kept);
  }
}

/** Whether after this change the key may be absent by now. */
function mayHaveEnded(history: History, key: string, change: Operation, wallHighMs: number): boolean {
  if (change.kind === 'erase') return true;
  if (history.touchesOf(key).some((touch) => touch.ttlMs > 0)) return true;
  if (change.keepsTtl) return true;
  return change.ttlMs > 0 && wallHighMs >= change.stampLowMs + change.ttlMs;
}

export function describe(operation: Operation): string {
  const what = operation.value === null ? operation.kind : `write of ${show(operation.value)}`;
  const life = operation.ttlMs > 0 ? ` for ${operation.ttlMs} ms` : '';
  const where = `${operation.key ?? 'every key'} through node ${operation.node} at level ${operation.level}`;
  const when = `[${operation.invokedMs.toFixed(2)}, ${operation.completedMs.toFixed(2)}]`;
  return `${what}${life} on ${where} ${when} (${operation.outcome}, #${operation.number})`;
}

function show(value: string | null): string {
  return value === null ? 'nothing' : value.length > 24 ? `${value.slice(0, 24)}...` : value;
}
