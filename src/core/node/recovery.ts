/**
 * A node's start from its data directory: who it is, what it held, who it knew. The spine calls it once, before anything is
 * sent: it folds the log into the store and mints a new actor, durable before its first use.
 * Guarded: a dot is never given twice, because no two starts share an actor; a directory of another cluster or node is refused.
 */
import type { Log } from '../../ports/log.js';
import { HearsayError } from '../base/errors.js';
import type { Random } from '../base/random.js';
import type { NodeConfig } from '../config.js';
import { slotOf } from '../partitions/slots.js';
import {
  recordActor,
  recordHlc,
  recordKeyEnd,
  recordKeyStart,
  recordType,
  TYPE_EXPIRY,
  TYPE_FLUSH,
  TYPE_HINT,
  TYPE_PUT,
  TYPE_RING,
  TYPE_TOMBSTONE,
} from '../record/record.js';
import type { Store } from '../store/store.js';
import type { Wal } from '../wal/wal.js';
import type { ClusterIdentity } from './identity.js';

export interface NodeState {
  nodeId: string;
  actor: number;
  boot: number;
  /** The greatest stamp met in the log. */
  maxHlc: number;
  /** Whether there was anything before this start. */
  restarted: boolean;
  /** TYPE_HINT records in order, one a buffer. */
  hints: Buffer[];
  /** TYPE_RING records in order, one a buffer. */
  ring: Buffer[];
}

export function recoverNode(
  parts: { store: Store; wal: Wal; log: Log },
  config: NodeConfig,
  identity: ClusterIdentity,
  random: Random,
  options: { keepActor: boolean },
): NodeState {
  const { store, wal, log } = parts;
  const hints: Buffer[] = [];
  const ring: Buffer[] = [];
  const unknown = { records: 0 };
  const recovery = wal.recover((bytes, offset, length) => {
    switch (recordType(bytes, offset)) {
      case TYPE_PUT:
      case TYPE_TOMBSTONE:
      case TYPE_EXPIRY: {
        const start = recordKeyStart(bytes, offset);
        const end = recordKeyEnd(bytes, offset);
        const partition = Math.floor((slotOf(bytes, start, end) * config.partitions) / 16384);
        store.merge(partition, store.hasher.hash(bytes, start, end), bytes, offset);
        break;
      }
      case TYPE_FLUSH:
        store.flush(recordHlc(bytes, offset), recordActor(bytes, offset));
        break;
      case TYPE_HINT:
        hints.push(Buffer.from(bytes.subarray(offset, offset + length)));
        break;
      case TYPE_RING:
        ring.push(Buffer.from(bytes.subarray(offset, offset + length)));
        break;
      default:
        unknown.records++;
    }
  });
  const known = recovery.manifest;
  if (known.clusterId !== '' && known.clusterId !== identity.clusterIdText) {
    throw new HearsayError(
      'DATADIR',
      `data directory ${config.data} belongs to another cluster, or to one with another password; this one is ${JSON.stringify(config.clusterName)} with ${identity.settings}`,
    );
  }
  if (known.nodeId !== '' && config.id !== null && known.nodeId !== config.id) {
    throw new HearsayError(
      'DATADIR',
      `data directory ${config.data} belongs to node ${known.nodeId}, not to ${config.id}`,
    );
  }
  const nodeId = known.nodeId || config.id || `node-${random.uint32().toString(16).padStart(8, '0')}`;
  const actor = options.keepActor && known.actor !== 0 ? known.actor : random.actor();
  const boot = known.boot + 1;
  wal.setState({ nodeId, clusterId: identity.clusterIdText, boot, actor });
  if (boot > 1) {
    log.info('recovered', {
      records: recovery.records,
      batches: recovery.batches,
      tornTailBytes: recovery.tornTailBytes,
      rotFrames: recovery.rotFrames,
      cleanShutdown: recovery.cleanShutdown,
      unknownRecords: unknown.records,
    });
  }
  for (const note of recovery.notes) log.warn('recovery', { note });
  return { nodeId, actor, boot, maxHlc: recovery.maxHlc, restarted: boot > 1, hints, ring };
}
