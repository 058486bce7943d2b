/** The same sequences of commands to a node and to redis-server, over sockets: the same bytes, but for what is accepted here. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isPublic } from '../../src/core/commands/command.js';
import { commandTable } from '../../src/core/commands/table.js';
import { completeConfig } from '../../src/core/config.js';
import { type RunningNode, startNode } from '../../src/system/serve.js';
import { type RedisProcess, startRedis } from '../client/redis-process.js';
import { encode } from '../core/session/harness.js';
import { silent } from '../core/wal/harness.js';
import { command, FORMS, LEFT_OUT } from './redis.js';
import { law } from './room.js';

interface Accepted {
  reason: string;
  commands: string[][];
  /** What each answers. */
  redis: RegExp;
  hearsay: RegExp;
}

/** The whole of what the grammar keeps out of the way of. No client trips over it: each is an error here or a word of text. */
const ACCEPTED: Accepted[] = [
  {
    reason: 'an expiry past the year 10889 does not fit a record, and is refused as one past 64 bits is',
    commands: [['SET', 'a', '1', 'PX', '9007199254740993']],
    redis: /^\+OK\r\n$/,
    hearsay: /^-ERR invalid expire time in 'set' command\r\n$/,
  },
  {
    reason: 'a sketch is a type of its own, whose bytes no command for text can read or spoil',
    commands: [
      ['PFADD', 'a', 'x'],
      ['TYPE', 'a'],
      ['STRLEN', 'a'],
    ],
    redis: /^:1\r\n\+string\r\n:\d+\r\n$/,
    hearsay: /^:1\r\n\+hyperloglog\r\n-WRONGTYPE /,
  },
  {
    reason: 'every node reads and writes, so READONLY, READWRITE and ASKING are taken without a cluster too',
    commands: [['READONLY'], ['READWRITE'], ['ASKING']],
    redis: /^(-ERR This instance has cluster support disabled\r\n){3}$/,
    hearsay: /^(\+OK\r\n){3}$/,
  },
  {
    reason: 'there is one database',
    commands: [
      ['SELECT', '1'],
      ['SELECT', '0'],
      ['SELECT', '3000000000'],
    ],
    redis: /^\+OK\r\n\+OK\r\n-ERR value is out of range, value must between/,
    hearsay: /^-ERR DB index is out of range\r\n\+OK\r\n-ERR DB index is out of range\r\n$/,
  },
  {
    reason: 'a cursor is a number: an empty or a negative one is no cursor',
    commands: [
      ['SCAN', ''],
      ['SCAN', '-1'],
    ],
    redis: /^(\*2\r\n\$1\r\n0\r\n\*0\r\n){2}$/,
    hearsay: /^(-ERR invalid cursor\r\n){2}$/,
  },
  {
    reason: 'a value that had expired when it came is not counted until somebody looks',
    commands: [['SET', 'a', '1', 'PXAT', '1000000000000'], ['DBSIZE'], ['GET', 'a'], ['DBSIZE']],
    redis: /^\+OK\r\n:1\r\n\$-1\r\n:0\r\n$/,
    hearsay: /^\+OK\r\n:0\r\n\$-1\r\n:0\r\n$/,
  },
  {
    reason: 'a pattern is at most 1,024 bytes',
    commands: [['KEYS', 'k'.repeat(1025)]],
    redis: /^\*0\r\n$/,
    hearsay: /^-ERR pattern is too long\r\n$/,
  },
  {
    reason: 'a value is at most 16 MiB, so no bit or byte is written behind that',
    commands: [
      ['SETBIT', 'a', '134217728', '0'],
      ['SETRANGE', 'a', '16777216', 'x'],
      ['BITFIELD', 'a', 'SET', 'u1', '134217728', '0'],
    ],
    redis: /^:0\r\n:16777217\r\n\*1\r\n:0\r\n$/,
    hearsay: /^(-ERR string exceeds maximum allowed size \(proto-max-bulk-len\)\r\n){3}$/,
  },
  {
    reason:
      'an encoding is told by the value alone, no value is shared, and neither uses nor idle time are counted by key',
    commands: [
      ['SET', 'a', '12'],
      ['OBJECT', 'ENCODING', 'a'],
      ['OBJECT', 'REFCOUNT', 'a'],
      ['OBJECT', 'IDLETIME', 'a'],
      ['APPEND', 'a', 'x'],
      ['OBJECT', 'ENCODING', 'a'],
    ],
    redis: /^\+OK\r\n\$3\r\nint\r\n:2147483647\r\n:\d+\r\n:3\r\n\$3\r\nraw\r\n$/,
    hearsay: /^\+OK\r\n\$3\r\nint\r\n:1\r\n-ERR idle time is not tracked.*\r\n:3\r\n\$6\r\nembstr\r\n$/,
  },
  {
    reason: 'what later versions of Redis and Valkey have is here, too',
    commands: [
      ['BITOP', 'ONE', 'a', 'b'],
      ['SET', 'a', '1', 'IFEQ', '0'],
    ],
    redis: /^(-ERR syntax error\r\n){2}$/,
    hearsay: /^:0\r\n\$-1\r\n$/,
  },
  {
    reason: 'the longest common subsequence of two long values is work that others would wait for',
    commands: [
      ['SETRANGE', 'a', '4999', 'x'],
      ['LCS', 'a', 'a', 'LEN'],
    ],
    redis: /^:5000\r\n:5000\r\n$/,
    hearsay: /^:5000\r\n-ERR the values are too long for LCS/,
  },
  {
    reason: 'a word of a client is quoted whole, with its NUL, and cut after 128 bytes',
    commands: [
      ['h\0i', 'a'],
      ['EXPIRE', 'a', '1', 'w'.repeat(200)],
    ],
    redis: /^-ERR unknown command 'h', with.*\r\n-ERR Unsupported option w{200}\r\n$/,
    hearsay: /^-ERR unknown command 'h\0i', with.*\r\n-ERR Unsupported option w{128}\r\n$/,
  },
];

const place = mkdtempSync(join(tmpdir(), 'hearsay-beside-'));
let redis: RedisProcess;
let node: RunningNode;
let marks = 0;

beforeAll(async () => {
  const { config, violations } = completeConfig({
    port: 0,
    data: place,
    maxMemory: '16mb',
    walFileBytes: '1mb',
    clusterTopology: 'off',
    durability: 'off',
  });
  if (config === null) throw new Error(JSON.stringify(violations));
  [redis, node] = await Promise.all([startRedis(), startNode(config, silent)]);
});

afterAll(async () => {
  await redis?.stop();
  await node?.stop();
  rmSync(place, { recursive: true, force: true });
});

/** A connection that sends everything, and reads until the echo of a mark or until it is closed. */
class Asker {
  private socket: Socket | null = null;
  private readonly portOf: () => number;

  constructor(portOf: () => number) {
    this.portOf = portOf;
  }

  async ask(bytes: Buffer): Promise<string> {
    if (this.socket === null) {
      this.socket = connect(this.portOf(), '127.0.0.1');
      await once(this.socket, 'connect');
    }
    const { socket } = this;
    const mark = `<mark ${++marks}>`;
    const ending = Buffer.from(`$${mark.length}\r\n${mark}\r\n`);
    return new Promise((resolve, reject) => {
      const parts: Buffer[] = [];
      const finish = (ended: boolean): void => {
        for (const event of ['data', 'close', 'error']) socket.removeAllListeners(event);
        if (ended) this.socket = null;
        const got = Buffer.concat(parts);
        resolve(ended ? `${got.toString('latin1')}<closed>` : got.subarray(0, -ending.length).toString('latin1'));
      };
      socket.once('error', reject);
      socket.once('close', () => finish(true));
      socket.on('data', (piece) => {
        parts.push(piece as Buffer);
        const tail = Buffer.concat(parts.slice(-2));
        if (tail.subarray(-ending.length).equals(ending)) finish(false);
      });
      socket.write(Buffer.concat([bytes, encode('ECHO', mark)]));
    });
  }
}

/** A connection to each. A law has its own, for one that ends at its time leaves a question under way. */
class Pair {
  readonly theirs = new Asker(() => redis.port);
  readonly ours = new Asker(() => node.port);

  ask(bytes: Buffer): Promise<[string, string]> {
    return Promise.all([this.theirs.ask(bytes), this.ours.ask(bytes)]);
  }
}

const both = new Pair();

function sequence(commands: readonly (readonly string[])[], protocol: number): Buffer {
  const first = [encode('RESET'), encode('HELLO', `${protocol}`), encode('FLUSHALL')];
  return Buffer.concat([...first, ...commands.map((words) => encode(...words))]);
}

/** What differs by nature: the id and the version in HELLO's answer. */
function comparable(text: string): string {
  return text
    .replace(/7\.0\.\d+|7\.4\.0/g, 'VERSION')
    .replace(/\$\d\r\nVERSION/g, 'VERSION')
    .replace(/\$2\r\nid\r\n:\d+/g, 'ID');
}

/** What stands around the first byte that differs: answers are long. */
function firstDifference(expected: string, found: string): string {
  let at = 0;
  while (expected[at] === found[at]) at++;
  const from = Math.max(0, at - 60);
  return `${JSON.stringify(found.slice(from, at + 100))} instead of ${JSON.stringify(expected.slice(from, at + 100))}`;
}

describe('beside a redis-server', () => {
  for (const protocol of [2, 3]) {
    const pair = new Pair();
    law(
      `every sequence of commands has the same answers in RESP${protocol}, pipelined`,
      700,
      fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 40 }), async (commands) => {
        const [expected, found] = (await pair.ask(sequence(commands, protocol))).map(comparable);
        if (found !== expected) throw new Error(firstDifference(expected, found));
      }),
    );
  }

  it('every command that both have stands in the grammar, or is left out for a reason', async () => {
    const known = new Set((await both.theirs.ask(encode('COMMAND', 'LIST'))).split('\r\n'));
    const shared = commandTable.commands.filter((row) => isPublic(row) && known.has(row.name)).map((row) => row.name);
    expect(shared.length).toBeGreaterThan(50);
    expect(shared.filter((name) => !FORMS.has(name) && !LEFT_OUT.has(name))).toEqual([]);
    expect([...FORMS.keys(), ...LEFT_OUT.keys()].filter((name) => !shared.includes(name))).toEqual([]);
    expect([...LEFT_OUT.keys()].filter((name) => FORMS.has(name))).toEqual([]);
  });

  it.each(ACCEPTED)('what differs is known: $reason', async ({ commands, redis: expected, hearsay }) => {
    await both.ask(sequence([], 2));
    const [left, right] = await both.ask(Buffer.concat(commands.map((words) => encode(...words))));
    expect(left).toMatch(expected);
    expect(right).toMatch(hearsay);
  });

  it('QUIT is answered, and ends the connection before what stands behind it', async () => {
    const bytes = Buffer.concat([encode('SET', 'a', '1'), encode('QUIT'), encode('SET', 'a', '2')]);
    for (const answer of await both.ask(bytes)) expect(answer).toBe('+OK\r\n+OK\r\n<closed>');
    for (const answer of await both.ask(encode('GET', 'a'))) expect(answer).toBe('$1\r\n1\r\n');
  });
});
