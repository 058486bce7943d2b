/** What `backup` and `restore` refuse before they ask any node: no node listens where these look for one. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { lockFile } from '../../src/cli/file-lock.js';
import { runVerb } from './run.js';

const place = mkdtempSync(join(tmpdir(), 'hearsay-backup-'));
const folder = join(place, 'folder');
const text = join(place, 'text');
mkdirSync(folder);
mkdirSync(join(place, 'parted.part'));
writeFileSync(text, 'no backup at all');
afterAll(() => rmSync(place, { recursive: true, force: true }));

async function run(...words: string[]): Promise<{ code: number; error: string }> {
  const { code, error } = await runVerb([...words, '--port', '1']);
  return { code, error };
}

describe('before a node is asked', () => {
  it.each([
    [['backup', folder], 2, `${folder} is a directory, not a file`],
    [['backup', join(place, 'parted')], 2, `${join(place, 'parted.part')} is a directory, not a file`],
    [['backup', join(place, 'nope', 'file')], 2, `there is no directory ${join(place, 'nope')}`],
    [['backup', ''], 2, 'the name of the file is empty'],
    [['backup', '/dev/null'], 2, '/dev/null is no file'],
    [['backup', '--verify', folder], 1, `${folder}: is a directory, not a file`],
    [['backup', '--verify', join(place, 'nope')], 1, `${join(place, 'nope')}: there is no such file`],
    [['restore', folder], 1, `${folder}: is a directory, not a file`],
    [['restore', join(place, 'nope')], 1, `${join(place, 'nope')}: there is no such file`],
    [['restore', '/dev/null'], 1, '/dev/null: is no file'],
    [['restore', text], 1, `${text}: this is no backup of Hearsay`],
  ])('%j is refused in one line', async (words, code, line) => {
    const before = readdirSync(place);
    const answer = await run(...words);
    expect(answer.code).toBe(code);
    expect(answer.error.split('\n')).toEqual([expect.stringContaining(`hearsay: ${line}`), '']);
    expect(readdirSync(place)).toEqual(before);
  });

  it.runIf(process.platform === 'linux')(
    'a second backup to the same file is refused while the first runs',
    async () => {
      const path = join(place, 'twice');
      const unlock = await lockFile(path);
      const busy = `hearsay: ${path}: another backup is writing it: let that end, or name another file\n`;
      expect(await run('backup', path)).toEqual({ code: 1, error: busy });
      expect((await run('backup', `${path}-other`)).error).toContain('127.0.0.1:1');
      await unlock();
      expect((await run('backup', path)).error).toContain('127.0.0.1:1');
      await (await lockFile(path))();
    },
  );
});
