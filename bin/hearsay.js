#!/usr/bin/env node
// The launcher: runs the built command line. In a fresh checkout it builds first, and says so.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const built = new URL('../dist/cli.js', import.meta.url);

if (!existsSync(built)) {
  if (!existsSync(`${root}node_modules/tsdown`)) {
    console.error(`hearsay: not built yet. Run: cd ${root} && npm install && npm run build`);
    process.exit(1);
  }
  console.error('hearsay: not built yet, running npm run build');
  const build = spawnSync('npm', ['run', '--silent', 'build'], { cwd: root, stdio: ['ignore', 2, 2] });
  if (build.status !== 0 || !existsSync(built)) {
    console.error(`hearsay: the build failed. Run: cd ${root} && npm run build`);
    process.exit(1);
  }
}

const { main } = await import(built.href);
const exitCode = await main(process.argv.slice(2), { launcher: fileURLToPath(import.meta.url) });
process.stdout.write('', () => process.exit(exitCode));
