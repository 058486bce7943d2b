import { describe, expect, it } from 'vitest';
import { withHugePages } from '../../cluster/huge-pages.js';

describe('the environment of a node that is started here', () => {
  it('asks for huge pages beside everything else in it', () => {
    expect(withHugePages({ PATH: '/bin' })).toEqual({ PATH: '/bin', GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1' });
  });

  it('adds to what is set for the C library, and leaves an answer of the operator as it is', () => {
    expect(withHugePages({ GLIBC_TUNABLES: 'glibc.malloc.arena_max=2' })).toEqual({
      GLIBC_TUNABLES: 'glibc.malloc.arena_max=2:glibc.malloc.hugetlb=1',
    });
    const off = { GLIBC_TUNABLES: 'glibc.malloc.hugetlb=0' };
    expect(withHugePages(off)).toBe(off);
  });
});
