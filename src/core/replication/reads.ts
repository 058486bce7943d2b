/**
 * Reads above level one: the other owners' versions first, their records only where they are newer, then the command runs
 * here on the merged state. Also the question "who holds what" of HEARSAY.EXPLAIN.
 * Enough (after riak_kv_get_core): R definite votes; or all reachable owners have answered and at least R of them did.
 * An owner that evicted from the partition, or is catching up, and has no record, says "unknown": an answer, not a vote.
 * Guarded: the reply comes once; owners found behind are repaired in the background, after it.
 */

import type { ErrorCode } from '../base/errors.js';
import type { HybridClock } from '../base/hlc.js';
import { describeStamp } from '../base/hlc.js';
import type { Random } from '../base/random.js';
import { type Command, WRITE } from '../commands/command.js';
import type { Caller, CommandHost, Deferred } from '../commands/host.js';
import type { Receipt } from '../commands/receipt.js';
import { FRAME_REQUEST } from '../gossip/frames.js';
import { slotOf } from '../partitions/slots.js';
import { recordExpireAtMs, recordType, TYPE_PUT, TYPE_TOMBSTONE } from '../record/record.js';
import type { Args } from '../resp/args.js';
import type { Reply } from '../resp/reply.js';
import type { Store } from '../store/store.js';
import type { CallerOrder } from './caller-order.js';
import { type Coordinator, quorumOf } from './coordinator.js';
import type { FloorDesk } from './floor-desk.js';
import type { Floors } from './floors.js';
import type { Ownership } from './ownership.js';
import type { Peer, Peers } from './peers.js';
import { keepArgs, PlacedCaller } from './placed-caller.js';
import type { Replicator } from './replicator.js';
import {
  compareFullVersions,
  encodeKeyRequest,
  mayAdd,
  NO_VERSION,
  REQUEST_READ,
  REQUEST_VERSION,
  STATUS_NEWER,
  STATUS_UNKNOWN,
  type Version,
  type VersionAnswer,
  versionOf,
} from './requests.js';

/** Reads waiting for other owners; past it -BUSY. */
const PENDING_MAX = 65_536;
/** Lesser ids are those of forwarded commands. */
const READ_ID_MIN = 0x80000000;

interface Gathering {
  readonly id: number;
  readonly partition: number;
  readonly key: Buffer;
  /** Null: an EXPLAIN. */
  readonly command: Command | null;
  readonly args: Args | null;
  readonly caller: Caller;
  readonly deferred: Deferred;
  readonly receipt: Receipt;
  readonly asked: Map<Peer, Vote | null>;
  /** Definite votes wanted, this node's included; Infinity for EXPLAIN: everyone. */
  readonly wanted: number;
  readonly expiresAtMs: number;
}

interface Vote {
  definite: boolean;
  version: Version;
  type: number;
  /** The owner's floor of the partition, if it has nothing of the key: older versions were deleted. Otherwise 0. */
  absentBelow: number;
  newer: boolean;
  /** Its record was taken in here: what it had is in what stands now. */
  adopted: boolean;
}

export interface QuorumReadsOptions {
  selfId: string;
  replicas: number;
  operationTimeoutMs: number;
}

export class QuorumReads {
  nowMs = 0;
  /** Drawn at random at the start, from READ_ID_MIN up: an answer meant for an earlier run of this node finds nothing. */
  private nextId: number;
  private readonly open = new Map<number, Gathering>();
  private coordinator: Coordinator | null = null;
  readonly stats = { begun: 0, repaired: 0, timeouts: 0 };

  constructor(
    private readonly store: Store,
    private readonly ownership: Ownership,
    private readonly peers: Peers,
    private readonly replicator: Replicator,
    private readonly floorDesk: FloorDesk,
    private readonly floors: Floors,
    private readonly clock: HybridClock,
    private readonly order: CallerOrder,
    private readonly options: QuorumReadsOptions,
    random: Random,
  ) {
    this.nextId = READ_ID_MIN + random.below(READ_ID_MIN);
  }

  /** The coordinator that runs the command once enough is known; the two know each other. */
  attach(coordinator: Coordinator): void {
    this.coordinator = coordinator;
  }

  get size(): number {
    return this.open.size;
  }

  /** True if the id is one of ours, not a forwarded command's. */
  owns(id: number): boolean {
    return id >= READ_ID_MIN;
  }

  /** Asks the other owners, or `only` one of them, then runs the command here. */
  begin(host: CommandHost, partition: number, command: Command, args: Args, caller: Caller, only: Peer | null): void {
    if (this.open.size >= PENDING_MAX) {
      caller.reply.error('BUSY', 'too many reads wait for other owners');
      return;
    }
    const wanted = this.wanted(partition, caller);
    const kept = keepArgs(args);
    const index = command.firstKey;
    const key = Buffer.from(kept.buffer.subarray(kept.starts[index], kept.ends[index]));
    this.order.begin(caller.origin, partition, null);
    const gathering = this.gather(REQUEST_READ, partition, key, command, kept, caller, wanted, only);
    this.conclude(host, gathering);
  }

  /** Votes that a level asks for. At level one somebody else's: this node asks because it is catching up. */
  private wanted(partition: number, caller: Caller): number {
    switch (caller.readLevel) {
      case 'one':
        return 1;
      case 'quorum':
        return quorumOf(this.options.replicas);
      case 'all':
        return Math.max(this.ownership.ownerCount(partition), 1);
    }
  }

  explain(host: CommandHost, key: Buffer, start: number, end: number, caller: Caller): void {
    const copy = Buffer.from(key.subarray(start, end));
    const partition = this.replicator.partition(slotOf(copy, 0, copy.length));
    const gathering = this.gather(REQUEST_VERSION, partition, copy, null, null, caller, Number.POSITIVE_INFINITY, null);
    this.conclude(host, gathering);
  }

  /** An owner's answer. A newer record was merged before this call. */
  answered(host: CommandHost, peer: Peer, id: number, status: number, answer: VersionAnswer, adopted: boolean): void {
    const gathering = this.open.get(id);
    if (gathering === undefined || gathering.asked.get(peer) !== null) return;
    const { version, type, floor } = answer;
    const definite = status !== STATUS_UNKNOWN;
    const newer = status === STATUS_NEWER;
    gathering.asked.set(peer, { definite, version, type, absentBelow: floor, newer, adopted });
    this.conclude(host, gathering);
  }

  peerLost(host: CommandHost, peer: Peer): void {
    for (const gathering of this.open.values()) {
      if (gathering.asked.get(peer) !== null) continue;
      gathering.asked.delete(peer);
      this.conclude(host, gathering);
    }
  }

  tick(host: CommandHost): void {
    for (const gathering of this.open.values()) {
      if (gathering.expiresAtMs > this.nowMs) continue;
      this.stats.timeouts++;
      for (const [peer, vote] of gathering.asked) if (vote === null) gathering.asked.delete(peer);
      this.conclude(host, gathering);
    }
  }

  private gather(
    what: number,
    partition: number,
    key: Buffer,
    command: Command | null,
    args: Args | null,
    caller: Caller,
    wanted: number,
    only: Peer | null,
  ): Gathering {
    const id = this.nextId;
    this.nextId = this.nextId === 0xffffffff ? READ_ID_MIN : this.nextId + 1;
    this.stats.begun++;
    const gathering: Gathering = {
      id,
      partition,
      key,
      command,
      args,
      caller,
      deferred: caller.defer(),
      receipt: caller.receipt,
      asked: new Map(),
      wanted,
      expiresAtMs: this.nowMs + this.options.operationTimeoutMs,
    };
    gathering.receipt.kept = true;
    this.open.set(id, gathering);
    const mine = this.mine(partition, key);
    const head = {
      id,
      what,
      protocol: caller.protocol,
      readLevel: caller.readLevel,
      writeLevel: caller.writeLevel,
      strict: false,
      hops: 0,
      hlc: this.clock.last,
      sentMs: 0,
      partition,
    };
    const body = encodeKeyRequest(head, mine?.version ?? NO_VERSION, key, 0, key.length);
    const asked = only !== null && caller.readLevel === 'one' ? [only] : this.ownership.sources(partition);
    for (const peer of asked) {
      if (this.peers.sendFrame(peer, FRAME_REQUEST, body)) gathering.asked.set(peer, null);
    }
    return gathering;
  }

  /** Answers when enough is known. */
  private conclude(host: CommandHost, gathering: Gathering): void {
    this.heedAbsence(gathering);
    const mine = this.mine(gathering.partition, gathering.key);
    const { caller, partition, wanted } = gathering;
    // At level one another's vote is asked for: this node's own record may be an old one.
    const atOne = gathering.command !== null && caller.readLevel === 'one';
    const counts = this.ownership.owns(partition) && !atOne;
    let votes = counts && (mine !== null || this.isDefinite(partition)) ? 1 : 0;
    let answers = counts ? 1 : 0;
    let open = 0;
    for (const vote of gathering.asked.values()) {
      if (vote === null) open++;
      else {
        answers++;
        if (vote.definite) votes++;
      }
    }
    if (votes < wanted && open > 0) return;
    this.open.delete(gathering.id);
    if (gathering.command === null) {
      this.writeExplanation(gathering, gathering.deferred.reply);
      gathering.deferred.done();
      return;
    }
    this.order.end(caller.origin, partition);
    gathering.receipt.owners = answers;
    if (votes < wanted && answers < wanted && !atOne) {
      this.refuse(gathering, 'NOQUORUM', `${answers} of the ${wanted} owners that this level asks for answered`);
    } else if (atOne && answers === 0 && this.ownership.sources(partition).length > 0) {
      this.refuse(gathering, 'UNAVAILABLE', 'this node is catching up, and no other owner has answered');
    } else if (this.isBehind(gathering, mine?.version ?? NO_VERSION)) {
      this.refuse(gathering, 'UNAVAILABLE', 'a newer record is known and can not be taken in here');
    } else {
      this.repair(gathering);
      this.runGathered(host, gathering, answers);
    }
  }

  /** An owner with a higher floor has nothing of the key: what is here at or below that was deleted, and goes. */
  private heedAbsence({ partition, key, command, asked }: Gathering): void {
    if (command === null) return;
    for (const vote of asked.values()) {
      if (vote === null || vote.absentBelow <= this.floors.floor[partition]) continue;
      this.floorDesk.drop(partition, key, vote.absentBelow);
    }
  }

  private refuse({ deferred }: Gathering, code: ErrorCode, text: string): void {
    deferred.reply.error(code, text);
    deferred.done();
  }

  /** An owner named a newer record that was not merged here: the log or memory is full, or its stamp is too far ahead. */
  private isBehind(gathering: Gathering, mine: Version): boolean {
    for (const vote of gathering.asked.values()) {
      if (vote === null || vote.adopted || !mayAdd(vote.version, mine)) continue;
      // A value that merges, and was not sent, had nothing that this node lacked when it asked.
      if (vote.version.merges && !vote.newer) continue;
      const forgotten = vote.version.hlc <= this.forgottenBelow(gathering, vote);
      if (!forgotten && vote.version.hlc > this.store.flushedHlc) return true;
    }
    return false;
  }

  /** Up to which stamp an owner's record may be one that this node, or another that was asked, has forgotten on purpose. */
  private forgottenBelow({ partition, asked }: Gathering, vote: Vote): number {
    let hlc = vote.type === TYPE_TOMBSTONE ? this.floors.forgottenBelow(partition) : this.floors.floor[partition];
    for (const other of asked.values()) if (other !== null && other.absentBelow > hlc) hlc = other.absentBelow;
    return hlc;
  }

  private runGathered(host: CommandHost, gathering: Gathering, answers: number): void {
    const { command, args, partition, receipt } = gathering;
    if (this.coordinator === null || command === null || args === null) return;
    const caller = new PlacedCaller(gathering.caller, gathering.deferred, receipt);
    this.coordinator.runHere(host, partition, command, args, caller);
    // A write rests on who has taken it, a read on who has answered.
    if ((command.flags & WRITE) === 0) {
      receipt.owners = answers;
      receipt.fallbacks = 0;
    }
    this.coordinator.finishPlaced(caller, gathering.expiresAtMs);
  }

  /** Owners that answered with an older version than is known now get the newest. */
  private repair(gathering: Gathering): void {
    const mine = this.mine(gathering.partition, gathering.key);
    if (mine === null) return;
    for (const [peer, vote] of gathering.asked) {
      if (vote === null || !mayAdd(mine.version, vote.version)) continue;
      // It has forgotten that, and would not take it; anti-entropy finds out who is right.
      if (mine.version.hlc <= vote.absentBelow) continue;
      this.stats.repaired++;
      this.replicator.offer(peer, this.store.buffer, this.store.offset);
    }
  }

  /** This node's record of a key: the store's cursor stands on it. */
  private mine(partition: number, key: Buffer): { version: Version; type: number } | null {
    const hash = this.store.hasher.hash(key, 0, key.length);
    if (!this.store.find(partition, hash, key, 0, key.length)) return null;
    return {
      version: versionOf(this.store.buffer, this.store.offset),
      type: recordType(this.store.buffer, this.store.offset),
    };
  }

  /** Whether this node would know if there were a record. */
  isDefinite(partition: number): boolean {
    return this.ownership.owns(partition) && this.ownership.isReady(partition) && !this.store.isLossy(partition);
  }

  private writeExplanation(gathering: Gathering, reply: Reply): void {
    const mine = this.mine(gathering.partition, gathering.key);
    const expireAtMs =
      mine !== null && mine.type === TYPE_PUT ? recordExpireAtMs(this.store.buffer, this.store.offset) : 0;
    let newest = mine?.version ?? NO_VERSION;
    for (const vote of gathering.asked.values()) {
      if (vote !== null && compareFullVersions(vote.version, newest) > 0) newest = vote.version;
    }
    reply.map(6);
    reply.bulkString('key');
    reply.bulk(gathering.key, 0, gathering.key.length);
    reply.bulkString('slot');
    reply.integer(slotOf(gathering.key, 0, gathering.key.length));
    reply.bulkString('partition');
    reply.integer(gathering.partition);
    reply.bulkString('version');
    reply.bulkString(describeVersion(newest));
    reply.bulkString('expires');
    if (expireAtMs === 0) reply.null();
    else reply.integer(expireAtMs);
    reply.bulkString('owners');
    const others = this.ownership.otherOwners(gathering.partition);
    const selfOwns = this.ownership.owns(gathering.partition);
    reply.array(others.length + (selfOwns || mine !== null ? 1 : 0));
    if (selfOwns || mine !== null) {
      const holds = describeHolding(mine?.type ?? 0, this.isDefinite(gathering.partition));
      const role = selfOwns ? 'owner' : 'stand-in';
      this.writeOwner(reply, this.options.selfId, role, 'alive', holds, mine?.version ?? null);
    }
    for (const peer of others) {
      const vote = gathering.asked.get(peer) ?? null;
      const holds = vote === null ? 'no answer' : describeHolding(vote.type, vote.definite);
      this.writeOwner(reply, peer.id, 'owner', peer.state, holds, vote === null ? null : vote.version);
    }
  }

  private writeOwner(
    reply: Reply,
    id: string,
    role: string,
    state: string,
    holds: string,
    version: Version | null,
  ): void {
    reply.map(5);
    reply.bulkString('node');
    reply.bulkString(id);
    reply.bulkString('role');
    reply.bulkString(role);
    reply.bulkString('state');
    reply.bulkString(state);
    reply.bulkString('holds');
    reply.bulkString(holds);
    reply.bulkString('version');
    if (version === null || version.hlc === 0) reply.null();
    else reply.bulkString(describeVersion(version));
  }
}

function describeVersion(version: Version): string {
  return version.hlc === 0 ? 'none' : describeStamp(version.hlc, version.actor);
}

function describeHolding(type: number, definite: boolean): string {
  if (type === TYPE_PUT) return 'value';
  if (type === TYPE_TOMBSTONE) return 'tombstone';
  return definite ? 'absent' : 'unknown';
}
