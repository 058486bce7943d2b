/**
 * The one error type of Hearsay. A `code` is stable and is what programs match on; the message is for people.
 * Over RESP an error is sent as `-CODE message`, so a code is one upper-case word.
 */

/** Every code with the state it leaves behind. */
export type ErrorCode =
  /** The request was malformed or not allowed; nothing changed. */
  | 'ERR'
  /** The key holds another type; nothing changed. */
  | 'WRONGTYPE'
  /** A key has too many values beside each other, or too many bytes of them; nothing changed. */
  | 'SIBLINGS'
  /** A context that is none, or another key's or cluster's; nothing changed. */
  | 'CONTEXT'
  /** Memory is full and eviction is off, or tombstones fill their share; nothing changed. */
  | 'OOM'
  /** The disk has no room for the log; nothing changed, reads go on. */
  | 'NOSPACE'
  /** The log cannot be made durable; this write may or may not survive a restart. */
  | 'DISKFAILED'
  /** Too many operations are pending here or at a peer; nothing changed. */
  | 'BUSY'
  /** No owner of the key's partition can be reached, or the log does not take the write; its outcome is unknown if it was sent. */
  | 'UNAVAILABLE'
  /** Fewer owners than the level asks for answered in time; a write is applied where it arrived and will spread. */
  | 'NOQUORUM'
  /** This node's clock is too far from its peers' median and no other owner could coordinate; nothing changed. */
  | 'CLOCKDRIFT'
  /** The node is joining its cluster and does not know its data yet; nothing changed. */
  | 'LOADING'
  /** The token is none of this cluster, or no reachable owner has seen what it names yet; nothing changed. */
  | 'SESSION'
  /** The snapshot was closed, by its owner or by a bound; nothing changed, another may be opened. */
  | 'SNAPSHOT'
  /** The connection has not authenticated; nothing changed. */
  | 'NOAUTH'
  | 'WRONGPASS'
  /** The setting is not valid; the process does not start. */
  | 'CONFIG'
  /** The data directory is in use, foreign or unreadable; nothing in it was changed. */
  | 'DATADIR'
  /** The client was closed, or its connection was lost; the outcome of a pending write is unknown. */
  | 'CLOSED'
  /** No answer within the deadline; the outcome of a pending write is unknown. */
  | 'TIMEOUT';

export class HearsayError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.name = 'HearsayError';
    this.code = code;
  }
}

/** A command met a value of another type, in the words that clients of Redis know. */
export function wrongType(): HearsayError {
  return new HearsayError('WRONGTYPE', 'Operation against a key holding the wrong kind of value');
}
