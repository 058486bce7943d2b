/** What Redis 7.0 does not have, or says otherwise: the cluster, connections, INFO, COMMAND, CONFIG, and Hearsay's own. */
import { describe, expect, it } from 'vitest';
import { HearsayError } from '../../../src/core/base/errors.js';
import { readsFirst } from '../../../src/core/commands/command.js';
import { commandTable } from '../../../src/core/commands/table.js';
import { Args } from '../../../src/core/resp/args.js';
import { Harness } from '../session/harness.js';

/** A reply as plain values: maps as objects, sets as arrays, errors as `-...`. */
function read(text: string): unknown {
  let at = 0;
  const line = (): string => {
    const end = text.indexOf('\r\n', at);
    const found = text.slice(at, end);
    at = end + 2;
    return found;
  };
  const value = (): unknown => {
    const head = line();
    const body = head.slice(1);
    const count = Number(body);
    switch (head[0]) {
      case ':':
      case ',':
        return count;
      case '#':
        return body === 't';
      case '_':
        return null;
      case '$':
      case '=': {
        if (count < 0) return null;
        const found = text.slice(at, at + count);
        at += count + 2;
        return head[0] === '=' ? found.slice(4) : found;
      }
      case '*':
      case '~':
        return Array.from({ length: count }, value);
      case '%':
        return Object.fromEntries(Array.from({ length: count }, () => [value(), value()]));
      default:
        return head;
    }
  };
  const result = value();
  expect(at).toBe(text.length);
  return result;
}

function ask3(harness: Harness, ...words: string[]): unknown {
  harness.ask('HELLO', '3');
  return read(harness.ask(...words));
}

describe('the table of commands', () => {
  it('finds every command in any case, and nothing else', () => {
    for (const [index, { name }] of commandTable.commands.entries()) {
      const mixed = [...name].map((letter, at) => (at % 2 ? letter.toUpperCase() : letter)).join('');
      expect(commandTable.find(Args.of(mixed))).toBe(index);
      expect(commandTable.find(Args.of(`${name}x`))).toBe(-1);
      expect(commandTable.find(Args.of(name.slice(0, -1)))).toBe(-1);
    }
    expect(commandTable.find(Args.of(''))).toBe(-1);
    expect(commandTable.find(Args.of('x'.repeat(5000)))).toBe(-1);
  });

  it.each([
    [['SET', 'k', 'v'], false],
    [['SET', 'k', 'v', 'EX', '10'], false],
    [['SET', 'k', 'v', 'NX'], true],
    [['SET', 'k', 'v', 'PX', '10', 'XX'], true],
    [['SET', 'k', 'v', 'GET'], true],
    [['SET', 'k', 'v', 'KEEPTTL'], true],
    [['EXPIRE', 'k', '1'], false],
    [['EXPIRE', 'k', '1', 'GT'], true],
    [['INCR', 'k'], true],
    [['APPEND', 'k', 'v'], true],
    [['GETDEL', 'k'], true],
    [['SETNX', 'k', 'v'], true],
    [['GETSET', 'k', 'v'], true],
    [['GETEX', 'k'], true],
    [['DEL', 'k'], false],
    [['GET', 'k'], false],
  ])('sends %j to the first owner: %s', (words, expected) => {
    const args = Args.of(...words);
    expect(readsFirst(commandTable.commands[commandTable.find(args)], args)).toBe(expected);
  });
});

describe('the bounds of keys and values', () => {
  it('hold for every command that has them', () => {
    const harness = new Harness();
    const key = 'k'.repeat(65_536);
    const value = Buffer.alloc(16 * 1024 * 1024 + 1);
    for (const words of [
      ['GET', key],
      ['SET', key, 'v'],
      ['MGET', 'a', key],
      ['MSET', 'a', 'v', key, 'v'],
      ['DEL', key],
    ]) {
      expect(harness.ask(...words)).toBe('-ERR key is too long\r\n');
    }
    for (const words of [
      ['SET', 'k', value],
      ['SETEX', 'k', '10', value],
      ['SETNX', 'k', value],
      ['GETSET', 'k', value],
      ['MSET', 'a', 'v', 'k', value],
      ['APPEND', 'k', value],
    ]) {
      expect(harness.ask(...words)).toBe('-ERR value is too long\r\n');
    }
    expect(harness.host.keyspace.entries.size).toBe(0);
    expect(harness.ask('SET', 'k'.repeat(65_535), value.subarray(1))).toBe('+OK\r\n');
    expect(harness.ask('APPEND', 'k'.repeat(65_535), 'x')).toBe(
      '-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n',
    );
  });

  it('take back a reply begun, when the write is refused', () => {
    const harness = new Harness();
    harness.ask('SET', 'k', 'v');
    harness.host.keyspace.refuseWrites = new HearsayError('NOSPACE', 'the disk has no room');
    expect(harness.ask('SET', 'k', 'w', 'GET')).toBe('-NOSPACE the disk has no room\r\n');
    expect(harness.ask('GETDEL', 'k')).toBe('-NOSPACE the disk has no room\r\n');
    expect(harness.ask('GET', 'k')).toBe('$1\r\nv\r\n');
    expect(harness.host.stats.errors.get('NOSPACE')).toBe(2);
  });

  it('refuse an expiry that no record can hold', () => {
    const harness = new Harness();
    expect(harness.ask('SET', 'k', 'v', 'PXAT', '281474976710656')).toBe(
      "-ERR invalid expire time in 'set' command\r\n",
    );
    expect(harness.ask('SET', 'k', 'v', 'PXAT', '281474976710655')).toBe('+OK\r\n');
    expect(harness.ask('PEXPIRETIME', 'k')).toBe(':281474976710655\r\n');
    expect(harness.ask('EXPIREAT', 'k', '0')).toBe(':1\r\n');
    expect(harness.ask('GET', 'k')).toBe('$-1\r\n');
  });

  it('take any time of the past as past, beyond 2^53 too, as far as 64 bits of milliseconds go', () => {
    for (const [name, ...amounts] of [
      ['EXPIRE', '-9007199254740993', '-9223372036854775'],
      ['EXPIREAT', '-9223372036854775'],
      ['PEXPIRE', '-9223372036854775808'],
      ['PEXPIREAT', '-9007199254740993'],
    ]) {
      for (const amount of amounts) {
        const harness = new Harness();
        harness.ask('SET', 'k', 'v');
        expect(harness.ask(name, 'k', amount)).toBe(':1\r\n');
        expect(harness.ask('GET', 'k')).toBe('$-1\r\n');
      }
    }
    const harness = new Harness();
    harness.ask('SET', 'k', 'v');
    expect(harness.ask('EXPIRE', 'k', '-9223372036854775808')).toBe("-ERR invalid expire time in 'expire' command\r\n");
    expect(harness.ask('GET', 'k')).toBe('$1\r\nv\r\n');
  });

  it('refuse a cursor before the options that stand behind it, as Redis does', () => {
    const harness = new Harness();
    expect(harness.ask('SCAN', 'x', 'COUNT', 'y')).toBe('-ERR invalid cursor\r\n');
  });
});

describe('CLUSTER', () => {
  it('shows disjoint ranges with an address that leads back here', () => {
    const harness = new Harness();
    const expected = [
      [0, 8191, ['127.0.0.1', 7001, 'a'.repeat(40), {}]],
      [8192, 16382, ['10.0.0.2', 7001, 'b'.repeat(40), {}]],
      [16383, 16383, ['10.0.0.2', 7001, 'b'.repeat(40), {}]],
    ];
    expect(harness.ask('CLUSTER', 'SLOTS')).toContain(`$40\r\n${'b'.repeat(40)}\r\n*0\r\n`);
    expect(ask3(harness, 'CLUSTER', 'SLOTS')).toEqual(expected);
    const shards = ask3(harness, 'CLUSTER', 'SHARDS') as { slots: number[]; nodes: Record<string, unknown>[] }[];
    expect(shards.map((shard) => shard.slots)).toEqual([
      [0, 8191],
      [8192, 16382, 16383, 16383],
    ]);
    expect(shards[1].nodes[0]).toMatchObject({ id: 'b'.repeat(40), port: 7001, role: 'master', health: 'online' });
  });

  it('lists nodes in the lines that clients parse', () => {
    const harness = new Harness();
    expect(ask3(harness, 'CLUSTER', 'NODES')).toBe(
      `${'a'.repeat(40)} 127.0.0.1:7001@17001 myself,master - 0 0 3 connected 0-8191\n` +
        `${'b'.repeat(40)} 10.0.0.2:7001@17001 master,fail? - 0 0 5 connected 8192-16382 16383\n`,
    );
    const info = ask3(harness, 'CLUSTER', 'INFO') as string;
    expect(info).toContain('cluster_state:ok\r\n');
    expect(info).toContain('cluster_slots_assigned:16384\r\n');
    expect(info).toContain('cluster_slots_pfail:8192\r\n');
    expect(info).toContain('cluster_size:2\r\n');
  });

  it('computes slots, and counts and lists the keys of one', () => {
    const harness = new Harness();
    expect(harness.line('CLUSTER KEYSLOT 123456789')).toBe(':12739\r\n');
    expect(harness.line('CLUSTER KEYSLOT {user}.a')).toBe(harness.line('CLUSTER KEYSLOT user'));
    for (const key of ['{user}.a', '{user}.b', 'other']) harness.ask('SET', key, 'v');
    const slot = harness.line('CLUSTER KEYSLOT user').slice(1, -2);
    expect(harness.line(`CLUSTER COUNTKEYSINSLOT ${slot}`)).toBe(':2\r\n');
    expect((read(harness.line(`CLUSTER GETKEYSINSLOT ${slot} 10`)) as string[]).sort()).toEqual([
      '{user}.a',
      '{user}.b',
    ]);
    expect(harness.line(`CLUSTER GETKEYSINSLOT ${slot} 1`)).toMatch(/^\*1\r\n/);
    expect(harness.line('CLUSTER COUNTKEYSINSLOT 16384')).toBe('-ERR Invalid slot\r\n');
  });

  it('knows itself, has no replicas, and refuses to be changed by hand', () => {
    const harness = new Harness();
    expect(harness.line('CLUSTER MYID')).toBe(`$40\r\n${'a'.repeat(40)}\r\n`);
    expect(harness.line(`CLUSTER REPLICAS ${'b'.repeat(40)}`)).toBe('*0\r\n');
    expect(harness.line('CLUSTER REPLICAS x')).toBe('-ERR Unknown node x\r\n');
    expect(harness.line('CLUSTER meet 1.2.3.4 7000')).toMatch(/^-ERR CLUSTER MEET is refused/);
    expect(harness.line('CLUSTER NOPE')).toBe("-ERR unknown subcommand 'NOPE'. Try CLUSTER HELP.\r\n");
    for (const name of ['READONLY', 'READWRITE', 'ASKING']) expect(harness.line(name)).toBe('+OK\r\n');
    expect(harness.line('SELECT 1')).toBe('-ERR SELECT is not allowed in cluster mode\r\n');
  });

  it('is off where the topology is', () => {
    const harness = new Harness((host) => {
      host.settings = { ...host.settings, topology: 'off' };
    });
    expect(harness.line('CLUSTER SLOTS')).toBe('-ERR This instance has cluster support disabled\r\n');
    expect(harness.line('INFO cluster')).toContain('cluster_enabled:0');
    expect(harness.line('INFO server')).toContain('redis_mode:standalone');
  });
});

describe('CLIENT', () => {
  it('lists connections with names and libraries', () => {
    const harness = new Harness();
    harness.accept(2);
    harness.line('CLIENT SETNAME me');
    harness.line('CLIENT SETINFO LIB-NAME ioredis');
    harness.line('CLIENT SETINFO lib-ver 6.0.0');
    expect(harness.line('CLIENT SETINFO lib-name "a b"')).toMatch(/^-ERR lib-name cannot contain spaces/);
    expect(harness.line('CLIENT SETINFO nope x')).toBe("-ERR Unrecognized option 'nope'\r\n");
    harness.host.monotonicMs += 5000;
    const lines = (read(harness.line('CLIENT LIST')) as string).trim().split('\n');
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(/^id=1 addr=127.0.0.1:50001 laddr=127.0.0.1:7001 .* name=me age=5 idle=0 .*cmd=client/);
    expect(lines[0]).toMatch(/resp=2 lib-name=ioredis lib-ver=6.0.0$/);
    expect(harness.line('CLIENT INFO')).toContain('name=me');
    expect(harness.line('CLIENT GETNAME')).toBe('$2\r\nme\r\n');
    expect(harness.line('CLIENT ID')).toBe(':1\r\n');
    expect(harness.line('CLIENT NO-EVICT ON')).toBe('+OK\r\n');
    expect(harness.line('CLIENT NO-TOUCH ON')).toBe('+OK\r\n');
    expect(harness.line('CLIENT LIST ID 1')).toContain('flags=eT');
    expect(harness.line('CLIENT LIST TYPE pubsub')).toBe('$0\r\n\r\n');
  });

  it('closes others at once and oneself after the answer', () => {
    const harness = new Harness();
    harness.accept(2);
    harness.accept(3);
    expect(harness.line('CLIENT KILL 127.0.0.1:50002')).toBe('+OK\r\n');
    expect(harness.streams.closes.get(2)).toBe(false);
    expect(harness.line('CLIENT KILL ID 3')).toBe(':1\r\n');
    expect(harness.line('CLIENT KILL TYPE normal')).toBe(':0\r\n'.replace('0', '2'));
    expect(harness.line('CLIENT KILL ID 1 SKIPME NO')).toBe(':1\r\n');
    expect(harness.streams.closes.get(1)).toBe(true);
  });
});

describe('what clients ask before they begin', () => {
  it('HELLO tells who answers, in both protocols', () => {
    const harness = new Harness();
    const expected = {
      server: 'redis',
      version: '7.4.0',
      proto: 3,
      id: 1,
      mode: 'cluster',
      role: 'master',
      modules: [],
    };
    expect(read(harness.ask('HELLO', '3', 'SETNAME', 'me'))).toEqual(expected);
    expect(harness.ask('GET', 'none')).toBe('_\r\n');
    expect(harness.ask('HELLO', '2')).toMatch(/^\*14\r\n\$6\r\nserver\r\n/);
    expect(harness.ask('CLIENT', 'GETNAME')).toBe('$2\r\nme\r\n');
    expect(harness.ask('HELLO', '4')).toBe('-NOPROTO unsupported protocol version\r\n');
  });

  it('INFO has the lines that clients wait for', () => {
    const harness = new Harness();
    harness.ask('SET', 'k', 'v');
    const info = ask3(harness, 'INFO') as string;
    for (const line of [
      'redis_version:7.4.0',
      'redis_mode:cluster',
      'loading:0',
      'role:master',
      'cluster_enabled:1',
      'db0:keys=1,expires=0,avg_ttl=0',
      'connected_clients:1',
      'used_memory:2048',
      'used_memory_human:2.00K',
      'hearsay_memory_bytes:2048',
      'hearsay_ready:1',
    ]) {
      expect(info).toContain(`${line}\r\n`);
    }
    expect(info).not.toContain('# Commandstats');
    expect(ask3(harness, 'INFO', 'everything')).toContain('# Commandstats');
    expect(ask3(harness, 'INFO', 'keyspace')).toBe('# Keyspace\r\ndb0:keys=1,expires=0,avg_ttl=0\r\n');
    expect(ask3(harness, 'INFO', 'nope')).toBe('');
  });

  it('COMMAND describes each command as Redis does', () => {
    const harness = new Harness();
    expect(ask3(harness, 'COMMAND', 'INFO', 'mget', 'nope')).toEqual([
      [
        'mget',
        -2,
        ['+readonly', '+fast'],
        1,
        -1,
        1,
        ['+@read', '+@string', '+@fast'],
        ['request_policy:multi_shard'],
        [
          {
            flags: ['+RO', '+access'],
            begin_search: { type: 'index', spec: { index: 1 } },
            find_keys: { type: 'range', spec: { lastkey: -1, keystep: 1, limit: 0 } },
          },
        ],
        [],
      ],
      null,
    ]);
    const all = ask3(harness, 'COMMAND') as unknown[];
    expect(ask3(harness, 'COMMAND', 'COUNT')).toBe(all.length);
    expect(ask3(harness, 'COMMAND', 'LIST')).toHaveLength(all.length);
    expect(ask3(harness, 'COMMAND', 'LIST', 'FILTERBY', 'PATTERN', 'GET*')).toEqual([
      'get',
      'getdel',
      'getex',
      'getset',
      'getrange',
      'getbit',
    ]);
    expect(Object.keys(ask3(harness, 'COMMAND', 'DOCS') as object)).toHaveLength(all.length);
    expect(ask3(harness, 'COMMAND', 'DOCS', 'get', 'nope')).toEqual({
      get: { summary: 'Get the value of a key', since: '1.0.0', group: 'string', complexity: 'O(1)' },
    });
    expect(ask3(harness, 'COMMAND', 'GETKEYS', 'MSET', 'a', '1', 'b', '2')).toEqual(['a', 'b']);
    expect(ask3(harness, 'COMMAND', 'GETKEYS', 'PING', 'x')).toBe('-ERR The command has no key arguments');
  });

  it('CONFIG GET shows settings by pattern, and no secret', () => {
    const harness = new Harness((host) => {
      host.settings = { ...host.settings, durability: 'always' };
    });
    expect(ask3(harness, 'CONFIG', 'GET', 'save', 'APPEND*')).toEqual({
      save: '',
      appendonly: 'yes',
      appendfsync: 'always',
    });
    expect(harness.ask('CONFIG', 'GET', 'maxmemory')).toBe('%1\r\n$9\r\nmaxmemory\r\n$9\r\n268435456\r\n');
    expect(Object.keys(ask3(harness, 'CONFIG', 'GET', '*') as object)).not.toContain('requirepass');
    expect(harness.line('CONFIG SET nope 1')).toBe(
      "-ERR Unknown option or number of arguments for CONFIG SET - 'nope'\r\n",
    );
    expect(harness.line('CONFIG SET maxmemory 1')).toMatch(/can't set immutable config\r\n$/);
  });
});

describe('commands that need a leader', () => {
  it.each(['EVAL', 'SLAVEOF', 'MULTI', 'XADD', 'LPUSH', 'MODULE', 'SUBSCRIBE', 'SWAPDB'])(
    '%s is refused with a reason',
    (name) => {
      const harness = new Harness();
      const reply = harness.ask(name, 'a', 'b');
      expect(reply.startsWith(`-ERR unknown command '${name}': `)).toBe(true);
    },
  );
});

describe("Hearsay's own commands", () => {
  it('says to who tries DUMP or RESTORE how entries are copied and read instead', () => {
    for (const words of [
      ['DUMP', 'k'],
      ['restore', 'k', '0', 'x'],
    ]) {
      expect(new Harness().ask(...words)).toMatch(/^-ERR unknown command .*hearsay backup and restore.*hearsay export/);
    }
  });

  it("STATUS is a map with the node's facts", () => {
    const harness = new Harness();
    expect(ask3(harness, 'HEARSAY.STATUS')).toEqual({
      nodeId: 'n1',
      memory_bytes: 2048,
      load: 0.5,
      ready: true,
      members: [{ name: 'n2', alive: false }],
    });
  });

  it('DIGEST gives all partitions held, or one', () => {
    const harness = new Harness();
    harness.host.away = (partition) => partition > 1;
    expect(read(harness.line('HEARSAY.DIGEST'))).toEqual([
      [0, '0000000000000000'],
      [1, '0000000000000001'],
    ]);
    expect(read(harness.line('HEARSAY.DIGEST 1'))).toEqual([[1, '0000000000000001']]);
    expect(harness.line('HEARSAY.DIGEST 2')).toBe('-ERR this node does not hold the partition\r\n');
    expect(harness.line('HEARSAY.DIGEST 16')).toBe('-ERR no such partition\r\n');
  });

  it('CONSISTENCY sets the levels of this connection, both or none', () => {
    const harness = new Harness();
    expect(ask3(harness, 'HEARSAY.CONSISTENCY')).toEqual({ read: 'one', write: 'one', strict: false });
    expect(ask3(harness, 'HEARSAY.CONSISTENCY', 'READ', 'quorum', 'WRITE', 'ALL')).toEqual({
      read: 'quorum',
      write: 'all',
      strict: false,
    });
    expect(ask3(harness, 'HEARSAY.CONSISTENCY', 'READ', 'one', 'WRITE', 'x')).toBe(
      '-ERR a level is ONE, QUORUM or ALL',
    );
    expect(ask3(harness, 'HEARSAY.CONSISTENCY', 'WRITE', 'quorum', 'strict', 'READ', 'one')).toEqual({
      read: 'one',
      write: 'quorum',
      strict: true,
    });
    expect(ask3(harness, 'HEARSAY.CONSISTENCY', 'WRITE', 'x', 'strict')).toBe('-ERR a level is ONE, QUORUM or ALL');
    expect(ask3(harness, 'HEARSAY.CONSISTENCY', 'READ', 'quorum')).toEqual({
      read: 'quorum',
      write: 'quorum',
      strict: true,
    });
    expect(harness.line('HEARSAY.CONSISTENCY READ')).toBe('-ERR syntax error\r\n');
  });

  it('LEAVE and FORGET ask the node, and say why not', () => {
    const harness = new Harness();
    expect(harness.line('HEARSAY.LEAVE')).toBe('+OK\r\n');
    expect(harness.line('HEARSAY.FORGET dead')).toBe('+OK\r\n');
    expect(harness.line('HEARSAY.FORGET n2')).toBe('-ERR n2 is alive: only a dead member is forgotten\r\n');
    expect(harness.ask('HEARSAY.FORGET', 'x'.repeat(129))).toBe('-ERR no member is called that\r\n');
    expect(harness.line('HEARSAY.FORGET')).toMatch(/^-ERR wrong number of arguments/);
    expect(harness.host.asked).toEqual(['leave', 'forget dead']);
  });

  it('FAULT and EXPLAIN pass their words on', () => {
    const harness = new Harness();
    expect(harness.line('HEARSAY.FAULT LIST')).toBe('*1\r\n$4\r\nnone\r\n');
    expect(harness.line('HEARSAY.FAULT DROP all')).toBe('-ERR fault injection is off\r\n');
    expect(read(harness.line('HEARSAY.EXPLAIN k'))).toEqual(['key', 'k']);
  });

  it("WAIT and FLUSHALL are the node's", () => {
    const harness = new Harness();
    expect(harness.line('WAIT 2 100')).toBe(':2\r\n');
    expect(harness.host.waits).toEqual([{ durable: false, local: 0, peers: 2, timeoutMs: 100 }]);
    expect(harness.line('WAITAOF 1 2 100')).toBe('*2\r\n:1\r\n:2\r\n');
    expect(harness.line('WAITAOF 2 2 100')).toBe('-ERR value is out of range, must be between 0 and 1\r\n');
    harness.line('SET k v');
    expect(harness.line('FLUSHALL SYNC')).toBe('+OK\r\n');
    expect(harness.line('DBSIZE')).toBe(':0\r\n');
    harness.host.keyspace.wallMs = 1_700_000_000_123;
    expect(read(harness.line('TIME'))).toEqual(['1700000000', '123000']);
  });
});
