import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { gatherConfig } from '../../src/system/configuration.js';
import { freshHashLine, freshKeyLine, readSecretFile, writeSecretFile } from '../../src/system/secret-file.js';
import { NodeSecrets } from '../../src/system/secrets.js';

const place = mkdtempSync(join(tmpdir(), 'hearsay-secret-'));
afterAll(() => rmSync(place, { recursive: true, force: true }));

const PASSPHRASE = 'correct horse battery staple, and then some';

function fileWith(name: string, lines: readonly string[], mode = 0o600): string {
  const path = join(place, name);
  writeFileSync(path, lines.join('\n'), { mode });
  chmodSync(path, mode);
  return path;
}

describe('the secret file', () => {
  it('holds made keys, passphrases, comments and one hash line, in order', () => {
    const key = freshKeyLine();
    const path = fileWith('whole', ['# ours', '', key, PASSPHRASE, freshHashLine(), '']);
    const { keys, hashSeed } = readSecretFile(path);
    expect(keys.map(({ isPassphrase }) => isPassphrase)).toEqual([false, true]);
    expect(keys[0].secret.bytes.toString('base64url')).toBe(key.slice(3));
    expect(new Set(keys.map(({ secret }) => secret.id)).size).toBe(2);
    expect(hashSeed).toHaveLength(16);
    expect(readSecretFile(fileWith('again', [PASSPHRASE])).keys[0].secret).toEqual(keys[1].secret);
  });

  it.each([
    ['empty', [], 'holds no key'],
    ['bare', ['# nothing'], 'holds no key'],
    ['short', ['too short for a passphrase'], 'line 1: a passphrase has 32 characters at least'],
    ['cut', [freshKeyLine().slice(0, -4)], 'line 1: what stands behind the colon are not 32 bytes in base64url'],
    ['later', [freshKeyLine().replace('v1', 'v2')], 'line 1: a key of kind v2, unknown here'],
    ['twice', [PASSPHRASE, '', PASSPHRASE], 'line 3: the key of line 1 again'],
    ['hashes', [PASSPHRASE, freshHashLine(), freshHashLine()], 'line 3: a second hash line'],
    ['many', Array.from({ length: 17 }, freshKeyLine), 'holds 17 keys: 16 at most'],
  ])('is refused by name when it is %s', (name, lines, why) => {
    const path = fileWith(name, lines);
    expect(() => readSecretFile(path)).toThrow(why);
    expect(() => readSecretFile(path)).toThrow(path);
  });

  it.skipIf(process.platform === 'win32')('is refused when others can read it, and says what to do', () => {
    const path = fileWith('open', [PASSPHRASE], 0o640);
    expect(() => readSecretFile(path)).toThrow(`${path} can be read by others than its owner: chmod 600 ${path}`);
    const { violations } = gatherConfig({ flags: { secretFile: path }, environment: {}, file: null });
    expect(violations).toEqual([`--secret-file: ${path} can be read by others than its owner: chmod 600 ${path}`]);
  });

  it.skipIf(process.platform === 'win32')('is not waited for when it is a pipe, and refused when it is no file', () => {
    const pipe = join(place, 'pipe');
    execFileSync('mkfifo', ['-m', '600', pipe]);
    expect(() => readSecretFile(pipe)).toThrow(`${pipe} is no file`);
    expect(() => readSecretFile(place)).toThrow(`${place} is no file`);
  });

  it('is replaced in one step, where a link points to, with the mode that it had', () => {
    const path = fileWith('real', [PASSPHRASE], 0o400);
    const link = join(place, 'link');
    symlinkSync(path, link);
    const line = freshKeyLine();
    writeSecretFile(link, [line], false);
    expect(readFileSync(path, 'utf8')).toBe(`${line}\n`);
    expect(statSync(path).mode & 0o777).toBe(0o400);
  });

  it('stays as it was when what should replace it would not be read', () => {
    const path = fileWith('kept', [PASSPHRASE]);
    expect(() => writeSecretFile(path, ['short'], false)).toThrow('32 characters');
    expect(readFileSync(path, 'utf8')).toBe(PASSPHRASE);
    expect(() => writeSecretFile(path, [PASSPHRASE], true)).toThrow('is there already');
    writeSecretFile(path, [PASSPHRASE, freshKeyLine()], false);
  });
});

describe('the keys of a running node', () => {
  it('are read again when the file is another, and kept when that is refused', () => {
    const path = fileWith('running', [PASSPHRASE]);
    const secrets = new NodeSecrets(path);
    expect(secrets.isStale()).toBe(false);
    writeSecretFile(path, [freshKeyLine(), PASSPHRASE], false);
    expect(secrets.isStale()).toBe(true);
    expect(secrets.reload()).toBe(true);
    expect(secrets.keys).toHaveLength(2);
    expect(secrets.reload()).toBe(false);
    const [used] = secrets.keys;
    rmSync(path);
    expect(secrets.isStale()).toBe(true);
    expect(() => secrets.reload()).toThrow('can not be read');
    expect(secrets.keys[0]).toEqual(used);
    expect(secrets.isStale()).toBe(false);
  });

  it('stay, and the file is refused, when its hash line is another: a start would differ from the rest of the cluster', () => {
    const [key, hash] = [freshKeyLine(), freshHashLine()];
    const path = fileWith('hash', [key, hash]);
    const secrets = new NodeSecrets(path);
    const { keys, hashSeed } = secrets;
    for (const lines of [[freshKeyLine(), freshHashLine()], [freshKeyLine()]]) {
      writeSecretFile(path, lines, false);
      expect(() => secrets.reload()).toThrow('the hash line of');
      expect(secrets.keys).toBe(keys);
    }
    writeSecretFile(path, [freshKeyLine(), key, hash], false);
    expect(secrets.reload()).toBe(true);
    expect(secrets.hashSeed).toEqual(hashSeed);
  });
});
