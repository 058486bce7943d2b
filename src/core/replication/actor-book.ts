/**
 * Which actors have ended, and since when: what a counter's parts must wait for before they are folded. The spine tells it of members
 * that start anew or go; the keyspace asks `endHlcOf`.
 * Guarded: an actor is never said to have ended while it may still write. One that this node saw end is known by itself, within a
 * bound; of any other it is certain only once the actor of every member with a say is known: since then it is none of them.
 */

/** Ended actors known each by itself; the oldest is then known by the others' time. */
export const ENDED_MAX = 1024;

export class ActorBook {
  private readonly ended = new Map<number, number>();
  /** Since then every member's actor is known; Infinity while one is not. */
  private completeHlc = Number.POSITIVE_INFINITY;

  /** `isMember`: whether an actor is that of a member now. */
  constructor(private readonly isMember: (actor: number) => boolean) {}

  /** Actors known to have ended each by itself. */
  get size(): number {
    return this.ended.size;
  }

  /** A member started anew or is gone: its actor stamped nothing above `hlc`. */
  noteEnd(actor: number, hlc: number): void {
    if (actor === 0) return;
    this.ended.delete(actor);
    this.ended.set(actor, hlc);
    if (this.ended.size <= ENDED_MAX) return;
    const [oldest, endedHlc] = this.ended.entries().next().value as [number, number];
    this.ended.delete(oldest);
    this.completeHlc = Math.max(this.completeHlc, endedHlc);
  }

  /** Whether the actors of all members are known, as of `hlc`. */
  noteMembers(areKnown: boolean, hlc: number): void {
    if (!areKnown) this.completeHlc = Number.POSITIVE_INFINITY;
    else if (this.completeHlc === Number.POSITIVE_INFINITY) this.completeHlc = hlc;
  }

  /** Above this an actor stamped nothing and never will; Infinity while it may still write. */
  endHlcOf(actor: number): number {
    return this.isMember(actor) ? Number.POSITIVE_INFINITY : (this.ended.get(actor) ?? this.completeHlc);
  }
}
