import { constants } from 'node:fs';
import { expect, it } from 'vitest';
import { DescriptorReserve } from '../../src/system/descriptors.js';

/** A process that may have `most` descriptors. */
function process(most: number) {
  const open = new Set<number>();
  let next = 3;
  return {
    open,
    limit: { most },
    calls: {
      open(path: string): number {
        if (path === 'missing') throw Object.assign(new Error('not there'), { code: 'ENOENT' });
        if (open.size >= most) throw Object.assign(new Error('too many open files'), { code: 'EMFILE' });
        open.add(next);
        return next++;
      },
      close(descriptor: number): void {
        if (!open.delete(descriptor)) throw new Error('not open');
      },
    },
  };
}

it('gives a file a descriptor when sockets have taken all others, and takes one back when a file is closed', () => {
  const { open, calls } = process(20);
  const reserve = new DescriptorReserve('.', calls);
  const { size } = reserve;
  expect(size).toBeGreaterThan(3);
  while (open.size < 20) calls.open('socket');
  const file = reserve.open('log', constants.O_RDWR, 0o600);
  expect(reserve.size).toBe(size - 1);
  expect(open.size).toBe(20);
  calls.close(file);
  reserve.refill();
  expect(reserve.size).toBe(size);
  reserve.release();
  expect(open.size).toBe(20 - size);
});

it('says so when the reserve is used up, and holds what it can get', () => {
  const { open, calls } = process(4);
  const reserve = new DescriptorReserve('.', calls);
  expect(reserve.size).toBe(4);
  for (let file = 0; file < 4; file++) reserve.open('log', constants.O_RDWR, 0o600);
  expect(() => reserve.open('log', constants.O_RDWR, 0o600)).toThrow(expect.objectContaining({ code: 'EMFILE' }));
  expect(open.size).toBe(4);
});

it('spends nothing on a file that can not be opened for another reason', () => {
  const { calls } = process(20);
  const reserve = new DescriptorReserve('.', calls);
  const { size } = reserve;
  expect(() => reserve.open('missing', constants.O_RDWR, 0o600)).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  expect(reserve.size).toBe(size);
});
