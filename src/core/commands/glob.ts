/**
 * Glob patterns as Redis has them: `*`, `?`, `[a-z]`, `[^a]`, backslash. KEYS, SCAN, CONFIG GET and COMMAND LIST call it.
 * Only the last `*` is ever gone back to (an earlier one cannot help), with nothing recursive; and patterns are at most
 * `PATTERN_BYTES_MAX` long (CVE-2022-36021 is what happens otherwise). `*aaa...ab` over a long key would still cost pattern x key: a
 * text that was gone back in too often is given to glob-automaton.ts, which takes a thirty-second of that. What many keys cost together
 * is bounded by whoever matches them: `globWork` counts the steps.
 */
import { assert } from '../base/assert.js';
import { HearsayError } from '../base/errors.js';
import { KEY_BYTES_MAX } from '../record/record.js';
import type { Args } from '../resp/args.js';
import { allowAny, allowByte, beginAutomaton, runAutomaton, stepsPerByte } from './glob-automaton.js';

export const PATTERN_BYTES_MAX = 1024;

/** Patterns of one command that has many. */
export const PATTERNS_MAX = 64;
/** Steps past which a page of keys ends, or a list of names is refused: some ms. */
export const GLOB_STEPS_MAX = 2 * 1024 * 1024;
/** What a key that is looked at counts as, beside its pattern. */
export const STEPS_PER_KEY = 16;
/** Going back through a text costs at most so many steps for each of its bytes, and what making the automaton would cost. */
const STEPS_PER_TEXT_BYTE = 8;
/** Each element is held against every byte there is. */
const STEPS_PER_PATTERN_BYTE = 256;

/** Steps of all matches so far, and of the keys looked at: callers look before and after. */
export const globWork = { steps: 0 };

/** Past this one match takes no more steps, whatever pattern and key: about three million for the longest of both. */
export function globStepsMax(patternBytes: number, textBytes: number): number {
  const making = 2 * STEPS_PER_PATTERN_BYTE * patternBytes;
  // One step more may take a class as long as the pattern.
  return making + patternBytes + textBytes * (STEPS_PER_TEXT_BYTE + stepsPerByte(patternBytes)) + 1;
}

/** How many keys, however long, a pattern may be held against before the steps are looked at again. */
export function keysPerLook(patternBytes: number): number {
  return Math.max(1, Math.floor(GLOB_STEPS_MAX / globStepsMax(patternBytes, KEY_BYTES_MAX)));
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
  const stepsMax = globWork.steps + STEPS_PER_TEXT_BYTE * (to - from) + STEPS_PER_PATTERN_BYTE * (end - start);
  let at = start;
  let position = from;
  let afterStar = -1;
  let resume = 0;
  while (globWork.steps <= stepsMax) {
    globWork.steps++;
    if (at < end && pattern[at] === STAR) {
      afterStar = ++at;
      if (at === end) return true;
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
  // Only who goes back takes so many: from the last star on, since everything before it has matched.
  assert(afterStar >= 0, 'a pattern without a star looks at each byte once');
  return matchesInParallel(pattern, afterStar - 1, end, text, resume, to);
}

/** The same in time that does not depend on how often a text nearly matches. */
function matchesInParallel(
  pattern: Uint8Array,
  start: number,
  end: number,
  text: Uint8Array,
  from: number,
  to: number,
): boolean {
  beginAutomaton();
  let elements = 0;
  let at = start;
  while (at < end) {
    if (pattern[at] === STAR) {
      allowAny(elements);
      at++;
      continue;
    }
    let next = -1;
    for (let byte = 0; byte < 256; byte++) {
      const behind = stepOver(pattern, at, end, byte);
      if (behind < 0) continue;
      next = behind;
      allowByte(elements, byte);
    }
    globWork.steps += 256;
    // An empty class: no text passes it.
    if (next < 0) return false;
    at = next;
    elements++;
  }
  globWork.steps += (to - from) * stepsPerByte(elements);
  return runAutomaton(elements, text, from, to);
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

/** The same for short texts, in any case: names of settings and commands. Throws ERR once `globWork.steps` is past `stepsMax`. */
export function globMatchesText(pattern: string, text: string, stepsMax: number): boolean {
  if (globWork.steps > stepsMax) throw new HearsayError('ERR', 'the patterns take too long');
  const left = Buffer.from(pattern.toLowerCase(), 'utf8');
  const right = Buffer.from(text.toLowerCase(), 'utf8');
  return globMatches(left, 0, left.length, right, 0, right.length);
}
