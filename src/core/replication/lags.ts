/**
 * How far each peer is behind this node: the writes that it had not seen of each partition when the two last compared. Anti-entropy notes
 * it, STATUS shows it. Guarded: one number a partition and peer at most, and only of what the two share; a peer that is forgotten takes
 * its own along.
 */
export class Lags {
  /** By peer, by partition. */
  private readonly byPeer = new Map<string, Map<number, number>>();

  /** A peer lacks so many writes of a partition that have settled here. */
  note(id: string, partition: number, records: number): void {
    let lags = this.byPeer.get(id);
    if (records === 0) {
      lags?.delete(partition);
      return;
    }
    if (lags === undefined) {
      lags = new Map();
      this.byPeer.set(id, lags);
    }
    lags.set(partition, records);
  }

  /** A peer and this node compare these partitions and no others: of any other, neither is behind the other. */
  keep(id: string, shared: ReadonlySet<number>): void {
    const lags = this.byPeer.get(id);
    if (lags === undefined) return;
    for (const partition of lags.keys()) if (!shared.has(partition)) lags.delete(partition);
  }

  /** Writes, and partitions with any, that a peer lacked when it last said what it had seen. */
  of(id: string): { records: number; partitions: number } {
    const lag = { records: 0, partitions: 0 };
    for (const records of this.byPeer.get(id)?.values() ?? []) {
      lag.records += records;
      lag.partitions++;
    }
    return lag;
  }

  forget(id: string): void {
    this.byPeer.delete(id);
  }
}
