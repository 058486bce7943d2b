/**
 * The Node side of the distinct counter: HyperLogLog (Flajolet et al., 2007) with 4,096 registers, 4 KiB and 1.6 %
 * standard error, by the package `hyperloglog`. The world hands it to the core, which counts keys and gossips the registers.
 * Guarded: what comes from a peer has our size and no register above what a hash can give; the registers handed out are
 * a copy. A merge costs 0.2 ms, so it is for a timer, not for every packet.
 */
import hyperLogLog from 'hyperloglog';
import type { DistinctCounter } from '../ports/distinct.js';

const PRECISION = 12;
const REGISTERS = 1 << PRECISION;
/** 64 bits looked at, all zero, plus one. */
const REGISTER_MAX = 65;

export class HyperLogLogCounter implements DistinctCounter {
  mergesRefused = 0;
  private counter = hyperLogLog(PRECISION);
  private readonly words = [0, 0, 0, 0];

  add(word0: number, word1: number, word2: number, word3: number): void {
    const { words } = this;
    words[0] = word0;
    words[1] = word1;
    words[2] = word2;
    words[3] = word3;
    this.counter.add(words);
  }

  /** A key as text or bytes; the same UTF-8 counts as one. */
  addKey(key: string | Uint8Array): void {
    this.counter.add(hyperLogLog.hash(key.length === 0 ? 'hearsay: the empty key' : key));
  }

  /** A whole number. */
  estimate(): number {
    return this.counter.count();
  }

  clear(): void {
    this.counter = hyperLogLog(PRECISION);
  }

  registers(): Buffer {
    return Buffer.from(this.counter.output().buckets);
  }

  fits(registers: Uint8Array): boolean {
    let fits = registers.length === REGISTERS;
    for (let at = 0; fits && at < REGISTERS; at++) fits = registers[at] <= REGISTER_MAX;
    return fits;
  }

  merge(registers: Uint8Array): boolean {
    const fits = this.fits(registers);
    if (fits) this.counter.merge({ n: PRECISION, buckets: registers });
    else this.mergesRefused++;
    return fits;
  }
}
