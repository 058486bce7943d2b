/**
 * The door between a connection and the node: what sessions and commands may ask. `core/node.ts` implements it.
 * A command is a plain function that runs at once, on the node that may execute it; whether that node is this one, how many
 * owners must answer and when the log is durable is decided behind `submit`.
 */
import type { HearsayError } from '../base/errors.js';
import type { Args } from '../resp/args.js';
import type { Reply } from '../resp/reply.js';
import type { Command } from './command.js';
import type { Keyspace } from './keyspace.js';
import type { PasswordGuesses } from './password-guesses.js';
import type { Receipt } from './receipt.js';
import type { ScanWork } from './scan-work.js';
import type { SessionToken } from './session-token.js';
import type { SnapshotDoor } from './snapshot-door.js';
import type { WriteMarks } from './write-marks.js';

export type Level = 'one' | 'quorum' | 'all';

/** Whoever sent a command: a client's session, one part of a split command, or a peer that forwarded it. */
export interface Caller {
  /** The connection behind it, the same for all parts of its commands: what it sends takes effect in order. */
  readonly origin: object;
  /** Nobody waits for the reply any more. */
  readonly gone: boolean;
  /** RESP version that replies are written in. */
  readonly protocol: 2 | 3;
  readonly readLevel: Level;
  readonly writeLevel: Level;
  /** Stand-ins do not count for its writes. */
  readonly strict: boolean;
  /** What the reply of the command in hand rests on. */
  readonly receipt: Receipt;
  /** Where a reply that is known at once goes. */
  readonly reply: Reply;
  /** What the session of its connection has seen; null without one. */
  readonly session: SessionToken | null;
  /** What this caller wrote, for WAIT: kept by the node. */
  readonly wrote: WriteMarks;
  /** A command on keys begins: its receipt, blank. */
  beginReceipt(level: Level): Receipt;
  /** Reserves the next place in the order of replies for one that comes later. */
  defer(): Deferred;
  /** What was put into `reply` since the last call may leave only when this log batch is durable. */
  holdUntilDurable(batch: number): void;
}

export interface Deferred {
  readonly reply: Reply;
  /** The reply is whole. Call once. */
  done(): void;
}

/** What WAIT or WAITAOF asks for. */
export interface WaitWish {
  /** Copies on disk count, not those in memory: WAITAOF. */
  readonly durable: boolean;
  /** 1: the log of the node that coordinated the writes must be durable too. */
  readonly local: number;
  /** Peers wanted. */
  readonly peers: number;
  /** 0: for as long as it takes. */
  readonly timeoutMs: number;
}

export interface SlotRange {
  first: number;
  last: number;
}

/** One line of the cluster as clients see it, in the same order on every node (by id). */
export interface ClusterNodeView {
  /** 40 hexadecimal digits. */
  hexId: string;
  name: string;
  host: string;
  port: number;
  gossipPort: number;
  self: boolean;
  state: 'alive' | 'suspect' | 'dead' | 'left';
  incarnation: number;
  /** Disjoint, ascending; empty for a node that owns none now. */
  slots: SlotRange[];
}

/** Called for each key a scan meets; the bytes are only lent. */
/** `type`: of the key's record. */
export type KeyVisitor = (bytes: Buffer, start: number, end: number, type: number) => void;

/** Called for each record a walk meets; the bytes are only lent. */
export type DumpVisitor = (bytes: Buffer, offset: number, hash: number) => void;

/** What a backup has to know of the cluster at one moment. */
export interface BackupMark {
  /** Everything this node stamps from now on is above it. */
  hlc: number;
  /** The last FLUSHALL known here; 0, 0 for none. */
  flushedHlc: number;
  flushedActor: number;
  /** 16 hexadecimal digits: nodes with the same order of hashes have the same. */
  clusterId: string;
  tombstoneGraceMs: number;
  maxClockDriftMs: number;
}

/** What became of the records of a LOAD. */
export interface Loaded {
  /** Bytes that were gone through: all of them without a refusal. */
  bytes: number;
  applied: number;
  /** The same or a later version stands here, or its deletion was forgotten on purpose. */
  stale: number;
  /** Past their time, and nothing of their key is here. */
  expired: number;
  /** Of partitions that this node does not own. */
  elsewhere: number;
  /** Stamped further ahead of this node's clock than the drift allowed. */
  drifted: number;
  /** Written before a FLUSHALL that this cluster has seen. */
  flushed: number;
  /** Nothing of their key is here, and what was deleted at their time is forgotten: they may be what was deleted. */
  belowFloor: number;
  /** No value, no tombstone, or an expiry change without its value. */
  unusable: number;
  /** Why the first record behind `bytes` was not taken: BUSY, NOSPACE, DISKFAILED or OOM. */
  refusal: HearsayError | null;
}

/** Called for each key that is used much; the bytes are only lent. */
export type HotKeyVisitor = (bytes: Buffer, start: number, end: number, uses: number) => void;

export interface CommandHost {
  readonly keyspace: Keyspace;
  readonly wallMs: number;
  readonly monotonicMs: number;
  readonly settings: HostSettings;
  /** Whether `given`, which is only lent, is the password; in a time that tells nothing of it. */
  passwordMatches(given: Uint8Array): boolean;
  /** Wrong passwords by address. */
  readonly passwordGuesses: PasswordGuesses;
  /** What commands that scan have left of this turn. */
  readonly scanWork: ScanWork;
  /** A number in [0, 2^32), drawn at random. */
  drawUint32(): number;
  /** What this node held at points in time. */
  readonly snapshots: SnapshotDoor;
  /** True if all keys of this command can be executed here, now, at the caller's level. */
  canRunHere(command: Command, args: Args, caller: Caller): boolean;
  /**
   * Runs a command that has keys, all in one partition unless `canRunHere` said yes: here, or at an owner. The reply goes to
   * `caller.reply` at once, or to a place taken by `caller.defer()`. The bytes of `args` are only lent.
   */
  submit(command: Command, args: Args, caller: Caller): void;
  /** The same for a command that names a partition instead of a key. */
  submitToPartition(partition: number, command: Command, args: Args, caller: Caller): void;
  /** The cluster as the slot map shows it. */
  cluster(): ClusterNodeView[];
  /** Partitions that the slot map gives this node (all of them with topology `off`). */
  answersFor(partition: number): boolean;
  /** Whether this node holds a ready copy of the partition. */
  holds(partition: number): boolean;
  /** Live keys of one partition held here, expired ones left out as far as swept. */
  countKeys(partition: number): number;
  /** Of these, how many expire some time. */
  countExpiring(partition: number): number;
  /**
   * Visits the live keys of one partition whose hash is `fromHash` or above, about `count` of them, all with an equal hash
   * together. Returns the hash to go on from, or -1 at the end.
   */
  scanPartition(partition: number, fromHash: number, count: number, visit: KeyVisitor): number;
  /** Visits the live keys used most here, the hottest first, with an estimate of their uses. */
  visitHot(visit: HotKeyVisitor): void;
  /** For DUMP START. */
  backupMark(): BackupMark;
  /** Whether every delete in a partition that is stamped after `hlc` is still told by `dumpPartition`, or came before the first one. */
  keepsDeletesSince(partition: number, hlc: number): boolean;
  /**
   * Visits the values and tombstones of one partition that are neither expired nor flushed, as `scanPartition` does: those
   * whose hash is `fromHash` or above, about `count` of them. Returns the hash to go on from, or -1 at the end.
   */
  dumpPartition(partition: number, fromHash: number, count: number, visit: DumpVisitor): number;
  /** Takes in the records of `bytes[start, end)`. Throws ERR if they are not whole, LOADING; then nothing has changed. */
  load(bytes: Buffer, start: number, end: number): Loaded;
  /** What the caller's last LOAD wrote: its reply waits for the log, and WAIT knows of it. */
  noteLoaded(caller: Caller): void;
  /** Deletes everything written anywhere before now, on every node, and answers OK. */
  flushAll(caller: Caller): void;
  /** Answers with the number of peers that have all of the caller's writes, once as many as wished have or time is up. */
  wait(wish: WaitWish, caller: Caller): void;
  /** An estimate of the distinct keys written in the cluster since the last reset. */
  distinctKeys(): number;
  /** They count from nothing again, on every node. The caller's reply waits for the log. Throws NOSPACE, BUSY, DISKFAILED. */
  resetDistinct(caller: Caller): void;
  /** A key has come to have many siblings: said in the log now and then, and counted. */
  noteSiblings(key: Buffer, start: number, end: number, count: number): void;
  /** The cluster that session tokens are of: 16 hexadecimal digits. */
  readonly sessionCluster: string;
  /** Everything stamped here from now on is above this; false if that is further ahead than the drift allowed. */
  stampAbove(hlc: number): boolean;
  /** Version, owners and who holds what, for HEARSAY.EXPLAIN. */
  explain(key: Buffer, start: number, end: number, caller: Caller): void;
  /** Eight bytes in hex that are equal on two nodes exactly when they hold the same live entries of the partition. */
  digest(partition: number): string;
  /** Facts for HEARSAY.STATUS and INFO: plain values, nested at most once. */
  status(): Record<string, string | number | boolean | Record<string, string | number | boolean>[]>;
  /** Gives this node's place up for good; it ends by itself when others hold what it held. Throws HearsayError. */
  leave(): void;
  /** Ends a dead member's place and its say, on every node. Throws HearsayError when it is not dead. */
  forget(id: string, caller: Caller): void;
  /** The keys that nodes share, a line each: id, and whether it is used. Throws HearsayError when they can not be read again. */
  secret(reload: boolean): string[];
  /** Runs HEARSAY.FAULT; returns lines. Throws HearsayError ERR when injection is off or the words are wrong. */
  fault(words: string[]): string[];
}

/** What one connection may take of a node. */
export interface ClientLimits {
  readonly argumentsMax: number;
  readonly bulkBytesMax: number;
  /** Input of a command that is not whole, and what waits for its turn. */
  readonly queryBytesMax: number;
  /** Replies that its client has not taken. */
  readonly outputBytesMax: number;
  /** Half a command waits this long for its rest. */
  readonly partialCommandMs: number;
}

export interface HostSettings {
  readonly nodeId: string;
  readonly hexId: string;
  readonly clusterName: string;
  readonly version: string;
  readonly port: number;
  readonly partitions: number;
  readonly replicas: number;
  readonly topology: 'partition' | 'off';
  readonly password: string | null;
  readonly maxMemoryBytes: number;
  readonly durability: 'always' | 'interval' | 'off';
  readonly eviction: 's3-fifo' | 'none';
  readonly maxClients: number;
  readonly limits: ClientLimits;
  /** What a connection begins with. */
  readonly readConsistency: Level;
  readonly writeConsistency: Level;
}
