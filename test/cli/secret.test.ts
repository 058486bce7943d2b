import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { runVerb } from './run.js';

const place = mkdtempSync(join(tmpdir(), 'hearsay-secret-verb-'));
afterAll(() => rmSync(place, { recursive: true, force: true }));

async function listed(path: string): Promise<string[]> {
  const { code, out } = await runVerb(['secret', 'list', path]);
  expect(code).toBe(0);
  return out.trim().split('\n');
}

it('makes a file, and takes it through a rotation without ever showing a key', async () => {
  const path = join(place, 'cluster');
  expect((await runVerb(['secret', 'new', path])).code).toBe(0);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const [first] = await listed(path);
  expect(first).toMatch(/^[0-9a-f]{8} {2}used {6}key$/);
  const oldId = first.slice(0, 8);
  const hashLine = /^hash:.*$/m.exec(readFileSync(path, 'utf8'))?.[0] ?? '';
  expect(hashLine).not.toBe('');

  expect((await runVerb(['secret', 'add', path])).code).toBe(0);
  const newId = (await listed(path))[1].slice(0, 8);
  expect(await listed(path)).toEqual([`${oldId}  used      key`, `${newId}  accepted  key`]);
  expect(await runVerb(['secret', 'remove', path, oldId])).toMatchObject({
    code: 1,
    error: `hearsay: key ${oldId} is in use: hearsay secret use another first\n`,
  });
  expect((await runVerb(['secret', 'use', path, newId])).code).toBe(0);
  expect(await listed(path)).toEqual([`${newId}  used      key`, `${oldId}  accepted  key`]);
  expect((await runVerb(['secret', 'remove', path, oldId])).code).toBe(0);
  expect(await listed(path)).toEqual([`${newId}  used      key`]);

  const text = readFileSync(path, 'utf8');
  expect(text).toContain(hashLine);
  const key = /^v1:(.*)$/m.exec(text)?.[1] ?? '';
  expect(key).toHaveLength(43);
  for (const verb of ['list', 'add']) expect((await runVerb(['secret', verb, path])).out).not.toContain(key);
});

it('takes the keys that are missing from another file', async () => {
  const [left, right] = [join(place, 'left'), join(place, 'right')];
  for (const path of [left, right]) await runVerb(['secret', 'new', path]);
  const [theirs] = await listed(right);
  expect((await runVerb(['secret', 'add', left, '--from', right])).code).toBe(0);
  expect((await listed(left))[1].slice(0, 8)).toBe(theirs.slice(0, 8));
  expect((await runVerb(['secret', 'add', left, '--from', right])).out).toBe(`${left}: nothing is missing\n`);
});

it('refuses by name what it can not do', async () => {
  const path = join(place, 'refused');
  expect((await runVerb(['secret', 'list', path])).error).toContain('can not be read');
  await runVerb(['secret', 'new', path]);
  expect(await runVerb(['secret', 'new', path])).toMatchObject({ code: 1 });
  expect((await runVerb(['secret', 'use', path, 'nosuchid'])).error).toMatch(/has no key nosuchid: it has [0-9a-f]{8}/);
  expect((await runVerb(['secret', 'use', path])).code).toBe(2);
});
