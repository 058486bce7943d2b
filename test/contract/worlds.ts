/**
 * What a contract suite needs of a world: two hosts, each with its ports and a recorder, and a way to let the world run until a
 * fact holds. The simulator and the Node world each give a `WorldFactory`; datagrams.ts and streams.ts hold the suites.
 */
import type { Ports } from '../../src/ports/world.js';
import type { Recorder } from './recorder.js';

export interface ContractHost {
  ports: Pick<Ports, 'datagrams' | 'streams' | 'resolver'>;
  recorder: Recorder;
  address: string;
  gossipPort: number;
}

export interface ContractWorld {
  left: ContractHost;
  right: ContractHost;
  /** Runs the world until the fact holds; fails by throwing after a bound. */
  until(fact: () => boolean): Promise<void>;
  close(): Promise<void>;
}

export type WorldFactory = () => Promise<ContractWorld>;
