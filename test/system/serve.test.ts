import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { completeConfig, type NodeConfig } from '../../src/core/config.js';
import { startNode } from '../../src/system/serve.js';
import { silent } from '../core/wal/harness.js';

const place = mkdtempSync(join(tmpdir(), 'hearsay-serve-'));
afterAll(() => rmSync(place, { recursive: true, force: true }));

function configOf(values: Record<string, unknown>): NodeConfig {
  const { config } = completeConfig({ port: 0, data: place, maxMemory: '16mb', walFileBytes: '1mb', ...values });
  if (config === null) throw new Error('the settings are wrong');
  return config;
}

it('refuses a directory of another cluster or node with what it has and what was asked for', async () => {
  await (await startNode(configOf({ id: 'left' }), silent)).stop();
  await expect(startNode(configOf({ partitions: 512, replicas: 2 }), silent)).rejects.toMatchObject({
    code: 'DATADIR',
    message:
      `data directory ${place} belongs to another cluster, "hearsay" with partitions 256, replicas 3; ` +
      'asked for was "hearsay" with partitions 512, replicas 2',
  });
  await expect(startNode(configOf({ clusterName: 'shop' }), silent)).rejects.toMatchObject({
    message: expect.stringMatching(/cluster, "hearsay" with .*; asked for was "shop" with /),
  });
  await expect(startNode(configOf({ id: 'right' }), silent)).rejects.toMatchObject({
    message: `data directory ${place} belongs to node left; asked for was --id right`,
  });
  await (await startNode(configOf({ id: 'left' }), silent)).stop();
});
