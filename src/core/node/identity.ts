/**
 * What makes a cluster one: its name and its fixed settings, hashed. The id stands on every datagram, the settings in every
 * HELLO; the key of the index is drawn from them too, so that all owners hash alike.
 */
import { Hasher } from '../base/hash.js';
import { type NodeConfig, settingNamed } from '../config.js';
import { type ClusterId, WIRE_VERSION } from '../gossip/packet.js';

/** Fixed keys of the derivations: one per purpose, so that no result tells another. */
const ID_KEY: readonly [number, number] = [0x48656172, 0x73617931];
const INDEX_KEY: readonly [number, number] = [0x696e6465, 0x78206b31];
const HEX_KEYS: readonly (readonly [number, number])[] = [
  [1, 0x6e6f6465],
  [2, 0x6e6f6465],
  [3, 0x6e6f6465],
];

export interface ClusterIdentity {
  readonly clusterId: ClusterId;
  /** The same in 16 hexadecimal digits, as the manifest keeps it. */
  readonly clusterIdText: string;
  readonly hashKey: readonly [number, number];
  /** The settings that every node must share, in words for a refusal. */
  readonly settings: string;
}

type IdentitySettings = Pick<NodeConfig, 'clusterName' | 'partitions' | 'replicas' | 'password'>;

/** A node without the cluster's password has another id, and is not let in; whoever reads the traffic can copy the id. */
export function clusterIdentity(config: IdentitySettings): ClusterIdentity {
  const settings = `partitions ${config.partitions}, replicas ${config.replicas}`;
  const text = Buffer.from(
    `${config.clusterName}\n${settings}\nwire ${WIRE_VERSION}\n${config.password ?? ''}`,
    'utf8',
  );
  const id = new Hasher(ID_KEY);
  id.hash(text, 0, text.length);
  const key = new Hasher(INDEX_KEY);
  key.hash(text, 0, text.length);
  return {
    clusterId: [id.low, id.high],
    clusterIdText: hex(id.high) + hex(id.low),
    hashKey: [key.low, key.high],
    settings,
  };
}

/**
 * What a directory's cluster id was made from, in words for a refusal: found by trying every number of partitions and replicas,
 * with the name asked for and the default one, with the password asked for and none. Null when it was made from another name or
 * password. Some hundred hashes; asked only on the way to a refusal.
 */
export function describeClusterId(clusterIdText: string, config: IdentitySettings): string | null {
  const names = new Set([config.clusterName, String(settingNamed('clusterName')?.fallback)]);
  const passwords = new Set([config.password, null]);
  const partitionsMax = settingNamed('partitions')?.max ?? 0;
  const replicasMax = settingNamed('replicas')?.max ?? 0;
  for (const clusterName of names) {
    for (const password of passwords) {
      for (let partitions = 1; partitions <= partitionsMax; partitions *= 2) {
        for (let replicas = 1; replicas <= replicasMax; replicas++) {
          const tried = { clusterName, partitions, replicas, password };
          if (clusterIdentity(tried).clusterIdText === clusterIdText) return describeCluster(tried);
        }
      }
    }
  }
  return null;
}

/** A cluster's settings in words; of the password only whether there is one. */
export function describeCluster(config: IdentitySettings): string {
  const { settings } = clusterIdentity(config);
  const secret = config.password === null ? 'no password' : 'a password';
  return `${JSON.stringify(config.clusterName)} with ${settings}, ${secret}`;
}

/** The 40 hexadecimal digits that the cluster protocol knows a node by. */
export function hexIdOf(nodeId: string): string {
  const bytes = Buffer.from(nodeId, 'utf8');
  let text = '';
  for (const key of HEX_KEYS) {
    const hasher = new Hasher(key);
    hasher.hash(bytes, 0, bytes.length);
    text += hex(hasher.low) + hex(hasher.high);
  }
  return text.slice(0, 40);
}

function hex(word: number): string {
  return word.toString(16).padStart(8, '0');
}
