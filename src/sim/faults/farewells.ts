/**
 * The end of a run's membership changes, once all is healed: the dead are forgotten by whoever knows them, and who is to leave is asked again
 * until it has. run.ts waits for it before it asks for the state that is left. Guarded: nobody is taken for forgotten on the word of one
 * who has just joined and knows nothing of it.
 */
import type { SimCluster } from '../cluster.js';
import type { Inquiry } from '../inquiry.js';
import type { Nemesis } from '../nemesis.js';
import type { Reply } from '../replies.js';

/** Who died is known to be dead after 1.2 s and more. */
const FORGET_INTERVAL_MS = 1_500;
const FORGET_TRIES = 3;

/** An operator has one who lives forget a node that died, and asks again until it is known to be dead; what is left comes at the end. */
export function forgetSoon(cluster: SimCluster, nemesis: Nemesis, inquiry: Inquiry, node: number): void {
  for (let time = 1; time <= FORGET_TRIES; time++) {
    cluster.clock.schedule(time * FORGET_INTERVAL_MS, () => {
      const { members } = nemesis;
      const teller = members.present().find((other) => cluster.nodes[other].up);
      const isDue = members.unforgotten().includes(node);
      if (teller !== undefined && isDue) inquiry.tell(teller, ['HEARSAY.FORGET', cluster.placeOf(node).id]);
    });
  }
}

/** What is left to do; null if nothing is. */
export function seeMembersOff(cluster: SimCluster, nemesis: Nemesis, inquiry: Inquiry): string | null {
  const { members } = nemesis;
  // Who leaves waits for every owner, the dead ones too.
  for (const node of members.unforgotten()) {
    const replies = inquiry.askAll(['HEARSAY.FORGET', cluster.placeOf(node).id]).map(({ reply }) => reply);
    const isNobody = replies.every((reply) => /no member is called/.test(textIn(reply)));
    if (!isNobody && !replies.some((reply) => reply?.type === 'status')) {
      return `node ${node} is not forgotten: ${textIn(replies[0])}`;
    }
    members.forgot(node);
  }
  nemesis.resumeLeaving();
  const staying = [...members.leaving.keys()].filter((node) => cluster.nodes[node].up);
  for (const node of staying) inquiry.tell(node, ['HEARSAY.LEAVE']);
  return staying.length === 0 ? null : `node ${staying[0]} has not left`;
}

function textIn(reply: Reply | null): string {
  return reply !== null && 'text' in reply ? reply.text : 'no answer';
}
