/**
 * Port: what the process itself takes, for INFO and STATUS. Law: reads at once, changes nothing, decides nothing.
 */
export interface Vitals {
  /** Resident memory in bytes. */
  rssBytes(): number;
  cpuUserSeconds(): number;
  cpuSystemSeconds(): number;
}
