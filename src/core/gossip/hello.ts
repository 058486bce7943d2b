/**
 * HELLO: what both ends of a peer stream say first. Whoever dials greets, whoever was dialled answers, and only then do frames
 * flow, behind a CONFIRM. The body, the same in every wire version, so that a version is refused by name:
 *
 *     0 u8 format 1   1 u8 oldest, 2 u8 newest version spoken   3 u8 0   4 u32 key id, 0 in the clear   8 salt (16 bytes)
 *     24 control message, padded; with a secret sealed, with its tag
 *
 * The greeting's key is made of the secret and the dialler's salt, the answer's and the frames' of both salts: a recorded greeting
 * gets an answer that its sender can not open, and no frame of one stream holds on another. Every key seals one greeting or one
 * direction, so the nonce of a greeting is zero. An answer is never longer than what it answers: the greeting is padded.
 * Streams in (replication/incoming.ts) and out (replication/peers.ts) build and read these.
 */
import type { SealingKey } from '../../ports/secrets.js';
import { readWord, writeWord } from '../record/record.js';
import { type ControlMessage, decodeControl, encodeControl } from './codec.js';
import { type ClusterKey, type KeyRing, NONCE_BYTES, SALT_BYTES, TAG_BYTES } from './key-ring.js';
import { understands, WIRE, type WireRange } from './packet.js';
import type { Refusal } from './refusals.js';

const FORMAT = 1;
const PREFIX_BYTES = 24;
/** A greeting has this many bytes, an answer no more. A stranger gets to say no more than a kibibyte. */
const HELLO_BYTES = 800;
export const HELLO_BYTES_MAX = 1000;
const REFUSAL_CHARACTERS_MAX = 200;
const ZERO_NONCE = Buffer.alloc(NONCE_BYTES);

/** What a node says of itself. */
export interface HelloFacts {
  readonly clusterName: string;
  readonly settings: string;
  /** Sixteen hexadecimal digits: nodes whose index hashes alike have the same. */
  readonly hashMark: string;
  readonly id: string;
  readonly actor: number;
  readonly host: string;
  readonly port: number;
  /** What it speaks; without it, what this build does. */
  readonly wire?: WireRange;
}

export interface Hello extends HelloFacts {
  /** Why the dialler is not had; empty if it is. */
  readonly refusal: string;
}

/** A greeting or an answer as it was read. */
export interface OpenedHello {
  readonly oldest: number;
  readonly newest: number;
  readonly salt: Buffer;
  /** The key it was sealed with; null in the clear. */
  readonly key: ClusterKey | null;
  /** Null when one side does not read what the other writes, and what else it says may mean anything. */
  readonly hello: Hello | null;
}

/** A greeting that waits for its answer. */
export interface Greeting {
  readonly body: Buffer;
  readonly salt: Buffer;
  readonly key: ClusterKey | null;
}

export function greet(facts: HelloFacts, ring: KeyRing | null): Greeting {
  const key = ring?.sealing ?? null;
  const salt = ring === null ? Buffer.alloc(SALT_BYTES) : ring.secrets.salt();
  const cipher = ring === null || key === null ? null : ring.greetingKey(key, salt);
  const body = encode({ ...facts, refusal: '' }, key, salt, cipher, HELLO_BYTES);
  return { body, salt, key };
}

/** The answer to a greeting of `greetingBytes`; null when there is no room for one. `salts` is empty in the clear. */
export function answer(
  hello: Hello,
  opened: OpenedHello,
  ring: KeyRing | null,
  greetingBytes: number,
): { body: Buffer; salts: Buffer } | null {
  const { key } = opened;
  const salt = ring === null ? Buffer.alloc(SALT_BYTES) : ring.secrets.salt();
  const salts = Buffer.concat([opened.salt, salt]);
  const cipher = ring === null || key === null ? null : ring.answerKey(key, salts);
  const short = { ...hello, refusal: hello.refusal.slice(0, REFUSAL_CHARACTERS_MAX) };
  const body = encode(short, key, salt, cipher, 0);
  return body.length <= greetingBytes ? { body, salts } : null;
}

/** Reads a greeting. */
export function openGreeting(body: Buffer, ring: KeyRing | null, wire: WireRange = WIRE): OpenedHello | Refusal {
  return open(body, ring, null, wire, (key, salt, own) => own.greetingKey(key, salt));
}

/** Reads the answer to `greeting`. */
export function openAnswer(
  body: Buffer,
  ring: KeyRing | null,
  greeting: Greeting,
  wire: WireRange = WIRE,
): OpenedHello | Refusal {
  return open(body, ring, greeting.key, wire, (key, salt, own) =>
    own.answerKey(key, Buffer.concat([greeting.salt, salt])),
  );
}

/** Why two nodes can not be of one cluster, in one line; null if they can. */
export function disagreement(own: HelloFacts, opened: OpenedHello): string | null {
  const { oldest, newest, hello } = opened;
  if (hello === null) return versionsDiffer(own.wire ?? WIRE, { oldest, newest });
  if (hello.clusterName !== own.clusterName) {
    return `cluster name is ${JSON.stringify(own.clusterName)} here, ${JSON.stringify(hello.clusterName)} there`;
  }
  if (hello.settings !== own.settings) {
    return `cluster settings are ${own.settings} here, ${hello.settings} there`;
  }
  if (hello.hashMark !== own.hashMark) {
    return 'keys are hashed otherwise: another hash line in the secret-file, or another password';
  }
  return null;
}

export function versionsDiffer(own: WireRange, theirs: WireRange): string {
  return `wire version ${rangeText(own)} here, ${rangeText(theirs)} there`;
}

function rangeText({ oldest, newest }: WireRange): string {
  return oldest === newest ? String(newest) : `${oldest} to ${newest}`;
}

function encode(
  hello: Hello,
  key: ClusterKey | null,
  salt: Buffer,
  cipher: SealingKey | null,
  bytesMin: number,
): Buffer {
  const { clusterName, settings, hashMark, id, actor, host, port, refusal, wire = WIRE } = hello;
  const fields: ControlMessage = [clusterName, settings, hashMark, id, actor, host, port, refusal];
  const tagBytes = cipher === null ? 0 : TAG_BYTES;
  let content = encodeControl(fields);
  const missing = bytesMin - PREFIX_BYTES - tagBytes - content.length;
  if (missing > 0) content = encodeControl([...fields, Buffer.alloc(missing)]);
  const end = PREFIX_BYTES + content.length;
  const body = Buffer.alloc(end + tagBytes);
  body[0] = FORMAT;
  body[1] = wire.oldest;
  body[2] = wire.newest;
  writeWord(body, 4, key?.secret.id ?? 0);
  body.set(salt, 8);
  body.set(content, PREFIX_BYTES);
  cipher?.seal(ZERO_NONCE, body, 0, PREFIX_BYTES, end);
  return body;
}

type CipherOf = (key: ClusterKey, salt: Buffer, ring: KeyRing) => SealingKey;

/** `expected`: the key it must be sealed with, if that is settled. */
function open(
  body: Buffer,
  ring: KeyRing | null,
  expected: ClusterKey | null,
  wire: WireRange,
  cipherOf: CipherOf,
): OpenedHello | Refusal {
  if (body.length < PREFIX_BYTES || body.length > HELLO_BYTES_MAX || body[0] !== FORMAT) return 'malformed';
  const [, oldest, newest] = body;
  const keyId = readWord(body, 4);
  const salt = Buffer.from(body.subarray(8, PREFIX_BYTES));
  if (keyId === 0) {
    if (ring !== null) return 'unsealed';
    return read({ oldest, newest, salt, key: null }, body, PREFIX_BYTES, wire);
  }
  if (ring === null) return 'sealed';
  const key = ring.find(keyId);
  if (key === undefined || (expected !== null && expected.secret.id !== keyId)) return 'wrong-key';
  if (body.length < PREFIX_BYTES + TAG_BYTES) return 'malformed';
  const plain = cipherOf(expected ?? key, salt, ring).open(ZERO_NONCE, body, 0, PREFIX_BYTES, body.length);
  return plain === null ? 'forged' : read({ oldest, newest, salt, key }, plain, 0, wire);
}

function read(
  prefix: Omit<OpenedHello, 'hello'>,
  bytes: Buffer,
  start: number,
  wire: WireRange,
): OpenedHello | Refusal {
  if (!understands(wire, prefix.newest)) return { ...prefix, hello: null };
  const fields = decodeControl(bytes, start, bytes.length);
  if (fields === null) return 'malformed';
  const [clusterName, settings, hashMark, id, actor, host, port, refusal] = fields;
  const isText = (value: unknown): value is string => typeof value === 'string' && value.length <= 300;
  if (!isText(clusterName) || !isText(settings) || !isText(hashMark) || !isText(refusal)) return 'malformed';
  if (!isText(id) || !isText(host) || typeof port !== 'number') return 'malformed';
  if (typeof actor !== 'number' || !Number.isSafeInteger(actor) || actor <= 0) return 'malformed';
  return { ...prefix, hello: { clusterName, settings, hashMark, id, actor, host, port, refusal } };
}
