/** The slot map: well-formed replies are taken, all others change nothing. */
import { describe, expect, it } from 'vitest';
import type { Reply } from '../../src/client/reply-parser.js';
import { Router } from '../../src/client/router.js';

const node = (host: Reply, port: Reply): Reply => [host, port, Buffer.from('id')];

describe('the router', () => {
  it('names the owners of each slot, the first one first, and all servers', () => {
    const router = new Router();
    const map = [
      [0, 99, node(Buffer.from('a'), 1), node(Buffer.from('b'), 2)],
      [100, 16383, node(Buffer.from('b'), 2)],
    ];
    expect(router.update(map, 'a:1')).toBe(true);
    expect(router.ownersOf(99)).toEqual(['a:1', 'b:2']);
    expect(router.ownersOf(100)).toEqual(['b:2']);
    expect(router.ownersOf(-1)).toEqual([]);
    expect(router.servers).toEqual(['a:1', 'b:2']);
  });

  it('takes a host left out for the server that was asked, and puts IPv6 in brackets', () => {
    const router = new Router();
    expect(router.update([[0, 1, node(null, 7), node(Buffer.from('::1'), 8), node('?', 9)]], '[::2]:7')).toBe(true);
    expect(router.ownersOf(0)).toEqual(['[::2]:7', '[::1]:8', '[::2]:9']);
  });

  it.each([
    ['text', 'OK'],
    ['no server', []],
    ['a row without owner', [[0, 1]]],
    ['slots the wrong way round', [[2, 1, node('a', 1)]]],
    ['a slot beyond the last', [[0, 16384, node('a', 1)]]],
    ['a slot that is no whole number', [[0.5, 1, node('a', 1)]]],
    ['a port that is none', [[0, 1, node('a', 70_000)]]],
    ['a port with a fraction', [[0, 1, node('a', 1.5)]]],
    ['a host that is none', [[0, 1, node(7, 1)]]],
    ['a host with a space', [[0, 1, node('a b', 1)]]],
    ['a host that is too long', [[0, 1, node('a'.repeat(300), 1)]]],
    [
      'slots named more than once',
      [
        [0, 16383, node('a', 1)],
        [0, 16383, node('a', 1)],
      ],
    ],
    ['too many servers', Array.from({ length: 1100 }, (_, at) => [at, at, node('a', at + 1)])],
  ] as [string, Reply][])('keeps its map at a reply of %s', (_, reply) => {
    const router = new Router();
    router.update([[0, 1, node('kept', 1)]], 'kept:1');
    expect(router.update(reply, 'kept:1')).toBe(false);
    expect(router.servers).toEqual(['kept:1']);
  });
});
