/**
 * The secret file: the keys that the nodes of one cluster share. Every line with content, but for comments behind `#`, is one of
 *
 *     v1:<32 bytes, base64url>   a key, as `hearsay secret` makes them
 *     hash:<16 bytes, base64url> the seed of the index's hash: the same through every rotation, once in the file
 *     anything else              a passphrase of 32 characters or more, stretched by scrypt
 *
 * The first key seals what a node sends, all are accepted. Nodes read it through secrets.ts, the settings check it
 * (configuration.ts), the command line changes it (cli/secret.ts).
 * Guarded: a file that others can read, or that says anything unclear, is refused whole, by line; no message holds a secret; it is
 * replaced in one step or not at all, under the mode it had.
 */
import { hkdfSync, randomBytes, scryptSync } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { HearsayError } from '../core/base/errors.js';
import type { ClusterSecret } from '../ports/secrets.js';

const FILE_BYTES_MAX = 64 * 1024;
const KEYS_MAX = 16;
const PASSPHRASE_CHARACTERS_MIN = 32;
const KEY_BYTES = 32;
const SEED_BYTES = 16;
/** About 50 ms and 16 MiB for each passphrase, once. */
const SCRYPT = { N: 16_384, r: 8, p: 1 };
const SCRYPT_SALT = 'hearsay secret file v1';
const NO_BYTES = Buffer.alloc(0);

export interface KeyLine {
  /** Where it stands in `lines`. */
  readonly at: number;
  readonly isPassphrase: boolean;
  readonly secret: ClusterSecret;
}

export interface SecretFile {
  /** As they stand, comments too. */
  readonly lines: readonly string[];
  readonly keys: readonly KeyLine[];
  readonly hashSeed: Buffer | null;
}

/** What was stretched once is not stretched again. Bounded: it is emptied when it is full. */
const stretched = new Map<string, Buffer>();

/** Reads and checks it. Throws HearsayError CONFIG, in one line that names the file. */
export function readSecretFile(path: string): SecretFile {
  let file: number | null = null;
  try {
    // What is judged is what is read: the name may stand for another file a moment later. A pipe would be waited for.
    file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const stat = fstatSync(file);
    if (!stat.isFile()) throw refusal(`${path} is no file`);
    if (process.platform !== 'win32' && (stat.mode & 0o077) !== 0) {
      throw refusal(`${path} can be read by others than its owner: chmod 600 ${path}`);
    }
    if (stat.size > FILE_BYTES_MAX) throw refusal(`${path} is larger than a secret file`);
    return parseSecretFile(path, readFileSync(file, 'utf8'));
  } catch (error) {
    if (error instanceof HearsayError) throw error;
    throw refusal(`${path} can not be read: ${(error as Error).message}`);
  } finally {
    if (file !== null) closeSync(file);
  }
}

function parseSecretFile(path: string, text: string): SecretFile {
  const lines = text.replace(/\r?\n$/, '').split(/\r?\n/);
  const keys: KeyLine[] = [];
  let hashSeed: Buffer | null = null;
  for (const [at, raw] of lines.entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const where = `${path}, line ${at + 1}`;
    if (line.startsWith('hash:')) {
      if (hashSeed !== null) throw refusal(`${where}: a second hash line`);
      hashSeed = decoded(line.slice(5), SEED_BYTES, where);
    } else keys.push({ at, isPassphrase: !/^v\d+:/.test(line), secret: secretOf(line, where) });
  }
  if (keys.length === 0) throw refusal(`${path} holds no key: hearsay secret new makes a file with one`);
  if (keys.length > KEYS_MAX) throw refusal(`${path} holds ${keys.length} keys: ${KEYS_MAX} at most`);
  for (const [index, { at, secret }] of keys.entries()) {
    const twin = keys.findIndex((other) => other.secret.id === secret.id);
    if (twin < index) throw refusal(`${path}, line ${at + 1}: the key of line ${keys[twin].at + 1} again`);
  }
  return { lines, keys, hashSeed };
}

function secretOf(line: string, where: string): ClusterSecret {
  const version = /^v(\d+):/.exec(line);
  if (version !== null && version[1] !== '1') throw refusal(`${where}: a key of kind v${version[1]}, unknown here`);
  if (version !== null) return named(decoded(line.slice(3), KEY_BYTES, where));
  if ([...line].length < PASSPHRASE_CHARACTERS_MIN) {
    throw refusal(`${where}: a passphrase has ${PASSPHRASE_CHARACTERS_MIN} characters at least`);
  }
  let bytes = stretched.get(line);
  if (bytes === undefined) {
    bytes = scryptSync(line.normalize('NFC'), SCRYPT_SALT, KEY_BYTES, SCRYPT);
    if (stretched.size >= 2 * KEYS_MAX) stretched.clear();
    stretched.set(line, bytes);
  }
  return named(bytes);
}

function decoded(text: string, count: number, where: string): Buffer {
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.length === count && bytes.toString('base64url') === text) return bytes;
  throw refusal(`${where}: what stands behind the colon are not ${count} bytes in base64url`);
}

function named(bytes: Buffer): ClusterSecret {
  const id = Buffer.from(hkdfSync('sha256', bytes, NO_BYTES, 'hearsay key id', 4)).readUInt32LE(0);
  return { id: id === 0 ? 1 : id, bytes };
}

/** The line of a fresh key. */
export function freshKeyLine(): string {
  return `v1:${randomBytes(KEY_BYTES).toString('base64url')}`;
}

/** The line of a fresh seed. */
export function freshHashLine(): string {
  return `hash:${randomBytes(SEED_BYTES).toString('base64url')}`;
}

/** Writes the file whole, under a draft's name first. `fresh`: there must be none yet. Throws HearsayError CONFIG. */
export function writeSecretFile(path: string, lines: readonly string[], fresh: boolean): void {
  if (fresh && existsSync(path)) throw refusal(`${path} is there already: hearsay secret add puts a key into it`);
  const target = fresh ? path : realpathSync(path);
  const draft = `${target}.new`;
  const mode = fresh ? 0o600 : statSync(target).mode & 0o700;
  let file: number;
  try {
    file = openSync(draft, 'wx', 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw refusal(`${draft} is there: another hearsay secret is at work, or one was broken off; then remove it`);
  }
  try {
    fchmodSync(file, mode);
    writeFileSync(file, `${lines.join('\n')}\n`);
    fsyncSync(file);
    closeSync(file);
    // What would not be read is not put in the place of what is.
    readSecretFile(draft);
    renameSync(draft, target);
  } catch (error) {
    unlinkSync(draft);
    throw error;
  }
  const directory = openSync(dirname(target), 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

function refusal(message: string): HearsayError {
  return new HearsayError('CONFIG', message);
}
