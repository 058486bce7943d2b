import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Rooms and what each never imports: paths from the root, packages as `package:name`, `node:` for Node's own modules. */
const NEVER: readonly { room: string; imports: readonly string[] }[] = [
  { room: 'src/core', imports: ['node:', 'package:', 'src/system', 'src/server', 'src/client', 'src/cli', 'src/sim'] },
  { room: 'src/core', imports: ['src/embed', 'cluster', 'test'] },
  {
    room: 'src/core/base',
    imports: ['record', 'store', 'wal', 'types', 'membership', 'partitions', 'gossip', 'replication', 'resp', 'session']
      .concat('commands', 'node')
      .map((room) => `src/core/${room}`),
  },
  {
    room: 'src/core/record',
    imports: ['src/core/membership', 'src/core/partitions', 'src/core/store', 'src/core/wal'],
  },
  {
    room: 'src/core/store',
    imports: ['src/core/gossip', 'src/core/resp', 'src/core/membership', 'src/core/replication'],
  },
  { room: 'src/core/wal', imports: ['src/core/gossip', 'src/core/resp', 'src/core/membership', 'src/core/store'] },
  { room: 'src/core/types', imports: ['src/ports', 'src/core/gossip', 'src/core/membership'] },
  {
    room: 'src/core/membership',
    imports: ['src/core/record', 'src/core/store', 'src/core/wal', 'src/core/replication'],
  },
  { room: 'src/core/partitions', imports: ['src/core/record', 'src/core/store', 'src/core/wal', 'src/ports/streams'] },
  { room: 'src/core/gossip', imports: ['src/ports/streams', 'src/ports/datagrams', 'src/core/store', 'src/core/wal'] },
  {
    room: 'src/core/resp',
    imports: ['src/core/commands', 'src/core/session', 'src/core/store', 'src/core/replication'],
  },
  { room: 'src/core/commands', imports: ['src/ports/streams', 'src/ports/datagrams', 'src/core/replication'] },
  { room: 'src/ports', imports: ['node:', 'package:', 'src/system', 'src/sim', 'src/cli', 'src/client', 'src/server'] },
  {
    room: 'src/client',
    imports: ['src/server', 'src/system', 'src/sim', 'src/cli', 'src/core/node', 'src/core/store'],
  },
  { room: 'src/sim', imports: ['src/system', 'src/cli', 'src/client', 'src/server'] },
  { room: 'src/system', imports: ['src/sim', 'src/cli', 'src/client', 'src/core/store', 'src/core/replication'] },
  { room: 'src/cli', imports: ['src/core/store', 'src/core/replication', 'src/core/membership', 'src/core/gossip'] },
  { room: 'cluster', imports: ['src/core', 'src/system'] },
];

/** The one package inside the core: the wire's control messages are MessagePack. */
const ALLOWED = ['src/core/gossip/codec.ts imports package:msgpackr'];

/** What the core does without: time, chance, waiting and the process are arguments, events or ports. */
const FORBIDDEN_IN_CORE = new Set([
  'Date',
  'Promise',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'process',
  'console',
  'performance',
  'require',
]);

/** Folders of test/ that mirror no folder of src/. */
const TEST_FOLDERS = [
  'cluster',
  'contract',
  'fixtures',
  'package',
  'scratch',
  'transcripts',
  'bench',
  'processes',
  'clients',
  'fuzz',
];

function sources(folder: string): string[] {
  const path = join(root, folder);
  if (!existsSync(path)) return [];
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name));
}

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

/** What a file imports, in the words of the table. */
function importsOf(file: string): string[] {
  return ts.preProcessFile(read(file), true, true).importedFiles.map(({ fileName }) => {
    if (fileName.startsWith('.')) return relative(root, resolve(root, dirname(file), fileName));
    return fileName.startsWith('node:') ? fileName : `package:${fileName}`;
  });
}

function within(path: string, room: string): boolean {
  if (room === 'node:' || room === 'package:') return path.startsWith(room);
  return path === room || path === `${room}.js` || path === `${room}.ts` || path.startsWith(`${room}/`);
}

function forbiddenUses(file: string): string[] {
  const found: string[] = [];
  const source = ts.createSourceFile(file, read(file), ts.ScriptTarget.ES2023, true);
  const visit = (node: ts.Node): void => {
    const parent = node.parent;
    const isName =
      parent !== undefined &&
      ((ts.isPropertyAccessExpression(parent) && parent.name === node) ||
        (ts.isPropertySignature(parent) && parent.name === node) ||
        (ts.isPropertyDeclaration(parent) && parent.name === node) ||
        (ts.isMethodDeclaration(parent) && parent.name === node));
    if (ts.isIdentifier(node) && !isName && FORBIDDEN_IN_CORE.has(node.text)) found.push(node.text);
    if (ts.isPropertyAccessExpression(node) && node.getText(source) === 'Math.random') found.push('Math.random');
    if (node.kind === ts.SyntaxKind.AsyncKeyword || ts.isAwaitExpression(node)) found.push('async');
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found.map((what) => `${file}: ${what}`);
}

function trackedFiles(): string[] {
  return execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' })
    .split('\0')
    .filter((file) => file !== '' && existsSync(join(root, file)));
}

describe('the house rules', () => {
  const all = [...sources('src'), ...sources('cluster')];

  it('find something to check', () => {
    expect(all.length).toBeGreaterThan(30);
    for (const { room } of NEVER.filter(({ room }) => existsSync(join(root, room)))) {
      expect(room === 'src/core/types' || sources(room).length > 0, room).toBe(true);
    }
  });

  it('keep every room away from what it never imports', () => {
    const broken: string[] = [];
    for (const file of all) {
      const imports = importsOf(file);
      for (const { room, imports: never } of NEVER) {
        if (!within(file, room)) continue;
        for (const path of imports) {
          if (never.some((other) => within(path, other))) broken.push(`${file} imports ${path}`);
        }
      }
    }
    expect([...new Set(broken)].filter((line) => !ALLOWED.includes(line))).toEqual([]);
  });

  it('keep time, chance and waiting out of the core', () => {
    expect(
      sources('src/core')
        .filter((file) => !file.endsWith('.d.ts'))
        .flatMap(forbiddenUses),
    ).toEqual([]);
  });

  it('begin every source file with what it is', () => {
    const bare = all.filter((file) => !/^(?:#!.*\n)?(?:\/\*\*\s|\/\/ [A-Z`])/.test(read(file)));
    expect(bare).toEqual([]);
  });

  it('leave no import of a test without its source, and no folder of tests without its room', () => {
    const lost: string[] = [];
    for (const file of sources('test')) {
      for (const path of importsOf(file)) {
        if (path.startsWith('node:') || path.startsWith('package:')) continue;
        const target = join(root, path);
        if (!existsSync(target) && !existsSync(target.replace(/\.js$/, '.ts'))) lost.push(`${file} imports ${path}`);
      }
    }
    const folders = readdirSync(join(root, 'test'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
    for (const { name } of folders) {
      if (!TEST_FOLDERS.includes(name) && !existsSync(join(root, 'src', name)))
        lost.push(`test/${name} mirrors nothing`);
    }
    expect(lost).toEqual([]);
  });

  it('keep paths of one machine and hosts of registries out of what is tracked', () => {
    const places = ['home', 'root', 'Users', 'work'].map((name) => `(?:^|[\\s"'\`(=])/${name}/[A-Za-z0-9]`);
    const traces = new RegExp([...places, '\\bregistry\\.[a-z0-9-]+\\.[a-z]+', '"resolved": "https?:'].join('|'), 'm');
    const own = relative(root, fileURLToPath(import.meta.url));
    const found = trackedFiles()
      .filter((file) => file !== own && /\.(?:[cm]?[jt]s|json|md|ya?ml|toml|html|css|sh)$|^[^.]+$/.test(file))
      .flatMap((file) => {
        const match = traces.exec(read(file));
        return match === null ? [] : [`${file}: ${match[0].trim()}`];
      });
    expect(found).toEqual([]);
  });

  it('see a breach when there is one', () => {
    expect(within('src/core/store/store.js', 'src/core/store')).toBe(true);
    expect(within('src/core/store', 'src/core/st')).toBe(false);
    expect(within('node:fs', 'node:')).toBe(true);
    expect(forbiddenUses('src/system/world.ts')).toContain('src/system/world.ts: setImmediate');
    expect(importsOf('src/system/datagrams.ts')).toContain('package:dgram-as-promised');
  });
});
