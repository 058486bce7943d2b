/**
 * Port: what the process itself takes, for INFO and STATUS. Law: reads at once, changes nothing, decides nothing.
 */
export interface Vitals {
  /** Resident memory in bytes. */
  rssBytes(): number;
  cpuUserSeconds(): number;
  cpuSystemSeconds(): number;
  /** A clock for accounts of work, ms from any start: the difference of two reads is what lay between them. */
  workClockMs(): number;
}
