/**
 * What others say of a member that speaks for itself: that it lives a later life at another address. It may be so, and then it
 * says so itself when it is asked there; Membership asks here before it believes such a record from anybody else.
 * Guarded: hearsay alone moves no member that was just heard; an address is asked once a second at most for one member.
 */
import type { Held, MemberRecord } from './member.js';
import type { Prober } from './prober.js';

const ASK_INTERVAL_MS = 1_000;

export class Claims {
  asked = 0;
  private readonly prober: Prober;
  /** A member heard within this time speaks for itself. */
  private readonly heardWithinMs: number;

  constructor(ports: { prober: Prober }, options: { heardWithinMs: number }) {
    this.prober = ports.prober;
    this.heardWithinMs = options.heardWithinMs;
  }

  /** Whether the record of a third party is to be left alone until the member has spoken; it is asked then. */
  doubts(held: Held | undefined, record: MemberRecord, nowMs: number): boolean {
    if (held?.state !== 'alive' || record.state !== 'alive' || record.boot <= held.boot) return false;
    if (held.host === record.host && held.port === record.port) return false;
    if (nowMs - held.lastHeardMs > this.heardWithinMs) return false;
    if (nowMs - held.claimMs < ASK_INTERVAL_MS) return true;
    held.claimMs = nowMs;
    this.asked++;
    this.prober.verify(record, nowMs);
    return true;
  }
}
