/**
 * The slot map as the client holds it: which servers own a slot, from a CLUSTER SLOTS reply. The dispatcher asks it where a
 * request is to go first, so that most requests are executed by the node they reach.
 * It is advice, never truth: any node answers any request. Guarded: a malformed or oversized reply changes nothing.
 */
import { SLOTS } from '../core/partitions/slots.js';
import { joinServer, splitServer } from './link.js';
import type { Reply } from './reply-parser.js';

const SERVERS_MAX = 1024;

export class Router {
  /** Every server of the map, in the order of first mention. Empty while there is no map. */
  servers: readonly string[] = [];
  private owners: (readonly string[] | undefined)[] = [];

  /** The owners of a slot, the first one first; none if no map names any. */
  ownersOf(slot: number): readonly string[] {
    return (slot >= 0 && this.owners[slot]) || [];
  }

  /** Forgets the map: the server is alone, or shows none. */
  clear(): void {
    this.servers = [];
    this.owners = [];
  }

  /**
   * Takes a CLUSTER SLOTS reply that `askedServer` gave. False, and nothing changed, if it is not well formed or names
   * no server. A host left out stands for the one that was asked.
   */
  update(reply: Reply, askedServer: string): boolean {
    if (!Array.isArray(reply) || reply.length > SLOTS) return false;
    const owners = new Array<readonly string[] | undefined>(SLOTS);
    const servers = new Set<string>();
    let covered = 0;
    for (const row of reply) {
      if (!Array.isArray(row) || row.length < 3) return false;
      const [first, last] = row;
      if (!isSlot(first) || !isSlot(last) || first > last) return false;
      const rowOwners: string[] = [];
      for (const node of row.slice(2)) {
        const server = readServer(node, askedServer);
        if (server === null) return false;
        rowOwners.push(server);
        servers.add(server);
      }
      covered += last - first + 1;
      if (covered > SLOTS || servers.size > SERVERS_MAX) return false;
      owners.fill(rowOwners, first, last + 1);
    }
    if (servers.size === 0) return false;
    this.owners = owners;
    this.servers = [...servers];
    return true;
  }
}

function isSlot(reply: Reply | undefined): reply is number {
  return Number.isInteger(reply) && (reply as number) >= 0 && (reply as number) < SLOTS;
}

function readServer(node: Reply, askedServer: string): string | null {
  if (!Array.isArray(node) || node.length < 2) return null;
  const [given, port] = node;
  const text = Buffer.isBuffer(given) ? given.toString('utf8', 0, given.length) : given;
  const host = text === null || text === '' || text === '?' ? splitServer(askedServer).host : text;
  if (typeof host !== 'string' || typeof port !== 'number') return null;
  const server = joinServer(host, port);
  return splitServer(server).port === port && port > 0 ? server : null;
}
