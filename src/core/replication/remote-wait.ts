/**
 * One other coordinator's part in a WAIT or WAITAOF: what it is asked, in the place of the caller, and what it has answered. waiters.ts
 * makes them and hands them to the forwarding room. Guarded: anything but two figures counts as nobody.
 */
import type { Caller, Deferred } from '../commands/host.js';
import { Receipt } from '../commands/receipt.js';
import type { WriteMark, WriteMarks } from '../commands/write-marks.js';
import { readInteger } from '../resp/integer.js';
import { Reply } from '../resp/reply.js';

export class RemoteWait implements Caller, Deferred {
  readonly reply = new Reply(2, null);
  readonly protocol = 2;
  readonly receipt = new Receipt();
  readonly strict = false;
  readonly session = null;
  answered = false;
  /** The answer was none: there is no use in asking again. */
  failed = false;
  local = 0;
  peers = 0;

  /** `mark`: the writes asked about, as they stood when the caller asked. */
  constructor(
    private readonly caller: Caller,
    readonly mark: WriteMark,
    private readonly tell: () => void,
  ) {}

  /** It is asked, once more perhaps: what it said before may not hold. */
  begin(): void {
    this.reply.truncate(0);
    this.answered = false;
    this.local = 0;
    this.peers = 0;
  }

  get origin(): object {
    return this;
  }

  get gone(): boolean {
    return this.caller.gone;
  }

  get readLevel(): Caller['readLevel'] {
    return this.caller.readLevel;
  }

  get writeLevel(): Caller['writeLevel'] {
    return this.caller.writeLevel;
  }

  get wrote(): WriteMarks {
    return this.caller.wrote;
  }

  defer(): Deferred {
    return this;
  }

  beginReceipt(): Receipt {
    return this.receipt;
  }

  holdUntilDurable(): void {}

  /** `*2 :local :peers`; anything else is an error, and counts as nobody. */
  done(): void {
    if (this.answered) return;
    this.answered = true;
    const [head, local, peers] = this.reply.buffer.latin1Slice(0, this.reply.length).split('\r\n');
    this.failed = head !== '*2';
    this.local = numberIn(local);
    this.peers = numberIn(peers);
    this.tell();
  }
}

function numberIn(line: string | undefined): number {
  if (line === undefined || !line.startsWith(':')) return 0;
  const value = readInteger(Buffer.from(line, 'latin1'), 1, line.length);
  return Number.isSafeInteger(value) && value > 0 ? value : 0;
}
