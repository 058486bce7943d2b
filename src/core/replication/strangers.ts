/**
 * Addresses that sent datagrams in this turn and are no peer's: what goes back to them in it is never more than what came.
 * Peers (peers.ts) asks before each datagram; the spine notes who came. A source address is easily forged: without this bound a
 * small packet under another's name would have a node send larger ones there.
 * Guarded: bounded for each turn; who came past the bound gets nothing. In turns without strangers a datagram costs one comparison.
 */

const STRANGERS_MAX = 256;

export class Strangers {
  /** Datagrams held back. */
  withheld = 0;
  private readonly credit = new Map<string, number>();
  private full = false;

  came(host: string, port: number, bytes: number): void {
    const address = `${host}:${port}`;
    const before = this.credit.get(address);
    if (before === undefined && this.credit.size >= STRANGERS_MAX) this.full = true;
    else this.credit.set(address, (before ?? 0) + bytes);
  }

  /** Whether what goes there is counted in this turn. */
  has(host: string, port: number): boolean {
    return this.credit.size > 0 && this.credit.has(`${host}:${port}`);
  }

  /** Whether so many bytes may go there now; they are taken as sent. `known`: a peer lives there, as far as we know. */
  allows(host: string, port: number, bytes: number, known: boolean): boolean {
    if (this.credit.size === 0) return true;
    const address = `${host}:${port}`;
    const left = this.credit.get(address);
    if (left === undefined && (known || !this.full)) return true;
    if (left === undefined || left < bytes) {
      this.withheld++;
      return false;
    }
    this.credit.set(address, left - bytes);
    return true;
  }

  /** The turn has ended. */
  forget(): void {
    if (this.credit.size > 0) this.credit.clear();
    this.full = false;
  }
}
