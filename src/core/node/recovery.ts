/**
 * A node's start from its data directory: who it is, what it held, who it knew. The spine calls it once, before anything is
 * sent: it folds the log into the store and mints a new actor, durable before its first use.
 * Guarded: a dot is never given twice, because no two starts share an actor; a directory of another cluster or node is refused. What
 * does not fit in memory is given up oldest first where eviction is allowed; where it is not, the node does not start, and nothing
 * was written. A record that there is no room for takes what stood for its key with it, for that is older. A partition that had
 * evicted, or does so now, is marked.
 */
import type { Log } from '../../ports/log.js';
import { HearsayError } from '../base/errors.js';
import type { Random } from '../base/random.js';
import type { NodeConfig } from '../config.js';
import { partitionOf } from '../partitions/slots.js';
import { isExpiryRecord } from '../record/expiry.js';
import {
  isMergeType,
  recordActor,
  recordBytes,
  recordHlc,
  recordKeyEnd,
  recordKeyStart,
  recordType,
  TYPE_COUNTER,
  TYPE_EXPIRY,
  TYPE_FLOOR,
  TYPE_FLUSH,
  TYPE_FRONTIER,
  TYPE_GONE,
  TYPE_HINT,
  TYPE_HLL,
  TYPE_LOSSY,
  TYPE_PUT,
  TYPE_RING,
  TYPE_SIBLINGS,
  TYPE_SKETCH,
  TYPE_STANDINGS,
  TYPE_TOMBSTONE,
} from '../record/record.js';
import type { DistinctKeys } from '../replication/distinct-keys.js';
import { recoverFloors, recoverGone } from '../replication/floor-note.js';
import { Frontiers } from '../replication/frontier.js';
import { recoverLossy } from '../replication/lossy-note.js';
import { Standings } from '../replication/standings.js';
import { formatBytes } from '../setting.js';
import { MERGE_APPLIED, MERGE_DERIVED, MERGE_MISSING, MERGE_REFUSED } from '../store/merging.js';
import type { Store } from '../store/store.js';
import { isCovered, isMergeable } from '../types/types.js';
import type { Wal } from '../wal/wal.js';
import { type ClusterIdentity, describeCluster, describeClusterId } from './identity.js';

const MIB = 1024 * 1024;
/** What a record takes in the store beside its own bytes, about: its envelope and its place in the index. */
const RECORD_OVERHEAD_BYTES = 28;

export interface NodeState {
  nodeId: string;
  actor: number;
  boot: number;
  /** The greatest stamp met in the log. */
  maxHlc: number;
  /** Whether there was anything before this start. */
  restarted: boolean;
  /** Something was lost from the middle of what the disk held: it is fetched like what was never here. */
  damaged: boolean;
  /** It may have ended before the last of what it had acknowledged was on its disk: that is asked for at every other owner. */
  tornTail: boolean;
  /** What the log proves to have been seen. */
  frontiers: Frontiers;
  /** Per partition, its floor; all 0 when something of the log was lost from its middle. */
  floors: Float64Array;
  /** Which partitions were whole here, and which were being fetched. */
  standings: Standings;
  /** TYPE_HINT records in order, one a buffer. */
  hints: Buffer[];
  /** TYPE_RING records in order, one a buffer. */
  ring: Buffer[];
  /** Members that had a say when this node ended, whether or not the log says so still. */
  withSay: readonly string[];
}

export function recoverNode(
  parts: { store: Store; wal: Wal; log: Log; distinctKeys: DistinctKeys },
  config: NodeConfig,
  identity: ClusterIdentity,
  random: Random,
  options: { keepActor: boolean; takesAnyName?: boolean; recentWrites: number },
): NodeState {
  const { store, wal, log, distinctKeys } = parts;
  const hints: Buffer[] = [];
  const ring: Buffer[] = [];
  const floors = new Float64Array(config.partitions);
  const standings = new Standings(config.partitions);
  const unknown = { records: 0 };
  const frontiers = new Frontiers(config.partitions, options.recentWrites);
  const loader = new Loader(store, frontiers, distinctKeys, config);
  const visit = (bytes: Buffer, offset: number, length: number): void => {
    switch (recordType(bytes, offset)) {
      case TYPE_PUT:
      case TYPE_TOMBSTONE:
      case TYPE_EXPIRY:
      case TYPE_COUNTER:
      case TYPE_SIBLINGS:
      case TYPE_HLL:
        loader.load(bytes, offset);
        break;
      case TYPE_FLUSH:
        store.endLoad();
        store.flush(recordHlc(bytes, offset), recordActor(bytes, offset));
        break;
      case TYPE_LOSSY:
        store.endLoad();
        recoverLossy(store, config.partitions, bytes, offset);
        break;
      case TYPE_FRONTIER: {
        const cleared = frontiers.recover(bytes, offset);
        if (cleared < 0) break;
        store.endLoad();
        store.clearPartition(cleared);
        break;
      }
      case TYPE_SKETCH:
        distinctKeys.recover(bytes, offset);
        break;
      case TYPE_FLOOR:
        recoverFloors(floors, bytes, offset);
        break;
      case TYPE_STANDINGS:
        standings.recover(bytes, offset);
        break;
      case TYPE_GONE:
        store.endLoad();
        recoverGone(store, config.partitions, bytes, offset);
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
  };
  const holdsBytes = config.eviction === 'none' ? Number.POSITIVE_INFINITY : config.maxMemory;
  const recovery = wal.recover(visit, { holdsBytes }, () => loader.end());
  const known = recovery.manifest;
  if (known.clusterId !== '' && known.clusterId !== identity.clusterIdText) {
    const made = describeClusterId(known.clusterId, config) ?? 'one of another name';
    throw new HearsayError(
      'DATADIR',
      `data directory ${config.data} belongs to another cluster, ${made}; asked for was ${describeCluster(config)}`,
    );
  }
  if (known.nodeId !== '' && config.id !== null && known.nodeId !== config.id && options.takesAnyName !== true) {
    throw new HearsayError(
      'DATADIR',
      `data directory ${config.data} belongs to node ${known.nodeId}; asked for was --id ${config.id}`,
    );
  }
  const nodeId = known.nodeId || config.id || `node-${random.uint32().toString(16).padStart(8, '0')}`;
  const actor = options.keepActor && known.actor !== 0 ? known.actor : random.actor();
  const boot = known.boot + 1;
  wal.setState({ nodeId, clusterId: identity.clusterIdText, boot, actor });
  frontiers.begin(actor);
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
  // What a floor or a frontier stands for may be what was lost.
  const damaged = recovery.rotFrames > 0;
  if (damaged) {
    floors.fill(0);
    frontiers.distrust();
  }
  for (const note of recovery.notes) log.warn('recovery', { note });
  const { maxHlc } = recovery;
  const restarted = boot > 1;
  // A loss of power can not be told from a killed process, nor by which durability the run went that ended so.
  const tornTail = restarted && !recovery.cleanShutdown;
  const { withSay } = known;
  return {
    nodeId,
    actor,
    boot,
    maxHlc,
    restarted,
    damaged,
    tornTail,
    frontiers,
    floors,
    standings,
    hints,
    ring,
    withSay,
  };
}

/** Brings records into the store, and answers for those that do not fit. */
class Loader {
  /** Records that there was no room for, and the memory they would take. */
  private refused = 0;
  private refusedBytes = 0;

  constructor(
    private readonly store: Store,
    private readonly frontiers: Frontiers,
    private readonly distinctKeys: DistinctKeys,
    private readonly config: NodeConfig,
  ) {}

  load(bytes: Buffer, offset: number): void {
    const { store } = this;
    if (this.isVain) {
      this.refusedBytes += recordBytes(bytes, offset) + RECORD_OVERHEAD_BYTES;
      return;
    }
    const start = recordKeyStart(bytes, offset);
    const end = recordKeyEnd(bytes, offset);
    const partition = partitionOf(bytes, start, end, this.config.partitions);
    const hash = store.hasher.hash(bytes, start, end);
    const outcome = store.load(partition, hash, bytes, offset);
    if (outcome === MERGE_APPLIED || outcome === MERGE_DERIVED) this.distinctKeys.recovered(hash, bytes, offset);
    if (outcome === MERGE_MISSING) return;
    if (outcome !== MERGE_REFUSED) {
      this.frontiers.note(partition, bytes, offset);
      return;
    }
    if (isCovered(bytes, offset, store.flushedHlc, store.flushedActor)) {
      this.frontiers.note(partition, bytes, offset);
      return;
    }
    const type = recordType(bytes, offset);
    if (type === TYPE_EXPIRY && !isExpiryRecord(bytes, offset)) return;
    if (isMergeType(type) && !isMergeable(bytes, offset)) return;
    this.refused++;
    this.refusedBytes += recordBytes(bytes, offset) + RECORD_OVERHEAD_BYTES;
    store.remove(partition, hash, bytes, start, end);
    store.noteLossy(partition);
  }

  /** The node will not start: what comes now is only counted. */
  private get isVain(): boolean {
    return this.refused > 0 && this.config.eviction === 'none';
  }

  /** All was read. Throws HearsayError CONFIG if something had to be left out and nothing may be. */
  end(): void {
    this.store.endLoad();
    const { data, maxMemory } = this.config;
    if (!this.isVain) return;
    const enough = Math.ceil(((maxMemory + this.refusedBytes) * 1.1) / MIB) * MIB;
    throw new HearsayError(
      'CONFIG',
      `data directory ${data} holds more than --max-memory ${formatBytes(maxMemory)} takes, and --eviction none gives nothing up: ${formatBytes(enough)} are enough`,
    );
  }
}
