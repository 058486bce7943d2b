/**
 * APPEND in a run: pieces that name themselves, added to one text through every node, and what may then be read. variants.ts draws
 * them, run.ts keeps the ledger. Two appends that meet in a partition lose one, and that is said (README); nothing is ever added twice.
 * Guarded: soundness before sharpness: only a piece that is there twice, was refused or was never sent is a broken promise.
 */
import type { Asked, Ended, Ledger, Question } from './ledger.js';
import { misshapen, type Reply } from './replies.js';

const PREFIX = 'app';

export class AppendLedger implements Ledger {
  private readonly keys = new Set<string>();
  private readonly pieces = new Map<string, { key: string; outcome: Ended['outcome'] }>();
  private readonly open = new Map<number, { key: string; piece: string | null }>();

  takes(words: readonly string[]): boolean {
    return words[0] === 'APPEND' || (words[0] === 'GET' && words[1].startsWith(PREFIX));
  }

  begin({ number, words }: Pick<Asked, 'number' | 'words'>): void {
    const [name, key] = words;
    this.keys.add(key);
    const piece = name === 'APPEND' ? words[2] : null;
    this.open.set(number, { key, piece });
    if (piece !== null) this.pieces.set(piece, { key, outcome: 'indeterminate' });
  }

  end({ number, outcome, reply }: Pick<Ended, 'number' | 'outcome' | 'reply'>): readonly string[] {
    const asked = this.open.get(number);
    this.open.delete(number);
    if (asked === undefined) return [];
    const { key, piece } = asked;
    if (piece === null) {
      const wrong = outcome === 'ok' ? this.checkFinal(key, reply) : null;
      return wrong === null ? [] : [wrong];
    }
    this.pieces.set(piece, { key, outcome });
    if (outcome !== 'ok' || (reply?.type === 'integer' && reply.value >= piece.length)) return [];
    return [misshapen(`APPEND of ${piece}`, reply)];
  }

  damaged(): void {}

  restarted(): void {}

  flushed(): void {}

  questions(): readonly Question[] {
    return [...this.keys].sort().map((key) => ({ key, words: ['GET', key], types: ['bulk', 'null'] }));
  }

  checkFinal(key: string, reply: Reply | null): string | null {
    const text = reply?.type === 'bulk' ? reply.text : '';
    const seen = new Set<string>();
    for (const piece of text.match(/\+[^+]*|[^+]+/g) ?? []) {
      const sent = this.pieces.get(piece);
      if (sent === undefined || sent.key !== key) return `foreign: ${key} holds ${piece}, which nobody appended`;
      if (sent.outcome === 'refused') return `foreign: ${key} holds ${piece}, which was refused`;
      if (seen.has(piece)) return `count: ${key} holds ${piece} twice`;
      seen.add(piece);
    }
    return null;
  }
}
