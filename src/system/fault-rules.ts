/**
 * The faults that stand, as a table of rules, and the words that change it (the grammar is in ports/faults.ts).
 * faults.ts asks it for every datagram and chunk between nodes. A peer is named by its gossip or its RESP address, which is
 * 10,000 below.
 * Guarded: at most 256 rules; words that are wrong change nothing.
 */
import { HearsayError } from '../core/base/errors.js';
import { splitAddress } from '../core/setting.js';

const RULES_MAX = 256;
const DELAY_MS_MAX = 600_000;
const STALL_MS_MAX = 60_000;
const CLOCK_OFFSET_MS_MAX = 30 * 86_400_000;
const PORT_OFFSET_GOSSIP = 10_000;

export type FaultKind = 'DROP' | 'DELAY' | 'DUP' | 'REORDER';
export type Way = 'IN' | 'OUT';
export type Carrier = 'DATAGRAMS' | 'STREAMS';

interface Rule {
  readonly kind: FaultKind;
  /** `host:port`, or `*` for every peer. */
  readonly peer: string;
  readonly way: Way | 'BOTH';
  /** A percentage, ms for DELAY. */
  readonly value: number;
  readonly carrier: Carrier | null;
}

export class FaultRules {
  private rules: Rule[] = [];

  get empty(): boolean {
    return this.rules.length === 0;
  }

  /** The greatest value among the rules that apply; 0 if none does. `address` null: a peer not yet known, only `*`. */
  value(kind: FaultKind, address: string | null, way: Way, carrier: Carrier): number {
    let greatest = 0;
    for (const rule of this.rules) {
      if (rule.kind !== kind || rule.value <= greatest) continue;
      if (rule.way !== way && rule.way !== 'BOTH') continue;
      if (rule.carrier !== null && rule.carrier !== carrier) continue;
      if (names(rule.peer, address)) greatest = rule.value;
    }
    return greatest;
  }

  /** Adds, replaces or lifts a rule by the words `kind peer way value [carrier]`. */
  change(words: readonly string[]): void {
    const [kindWord, peer, wayWord, valueWord, carrierWord] = words;
    if (words.length < 4 || words.length > 5)
      throw wrong(
        'say LIST, CLEAR [PEER], STALL ms, CLOCK ms, LOSE key, DISK FULL|EIO|SLOW ms|CLEAR [ON calls], or DROP|DELAY|DUP|REORDER PEER|* IN|OUT|BOTH VALUE [DATAGRAMS|STREAMS]',
      );
    const kind = oneOf(kindWord, ['DROP', 'DELAY', 'DUP', 'REORDER'] as const);
    const way = oneOf(wayWord, ['IN', 'OUT', 'BOTH'] as const);
    const carrier = carrierWord === undefined ? null : oneOf(carrierWord, ['DATAGRAMS', 'STREAMS'] as const);
    const value = wholeNumber(valueWord, 0, kind === 'DELAY' ? DELAY_MS_MAX : 100);
    if (carrier === 'STREAMS' && (kind === 'DUP' || kind === 'REORDER')) throw wrong(`${kind} is for datagrams`);
    const rule: Rule = { kind, peer: peerName(peer), way, value, carrier };
    const others = this.rules.filter((other) => !sameSubject(rule, other));
    if (value > 0) others.push(rule);
    if (others.length > RULES_MAX) throw wrong(`at most ${RULES_MAX} faults stand at once`);
    this.rules = others;
  }

  /** Lifts the rules that name this peer by either of its addresses, or all. */
  clear(peer: string | undefined): void {
    if (peer === undefined) this.rules = [];
    else {
      const name = peerName(peer);
      this.rules = this.rules.filter((rule) => rule.peer !== name && !(rule.peer !== '*' && alias(rule.peer, name)));
    }
  }

  list(): string[] {
    return this.rules.map((rule) =>
      [rule.kind, rule.peer, rule.way, rule.value, ...(rule.carrier === null ? [] : [rule.carrier])].join(' '),
    );
  }
}

export function stallMs(word: string | undefined): number {
  return wholeNumber(word, 0, STALL_MS_MAX);
}

export function clockOffsetMs(word: string | undefined): number {
  return wholeNumber(word, -CLOCK_OFFSET_MS_MAX, CLOCK_OFFSET_MS_MAX);
}

export function wrong(message: string): HearsayError {
  return new HearsayError('ERR', `fault: ${message}`);
}

function names(peer: string, address: string | null): boolean {
  if (peer === '*') return true;
  if (address === null) return false;
  return peer === address || respOf(address) === peer;
}

function alias(left: string, right: string): boolean {
  return respOf(left) === right || respOf(right) === left;
}

/** The RESP address of the node with this gossip address, by the default distance of the two. */
function respOf(gossipAddress: string): string {
  const colon = gossipAddress.lastIndexOf(':');
  return `${gossipAddress.slice(0, colon)}:${Number(gossipAddress.slice(colon + 1)) - PORT_OFFSET_GOSSIP}`;
}

function sameSubject(left: Rule, right: Rule): boolean {
  return (
    left.kind === right.kind && left.peer === right.peer && left.way === right.way && left.carrier === right.carrier
  );
}

function peerName(word: string): string {
  if (word === '*') return word;
  const address = splitAddress(word);
  if (address === null) throw wrong(`${JSON.stringify(word.slice(0, 80))} is not host:port or *`);
  const host = address[0] === 'localhost' ? '127.0.0.1' : address[0];
  return host.includes(':') ? `[${host}]:${address[1]}` : `${host}:${address[1]}`;
}

export function oneOf<T extends string>(word: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === word.toUpperCase());
  if (found === undefined) throw wrong(`${JSON.stringify(word.slice(0, 80))} is none of ${choices.join(', ')}`);
  return found;
}

export function wholeNumber(word: string | undefined, min: number, max: number): number {
  if (word === undefined) throw wrong(`a number from ${min} to ${max} is missing`);
  const value = /^-?\d{1,12}$/.test(word) ? Number(word) : Number.NaN;
  if (!(value >= min && value <= max)) throw wrong(`${word.slice(0, 80)} is not from ${min} to ${max}`);
  return value;
}
