/**
 * The memory of the index: blocks of words in a few large arrays, the slabs, handed out and merged again by the buddy system
 * (Knowlton, "A Fast Storage Allocator", 1965). Directories take a block for each of their tables. One array for many tables
 * keeps a lookup from going through an object per table, and the collector from knowing how many there are.
 *
 * A block of order n is 32 x 2^n words at a multiple of its size; its address counts units of 32 words over all slabs. Free blocks
 * hang in a list per order, linked through their own first two words. Guarded: a unit belongs to one block, buddies that are
 * both free are one block, and `bytes` is the memory of all slabs. A slab that is wholly free is given back.
 */
import { assert } from '../base/assert.js';

/** Words of the smallest block: two lines of the cache. */
export const UNIT_WORDS = 32;
const UNIT_BYTES = UNIT_WORDS * 4;
const SLAB_BYTES_MIN = 8 * 1024;
const SLAB_BYTES_MAX = 4 * 1024 * 1024;
/** Slabs are so small a part of memory that one more is never much. */
const SLABS_IN_MEMORY = 64;
const EMPTY = new Uint32Array(0);
/** In `free`: this unit begins no free block. */
const TAKEN = -1;

export class Slabs {
  bytes = 0;
  /** An address's slab number is `address >>> shift`. */
  readonly shift: number;
  readonly mask: number;
  readonly words: Uint32Array[] = [];
  /** Memory of one slab with its bookkeeping. */
  readonly slabBytes: number;
  /** Per slab and unit: the order of the free block that begins there. */
  private readonly free: Int8Array[] = [];
  /** Per order: address + 1 of the first free block, 0 for none. */
  private readonly heads: Uint32Array;
  private readonly topOrder: number;

  constructor(memoryBytesMax: number) {
    let bytes = SLAB_BYTES_MIN;
    while (bytes < SLAB_BYTES_MAX && bytes * 2 * SLABS_IN_MEMORY <= memoryBytesMax) bytes *= 2;
    this.topOrder = 31 - Math.clz32(bytes / UNIT_BYTES);
    this.shift = this.topOrder;
    this.mask = 2 ** this.shift - 1;
    this.heads = new Uint32Array(this.topOrder + 1);
    this.slabBytes = bytes + 2 ** this.topOrder + 16;
  }

  /** The greatest order a block can have. */
  get orderMax(): number {
    return this.topOrder;
  }

  /** Memory that taking one block may add. */
  get growthBytes(): number {
    return this.slabBytes;
  }

  /** A block of zeros. */
  take(order: number): number {
    assert(order <= this.topOrder, 'a block fits into a slab');
    let found = order;
    while (found <= this.topOrder && this.heads[found] === 0) found++;
    if (found > this.topOrder) {
      this.grow();
      found = this.topOrder;
    }
    const address = this.heads[found] - 1;
    this.unlink(address, found);
    while (found > order) {
      found--;
      this.link(address + 2 ** found, found);
    }
    const start = (address & this.mask) * UNIT_WORDS;
    this.words[address >>> this.shift].fill(0, start, start + UNIT_WORDS * 2 ** order);
    return address;
  }

  /** Gives a block back. */
  give(address: number, order: number): void {
    const free = this.free[address >>> this.shift];
    let unit = address & this.mask;
    let merged = order;
    while (merged < this.topOrder && free[unit ^ (1 << merged)] === merged) {
      const buddy = unit ^ (1 << merged);
      this.unlink(address - (address & this.mask) + buddy, merged);
      unit &= ~(1 << merged);
      merged++;
    }
    if (merged === this.topOrder) this.release(address >>> this.shift);
    else this.link(address - (address & this.mask) + unit, merged);
  }

  private grow(): void {
    let slab = this.words.indexOf(EMPTY);
    if (slab < 0) slab = this.words.length;
    this.words[slab] = new Uint32Array(UNIT_WORDS * 2 ** this.topOrder);
    this.free[slab] = new Int8Array(2 ** this.topOrder).fill(TAKEN);
    this.bytes += this.slabBytes;
    this.link(slab * 2 ** this.shift, this.topOrder);
  }

  private release(slab: number): void {
    this.words[slab] = EMPTY;
    this.free[slab] = new Int8Array(0);
    this.bytes -= this.slabBytes;
  }

  private link(address: number, order: number): void {
    const head = this.heads[order];
    this.setLink(address, 0, head);
    this.setLink(address, 1, 0);
    if (head !== 0) this.setLink(head - 1, 1, address + 1);
    this.heads[order] = address + 1;
    this.free[address >>> this.shift][address & this.mask] = order;
  }

  private unlink(address: number, order: number): void {
    const start = (address & this.mask) * UNIT_WORDS;
    const words = this.words[address >>> this.shift];
    const next = words[start];
    const previous = words[start + 1];
    if (previous === 0) this.heads[order] = next;
    else this.setLink(previous - 1, 0, next);
    if (next !== 0) this.setLink(next - 1, 1, previous);
    this.free[address >>> this.shift][address & this.mask] = TAKEN;
  }

  private setLink(address: number, word: 0 | 1, to: number): void {
    this.words[address >>> this.shift][(address & this.mask) * UNIT_WORDS + word] = to;
  }
}
