/**
 * Wrong passwords by the address that they came from: a connection alone is slowed down by its session, but whoever guesses may open
 * thousands. AUTH and HELLO ask before they look at a password, and note one that was wrong. Each address may be wrong
 * `GUESSES_MAX` times, and gets one guess back every `GUESS_BACK_MS`; past that its passwords are not looked at, right or wrong: a
 * bucket that leaks (Turner, 1986). Of IPv6 a network of 64 bits counts as one address, since a host may take any in it.
 * Guarded: constant work for each attempt; at most `ADDRESSES_MAX` addresses are known, and the one that was wrong longest ago makes room.
 */

/** Wrong passwords of one address, whatever its connections, before it has to wait. */
export const GUESSES_MAX = 100;
export const GUESS_BACK_MS = 1000;
export const ADDRESSES_MAX = 4096;

interface Wrong {
  guesses: number;
  /** When `guesses` was true. */
  atMs: number;
}

export class PasswordGuesses {
  /** Attempts that were not looked at. */
  unheard = 0;
  /** Addresses that made room while they still had guesses to get back. */
  forgotten = 0;
  /** The one that was wrong last stands last. */
  private readonly byAddress = new Map<string, Wrong>();

  get size(): number {
    return this.byAddress.size;
  }

  /** Whether a password from this address, `host:port`, is to be looked at; counted if not. */
  allows(address: string, monotonicMs: number): boolean {
    const wrong = this.byAddress.get(networkOf(address));
    if (wrong === undefined || guessesAt(wrong, monotonicMs) <= GUESSES_MAX - 1) return true;
    this.unheard++;
    return false;
  }

  /** A password from there was wrong. */
  note(address: string, monotonicMs: number): void {
    const network = networkOf(address);
    const before = this.byAddress.get(network);
    const guesses = before === undefined ? 0 : guessesAt(before, monotonicMs);
    this.byAddress.delete(network);
    if (this.byAddress.size >= ADDRESSES_MAX) this.forgetOldest(monotonicMs);
    this.byAddress.set(network, { guesses: guesses + 1, atMs: monotonicMs });
  }

  private forgetOldest(monotonicMs: number): void {
    for (const [network, wrong] of this.byAddress) {
      if (guessesAt(wrong, monotonicMs) > 0) this.forgotten++;
      this.byAddress.delete(network);
      return;
    }
  }
}

function guessesAt({ guesses, atMs }: Wrong, monotonicMs: number): number {
  return Math.max(0, guesses - (monotonicMs - atMs) / GUESS_BACK_MS);
}

/** The address without its port; of IPv6 the first four groups, but for an IPv4 address in the clothes of one. */
export function networkOf(address: string): string {
  const host = address.slice(0, Math.max(0, address.lastIndexOf(':'))).replace(/^\[|\]$/g, '');
  if (!host.includes(':') || host.includes('.')) return host.replace(/^::ffff:/i, '');
  const [left, right] = host.split('::');
  const groups = left === '' ? [] : left.split(':');
  if (right !== undefined) {
    const behind = right === '' ? 0 : right.split(':').length;
    while (groups.length + behind < 8 && groups.length < 4) groups.push('0');
    if (groups.length < 4) groups.push(...right.split(':'));
  }
  return groups.slice(0, 4).join(':').toLowerCase();
}
