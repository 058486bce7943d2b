/** `hearsay export` against a node that is only a script: snapshots that grow too old, a node that goes away, odd bytes. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { lineOf } from '../../src/cli/export.js';
import { runVerb } from './run.js';

const place = mkdtempSync(join(tmpdir(), 'hearsay-export-'));
const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});
afterAll(() => rmSync(place, { recursive: true, force: true }));

type Said = string | number | Error | Said[];

function encode(said: Said): string {
  if (typeof said === 'number') return `:${said}\r\n`;
  if (said instanceof Error) return `-${said.message}\r\n`;
  if (Array.isArray(said)) return `*${said.length}\r\n${said.map(encode).join('')}`;
  return `$${Buffer.byteLength(said)}\r\n${said}\r\n`;
}

/**
 * A node of a cluster of one with two partitions; `scan` answers SCAN by id and cursor, null cuts the connection. It answers for
 * `answered`, and holds `held`.
 */
async function nodeThat(
  scan: (id: number, cursor: string, partition: string) => Said | null,
  answered = [0, 1],
  held = answered,
  others: string[] = [],
): Promise<string> {
  let opened = 0;
  const answer = (words: string[]): Said | null => {
    if (words[0] === 'PING') return 'PONG';
    if (words[0] === 'HEARSAY.STATUS') {
      const peers = others.map((port) => ['address', `127.0.0.1:${port}`, 'state', 'alive', 'self', 0]);
      return ['members', [['address', '127.0.0.1:1', 'state', 'alive', 'self', 1], ...peers]];
    }
    if (words[1] === 'OPEN') return ++opened;
    if (words[1] === 'INFO') {
      const covers = ['partitions', answered, 'partitions_held', held];
      return ['id', Number(words[2]), 'partitions_of_cluster', 2, ...covers];
    }
    return scan(Number(words[2]), words[3], words[5]);
  };
  const server = createServer((socket: Socket) => {
    let text = '';
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
      for (let parts = wordsIn(text); parts !== null; parts = wordsIn(text)) {
        text = text.slice(parts.length);
        const said = answer(parts.words);
        if (said === null) socket.destroy();
        else socket.write(encode(said));
      }
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return String(typeof address === 'object' && address !== null ? address.port : 0);
}

/** The first whole command of a text, and how long it was. */
function wordsIn(text: string): { words: string[]; length: number } | null {
  const head = /^\*(\d+)\r\n/.exec(text);
  if (head === null) return null;
  const words: string[] = [];
  let at = head[0].length;
  for (let index = 0; index < Number(head[1]); index++) {
    const size = /^\$(\d+)\r\n/.exec(text.slice(at));
    if (size === null) return null;
    at += size[0].length;
    if (text.length < at + Number(size[1]) + 2) return null;
    words.push(text.slice(at, at + Number(size[1])));
    at += Number(size[1]) + 2;
  }
  return { words, length: at };
}

async function exported(...words: string[]): Promise<{ code: number; keys: string[]; error: string }> {
  const { code, out, error } = await runVerb(['export', ...words]);
  const keys = out.split('\n').filter(Boolean);
  return { code, keys: keys.map((line) => String((JSON.parse(line) as { key: string }).key)), error };
}

function entry(key: string): Said {
  return [key, 'v', 0, '1.0@000000000001'];
}

/** Partition 0 in two pages, partition 1 in one; the first snapshot ends before `at`. */
function endingAt(at: string, how: Said | null) {
  return (id: number, cursor: string, partition: string): Said | null => {
    const place = `${partition}:${cursor}`;
    if (id === 1 && place === at) return how;
    if (place === '0:0') return ['77', [entry('a')]];
    if (place === '0:77') return ['0', [entry('b')]];
    return ['0', [entry('c')]];
  };
}

describe('hearsay export', () => {
  it.each([
    ['its first page', '0:0'],
    ['its second page', '0:77'],
    ['its last page', '1:0'],
  ])(
    'goes on with a fresh snapshot when one is too old before %s, writes each key once, and says so',
    async (_, at) => {
      const port = await nodeThat(endingAt(at, new Error('SNAPSHOT snapshot too old')));
      const { code, keys, error } = await exported('--port', port);
      expect({ code, keys }).toEqual({ code: 0, keys: ['a', 'b', 'c'] });
      expect(error).toMatch(/too old: going on with a fresh one, so this export is of no one moment/);
    },
  );

  it('goes on when the connection was lost, and says nothing when nothing happened', async () => {
    const lost = await exported('--port', await nodeThat(endingAt('0:77', null)));
    expect(lost).toMatchObject({ code: 0, keys: ['a', 'b', 'c'] });
    expect(lost.error).toMatch(/of no one moment/);
    const whole = await exported('--port', await nodeThat(endingAt('', null)));
    expect(whole).toEqual({ code: 0, keys: ['a', 'b', 'c'], error: '' });
  });

  it('reads what nobody answers for from an owner that holds it, and the rest from who answers', async () => {
    const read: string[] = [];
    const by = (name: string) => (_: number, __: string, partition: string) => {
      read.push(`${name} ${partition}`);
      return ['0', [entry(`${name}${partition}`)]];
    };
    const catchingUp = await nodeThat(by('b'), [], []);
    const port = await nodeThat(by('a'), [], [0, 1], [catchingUp, await nodeThat(by('c'), [0], [0])]);
    const { code, keys, error } = await exported('--port', port);
    expect([code, keys.sort(), error]).toEqual([0, ['a1', 'c0'], '']);
    expect(read.sort()).toEqual(['a 1', 'c 0']);
  });

  it('fails with --strict, and leaves no file', async () => {
    const port = await nodeThat(endingAt('0:77', new Error('SNAPSHOT snapshot too old')));
    const { code, error } = await exported('--port', port, '--strict', '--output', join(place, 'strict.jsonl'));
    expect(code).toBe(1);
    expect(error).toMatch(/too old; without --strict it would go on/);
    expect(readdirSync(place)).toEqual([]);
  });

  it('writes a file whole, and fails with what a node says', async () => {
    const path = join(place, 'whole.jsonl');
    expect((await exported('--port', await nodeThat(endingAt('', null)), '--output', path)).code).toBe(0);
    expect(readFileSync(path, 'utf8').split('\n').length).toBe(4);
    const refusing = await nodeThat(() => new Error('NOAUTH Authentication required.'));
    const { code, error } = await exported('--port', refusing);
    expect(code).toBe(1);
    expect(error).toMatch(/Authentication required/);
  });

  it('writes bytes that are not UTF-8 in base64', () => {
    const key = Buffer.from([0xff, 0x00]);
    expect(lineOf([key, Buffer.from('é"'), 5, '1.0@00', 'string'])).toBe(
      '{"key":{"base64":"/wA="},"value":"é\\"","expireAtMs":5,"version":"1.0@00"}',
    );
    expect(lineOf([Buffer.from('k'), key, 0, 'v', 'string'])).toBe(
      '{"key":"k","value":{"base64":"/wA="},"version":"v"}',
    );
  });

  it('names what is no string, and lists siblings one by one', () => {
    const values = [Buffer.from('two'), Buffer.from([0xff])];
    expect(lineOf([Buffer.from('k'), values, 0, 'v', 'siblings'])).toBe(
      '{"key":"k","type":"siblings","values":["two",{"base64":"/w=="}],"version":"v"}',
    );
    expect(lineOf([Buffer.from('h'), Buffer.from([1]), 0, 'v', 'hyperloglog'])).toBe(
      '{"key":"h","type":"hyperloglog","value":"\\u0001","version":"v"}',
    );
  });
});
