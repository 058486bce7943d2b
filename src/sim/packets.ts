/**
 * Watches which sealed packets each node has been handed, in each of its lives: the run compares their number with what the node says
 * it took in. The network shows it every datagram it delivers in a run with a secret. Guarded: a recorded packet counts once. A node
 * that takes one in again would believe whoever repeats what a member once said.
 */

/** Where actor and counter of a packet stand: no two packets of a cluster have the same. */
const NONCE_START = 16;
const NONCE_END = 28;

export class PacketWatch {
  private readonly met: Set<string>[] = [];

  delivered(node: number, bytes: Buffer): void {
    if (bytes.length < NONCE_END) return;
    this.met[node] ??= new Set();
    this.met[node].add(bytes.latin1Slice(NONCE_START, NONCE_END));
  }

  /** The node begins another life. */
  forget(node: number): void {
    this.met[node] = new Set();
  }

  /** Different packets handed to this life of the node. */
  count(node: number): number {
    return this.met[node]?.size ?? 0;
  }
}
