/** Assertions for our own mistakes: on in production, cheap. Bytes from outside get a typed refusal, never this. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`invariant broken: ${message}`);
}
