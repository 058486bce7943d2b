import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { HEARSAY_VERSION } from '../src/core/node/host.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  version: string;
  files: string[];
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
  overrides: Record<string, string>;
};

function packed(): string[] {
  const out = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root, encoding: 'utf8' });
  return (JSON.parse(out) as { files: { path: string }[] }[])[0].files.map((file) => file.path);
}

describe('the package', () => {
  it('holds the build and the launcher, and nothing that only builds or tests it', () => {
    const files = packed();
    for (const file of [
      'package.json',
      'LICENSE',
      'THIRD_PARTY.md',
      'bin/hearsay.js',
      'dist/cli.js',
      'dist/index.js',
    ]) {
      expect(files).toContain(file);
    }
    expect(files).toContain('dist/index.d.ts');
    expect(files.filter((file) => /^(?:src|test|vendor|cluster|node_modules|\.)/.test(file))).toEqual([]);
  });

  it('imports nothing at run time but its dependencies and Node', () => {
    const allowed = new Set([...Object.keys(manifest.dependencies), ...builtinModules]);
    for (const file of ['dist/cli.js', 'dist/index.js']) {
      const { importedFiles } = ts.preProcessFile(readFileSync(join(root, file), 'utf8'), true, true);
      const outside = importedFiles
        .map(({ fileName }) => fileName)
        .filter((name) => !name.startsWith('.') && !name.startsWith('node:') && !allowed.has(name));
      expect(outside, file).toEqual([]);
    }
  });

  it('carries hyperloglog within, without its deprecated call, and says so', () => {
    const built = readFileSync(join(root, 'dist/cli.js'), 'utf8');
    expect(built).toContain('count_zero_buckets');
    expect(built).not.toContain('new Buffer(');
    const notices = readFileSync(join(root, 'THIRD_PARTY.md'), 'utf8');
    for (const name of ['hyperloglog', 'commander'])
      expect(notices).toContain(`## ${name} ${manifest.devDependencies[name]}`);
  });

  it('pins every version, and the hash of hyperloglog to the one in vendor', () => {
    const versions = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
    const loose = versions.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version)).map(([name]) => name);
    // The types of Node are the application's own: two versions of them in one program do not compile.
    expect(loose.sort()).toEqual(['@types/node', 'murmurhash3']);
    expect(manifest.overrides.murmurhash3).toBe('file:./vendor/murmurhash3');
    const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { resolved?: string }>;
    };
    expect(lock.packages['node_modules/murmurhash3'].resolved).toBe('vendor/murmurhash3');
  });

  it('is imported by its name, and gives a client', () => {
    const script = "import('hearsay').then((door) => console.log(typeof door.createClient))";
    expect(execFileSync(process.execPath, ['-e', script], { cwd: root, encoding: 'utf8' })).toBe('function\n');
  });

  it('brings the types that its declarations need, where an application includes none by itself', () => {
    expect(manifest.dependencies).toHaveProperty('@types/node');
    const file = join(root, 'application.ts');
    const text = `
      import { createClient, type Reply } from './dist/index.js';
      const cache = createClient();
      const user = await cache.get<{ name: string }>('user:1', { timeout: '1s' });
      const reply: Reply = await cache.command('GET', 'user:1');
      export const name: string | undefined = reply instanceof Uint8Array ? reply.toString('utf8') : user?.name;
      await using other = createClient({ servers: ['127.0.0.1:7379'] });
      await other.set('user:1', { name }, { ttl: '10m' });
    `;
    const options: ts.CompilerOptions = {
      types: [],
      lib: ['lib.es2022.d.ts'],
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.NodeNext,
      strict: true,
      noEmit: true,
    };
    const host = ts.createCompilerHost(options);
    const read = host.getSourceFile;
    host.getSourceFile = (path, target) =>
      path === file ? ts.createSourceFile(path, text, target) : read.call(host, path, target);
    const program = ts.createProgram([file], options, host);
    const sources = [file, join(root, 'dist/index.d.ts')].map((path) => program.getSourceFile(path));
    const wrong = [
      ...program.getGlobalDiagnostics(),
      ...sources.flatMap((source) => [
        ...program.getSyntacticDiagnostics(source),
        ...program.getSemanticDiagnostics(source),
      ]),
    ];
    expect(wrong.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))).toEqual([]);
    expect(sources.every((source) => source !== undefined)).toBe(true);
  }, 60_000);

  it('has one version in the manifest and in the node', () => {
    expect(HEARSAY_VERSION).toBe(manifest.version);
  });
});
