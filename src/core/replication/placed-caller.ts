/**
 * A caller whose place in the order of replies is taken already: for a command that runs later than it came, after other owners
 * were asked or after those ahead of it are done. Its reply goes into that place, which closes once the command has run and
 * whatever it deferred is done.
 */
import type { Caller, Deferred } from '../commands/host.js';
import type { Receipt } from '../commands/receipt.js';
import { Args } from '../resp/args.js';
import type { Reply } from '../resp/reply.js';

export class PlacedCaller implements Caller {
  /** The log batch that the reply waits for; 0 for none. */
  batch = 0;
  /** As they were when the command came: its connection may change them before it runs. */
  readonly readLevel: Caller['readLevel'];
  readonly writeLevel: Caller['writeLevel'];
  readonly strict: boolean;
  private deferrals = 0;
  private finished = false;

  constructor(
    private readonly caller: Caller,
    private readonly place: Deferred,
    readonly receipt: Receipt = caller.receipt,
  ) {
    receipt.kept = true;
    this.readLevel = caller.readLevel;
    this.writeLevel = caller.writeLevel;
    this.strict = caller.strict;
  }

  get origin(): object {
    return this.caller.origin;
  }

  get gone(): boolean {
    return this.caller.gone;
  }

  get protocol(): 2 | 3 {
    return this.caller.protocol;
  }

  get session(): Caller['session'] {
    return this.caller.session;
  }

  beginReceipt(level: Caller['readLevel']): Receipt {
    this.receipt.begin(level);
    return this.receipt;
  }

  get reply(): Reply {
    return this.place.reply;
  }

  get wrote(): Caller['wrote'] {
    return this.caller.wrote;
  }

  defer(): Deferred {
    this.deferrals++;
    return { reply: this.place.reply, done: () => this.closeOne() };
  }

  holdUntilDurable(batch: number): void {
    if (batch > this.batch) this.batch = batch;
  }

  /** The command has run; its reply is whole unless it deferred. */
  finish(): void {
    this.finished = true;
    if (this.deferrals === 0) this.place.done();
  }

  private closeOne(): void {
    this.deferrals--;
    if (this.finished && this.deferrals === 0) this.place.done();
  }
}

/** A copy of the arguments that outlives the buffer they were read from. */
export function keepArgs(args: Args): Args {
  const kept = new Args();
  let size = 0;
  for (let index = 0; index < args.count; index++) size += args.length(index);
  kept.buffer = Buffer.allocUnsafe(size);
  let at = 0;
  for (let index = 0; index < args.count; index++) {
    const end = at + args.buffer.copy(kept.buffer, at, args.starts[index], args.ends[index]);
    kept.push(at, end);
    at = end;
  }
  return kept;
}
