/**
 * HEARSAY.EXPLAIN: who holds what of a key, from the votes of all its owners. The quorum reads gather them and call this at the end.
 * Guarded: nothing is concluded from an owner that gave no answer, and absence is named only where it is known.
 */
import { describeStamp } from '../base/hlc.js';
import { slotOf } from '../partitions/slots.js';
import { TYPE_PUT, TYPE_TOMBSTONE } from '../record/record.js';
import type { Reply } from '../resp/reply.js';
import type { Gathering, Held } from './gathering.js';
import type { Ownership } from './ownership.js';
import { compareFullVersions, NO_VERSION, type Version } from './requests.js';

/** What the node that explains has of the key itself. */
export interface Holding {
  readonly selfId: string;
  readonly mine: Held | null;
  /** Whether it would know if there were a record. */
  readonly definite: boolean;
  /** When the value expires; 0: never, or there is none. */
  readonly expireAtMs: number;
}

export function writeExplanation(gathering: Gathering, holding: Holding, ownership: Ownership, reply: Reply): void {
  const { selfId, mine, definite, expireAtMs } = holding;
  let newest = mine?.version ?? NO_VERSION;
  for (const { vote } of gathering.asked.values()) {
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
  const others = ownership.otherOwners(gathering.partition);
  const selfOwns = ownership.owns(gathering.partition);
  reply.array(others.length + (selfOwns || mine !== null ? 1 : 0));
  if (selfOwns || mine !== null) {
    const holds = describeHolding(mine?.type ?? 0, definite);
    const role = selfOwns ? 'owner' : 'stand-in';
    writeOwner(reply, selfId, role, 'alive', holds, mine?.version ?? null);
  }
  for (const peer of others) {
    const vote = gathering.asked.get(peer)?.vote ?? null;
    const holds = vote === null ? 'no answer' : describeHolding(vote.type, vote.definite);
    writeOwner(reply, peer.id, 'owner', peer.state, holds, vote === null ? null : vote.version);
  }
}

function writeOwner(
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

function describeVersion(version: Version): string {
  return version.hlc === 0 ? 'none' : describeStamp(version.hlc, version.actor);
}

function describeHolding(type: number, definite: boolean): string {
  if (type === TYPE_PUT) return 'value';
  if (type === TYPE_TOMBSTONE) return 'tombstone';
  return definite ? 'absent' : 'unknown';
}
