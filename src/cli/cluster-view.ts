/**
 * Snapshots of a whole cluster: a link and an open snapshot for each node that can be reached, and who covers which partition.
 * export.ts opens one and reads through it. Guarded: a node that is passed by is named in `silent`; what is opened is closed with
 * its links.
 */
import type { Reply } from '../client/reply-parser.js';
import { HearsayError } from '../core/base/errors.js';
import { isAnyAddress } from '../core/setting.js';
import { NodeLink } from './node-link.js';

export interface Address {
  host: string;
  port: number;
}

/** One node's snapshot, and the link it was opened by: it ends with it. */
export interface OpenSnapshot {
  address: Address;
  link: NodeLink;
  id: string;
  /** Partitions that the node answered for when it was opened. */
  partitions: ReadonlySet<number>;
  /** Partitions of which it held a whole copy then. */
  held: ReadonlySet<number>;
}

export interface ClusterSnapshots {
  /** Partitions of the cluster. */
  partitions: number;
  nodes: OpenSnapshot[];
  /** Why there is none of each other node, by its address. */
  silent: string[];
}

export interface LinkOptions {
  password: string | null;
  timeoutMs: number;
  isContact?: boolean;
}

/** Addresses of the members that a node believes to be there, its own first. Throws UNAVAILABLE. */
export async function membersBehind(contact: Address, options: LinkOptions): Promise<Address[]> {
  const link = await NodeLink.open({ ...contact, ...options });
  try {
    const members = fieldsOf(await link.request('HEARSAY.STATUS')).get('members');
    const addresses = [contact];
    for (const row of Array.isArray(members) ? members : []) {
      const member = fieldsOf(row);
      const state = String(member.get('state'));
      if (Number(member.get('self')) === 1 || (state !== 'alive' && state !== 'suspect')) continue;
      const text = String(member.get('address'));
      const colon = text.lastIndexOf(':');
      const host = text.slice(0, colon);
      addresses.push({ host: isAnyAddress(host) ? contact.host : host, port: Number(text.slice(colon + 1)) });
    }
    return addresses;
  } finally {
    link.close();
  }
}

/** Opens a snapshot at every address, at once; those that do not answer are left out. Throws when none does. */
export async function openSnapshots(addresses: readonly Address[], options: LinkOptions): Promise<ClusterSnapshots> {
  const links = await Promise.allSettled(addresses.map((address) => NodeLink.open({ ...address, ...options })));
  // First all links, then all snapshots: so the moments of the nodes lie as close together as they can.
  const opened = await Promise.allSettled(
    links.map(async (link, at) => {
      if (link.status === 'rejected') throw link.reason;
      return openBy(link.value, addresses[at]);
    }),
  );
  const nodes = opened.flatMap((node) => (node.status === 'fulfilled' ? [node.value] : []));
  for (const [at, node] of opened.entries()) {
    const link = links[at];
    if (node.status === 'rejected' && link.status === 'fulfilled') link.value.close();
  }
  const failed = opened.find((node) => node.status === 'rejected');
  if (nodes.length === 0) throw failed?.reason ?? new HearsayError('UNAVAILABLE', 'no node is there');
  const silent = opened.flatMap((node, at) => {
    if (node.status === 'fulfilled') return [];
    const { host, port } = addresses[at];
    const why = (node.reason as Error).message;
    return [why.startsWith(`${host}:${port}`) ? why : `${host}:${port}: ${why}`];
  });
  return { partitions: Math.max(...nodes.map(({ of }) => of)), nodes, silent };
}

/** Opens a snapshot through a link that is there. */
export async function openBy(link: NodeLink, address: Address): Promise<OpenSnapshot & { of: number }> {
  const id = String(await link.request('HEARSAY.SNAPSHOT', 'OPEN'));
  const facts = fieldsOf(await link.request('HEARSAY.SNAPSHOT', 'INFO', id));
  const partitions = numbersIn(facts.get('partitions'));
  return {
    address,
    link,
    id,
    of: Number(facts.get('partitions_of_cluster')),
    partitions,
    held: new Set([...partitions, ...numbersIn(facts.get('partitions_held'))]),
  };
}

function numbersIn(reply: Reply | undefined): Set<number> {
  return new Set(Array.isArray(reply) ? reply.map(Number) : []);
}

export function closeSnapshots(snapshots: ClusterSnapshots): void {
  for (const { link } of snapshots.nodes) link.close();
}

function fieldsOf(reply: Reply): Map<string, Reply> {
  const fields = new Map<string, Reply>();
  if (Array.isArray(reply)) {
    for (let at = 0; at + 1 < reply.length; at += 2) fields.set(String(reply[at]), reply[at + 1]);
  }
  return fields;
}
