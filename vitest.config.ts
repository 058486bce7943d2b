// Tests in processes of their own, two at a time; a limit is for what hangs, never for what is slow on a busy machine. CI adds a report in JSON by its own flags.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: process.env.HEARSAY_FUZZ === undefined ? [] : ['test/fuzz/told.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 90_000,
    hookTimeout: 60_000,
    teardownTimeout: 5000,
    reporters: process.env.HEARSAY_TEST_REPORT ? ['default', 'json'] : ['default'],
    ...(process.env.HEARSAY_TEST_REPORT ? { outputFile: { json: process.env.HEARSAY_TEST_REPORT } } : {}),
  },
});
