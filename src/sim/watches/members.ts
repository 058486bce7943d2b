/**
 * Watches the failure detectors against the truth. Accuracy: nobody is declared dead who ran, could be reached and could reach the one that
 * declares it for the whole of a suspicion. Completeness: whoever is down for longer than `detectionBoundMs` is known to be gone by all that
 * were well meanwhile; who doubted itself has longer. And what is held of a life never goes back, nor beyond what that life has said of
 * itself: so who left or was forgotten comes back only as another life. Guarded: it looks at a node's members only when they have changed,
 * and at who is down once a second.
 */
import type { NodeConfig } from '../../core/config.js';
import { DOUBTFUL_SCORE, HEALTH_SCORE_MAX, scaledByHealth, suspicionMinMs } from '../../core/membership/formulas.js';
import type { Member } from '../../core/membership/member.js';
import { MEMBERSHIP_TIMINGS } from '../../core/membership/options.js';
import { compareStandings, isGone } from '../../core/membership/precedence.js';
import type { Inspected } from '../../core/node/inspected.js';
import type { Complain, Watch } from './watches.js';

/** What happens around the nodes, as far as it decides who may think what of whom; times in ms. */
export interface Truth {
  ofNode(node: number): number;
  between(left: number, right: number): number;
  down(node: number): number;
}

type Held = Pick<Member, 'id' | 'actor' | 'boot' | 'incarnation' | 'state'>;

/** What is said of others meanwhile may bring them another turn before the dead one's, ms. */
const SLACK_MS = 1_500;
/** How often a run has the watch look at who is down, ms. */
const SECOND_MS = 1_000;

/** Another life of the boot of one that is gone is none that came after it: that one counts on. */
function isFormerLife(was: Held, is: Held): boolean {
  return was.boot === is.boot && was.actor !== is.actor && isGone(was.state) && !isGone(is.state);
}

/**
 * When a node that is well knows of a death by its own probes alone. With n members and probes every p, stretched by its health:
 * - the dead one answered as the first of a round and is the last of the next: n - 2 turns, then n - 1, so 2n - 3 times p;
 * - its probe lasts twice the direct timeout, which is p at most, and may begin anew where a stream ended just then: 4 p;
 * - then the longest suspicion: nobody may be left to confirm it, and a node in doubt waits for that anyway.
 * Below a score of two p is stretched to 2 p at most. A node in doubt may be at 8 p all the time, since where all others are dead no answer
 * brings its score down: of three nodes one that was paused for 2.6 s while the power of both others went takes 13.9 s.
 */
export function detectionBoundMs(members: number, config: NodeConfig, inDoubt: boolean): number {
  const { probeIntervalMs, suspicionFloorMs } = config;
  const { suspicionMultiplier, suspicionMaxFactor } = MEMBERSHIP_TIMINGS;
  const minMs = suspicionMinMs(suspicionMultiplier, members, probeIntervalMs, suspicionFloorMs);
  const turnMs = scaledByHealth(probeIntervalMs, inDoubt ? HEALTH_SCORE_MAX : DOUBTFUL_SCORE - 1);
  return (2 * members - 3 + 4) * turnMs + minMs * suspicionMaxFactor + SLACK_MS;
}

export class MemberWatch implements Watch {
  readonly counts = { deaths: 0, deathsJudged: 0, downKnown: 0 };
  private readonly lists: (readonly Member[] | null)[] = [];
  private readonly views: Map<string, Held>[] = [];
  /** The highest incarnation that a life has said of itself. */
  private readonly said = new Map<number, number>();
  /** The life that a node has, or had last. */
  private readonly actors: number[] = [];
  private readonly declared = new Set<string>();
  /** Nodes that doubted themselves since the last second. */
  private readonly doubting = new Set<number>();
  /** For how long a node has not doubted itself, ms. */
  private readonly steadyMs: number[] = [];

  constructor(
    private readonly complain: Complain,
    private readonly truth: Truth,
    /** Its number by its id. */
    private readonly nodeOf: (id: string) => number | undefined,
  ) {}

  opened(node: number): void {
    this.lists[node] = null;
    this.views[node] = new Map();
    this.steadyMs[node] = 0;
  }

  turned(node: number, { rooms, config }: Inspected): void {
    if (rooms === null) return;
    const { membership } = rooms;
    const { self } = membership;
    if (this.actors[node] !== self.actor || (this.said.get(self.actor) ?? -1) < self.incarnation) {
      this.actors[node] = self.actor;
      this.said.set(self.actor, self.incarnation);
    }
    if (membership.healthScore >= DOUBTFUL_SCORE) this.doubting.add(node);
    const members = membership.members();
    if (members === this.lists[node]) return;
    this.lists[node] = members;
    this.compare(node, members, suspicionOf(config, members.length));
  }

  second(nodes: readonly (Inspected | null)[]): void {
    for (const node of nodes.keys()) {
      this.steadyMs[node] = this.doubting.has(node) ? 0 : (this.steadyMs[node] ?? 0) + SECOND_MS;
    }
    this.doubting.clear();
    for (const [node, actor] of this.actors.entries()) {
      const downMs = this.truth.down(node);
      if (downMs === 0) continue;
      for (const [observer, inspected] of nodes.entries()) {
        if (inspected === null || inspected.rooms === null || observer === node) continue;
        const boundMs = this.boundMs(observer, nodes.length, inspected.config);
        if (downMs > boundMs && this.isWell(observer, nodes, boundMs))
          this.judgeDown(observer, inspected, actor, downMs);
      }
    }
  }

  /** Where two of these nodes see differently who is there; null if they do not. */
  differs(nodes: readonly (Inspected | null)[]): string | null {
    let first: string | null = null;
    for (const [node, inspected] of nodes.entries()) {
      if (inspected === null || inspected.rooms === null) continue;
      const live = inspected.rooms.membership.members().filter(({ state }) => !isGone(state));
      const view = live.map(({ id, actor, incarnation, state }) => `${id} ${actor} ${incarnation} ${state}`).join(', ');
      first ??= view;
      if (view !== first) return `node ${node} sees ${view}, another one ${first}`;
    }
    return null;
  }

  /** What a node holds now, against what it held. `boundMs`: the shortest suspicion. */
  compare(node: number, members: readonly Held[], boundMs: number): void {
    const view = this.views[node] ?? new Map<string, Held>();
    this.views[node] = view;
    const gone = view.size > members.length ? new Set(view.keys()) : null;
    for (const member of members) {
      gone?.delete(member.id);
      const { id, actor, boot, incarnation, state } = member;
      const was = view.get(id);
      if (was !== undefined && was.actor === actor && was.incarnation === incarnation && was.state === state) continue;
      if (was !== undefined && was.boot === boot && was.actor === actor && compareStandings(member, was) < 0) {
        this.complain(`member: node ${node} takes ${id} from ${standingText(was)} back to ${standingText(member)}`);
      } else if (was !== undefined && (boot < was.boot || isFormerLife(was, member))) {
        this.complain(`member: node ${node} takes ${id} from ${standingText(was)} back to ${standingText(member)}`);
      }
      const said = this.said.get(actor);
      if (said !== undefined && incarnation > said) {
        this.complain(`member: node ${node} holds ${id} ${standingText(member)}, which it has never said of itself`);
      }
      view.set(id, { id, actor, boot, incarnation, state });
      if (state === 'dead') this.died(node, member, boundMs);
    }
    for (const id of gone ?? []) view.delete(id);
  }

  /** The first to hold so is the one that judged. */
  private died(node: number, { id, actor, incarnation }: Held, boundMs: number): void {
    const standing = `${actor}@${incarnation}`;
    if (this.declared.has(standing)) return;
    this.declared.add(standing);
    this.counts.deaths++;
    const victim = this.nodeOf(id);
    if (victim === undefined || this.actors[victim] !== actor) return;
    const { truth } = this;
    const calmMs = Math.min(truth.ofNode(node), truth.ofNode(victim), truth.between(node, victim));
    this.counts.deathsJudged++;
    if (truth.down(victim) === 0 && calmMs > boundMs) {
      this.complain(
        `member: node ${node} declares ${id} dead, which has been well and in reach for ${Math.floor(calmMs)} ms`,
      );
    }
  }

  private boundMs(observer: number, members: number, config: NodeConfig): number {
    const boundMs = detectionBoundMs(members, config, false);
    return this.steadyMs[observer] > boundMs ? boundMs : detectionBoundMs(members, config, true);
  }

  /** It ran well, and so did the ways between it and all that ran. */
  private isWell(observer: number, nodes: readonly (Inspected | null)[], forMs: number): boolean {
    return (
      this.truth.ofNode(observer) > forMs &&
      nodes.every((inspected, other) => inspected === null || this.truth.between(observer, other) > forMs)
    );
  }

  private judgeDown(observer: number, { rooms }: Inspected, actor: number, downMs: number): void {
    const held = rooms?.membership.byActor(actor);
    if (held === undefined || isGone(held.state)) this.counts.downKnown++;
    else this.complain(`member: node ${observer} holds ${held.id} ${held.state}, which has been down for ${downMs} ms`);
  }
}

/** The shortest suspicion and the probe before it, ms. */
function suspicionOf({ probeIntervalMs, suspicionFloorMs }: NodeConfig, members: number): number {
  const { suspicionMultiplier } = MEMBERSHIP_TIMINGS;
  return suspicionMinMs(suspicionMultiplier, members, probeIntervalMs, suspicionFloorMs) + probeIntervalMs;
}

function standingText({ boot, incarnation, state }: Held): string {
  return `${state}@${boot}.${incarnation}`;
}
