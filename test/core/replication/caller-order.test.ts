import { describe, expect, it } from 'vitest';
import { CallerOrder, type Follower } from '../../../src/core/replication/caller-order.js';
import { HintRoom } from '../../../src/core/replication/hints.js';
import { Peer } from '../../../src/core/replication/peers.js';

const follower = (name: string): Follower => ({ name }) as unknown as Follower;

describe('the order of one connection', () => {
  it('knows what is under way per connection and partition, and where', () => {
    const order = new CallerOrder();
    const [one, other] = [{}, {}];
    const peer = new Peer('node-b', 1000, new HintRoom(0), 4);
    expect(order.ahead(one, 3)).toBeUndefined();
    order.begin(one, 3, peer);
    expect(order.ahead(one, 3)?.peer).toBe(peer);
    expect(order.ahead(one, 2)).toBeUndefined();
    expect(order.ahead(other, 3)).toBeUndefined();
    order.end(one, 3);
    expect(order.ahead(one, 3)).toBeUndefined();
    expect(order.size).toBe(0);
  });

  it('releases followers, in order and once, when all ahead of them are done', () => {
    const order = new CallerOrder();
    const origin = {};
    order.begin(origin, 1, null);
    order.begin(origin, 1, null);
    const ahead = order.ahead(origin, 1);
    if (ahead === undefined) throw new Error('nothing is ahead');
    const [first, second] = [follower('first'), follower('second')];
    order.follow(ahead, first);
    order.follow(ahead, second);
    order.end(origin, 1);
    expect(order.released).toBe(false);
    order.end(origin, 1);
    expect(order.released).toBe(true);
    expect(order.takeReleased()).toEqual([first, second]);
    expect(order.takeReleased()).toEqual([]);
  });

  it('no longer names one place when commands went to two', () => {
    const order = new CallerOrder();
    const origin = {};
    order.begin(origin, 0, new Peer('node-a', 1000, new HintRoom(0), 4));
    order.begin(origin, 0, new Peer('node-b', 1000, new HintRoom(0), 4));
    expect(order.ahead(origin, 0)?.peer).toBeNull();
  });

  it('takes an end without a beginning for nothing', () => {
    const order = new CallerOrder();
    order.end({}, 5);
    expect(order.size).toBe(0);
  });
});
