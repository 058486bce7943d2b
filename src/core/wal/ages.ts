/**
 * How old the bytes of an image are: a sample of stamps, one for every so many bytes, from which recovery takes the bounds of bands
 * of about equal size. Guarded: the sample is bounded, whatever the size of the image, and bands cover every stamp exactly once.
 */
const SAMPLES = 4096;

export class AgeSample {
  private readonly stamps = new Float64Array(SAMPLES * 2);
  private readonly strideBytes: number;
  private count = 0;
  private untilNext = 0;

  /** `totalBytes`: how many bytes will be added, at most. */
  constructor(totalBytes: number) {
    this.strideBytes = Math.max(1, Math.ceil(totalBytes / SAMPLES));
  }

  add(hlc: number, bytes: number): void {
    this.untilNext -= bytes;
    if (this.untilNext > 0 || this.count === this.stamps.length) return;
    this.untilNext += this.strideBytes;
    this.stamps[this.count++] = hlc;
  }

  /** Bounds of at most `bands` bands, ascending: band i has the stamps in [bounds[i], bounds[i + 1]). */
  bounds(bands: number): number[] {
    const sorted = this.stamps.subarray(0, this.count).sort();
    const bounds = [0];
    for (let band = 1; band < bands; band++) {
      const bound = sorted[Math.floor((this.count * band) / bands)];
      if (bound > bounds[bounds.length - 1]) bounds.push(bound);
    }
    bounds.push(Number.POSITIVE_INFINITY);
    return bounds;
  }
}
