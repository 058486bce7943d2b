/**
 * How much a connection may be owed before it runs no more commands, from what it may be owed before it is closed. A session and its outbox
 * go by these marks (session/session.ts, session/outbox.ts); config.ts refuses limits that leave no room for them.
 * Guarded: a client that takes its replies is not closed for one reply more. At worst stand beside each other what is owed at the
 * mark, what was awaited from elsewhere, and one reply more: a page of a backup or a snapshot with a longest value behind it. They add up to the limit.
 */
const KIB = 1024;
const MIB = 1024 * KIB;

/** A page of a backup, a snapshot or a list of keys ends soon after this: `DUMP_BYTES_MAX` and `PAGE_BYTES_MAX` of core/commands. */
const PAGE_BYTES = MIB;
/** Beyond a longest value: a page, and as much for what is owed and awaited beside it. */
export const OUTPUT_ROOM_BYTES_MIN = 2 * MIB;
/** Beyond a longest value: a longest key, of 64 KiB, and the lengths and words around both. */
export const QUERY_ROOM_BYTES_MIN = 128 * KIB;
const OWED_BYTES_HIGH_MAX = MIB;
const AWAITED_BYTES_HIGH_MAX = 4 * MIB;
const REPLY_BYTES_AT_FIRST_MIN = 256 * KIB;
/** Longer values are rare, and take their line long enough for the client to take those before them. */
const LONG_BYTES = MIB;

export interface OutputLimits {
  readonly bulkBytesMax: number;
  readonly outputBytesMax: number;
}

export interface OutputMarks {
  /** Output that its client has not taken, past which a session runs no more commands. */
  readonly owedBytesHigh: number;
  /** Replies from elsewhere that are likely to be longer together are not awaited at once; one alone always is. */
  readonly awaitedBytesHigh: number;
  /** How long a reply is taken to be before any has come. */
  readonly replyBytesAtFirst: number;
}

export function outputMarks({ bulkBytesMax, outputBytesMax }: OutputLimits): OutputMarks {
  const room = Math.max(0, outputBytesMax - bulkBytesMax - PAGE_BYTES);
  const owedBytesHigh = Math.min(OWED_BYTES_HIGH_MAX, Math.floor(room / 4));
  const awaitedBytesHigh = Math.min(AWAITED_BYTES_HIGH_MAX, Math.floor(room / 2));
  // Of values that nobody has seen, so many that there is room for all if they are long.
  const longBytes = Math.min(LONG_BYTES, bulkBytesMax);
  const first = Math.max(1, Math.floor((outputBytesMax - owedBytesHigh - PAGE_BYTES) / longBytes));
  return {
    owedBytesHigh,
    awaitedBytesHigh,
    replyBytesAtFirst: Math.max(REPLY_BYTES_AT_FIRST_MIN, Math.ceil(awaitedBytesHigh / first)),
  };
}
