/** The parser of requests under the grammar of requests.ts, valid and mutated. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BROKEN, COMMAND, Parser } from '../../src/core/resp/parser.js';
import { encode, Harness } from '../core/session/harness.js';
import { allocatedBy, WorkCount } from './meter.js';
import { cuts, mutated, piecesOf } from './mutations.js';
import { command, requests } from './requests.js';
import { law } from './room.js';

interface Parsed {
  out: string[];
  slotsMost: number;
  carryMost: number;
}

function parse(pieces: readonly Buffer[], authenticated: boolean): Parsed {
  const parser = new Parser(authenticated);
  const parsed: Parsed = { out: [], slotsMost: 0, carryMost: 0 };
  for (const piece of pieces) {
    parser.lend(piece, 0, piece.length);
    let outcome = parser.next();
    for (; outcome === COMMAND; outcome = parser.next()) {
      const { args } = parser;
      parsed.slotsMost = Math.max(parsed.slotsMost, args.starts.length);
      for (let index = 0; index < args.count; index++) parsed.out.push(args.quote(index, Number.POSITIVE_INFINITY));
      parsed.out.push('<end>');
    }
    if (outcome === BROKEN) {
      parsed.out.push(`<error> ${parser.error}`);
      return parsed;
    }
    parser.keep();
    parsed.slotsMost = Math.max(parsed.slotsMost, parser.args.starts.length);
    parsed.carryMost = Math.max(parsed.carryMost, parser.carryBytes);
  }
  return parsed;
}

describe('requests from outside', () => {
  law(
    'mean the same however they are cut, and take memory for what came, never for what was declared',
    200,
    fc.property(mutated(requests), cuts, fc.boolean(), (bytes, at, authenticated) => {
      const whole = parse(piecesOf(bytes, []), authenticated);
      for (const pieces of [piecesOf(bytes, at), piecesOf(bytes, null)]) {
        let cut = whole;
        const { most } = allocatedBy(() => {
          cut = parse(pieces, authenticated);
        });
        expect(cut.out).toEqual(whole.out);
        expect(most).toBeLessThanOrEqual(2 * bytes.length + 512);
        expect(cut.carryMost).toBeLessThanOrEqual(2 * bytes.length + 512);
        // An argument takes six bytes on the wire at least.
        expect(cut.slotsMost).toBeLessThanOrEqual(Math.max(8, bytes.length));
      }
    }),
  );

  law(
    'come out as they went in',
    200,
    fc.property(fc.array(command, { maxLength: 6 }), cuts, (commands, at) => {
      const expected = commands.flatMap((words) => [...words.map((each) => each.toString('latin1')), '<end>']);
      const bytes = Buffer.concat(commands.map((words) => encode(...words)));
      expect(parse(piecesOf(bytes, at), true).out).toEqual(expected);
    }),
  );

  law(
    'get one answer each from a session, and at most one error before it closes',
    150,
    fc.property(mutated(requests), cuts, fc.boolean(), (bytes, at, locked) => {
      const answers = [piecesOf(bytes, []), piecesOf(bytes, at)].map((pieces) => {
        const harness = new Harness((host) => {
          host.settings = { ...host.settings, password: locked ? 'a secret' : null, topology: 'off' };
        });
        for (const piece of pieces) harness.receive(piece);
        harness.settle();
        return `${harness.output()}${harness.streams.closes.has(1) ? '<closed>' : ''}`;
      });
      expect(answers[1]).toBe(answers[0]);
      const broken = answers[0].split('-ERR Protocol error').length - 1;
      expect(broken).toBeLessThanOrEqual(1);
      if (broken === 1) expect(answers[0].endsWith('<closed>')).toBe(true);
    }),
  );

  it.each([
    ['an inline line that does not end', (size: number) => Buffer.alloc(size, 'a')],
    ['blank lines', (size: number) => Buffer.alloc(size, '\r\n')],
    ['a count that does not end', (size: number) => Buffer.from(`*${'0'.repeat(size)}`)],
    ['very many empty arguments', (size: number) => Buffer.from(`*1000000\r\n${'$0\r\n\r\n'.repeat(size / 6)}`)],
    ['a long argument', (size: number) => Buffer.from(`*2\r\n$3\r\nGET\r\n$1000000\r\n${'x'.repeat(size)}`)],
    ['quotes', (size: number) => Buffer.from(`${'"a" '.repeat(size / 4)}\n`)],
    ['small commands', (size: number) => Buffer.from('*1\r\n$4\r\nPING\r\n'.repeat(size / 14))],
  ])('cost work in proportion to their length, byte by byte too: %s', (_name, make) => {
    const workFor = (size: number, pieceBytes: number): number => {
      const bytes = make(size);
      const work = new WorkCount();
      work.run(() => {
        const parser = new Parser(true);
        for (let from = 0; from < bytes.length; from += pieceBytes) {
          const lent = work.lend(bytes.subarray(from, from + pieceBytes));
          parser.lend(lent, 0, lent.length);
          while (parser.next() === COMMAND);
          parser.keep();
        }
      });
      return work.bytes;
    };
    for (const pieceBytes of [1, 7, 100_000]) {
      expect(workFor(12_000, pieceBytes)).toBeLessThanOrEqual(16 * 12_000 + 2000);
    }
  });
});
