// The build: two entries to dist, with types for the library. What is a devDependency is bundled, by name only; what is a
// dependency stays outside. `hyperloglog` and its hash are bundled because the package's own hash needs a compiler.
import { defineConfig } from 'tsdown';

const shared = {
  format: 'esm',
  platform: 'node',
  target: 'node20',
  fixedExtension: false,
  clean: false,
  logLevel: 'warn',
} as const;

/** `new Buffer(n)` is deprecated and prints a warning outside node_modules. */
const modernBuffer = {
  name: 'modern-buffer',
  transform(code: string, id: string) {
    if (!id.includes('/hyperloglog/')) return null;
    return { code: code.replaceAll('new Buffer(', 'Buffer.alloc('), map: null };
  },
};

export default defineConfig([
  {
    ...shared,
    entry: { cli: 'src/cli/main.ts' },
    dts: false,
    deps: { onlyBundle: ['commander', 'hyperloglog', 'murmurhash3'] },
    plugins: [modernBuffer],
  },
  {
    ...shared,
    entry: { index: 'src/index.ts' },
    dts: true,
    // From version 6 on TypeScript includes no types by itself; the declarations speak of Buffer and AbortSignal.
    banner: { dts: '/// <reference types="node" />' },
    deps: { onlyBundle: ['hyperloglog', 'murmurhash3'] },
    plugins: [modernBuffer],
  },
]);
