/**
 * Names of options: a name that nobody reads is refused with the one that was probably meant. The client's options and those
 * of its calls are checked with it, because plain JavaScript says nothing of a misspelt `ttl`, and the entry then never expires.
 * Guarded: it costs a look at each name given, and nothing is compared before one is found to be wrong.
 */

/** What the same thing is called elsewhere; the first that is known here is meant. */
const ELSEWHERE: ReadonlyMap<string, readonly string[]> = new Map([
  ...['host', 'port', 'url', 'hosts', 'nodes', 'rootnodes', 'socket', 'address'].map((name): [string, string[]] => [
    name,
    ['servers'],
  ]),
  ...['ex', 'px', 'expire', 'expires', 'expiresin', 'expiry', 'expiration', 'maxage'].map(
    (name): [string, string[]] => [name, ['ttl']],
  ),
  ...['level', 'readconsistency', 'writeconsistency'].map((name): [string, string[]] => [name, ['consistency']]),
  ...['timeout', 'timeoutms', 'requesttimeout', 'commandtimeout', 'deadline'].map((name): [string, string[]] => [
    name,
    ['timeout', 'requestTimeout'],
  ]),
  ['user', ['username']],
  ['abortsignal', ['signal']],
]);

const NAME_CHARACTERS_MAX = 64;
/** Names told of at once. */
const NAMES_MAX = 10;
/** Two words with more of their letters changed than this mean different things. */
const EDITS_MAX_SHARE = 0.4;
const NONE: readonly string[] = [];

/** Whether options can stand in `value`: an object that is no list, Map, Date, Buffer, signal or the like. */
export function isOptionsObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return (
    prototype === Object.prototype || prototype === null || Object.prototype.toString.call(value) === '[object Object]'
  );
}

/** Names in `options` that are not in `known`; what is `undefined` counts as not given. */
export function unknownNames(options: object, known: ReadonlySet<string>): readonly string[] {
  let unknown = NONE;
  for (const name in options) {
    if (known.has(name) || options[name as keyof typeof options] === undefined) continue;
    unknown = [...unknown, name].slice(0, NAMES_MAX);
  }
  return unknown;
}

/** "unknown option 'tll': did you mean 'ttl'?", or all there are where nothing is near. */
export function describeUnknown(name: string, known: ReadonlySet<string>): string {
  const shown = `unknown option '${name.slice(0, NAME_CHARACTERS_MAX)}'`;
  const meant = meantBy(name, known);
  return meant === null ? `${shown}: there are ${[...known].join(', ')}` : `${shown}: did you mean '${meant}'?`;
}

function meantBy(name: string, known: ReadonlySet<string>): string | null {
  const small = name.slice(0, NAME_CHARACTERS_MAX).toLowerCase();
  const named = ELSEWHERE.get(small)?.find((other) => known.has(other));
  if (named !== undefined) return named;
  let nearest: string | null = null;
  let least = Number.POSITIVE_INFINITY;
  for (const other of known) {
    const edits = editsBetween(small, other.toLowerCase());
    if (edits < least && edits <= EDITS_MAX_SHARE * Math.max(small.length, other.length)) {
      least = edits;
      nearest = other;
    }
  }
  return nearest;
}

/** Letters to insert, delete, replace, or swap with their neighbour (Damerau 1964, restricted). */
export function editsBetween(from: string, to: string): number {
  let before: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let row = 1; row <= from.length; row++) {
    const next = [row];
    for (let at = 1; at <= to.length; at++) {
      const same = from[row - 1] === to[at - 1];
      let edits = Math.min(last[at] + 1, next[at - 1] + 1, last[at - 1] + (same ? 0 : 1));
      const swapped = row > 1 && at > 1 && from[row - 1] === to[at - 2] && from[row - 2] === to[at - 1];
      if (swapped) edits = Math.min(edits, before[at - 2] + 1);
      next.push(edits);
    }
    before = last;
    last = next;
  }
  return last[to.length];
}
