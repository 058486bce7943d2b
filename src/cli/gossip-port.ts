/**
 * Whether a port that gave no answer to a command is a node's gossip port: ping and every verb that connects to a node ask here, so
 * that who took the wrong one of two ports is told the right one. Guarded: it is said as a fact only if a node says so itself; no password
 * goes to a port that the user did not name, so of a node that wants one nothing is known.
 */
import { askNode, recordOf } from '../../cluster/probe.js';

const PORT_OFFSET_GOSSIP = 10_000;
const TIMEOUT_MS = 1000;

/** A sentence for the user; empty if nothing is known of the port. */
export async function gossipPortHint(host: string, port: number): Promise<string> {
  const respPort = port - PORT_OFFSET_GOSSIP;
  if (respPort < 1) return '';
  // Without the password: nobody named that port as a node's.
  const replies = await askNode(host, respPort, [['HEARSAY.STATUS']], TIMEOUT_MS).catch(() => []);
  const status = recordOf(replies[replies.length - 1] ?? null);
  const members = Array.isArray(status?.members) ? status.members.map(recordOf) : [];
  const own = members.find((member) => Number(member?.self) === 1);
  if (status === null || !String(own?.gossip).endsWith(`:${port}`)) return '';
  return `that is the gossip port of ${String(status.node)}; its RESP port is ${respPort}: --port ${respPort}`;
}
