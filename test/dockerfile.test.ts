import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const place = mkdtempSync(join(tmpdir(), 'hearsay-image-'));
afterAll(() => rmSync(place, { recursive: true, force: true }));

interface Step {
  word: string;
  rest: string;
}

/** The stages of the Dockerfile, each a list of steps. */
function stages(): Step[][] {
  const found: Step[][] = [];
  for (const line of readFileSync(join(root, 'Dockerfile'), 'utf8').replaceAll('\\\n', ' ').split('\n')) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const [, word, rest] = /^(\S+)\s+(.*)$/.exec(line) as RegExpExecArray;
    if (word === 'FROM') found.push([]);
    found[found.length - 1].push({ word, rest });
  }
  return found;
}

/** Copies as COPY does: a folder's content, files by name; a trailing `*` may match nothing. */
function copy(rest: string, from: string, to: string): void {
  const words = rest.split(/\s+/).filter((word) => !word.startsWith('--'));
  const target = join(to, words[words.length - 1]);
  for (const word of words.slice(0, -1)) {
    const source = join(from, word.replace(/\*$/, ''));
    if (word.endsWith('*') && !existsSync(source)) continue;
    const intoFolder = words[words.length - 1].endsWith('/');
    cpSync(source, intoFolder ? join(target, basename(source)) : target, { recursive: true });
  }
}

/** Steps that a plain folder does otherwise: the dependencies are those of this checkout, and /data is the image's. */
const ELSEWHERE: Record<string, (folder: string) => void> = {
  'npm ci --ignore-scripts': (folder) => symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules')),
  'npm prune --omit=dev --ignore-scripts': () => {},
  'mkdir -p /data': () => {},
};

describe('the Dockerfile', () => {
  it('builds a node from what it copies, and copies a node that runs', () => {
    const [build, image] = stages();
    const folders = { build: join(place, 'build'), image: join(place, 'image') };
    for (const folder of Object.values(folders)) mkdirSync(folder);
    for (const { word, rest } of build) {
      if (word === 'COPY') copy(rest, root, folders.build);
      if (word === 'RUN' && ELSEWHERE[rest] !== undefined) ELSEWHERE[rest](folders.build);
      else if (word === 'RUN') execFileSync('sh', ['-c', rest], { cwd: folders.build, stdio: 'pipe' });
    }
    for (const { word, rest } of image) {
      if (word !== 'COPY' || rest.includes('/data')) continue;
      if (rest.includes('node_modules')) symlinkSync(join(root, 'node_modules'), join(folders.image, 'node_modules'));
      else copy(rest.replaceAll('/app/', './'), folders.build, folders.image);
    }
    const entry = JSON.parse(image.find((step) => step.word === 'ENTRYPOINT')?.rest ?? '[]') as string[];
    expect(entry.slice(1)).toEqual(['bin/hearsay.js', 'serve']);
    const run = (...words: string[]): string =>
      execFileSync(process.execPath, [entry[1], ...words], { cwd: folders.image, encoding: 'utf8' });
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    expect(run('version')).toBe(`${version}\n`);
    expect(run('serve', '--help')).toContain('--max-memory');
  });

  it('runs as a numbered user without rights, in exec form, with a health check', () => {
    const image = stages()[1];
    const rest = (word: string): string => image.find((step) => step.word === word)?.rest ?? '';
    expect(rest('USER')).toMatch(/^[1-9]\d{3,}:[1-9]\d{3,}$/);
    expect(rest('ENTRYPOINT')).toMatch(/^\[/);
    expect(rest('HEALTHCHECK')).toMatch(/CMD \["node", "bin\/hearsay.js", "ping"\]$/);
  });
});
