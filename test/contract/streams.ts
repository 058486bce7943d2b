/** The laws of src/ports/streams.ts as a suite, run on each world that implements them. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ContractWorld, WorldFactory } from './worlds.js';

export function describeStreams(name: string, createWorld: WorldFactory): void {
  describe(`streams of ${name}`, () => {
    let world: ContractWorld;
    beforeEach(async () => {
      world = await createWorld();
    });
    afterEach(async () => {
      await world.close();
      expect(world.left.recorder.breaches).toEqual([]);
      expect(world.right.recorder.breaches).toEqual([]);
    });

    async function connect(): Promise<{ near: number; far: number }> {
      const { left, right } = world;
      const near = left.ports.streams.connect(right.address, right.gossipPort);
      await world.until(() => left.recorder.connected.includes(near) && right.recorder.accepted.length === 1);
      return { near, far: right.recorder.accepted[0].stream };
    }

    it('connects to the listener of peers', async () => {
      await connect();
      expect(world.right.recorder.accepted[0].as).toBe('peer');
    });

    it('carries bytes in order, both ways, however they are cut', async () => {
      const { near, far } = await connect();
      const { left, right } = world;
      const sent: Buffer[] = [];
      for (let piece = 0; piece < 200; piece++) {
        const bytes = Buffer.alloc((piece * 37) % 3_000, `piece ${piece};`);
        sent.push(Buffer.from(bytes));
        left.ports.streams.write(near, bytes, false);
      }
      right.ports.streams.write(far, Buffer.from('answer'), false);
      const whole = Buffer.concat(sent);
      await world.until(() => right.recorder.countOf(far) >= whole.length);
      await world.until(() => left.recorder.countOf(near) >= 6);
      expect(right.recorder.bytesOf(far).equals(whole)).toBe(true);
      expect(left.recorder.bytesOf(near).toString()).toBe('answer');
    });

    it('sends what was written before the connection stood', async () => {
      const { left, right } = world;
      const near = left.ports.streams.connect(right.address, right.gossipPort);
      left.ports.streams.write(near, Buffer.from('early'), false);
      await world.until(() => right.recorder.accepted.length === 1);
      const far = right.recorder.accepted[0].stream;
      await world.until(() => right.recorder.countOf(far) === 5);
      expect(right.recorder.bytesOf(far).toString()).toBe('early');
    });

    it('hands a recycled buffer back exactly once, and a given one never', async () => {
      const { near, far } = await connect();
      const { left, right } = world;
      const lent = Buffer.alloc(200_000, 1);
      left.ports.streams.write(near, lent, true);
      left.ports.streams.write(near, Buffer.alloc(10, 2), false);
      await world.until(() => right.recorder.countOf(far) === 200_010);
      await world.until(() => left.recorder.released.length > 0);
      expect(left.recorder.released).toHaveLength(1);
      expect(left.recorder.released[0]).toBe(lent);
    });

    it('hands recycled buffers back when the stream closes before they are sent', async () => {
      const { near, far } = await connect();
      const { left, right } = world;
      right.ports.streams.pause(far, true);
      for (let count = 0; count < 3; count++) left.ports.streams.write(near, Buffer.alloc(8_000_000, count), true);
      left.ports.streams.close(near, false);
      await world.until(() => left.recorder.released.length === 3);
      await world.until(() => left.recorder.closesOf(near) === 1);
    });

    it('flushes before it closes when asked to, and both sides hear of one close', async () => {
      const { near, far } = await connect();
      const { left, right } = world;
      left.ports.streams.write(near, Buffer.alloc(300_000, 7), false);
      left.ports.streams.close(near, true);
      await world.until(() => right.recorder.closesOf(far) > 0 && left.recorder.closesOf(near) > 0);
      expect(right.recorder.countOf(far)).toBe(300_000);
      expect([left.recorder.closesOf(near), right.recorder.closesOf(far)]).toEqual([1, 1]);
    });

    it('closes once even if both sides close', async () => {
      const { near, far } = await connect();
      const { left, right } = world;
      left.ports.streams.close(near, false);
      right.ports.streams.close(far, false);
      left.ports.streams.close(near, true);
      await world.until(() => right.recorder.closesOf(far) > 0 && left.recorder.closesOf(near) > 0);
      expect([left.recorder.closesOf(near), right.recorder.closesOf(far)]).toEqual([1, 1]);
    });

    it('drops what is written to a stream that has closed', async () => {
      const { near } = await connect();
      const { left } = world;
      left.ports.streams.close(near, false);
      await world.until(() => left.recorder.closesOf(near) === 1);
      const lent = Buffer.from('late');
      expect(() => left.ports.streams.write(near, lent, true)).not.toThrow();
      expect(left.ports.streams.queued(near)).toBe(0);
      await world.until(() => left.recorder.released.length === 1);
      expect(left.recorder.released[0]).toBe(lent);
    });

    it('holds the bytes of a paused stream back, and queues at the writer', async () => {
      const { near, far } = await connect();
      const { left, right } = world;
      right.ports.streams.pause(far, true);
      left.ports.streams.write(near, Buffer.alloc(24_000_000, 3), false);
      await world.until(() => right.recorder.ticks >= 3);
      const held = right.recorder.countOf(far);
      expect(left.ports.streams.queued(near)).toBeGreaterThan(0);
      right.ports.streams.pause(far, false);
      await world.until(() => right.recorder.countOf(far) === 24_000_000);
      expect(held).toBeLessThan(24_000_000);
      await world.until(() => left.recorder.drained.includes(near));
      expect(left.ports.streams.queued(near)).toBe(0);
    });

    it('does the same for the side that was called', async () => {
      const { near, far } = await connect();
      const { left, right } = world;
      left.ports.streams.pause(near, true);
      const lent = Buffer.alloc(24_000_000, 5);
      right.ports.streams.write(far, lent, true);
      right.ports.streams.write(far, Buffer.from('behind'), false);
      await world.until(() => left.recorder.ticks >= 3);
      expect(right.ports.streams.queued(far)).toBeGreaterThan(0);
      left.ports.streams.pause(near, false);
      await world.until(() => left.recorder.countOf(near) === 24_000_006);
      await world.until(() => right.recorder.drained.includes(far) && right.recorder.released.length === 1);
      expect(right.recorder.released[0]).toBe(lent);
      expect(right.ports.streams.queued(far)).toBe(0);
      expect(left.recorder.bytesOf(near).subarray(-6).toString()).toBe('behind');
    });

    it('hands back what the side that was called had queued when the other is gone', async () => {
      const { near, far } = await connect();
      const { left, right } = world;
      left.ports.streams.pause(near, true);
      for (let count = 0; count < 3; count++) right.ports.streams.write(far, Buffer.alloc(8_000_000, count), true);
      left.ports.streams.close(near, false);
      await world.until(() => right.recorder.closesOf(far) === 1);
      await world.until(() => right.recorder.released.length === 3);
    });

    it('closes a stream to a port where nobody listens, and never says connected', async () => {
      const { left, right } = world;
      const near = left.ports.streams.connect(right.address, 1);
      await world.until(() => left.recorder.closesOf(near) === 1);
      expect(left.recorder.connected).toEqual([]);
    });

    it('never calls back into the machine from a call', () => {
      const { left, right } = world;
      const near = left.ports.streams.connect(right.address, right.gossipPort);
      left.ports.streams.write(near, Buffer.from('x'), true);
      left.ports.streams.close(near, false);
      expect(left.recorder.closed).toEqual([]);
      expect(left.recorder.released).toEqual([]);
    });
  });
}
