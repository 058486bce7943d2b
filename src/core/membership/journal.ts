/**
 * What follows from each step of a member beside the belief itself: it is damped if it comes and goes, and said in the log.
 * Membership hands it every step once, in order, as it hands it out. Guarded: this node's own steps damp nothing.
 */
import type { Log } from '../../ports/log.js';
import type { Flaps } from './flaps.js';
import type { Member } from './member.js';
import type { MemberChange } from './view.js';

export class Journal {
  private readonly log: Log;
  private readonly flaps: Flaps;
  private readonly self: Member;

  constructor(ports: { log: Log; flaps: Flaps }, self: Member) {
    this.log = ports.log;
    this.flaps = ports.flaps;
    this.self = self;
  }

  step(change: MemberChange, nowMs: number): void {
    this.damp(change, nowMs);
    this.report(change);
  }

  private damp({ member, from, to, restarted }: MemberChange, nowMs: number): void {
    if (to === null) this.flaps.forget(member.id);
    else if (member !== this.self) {
      if (restarted || to !== 'alive') this.flaps.wentOut(member.id, nowMs);
      if (to === 'alive' && (from !== 'alive' || restarted)) this.flaps.cameBack(member.id, nowMs);
    }
  }

  private report({ member, from, to, restarted, moved }: MemberChange): void {
    const { id, host, port, udpBlocked } = member;
    if (from === to && !restarted && !moved) {
      const event = udpBlocked
        ? 'udp blocked: datagrams do not get through, streams are used'
        : 'udp gets through again';
      this.log.warn(event, { id, address: `${host}:${port}` });
      return;
    }
    const fields: Record<string, unknown> = { id, to: to ?? 'forgotten' };
    if (from === null || moved) fields.address = `${host}:${port}`;
    if (from !== null && from !== to) fields.from = from;
    if (restarted) fields.restarted = true;
    this.log.info('member', fields);
  }
}
