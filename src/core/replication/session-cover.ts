/**
 * Whether this node has seen what a session has, in one partition: its frontier against the token's dots and watermark. The coordinator
 * asks before it answers a read under a session, the desk for peers that ask on behalf of theirs.
 * Guarded: a dot stands for all earlier ones of its actor, so only a frontier without a gap below it covers it.
 */
import type { SessionToken } from '../commands/session-token.js';
import type { Frontiers } from './frontier.js';
import { COVERS_ALL, COVERS_DOTS, COVERS_NOTHING, type Cover } from './requests.js';

export class SessionCover {
  /** `ignored`: the planted bug by which every node claims to have seen everything. */
  constructor(
    private readonly frontiers: Frontiers,
    private readonly ignored: boolean,
  ) {}

  cover(partition: number, session: SessionToken): Cover {
    if (this.ignored) return COVERS_ALL;
    const vector = this.frontiers.of(partition);
    for (const dot of session.dots) {
      if (dot.partition !== partition || dot.hlc <= vector.floor) continue;
      const index = vector.indexOf(dot.actor);
      if (index < 0 || vector.throughs[index] < dot.sequence) return COVERS_NOTHING;
    }
    return session.watermark <= vector.floor ? COVERS_ALL : COVERS_DOTS;
  }
}
