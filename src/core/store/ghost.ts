/**
 * The ghost: hashes of keys that were evicted a short while ago. The reclaimer adds them, the store asks whether a new key
 * is one of them: it then goes to the main pool at once. As many are remembered as values are held, which is what makes
 * S3-FIFO (Yang et al., SOSP'23) hold against loops and drift.
 *
 * Buckets of eight words, the latest first, so that a question costs one cache line and age needs no field of its own.
 * They grow and shrink by linear hashing (Litwin, 1980), one bucket a step, in chunks. Guarded: `bytes` is what is held,
 * and it grows by no more than one chunk, when the owner says so.
 */
const BUCKET_WORDS = 8;
const CHUNK_BYTES_MAX = 64 * 1024;

export class Ghost {
  bytes = 0;
  readonly chunkBytes: number;
  private readonly chunks: Uint32Array[] = [];
  private readonly chunkShift: number;
  private buckets = 0;
  /** Buckets before the round of splits under way, a power of two; those below `split` have been split. */
  private round = 1;
  private split = 0;

  constructor(segmentBytes: number) {
    this.chunkBytes = Math.min(segmentBytes, CHUNK_BYTES_MAX);
    this.chunkShift = 31 - Math.clz32(this.chunkBytes / (BUCKET_WORDS * 4));
  }

  /** Keys it remembers at most. */
  get capacity(): number {
    return this.buckets * BUCKET_WORDS;
  }

  /** It remembers fewer than `keys`, and another chunk is needed for more. */
  wantsChunk(keys: number): boolean {
    return this.capacity < keys && this.buckets === this.chunks.length << this.chunkShift;
  }

  addChunk(): void {
    this.chunks.push(new Uint32Array(this.chunkBytes >>> 2));
    this.bytes += this.chunkBytes;
  }

  has(hash: number): boolean {
    if (this.buckets === 0 || hash === 0) return false;
    const bucket = this.bucketOf(hash);
    const chunk = this.chunks[bucket >>> this.chunkShift];
    const at = this.wordOf(bucket);
    for (let word = at; word < at + BUCKET_WORDS; word++) if (chunk[word] === hash) return true;
    return false;
  }

  /** Remembers a key, in place of the oldest of its bucket; grows or shrinks by a bucket or two towards `keys`. */
  add(hash: number, keys: number): void {
    this.adjust(keys);
    if (this.buckets === 0) return;
    const bucket = this.bucketOf(hash);
    const chunk = this.chunks[bucket >>> this.chunkShift];
    const at = this.wordOf(bucket);
    for (let word = at + BUCKET_WORDS - 1; word > at; word--) chunk[word] = chunk[word - 1];
    chunk[at] = hash;
  }

  clear(): void {
    this.chunks.length = 0;
    this.bytes = 0;
    this.buckets = 0;
    this.round = 1;
    this.split = 0;
  }

  private adjust(keys: number): void {
    if (this.capacity < keys) {
      for (let step = 0; step < 2 && this.buckets < this.chunks.length << this.chunkShift; step++) this.splitBucket();
    } else if (this.capacity - this.capacity / 4 > keys && this.buckets > 1) {
      this.mergeBucket();
    }
  }

  private splitBucket(): void {
    if (this.buckets++ === 0) return;
    const from = this.chunks[this.split >>> this.chunkShift];
    const added = this.split + this.round;
    const to = this.chunks[added >>> this.chunkShift];
    const source = this.wordOf(this.split);
    const target = this.wordOf(added);
    let kept = source;
    let moved = target;
    for (let word = source; word < source + BUCKET_WORDS; word++) {
      const hash = from[word];
      from[word] = 0;
      if (hash === 0) continue;
      if ((hash & this.round) === 0) from[kept++] = hash;
      else to[moved++] = hash;
    }
    if (++this.split < this.round) return;
    this.round *= 2;
    this.split = 0;
  }

  /** The last bucket's latest half joins the latest half of the one it was split from. */
  private mergeBucket(): void {
    if (this.split === 0) {
      this.round /= 2;
      this.split = this.round;
    }
    this.split--;
    const removed = --this.buckets;
    const from = this.chunks[removed >>> this.chunkShift];
    const to = this.chunks[this.split >>> this.chunkShift];
    const source = this.wordOf(removed);
    const target = this.wordOf(this.split);
    for (let word = BUCKET_WORDS / 2 - 1; word >= 0; word--) {
      to[target + 2 * word] = to[target + word];
      to[target + 2 * word + 1] = from[source + word];
    }
    from.fill(0, source, source + BUCKET_WORDS);
    if (this.buckets <= (this.chunks.length - 1) << this.chunkShift) {
      this.chunks.pop();
      this.bytes -= this.chunkBytes;
    }
  }

  private bucketOf(hash: number): number {
    const bucket = hash & (this.round - 1);
    return bucket < this.split ? hash & (this.round * 2 - 1) : bucket;
  }

  private wordOf(bucket: number): number {
    return (bucket & ((1 << this.chunkShift) - 1)) * BUCKET_WORDS;
  }
}
