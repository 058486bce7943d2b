/** The laws of src/ports/datagrams.ts and resolver.ts as a suite, run on each world that implements them. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ContractWorld, WorldFactory } from './worlds.js';

export function describeDatagrams(name: string, createWorld: WorldFactory): void {
  describe(`datagrams of ${name}`, () => {
    let world: ContractWorld;
    beforeEach(async () => {
      world = await createWorld();
    });
    afterEach(async () => {
      await world.close();
      expect(world.left.recorder.breaches).toEqual([]);
      expect(world.right.recorder.breaches).toEqual([]);
    });

    it('carries a datagram whole, with the address of its sender', async () => {
      const { left, right } = world;
      const bytes = Buffer.from(Array.from({ length: 1_200 }, (_, at) => at & 0xff));
      left.ports.datagrams.send(right.address, right.gossipPort, Buffer.from(bytes));
      await world.until(() => right.recorder.datagrams.length === 1);
      const [arrived] = right.recorder.datagrams;
      expect(arrived.bytes.equals(bytes)).toBe(true);
      expect([arrived.host, arrived.port]).toEqual([left.address, left.gossipPort]);
    });

    it('answers to the address that a datagram came from', async () => {
      const { left, right } = world;
      left.ports.datagrams.send(right.address, right.gossipPort, Buffer.from('ping'));
      await world.until(() => right.recorder.datagrams.length === 1);
      const [{ host, port }] = right.recorder.datagrams;
      right.ports.datagrams.send(host, port, Buffer.from('pong'));
      await world.until(() => left.recorder.datagrams.length === 1);
      expect(left.recorder.datagrams[0].bytes.toString()).toBe('pong');
    });

    it('loses what is sent where nobody listens, and says nothing', async () => {
      const { left, right } = world;
      expect(() => left.ports.datagrams.send(right.address, 1, Buffer.from('lost'))).not.toThrow();
      left.ports.datagrams.send(right.address, right.gossipPort, Buffer.from('kept'));
      await world.until(() => right.recorder.datagrams.length > 0);
      expect(right.recorder.datagrams.map((each) => each.bytes.toString())).toEqual(['kept']);
    });

    it('never calls back into the machine from send', () => {
      const before = world.left.recorder.turns;
      world.left.ports.datagrams.send(world.left.address, world.left.gossipPort, Buffer.from('self'));
      expect(world.left.recorder.datagrams).toEqual([]);
      expect(world.left.recorder.turns).toBe(before);
    });

    it('resolves a numeric address to itself', async () => {
      world.left.ports.resolver.resolve(world.right.address, 7);
      await world.until(() => world.left.recorder.resolved.length === 1);
      expect(world.left.recorder.resolved).toEqual([{ token: 7, hosts: [world.right.address] }]);
    });
  });
}
