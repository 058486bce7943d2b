/**
 * Port: an estimate of how many distinct keys were seen (HyperLogLog, Flajolet et al. 2007). Merging takes the greater of each
 * register, so it is idempotent and commutative and may be gossiped.
 * Law: calls never throw; registers of another size or out of range are not merged and counted as refused.
 */
export interface DistinctCounter {
  /** Takes in one well-mixed hash of 128 bits as four unsigned words. */
  add(word0: number, word1: number, word2: number, word3: number): void;
  estimate(): number;
  /** Back to nothing. */
  clear(): void;
  /** A copy of the registers. */
  registers(): Buffer;
  /** Whether bytes are registers of this shape. */
  fits(registers: Uint8Array): boolean;
  /** False if the bytes are not registers of this shape. */
  merge(registers: Uint8Array): boolean;
}
