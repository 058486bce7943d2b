/**
 * Port: whether a password is the one expected. Law: the time it takes tells nothing of where the two differ, nor of the expected one's
 * length; nothing of either is kept.
 */
export interface Passwords {
  /** `given` is only lent. */
  matches(expected: string, given: Uint8Array): boolean;
}
