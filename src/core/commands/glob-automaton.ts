/**
 * A glob pattern as a set of states that moves over a text, thirty-two states to a word: text x pattern / 32 whatever the pattern
 * (bit-parallel simulation, Baeza-Yates and Gonnet, 1992). glob.ts goes over to it from texts that it went back in too often.
 * State n: the first n elements have matched; a star keeps the state that it stands at.
 * Guarded: nothing is kept from one text to the next, so that the same work is always counted as the same steps.
 */

/** Elements of a pattern, at most: as many as it may have bytes. */
export const ELEMENTS_MAX = 1024;
const WORDS = (ELEMENTS_MAX >>> 5) + 1;
const BYTES = 256;

/** By byte: the states that go on by it. */
const moves = new Uint32Array(BYTES * WORDS);
/** States that stay, whatever comes. */
const stays = new Uint32Array(WORDS);
const states = new Uint32Array(WORDS);

/** Begins a pattern without elements. */
export function beginAutomaton(): void {
  moves.fill(0);
  stays.fill(0);
}

/** The element that leads on from `state` takes `byte`. */
export function allowByte(state: number, byte: number): void {
  moves[byte * WORDS + (state >>> 5)] |= 1 << (state & 31);
}

/** A star stands at `state`. */
export function allowAny(state: number): void {
  stays[state >>> 5] |= 1 << (state & 31);
}

/** Steps of one byte of text: words of the set. */
export function stepsPerByte(elements: number): number {
  return (elements >>> 5) + 1;
}

/** Whether the whole of `text[from, to)` leads to the state behind the last of `elements`. */
export function runAutomaton(elements: number, text: Uint8Array, from: number, to: number): boolean {
  const words = stepsPerByte(elements);
  const lastWord = elements >>> 5;
  const lastBit = 1 << (elements & 31);
  const endStays = (stays[lastWord] & lastBit) !== 0;
  states.fill(0);
  states[0] = 1;
  for (let position = from; position < to; position++) {
    if (endStays && (states[lastWord] & lastBit) !== 0) return true;
    const row = text[position] * WORDS;
    let carry = 0;
    let any = 0;
    for (let word = 0; word < words; word++) {
      const before = states[word];
      const moved = before & moves[row + word];
      const after = (moved << 1) | carry | (before & stays[word]);
      carry = moved >>> 31;
      any |= after;
      states[word] = after;
    }
    if (any === 0) return false;
  }
  return (states[lastWord] & lastBit) !== 0;
}
