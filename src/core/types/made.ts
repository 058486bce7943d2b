/**
 * Room for the one state that a merge or a change is making: a whole record, built here and copied from here into the store and the
 * log before the next is begun. The types beside this file fill it; the store and the keyspace read it.
 * Guarded: what is here is used up before the next merge; memory above `KEPT_BYTES` is given back.
 */

/** Most records of merge types are far smaller. */
const KEPT_BYTES = 64 * 1024;

export class Made {
  /** The record starts at 0. */
  bytes: Buffer = Buffer.alloc(4 * 1024);
  /** The same by the word: the store's memory is copied to so, in a quarter of the steps. */
  words: Int32Array = wordsOf(this.bytes);
  /** Its length; 0 while there is none. */
  length = 0;
  /** Values that the last merge let go, because no record could hold all that both sides had. */
  valuesLost = 0;

  /** Room for a record of `length` bytes, its old content lost. */
  begin(length: number): Buffer {
    const wanted = length > this.bytes.length || this.bytes.length > KEPT_BYTES ? length : 0;
    if (wanted !== 0) {
      this.bytes = Buffer.alloc((Math.max(wanted, KEPT_BYTES) + 7) & ~7);
      this.words = wordsOf(this.bytes);
    }
    this.length = length;
    return this.bytes;
  }
}

function wordsOf(bytes: Buffer): Int32Array {
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
}

/** One for all: a merge is over before the next begins. */
export const made = new Made();
