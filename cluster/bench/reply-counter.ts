/**
 * Counts replies in a stream of RESP2 without making anything of them: lines and bulk strings, as SET, GET, INCR and MSET answer.
 * Guarded: replies may be cut anywhere; errors and nulls are counted; what is no such reply is an error of the run.
 */

const CR_LF_BYTES = 2;
const ERROR_CHARACTERS_MAX = 200;

export class ReplyCounter {
  errors = 0;
  misses = 0;
  /** How many of the outcomes stand; whoever reads them sets it back. */
  outcomeCount = 0;
  firstError = '';
  /** Bytes of a bulk string, with its end, that are still to come. */
  private skip = 0;
  private kind = 0;
  private negative = false;
  private length = 0;
  private line = '';

  /** `outcomes` gets a byte for each reply, in order: 1 for a value or a line, 0 for a null or an error. */
  constructor(private readonly outcomes: Uint8Array | null = null) {}

  /** Takes bytes in; returns how many replies they complete. */
  feed(bytes: Uint8Array, end: number): number {
    let replies = 0;
    let at = 0;
    while (at < end) {
      if (this.skip > 0) {
        const taken = Math.min(this.skip, end - at);
        this.skip -= taken;
        at += taken;
        if (this.skip === 0) replies += this.replied(1);
        continue;
      }
      const byte = bytes[at++];
      if (this.kind === 0) this.begin(byte);
      else if (byte === 10) replies += this.lineEnded();
      else if (this.kind === 36) this.digit(byte);
      else if (this.kind === 45 && byte !== 13 && this.line.length < ERROR_CHARACTERS_MAX) {
        this.line += String.fromCharCode(byte);
      }
    }
    return replies;
  }

  private begin(byte: number): void {
    if (byte !== 43 && byte !== 45 && byte !== 58 && byte !== 36) {
      throw new Error(`a reply begins with byte ${byte}: no line and no bulk string`);
    }
    this.kind = byte;
    this.length = 0;
    this.negative = false;
    this.line = '';
  }

  private digit(byte: number): void {
    if (byte === 45) this.negative = true;
    else if (byte !== 13) this.length = this.length * 10 + byte - 48;
  }

  /** 1 if the reply is whole with its first line. */
  private lineEnded(): number {
    const { kind } = this;
    this.kind = 0;
    if (kind === 45) {
      if (this.errors++ === 0) this.firstError = this.line;
      return this.replied(0);
    }
    if (kind !== 36) return this.replied(1);
    if (this.negative) {
      this.misses++;
      return this.replied(0);
    }
    this.skip = this.length + CR_LF_BYTES;
    return 0;
  }

  private replied(outcome: number): number {
    if (this.outcomes !== null && this.outcomeCount < this.outcomes.length)
      this.outcomes[this.outcomeCount++] = outcome;
    return 1;
  }
}
