import { describe, expect, it } from 'vitest';
import { clusterIdentity, describeClusterId } from '../../../src/core/node/identity.js';

const ASKED = { clusterName: 'shop', partitions: 512, replicas: 2, password: 'secret' };
const SEED = { hashSeed: Buffer.from('sixteen bytes ok') };

function found(made: Partial<Omit<typeof ASKED, 'password'>> & { password?: string | null }): string | null {
  return describeClusterId(clusterIdentity({ ...ASKED, ...made }).clusterIdText, ASKED);
}

describe('the id of another cluster', () => {
  it.each([
    [{ partitions: 256, replicas: 3 }, '"shop" with partitions 256, replicas 3'],
    [{ partitions: 16_384, replicas: 7 }, '"shop" with partitions 16384, replicas 7'],
    [{ partitions: 1, replicas: 1, password: null }, '"shop" with partitions 1, replicas 1'],
    [{ clusterName: 'hearsay' }, '"hearsay" with partitions 512, replicas 2'],
  ])('tells that it was made from %j', (made, words) => {
    expect(found(made)).toBe(words);
  });

  it('tells nothing when the name is another', () => {
    expect(found({ clusterName: 'store' })).toBeNull();
  });
});

describe('the identity of a cluster', () => {
  it('is on disk that of its name and settings, whatever password or secret it has', () => {
    const plain = clusterIdentity(ASKED);
    expect(clusterIdentity({ ...ASKED, password: null }).clusterIdText).toBe(plain.clusterIdText);
    expect(clusterIdentity(ASKED, SEED).clusterIdText).toBe(plain.clusterIdText);
  });

  it('hashes by the seed of the secret file alone, where there is one', () => {
    const one = clusterIdentity(ASKED, SEED);
    const other = clusterIdentity({ ...ASKED, password: 'another' }, SEED);
    expect(other.hashKey).toEqual(one.hashKey);
    expect(other.hashMark).toBe(one.hashMark);
    expect(clusterIdentity(ASKED, { hashSeed: Buffer.from('another 16 bytes') }).hashKey).not.toEqual(one.hashKey);
  });

  it('hashes by the password where there is no seed, and shows it in no packet once there is a secret', () => {
    const one = clusterIdentity(ASKED);
    const other = clusterIdentity({ ...ASKED, password: 'another' });
    expect(other.hashKey).not.toEqual(one.hashKey);
    expect(other.clusterId).not.toEqual(one.clusterId);
    const sealed = clusterIdentity(ASKED, { hashSeed: null });
    expect(clusterIdentity({ ...ASKED, password: 'another' }, { hashSeed: null }).clusterId).toEqual(sealed.clusterId);
  });
});
