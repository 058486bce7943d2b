/**
 * What goes wrong around the nodes of a plan, as steps of it: paths, streams, processors and clocks. The families of this room draw them,
 * around.ts carries them out. Guarded: a step is plain data that says how long it lasts; what it did is taken back at its end, and when
 * all is healed.
 */

export type PathStep =
  /** What one node sends to another takes this much longer: a path that lags, or one that is longer one way. */
  | { atMs: number; kind: 'lag'; pairs: [number, number][]; byMs: number; forMs: number }
  /** Datagrams of a node take up to this much longer, each for itself: they overtake each other. */
  | { atMs: number; kind: 'shuffle'; node: number; spreadMs: number; forMs: number }
  /** Streams from one node to another share so little: back-pressure. */
  | { atMs: number; kind: 'narrow'; pairs: [number, number][]; bytesPerMs: number; forMs: number }
  /** Datagrams from one node to another are lost, as behind a firewall that lets them out and not in; streams pass. */
  | { atMs: number; kind: 'mute'; pairs: [number, number][]; forMs: number };

export type StreamStep =
  /**
   * The streams between two nodes are forgotten on their way, as by a firewall: what is written vanishes until the writer's system
   * gives up. `closed`: the first node has lost them already and knows it.
   */
  | { atMs: number; kind: 'halve'; nodes: [number, number]; closed: boolean }
  /** A node reads nothing that comes by stream from other nodes. */
  | { atMs: number; kind: 'deaf'; node: number; forMs: number }
  /** New streams from other nodes are refused, or stand only after `delayMs`. */
  | { atMs: number; kind: 'unwelcome'; node: number; delayMs: number | null; forMs: number };

export type ProcessorStep =
  /** Every turn takes this much longer in the mean. */
  | { atMs: number; kind: 'slow'; node: number; turnCostMs: number; forMs: number }
  /** These nodes stand still together, again and again. */
  | { atMs: number; kind: 'stalls'; nodes: number[]; forMs: number; everyMs: number; times: number };

export type ClockStep =
  /** The wall clock runs off by so many parts per million more than its oscillator does; -1,000,000: it stands still. */
  | { atMs: number; kind: 'rate'; node: number; ppm: number; forMs: number }
  /** The wall clock shows multiples of this from now on. */
  | { atMs: number; kind: 'grain'; node: number; grainMs: number };

export type AroundStep = PathStep | StreamStep | ProcessorStep | ClockStep;

const KINDS: ReadonlySet<string> = new Set<AroundStep['kind']>([
  'lag',
  'shuffle',
  'narrow',
  'mute',
  'halve',
  'deaf',
  'unwelcome',
  'slow',
  'stalls',
  'rate',
  'grain',
]);

export function isAround(step: { kind: string }): step is AroundStep {
  return KINDS.has(step.kind);
}
