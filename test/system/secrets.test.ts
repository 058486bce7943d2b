/** The ciphers of the Node world keep the laws of their port. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { freshKeyLine, writeSecretFile } from '../../src/system/secret-file.js';
import { NodeSecrets } from '../../src/system/secrets.js';
import { describeSecrets } from '../contract/secrets.js';

const place = mkdtempSync(join(tmpdir(), 'hearsay-secrets-'));
afterAll(() => rmSync(place, { recursive: true, force: true }));

describeSecrets('Node', () => {
  const path = join(place, 'secret');
  writeSecretFile(path, [freshKeyLine()], true);
  return new NodeSecrets(path);
});
