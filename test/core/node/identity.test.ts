import { describe, expect, it } from 'vitest';
import { clusterIdentity, describeClusterId } from '../../../src/core/node/identity.js';

const ASKED = { clusterName: 'shop', partitions: 512, replicas: 2, password: 'secret' };

function found(made: Partial<Omit<typeof ASKED, 'password'>> & { password?: string | null }): string | null {
  return describeClusterId(clusterIdentity({ ...ASKED, ...made }).clusterIdText, ASKED);
}

describe('the id of another cluster', () => {
  it.each([
    [{ partitions: 256, replicas: 3 }, '"shop" with partitions 256, replicas 3, a password'],
    [{ partitions: 16_384, replicas: 7 }, '"shop" with partitions 16384, replicas 7, a password'],
    [{ partitions: 1, replicas: 1, password: null }, '"shop" with partitions 1, replicas 1, no password'],
    [{ clusterName: 'hearsay' }, '"hearsay" with partitions 512, replicas 2, a password'],
  ])('tells that it was made from %j', (made, words) => {
    expect(found(made)).toBe(words);
  });

  it('tells nothing when name or password are others', () => {
    expect(found({ clusterName: 'store' })).toBeNull();
    expect(found({ password: 'another' })).toBeNull();
  });
});
