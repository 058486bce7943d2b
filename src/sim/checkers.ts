/**
 * The checks of a run: what a reply may say, given the history. run.ts calls them at every reply and, after healing, for the
 * state that is left; each gives back a line of what is wrong, or null. Guarded: soundness before sharpness: a line is a
 * broken promise, never a surprise; whatever the design leaves open (concurrent writes, lost acknowledgements, a damaged disk)
 * is excused by history.ts.
 */
import type { History, Operation } from './history.js';
import type { Reply } from './replies.js';

export interface Violation {
  /** `foreign`, `stale`, `expired`, `lost`, `count`, `reply`, `diverged`, `unformed`, `threw`, `datagram`, `buffer`, `dot`,
   * `frontier`, `restart`, `identity`, `rot`. */
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
  const wrong = (): string => `reply: ${words[0]} was answered ${JSON.stringify(reply).slice(0, 120)}`;
  if (reply.type === 'error') return /^(ERR|WRONGTYPE|NOAUTH) /.test(reply.text) ? wrong() : null;
  switch (words[0]) {
    case 'SET':
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
    default:
      return reply.type === 'integer' && (reply.value === 0 || reply.value === 1) ? null : wrong();
  }
}

/** A value must have been written to this key, by a write that was not refused. */
function checkForeign(history: History, key: string, value: string): string | null {
  const write = history.byValue.get(value);
  if (write === undefined) return `foreign: ${key} holds ${show(value)}, which nobody wrote`;
  if (write.key !== key) return `foreign: ${key} holds ${show(value)}, which was written to ${write.key}`;
  if (write.outcome === 'refused') return `foreign: ${key} holds ${show(value)}, whose write was refused`;
  return null;
}

/** A value must not be read past the latest expiry that it can have. */
function checkExpired(history: History, write: Operation, judgedAtMs: number): string | null {
  if (write.ttlMs === 0 || write.outcome !== 'ok') return null;
  if (history.touchesOf(write.key as string).length > 0) return null;
  const expiryHighMs = write.stampHighMs + write.ttlMs + EXPIRY_SLACK_MS;
  if (judgedAtMs <= expiryHighMs) return null;
  return `expired: ${describe(write)} was read ${judgedAtMs - expiryHighMs} ms past the latest end of its life`;
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
