/**
 * Port: disturbances of the traffic between nodes and of a node's own disk, for tests and chaos runs; clients are never touched.
 * Laws: `run` acts at once or throws HearsayError ERR with nothing changed; a fault stands until it is cleared.
 * A world without fault injection hands in null.
 */
import type { StreamId } from './streams.js';

export interface Faults {
  /**
   * The words after HEARSAY.FAULT:
   * `DROP|DELAY|DUP|REORDER peer IN|OUT|BOTH value [DATAGRAMS|STREAMS]`, `STALL ms`, `CLOCK offset-ms`,
   * `DISK FULL|EIO|SLOW ms [ON calls]`, `DISK CLEAR`, `LIST`, `CLEAR [peer]`; without a peer CLEAR lifts all, those of the disk too.
   * The value is a percentage, ms for DELAY; 0 lifts the fault. FULL: nothing can be written, not even over what is there, as where a file
   * system copies on write. EIO: what is synced fails. SLOW: what a sync, a new file or a change of names asks for completes
   * so much later; what the node waits for in place (start, manifest) is not slowed. ON: the next so many calls only. `LOSE key` never comes here: the machine
   * does it itself. Returns lines.
   */
  run(words: string[]): string[];
  /**
   * Says which node an accepted peer stream comes from (its own port tells nothing): `host:port` of its gossip address.
   * False if a fault keeps everything that comes from there out: what the stream has said counts as not arrived.
   */
  label(stream: StreamId, gossipAddress: string): boolean;
}
