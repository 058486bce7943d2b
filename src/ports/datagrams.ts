/**
 * Port: unreliable datagrams between nodes (UDP). Two worlds implement it: Node (src/system) and the simulator.
 * Laws: `send` never throws and never calls back into the core; what cannot be sent is lost, as a datagram may be.
 * The bytes are given away: the core does not touch them again. Arrivals come as `datagramArrived` events, whole,
 * in any order, any number of times, or never.
 */
export interface Datagrams {
  /** Sends `bytes` (at most 1,200, the encoder's budget) to a numeric address. */
  send(host: string, port: number, bytes: Buffer): void;
}
