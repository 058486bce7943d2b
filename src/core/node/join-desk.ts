/**
 * How a node finds the cluster that it was told to join: resolves the names of its contact points, and takes what became of its greetings to
 * the join watch, and what that concludes to the routes. The spine ticks it before the routes are, and hands it the resolver's answers.
 * Guarded: a lookup is asked once at a time for each name and try; a node that is refused answers for nothing from the next tick on.
 */
import type { Log } from '../../ports/log.js';
import type { Resolver } from '../../ports/resolver.js';
import { JoinWatch } from './join-watch.js';
import type { Rooms } from './rooms.js';

/** Lookups under way: past it a name waits for the next try. */
const LOOKUPS_MAX = 512;

export class JoinDesk {
  readonly watch: JoinWatch;
  private readonly resolving = new Map<number, string>();
  private nextToken = 1;

  constructor(
    private readonly ports: { log: Log; resolver: Resolver },
    private readonly rooms: Pick<Rooms, 'membership' | 'ownership' | 'peers' | 'refusals'>,
    private readonly options: { isSealed: boolean; wasTold: boolean; mutations: ReadonlySet<string> },
  ) {
    this.watch = new JoinWatch(ports, {
      isSealed: options.isSealed,
      wasTold: options.wasTold,
      contactPoints: rooms.membership.contactPoints,
    });
  }

  tick(nowMs: number): void {
    const { membership, ownership, peers, refusals } = this.rooms;
    const { watch } = this;
    for (const news of peers.outgoing.drainNews()) {
      // Before it has met anybody that is what the watch says, and not so often.
      if (news.outcome === 'refused' && watch.state === 'joined') {
        refusals.note(news.reason, 'the node at', news.address, nowMs, `will not have us: ${news.why}`);
      } else if (news.outcome === 'refused') refusals.count(news.reason);
      watch.heard(news);
    }
    const hasMet = membership.hasJoined || membership.members().length > 1;
    watch.tick(hasMet, ownership.met && nowMs >= ownership.meetsByMs, nowMs);
    if (!this.options.mutations.has('refusal-ignored')) ownership.setRefusal(watch.refusal, nowMs);
    this.resolveNames();
  }

  nameResolved(token: number, hosts: readonly string[], why: string, nowMs: number): void {
    const name = this.resolving.get(token);
    this.resolving.delete(token);
    if (name === undefined) return;
    this.watch.lookedUp(name, hosts.length === 0 ? why : null, nowMs);
    this.rooms.membership.contactResolved(name, hosts);
  }

  private resolveNames(): void {
    for (const name of this.rooms.membership.drainResolve()) {
      if (this.resolving.size >= LOOKUPS_MAX) break;
      const token = this.nextToken++;
      this.resolving.set(token, name);
      this.ports.resolver.resolve(name, token);
    }
  }
}
