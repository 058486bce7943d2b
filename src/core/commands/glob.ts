/**
 * Glob patterns as Redis has them: `*`, `?`, `[a-z]`, `[^a]`, backslash. KEYS, SCAN, CONFIG GET and COMMAND LIST call it.
 * Only the last `*` is ever gone back to (an earlier one cannot help), so the work is at most pattern x text, with nothing
 * recursive; and patterns are at most `PATTERN_BYTES_MAX` long (CVE-2022-36021 is what happens otherwise). `*aaa...ab` over long keys comes
 * near that product, so whoever matches many keys bounds the steps of all together: `globWork` counts them.
 */
import { HearsayError } from '../base/errors.js';
import { KEY_BYTES_MAX } from '../record/record.js';
import type { Args } from '../resp/args.js';

export const PATTERN_BYTES_MAX = 1024;

/** Patterns of one command that has many. */
export const PATTERNS_MAX = 64;
/** Steps past which a page of keys ends, or a list is refused: some tens of ms. */
export const GLOB_STEPS_MAX = 16 * 1024 * 1024;

/** Steps of all matches so far: callers look before and after. */
export const globWork = { steps: 0 };

/** How many keys, however long, a pattern may be held against before the steps are looked at again. */
export function keysPerLook(patternBytes: number): number {
  return Math.max(1, Math.floor(GLOB_STEPS_MAX / (Math.max(1, patternBytes) * KEY_BYTES_MAX)));
}

const STAR = 0x2a;
const QUESTION = 0x3f;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const CARET = 0x5e;
const DASH = 0x2d;
const BACKSLASH = 0x5c;

export function requirePatternFits(args: Args, index: number): void {
  if (args.length(index) > PATTERN_BYTES_MAX) throw new HearsayError('ERR', 'pattern is too long');
}

/** Whether the whole of `text[from, to)` matches `pattern[start, end)`. */
export function globMatches(
  pattern: Uint8Array,
  start: number,
  end: number,
  text: Uint8Array,
  from: number,
  to: number,
): boolean {
  let at = start;
  let position = from;
  let afterStar = -1;
  let resume = 0;
  for (;;) {
    globWork.steps++;
    if (at < end && pattern[at] === STAR) {
      afterStar = ++at;
      resume = position;
      continue;
    }
    if (position === to) {
      return at === end;
    }
    const next = at < end ? stepOver(pattern, at, end, text[position]) : -1;
    if (next >= 0) {
      at = next;
      position++;
    } else if (afterStar >= 0) {
      at = afterStar;
      position = ++resume;
    } else {
      return false;
    }
  }
}

/** Position behind the pattern's element at `at` if it matches `byte`, else -1. */
function stepOver(pattern: Uint8Array, at: number, end: number, byte: number): number {
  switch (pattern[at]) {
    case QUESTION:
      return at + 1;
    case OPEN:
      return stepOverClass(pattern, at + 1, end, byte);
    case BACKSLASH:
      if (at + 1 < end) return pattern[at + 1] === byte ? at + 2 : -1;
      return byte === BACKSLASH ? at + 1 : -1;
    default:
      return pattern[at] === byte ? at + 1 : -1;
  }
}

/** The same for what stands behind `[`; a class that is not closed ends with the pattern. */
function stepOverClass(pattern: Uint8Array, start: number, end: number, byte: number): number {
  let at = start;
  const negated = at < end && pattern[at] === CARET;
  if (negated) at++;
  let matched = false;
  for (; at < end && pattern[at] !== CLOSE; at++) {
    if (pattern[at] === BACKSLASH && at + 1 < end) {
      at++;
      if (pattern[at] === byte) matched = true;
    } else if (at + 2 < end && pattern[at + 1] === DASH) {
      const low = Math.min(pattern[at], pattern[at + 2]);
      const high = Math.max(pattern[at], pattern[at + 2]);
      if (byte >= low && byte <= high) matched = true;
      at += 2;
    } else if (pattern[at] === byte) matched = true;
  }
  globWork.steps += at - start;
  if (matched === negated) return -1;
  return at < end ? at + 1 : at;
}

/** The same for short texts, in any case: names of settings and commands. */
export function globMatchesText(pattern: string, text: string): boolean {
  const left = Buffer.from(pattern.toLowerCase(), 'utf8');
  const right = Buffer.from(text.toLowerCase(), 'utf8');
  return globMatches(left, 0, left.length, right, 0, right.length);
}
