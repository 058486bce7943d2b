/**
 * How far a campaign of the simulator has come, as a file that survives it: which blocks of seeds are done, and what they came to.
 * campaign.ts reads it at the start and writes it after every block.
 * Guarded: a block counts whole or not at all, once; what was played by another build is never counted with this one's.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { addTally, newTally, type Tally } from '../sim/tally.js';

export const BLOCK_SEEDS = 20;

export interface CampaignState {
  /** Digest of the build that plays. */
  build: string;
  /** Seeds 1 to this, whole blocks. */
  to: number;
  /** All blocks below this are done. */
  floor: number;
  /** Blocks above it that are done. */
  done: number[];
  /** Time that people waited for it, ms. */
  elapsedMs: number;
  tally: Tally;
}

export function newState(build: string, to: number): CampaignState {
  return { build, to, floor: 0, done: [], elapsedMs: 0, tally: newTally() };
}

/** null if there is none; throws if the file is something else. */
export function readState(file: string): CampaignState | null {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  let state: Partial<CampaignState> | null = null;
  try {
    state = JSON.parse(text);
  } catch {
    // Said below.
  }
  if (!isWhole(state)) throw new Error(`${file} is not the state of a campaign`);
  return state;
}

function isWhole(state: Partial<CampaignState> | null): state is CampaignState {
  const { tally } = state ?? {};
  const numbers = [state?.floor, state?.elapsedMs, tally?.seeds, tally?.events, tally?.virtualMs, tally?.workMs];
  if (!numbers.every((each) => Number.isFinite(each)) || typeof state?.build !== 'string') return false;
  const { marks } = tally ?? {};
  return Array.isArray(state.done) && Array.isArray(tally?.failures) && typeof marks === 'object' && marks !== null;
}

/** In place of the file before, whole or not at all. */
export function writeState(file: string, state: CampaignState): void {
  writeFileSync(`${file}.part`, `${JSON.stringify(state)}\n`);
  renameSync(`${file}.part`, file);
}

export function blockCount(state: CampaignState): number {
  return state.to / BLOCK_SEEDS;
}

/** The last seed that is noted as played; 0 for none. */
export function seedsNoted({ floor, done }: CampaignState): number {
  return Math.max(floor, ...done.map((block) => block + 1)) * BLOCK_SEEDS;
}

/** First and last seed of a block. */
export function seedsOf(block: number): [number, number] {
  return [block * BLOCK_SEEDS + 1, (block + 1) * BLOCK_SEEDS];
}

export function blockDone(state: CampaignState, block: number, tally: Tally): void {
  addTally(state.tally, tally);
  state.done.push(block);
  while (state.done.includes(state.floor)) state.done.splice(state.done.indexOf(state.floor++), 1);
}
