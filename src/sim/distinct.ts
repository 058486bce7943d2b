/**
 * The simulated world's counter of distinct keys: HyperLogLog (Flajolet et al. 2007) with 256 registers of a byte.
 * Each process gets one as its `DistinctCounter` port. Guarded: the law of src/ports/distinct.ts: merging is idempotent and
 * commutative, and registers of another shape are refused.
 */
import type { DistinctCounter } from '../ports/distinct.js';

const REGISTERS = 256;
/** Alpha of the paper for 256 registers. */
const ALPHA = 0.7213 / (1 + 1.079 / REGISTERS);
/** A rank over 24 remaining bits of the first word and 32 of the second. */
const RANK_MAX = 57;

export class SimDistinct implements DistinctCounter {
  refused = 0;
  private readonly ranks = Buffer.alloc(REGISTERS);

  add(word0: number, word1: number): void {
    const register = word0 >>> 24;
    const high = word0 & 0xffffff;
    const rank = high !== 0 ? Math.clz32(high) - 7 : 25 + Math.clz32(word1);
    if (rank > this.ranks[register]) this.ranks[register] = rank;
  }

  estimate(): number {
    let sum = 0;
    let zeros = 0;
    for (const rank of this.ranks) {
      sum += 2 ** -rank;
      if (rank === 0) zeros++;
    }
    const raw = (ALPHA * REGISTERS * REGISTERS) / sum;
    if (raw > 2.5 * REGISTERS || zeros === 0) return Math.round(raw);
    return Math.round(REGISTERS * Math.log(REGISTERS / zeros));
  }

  clear(): void {
    this.ranks.fill(0);
  }

  fits(registers: Uint8Array): boolean {
    return registers.length === REGISTERS && registers.every((rank) => rank <= RANK_MAX);
  }

  registers(): Buffer {
    return Buffer.from(this.ranks);
  }

  merge(registers: Uint8Array): boolean {
    if (!this.fits(registers)) {
      this.refused++;
      return false;
    }
    for (let at = 0; at < REGISTERS; at++) this.ranks[at] = Math.max(this.ranks[at], registers[at]);
    return true;
  }
}
