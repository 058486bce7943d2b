import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { isAnyAddress } from '../../src/core/setting.js';
import { gatherConfig } from '../../src/system/configuration.js';

const place = mkdtempSync(join(tmpdir(), 'hearsay-config-'));
afterAll(() => rmSync(place, { recursive: true, force: true }));

function fileWith(name: string, text: string): string {
  const path = join(place, name);
  writeFileSync(path, text);
  return path;
}

describe('where settings come from', () => {
  it('is the flag before the environment before the file before the default, and is remembered', () => {
    const file = fileWith('node.json', '{"port": 1001, "replicas": 2, "zone": "b", "maxClients": 7}');
    const { config, origins } = gatherConfig({
      flags: { port: '1003' },
      environment: { HEARSAY_PORT: '1002', HEARSAY_REPLICAS: '1', HEARSAY_CONFIG: 'not read' },
      file,
    });
    expect(config).toMatchObject({ port: 1003, replicas: 1, zone: 'b', maxClients: 7, partitions: 256 });
    expect(origins).toEqual({
      port: '--port',
      replicas: 'HEARSAY_REPLICAS',
      zone: `zone in ${file}`,
      maxClients: `maxClients in ${file}`,
    });
  });

  it('may be a file that the environment names', () => {
    const file = fileWith('named.json', '{"zone": "c"}');
    expect(gatherConfig({ flags: {}, environment: { HEARSAY_CONFIG: file }, file: null }).config?.zone).toBe('c');
  });

  it('is not a variable that Kubernetes made of a service, nor an empty one', () => {
    const environment = { HEARSAY_PORT: 'tcp://10.0.0.1:7379', HEARSAY_REPLICAS: '', HEARSAY_SERVICE_HOST: '10.0.0.1' };
    expect(gatherConfig({ flags: {}, environment, file: null }).config).toMatchObject({ port: 7379, replicas: 3 });
  });

  it('holds the password in a file, of which the first line counts', () => {
    const passwordFile = fileWith('password', 'hush\nmore\n');
    const read = gatherConfig({ flags: { passwordFile }, environment: {}, file: null });
    expect(read.config?.password).toBe('hush');
    const empty = gatherConfig({ flags: { passwordFile: fileWith('empty', '') }, environment: {}, file: null });
    expect(empty).toMatchObject({ config: null, violations: [`--password-file: ${join(place, 'empty')} is empty`] });
    const none = gatherConfig({ flags: { passwordFile: join(place, 'none') }, environment: {}, file: null });
    expect(none.violations[0]).toMatch(/^--password-file: .* can not be read: ENOENT/);
  });

  it('gives an address to advertise when every address is listened on', () => {
    const { config } = gatherConfig({ flags: { bind: '0.0.0.0', insecure: true }, environment: {}, file: null });
    expect(isIP(config?.advertise ?? '')).toBe(4);
    expect(isAnyAddress(config?.advertise ?? '0.0.0.0')).toBe(false);
  });

  it('tells nodes no name, which none of them would dial', () => {
    const read = (flags: Record<string, string>) => gatherConfig({ flags, environment: {}, file: null });
    expect(read({ bind: 'localhost' }).config).toMatchObject({ bind: '127.0.0.1', advertise: '127.0.0.1' });
    expect(read({ advertise: 'cache-1.internal' }).violations).toEqual([
      '--advertise: cache-1.internal is a name; nodes are told a numeric address',
    ]);
  });

  it.each([
    ['[1]', 'is not a JSON object'],
    ['{"port": ', 'JSON'],
    ['{"port": "ten"}', 'port in FILE: is not a whole number'],
  ])('is no file that says %j', (text, complaint) => {
    const file = fileWith('broken.json', text);
    const { config, violations } = gatherConfig({ flags: {}, environment: {}, file });
    expect(config).toBeNull();
    expect(violations.join()).toContain(complaint.replace('FILE', file));
  });
});
