import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { completeConfig, SETTINGS, validateConfig } from '../../src/core/config.js';
import {
  environmentOf,
  flagOf,
  formatBytes,
  isLoopback,
  parseBytes,
  parseSetting,
  splitAddress,
} from '../../src/core/setting.js';

function messages(values: Record<string, unknown>): string[] {
  return validateConfig(values).map(({ setting, message }) => `${setting}: ${message}`);
}

describe('the settings of a node', () => {
  it('are complete and valid when nothing is said', () => {
    const { config, violations } = completeConfig({});
    expect(violations).toEqual([]);
    expect(config).toMatchObject({
      id: null,
      clusterName: 'hearsay',
      port: 7379,
      gossipPort: 17379,
      bind: '127.0.0.1',
      advertise: '127.0.0.1',
      join: [],
      durability: 'interval',
      replicas: 3,
      partitions: 256,
      maxMemory: 268_435_456,
      walFileBytes: 16_777_216,
      segmentBytes: 0,
      enableFaultInjection: false,
    });
  });

  it('say what each counts: ms where the name ends so, and nowhere else', () => {
    for (const setting of SETTINGS.filter((each) => each.kind === 'integer')) {
      expect(setting.placeholder === 'ms', setting.name).toBe(setting.name.endsWith('Ms'));
    }
  });

  it('let no value be written that could not be read again', () => {
    const why = 'who reads what was written would be closed for it';
    expect(messages({ clientOutputBytesMax: '3mb', clientBulkBytesMax: '2mb' })).toEqual([
      `clientOutputBytesMax: must be at least clientBulkBytesMax (2mb) and 2mb: ${why}`,
    ]);
    expect(messages({ clientOutputBytesMax: '4mb', clientBulkBytesMax: '2mb' })).toEqual([]);
  });

  it('let no value be allowed that no command could bring', () => {
    const why = 'a command is longer than its longest argument';
    expect(messages({ clientQueryBytesMax: '1mb', clientBulkBytesMax: '1mb' })).toEqual([
      `clientQueryBytesMax: must be at least clientBulkBytesMax (1mb) and 128kb: ${why}`,
    ]);
    expect(messages({ clientQueryBytesMax: '1mb', clientBulkBytesMax: '896kb' })).toEqual([]);
  });

  it('have one row for each field, and names that differ as flags and variables', () => {
    const { config } = completeConfig({});
    expect(SETTINGS.map((setting) => setting.field).sort()).toEqual(Object.keys(config ?? {}).sort());
    expect(new Set(SETTINGS.map(flagOf)).size).toBe(SETTINGS.length);
    expect(new Set(SETTINGS.map(environmentOf)).size).toBe(SETTINGS.length);
  });

  it('keep every default within its own bounds', () => {
    for (const setting of SETTINGS) {
      if (setting.fallback === null || setting.fallback === '') continue;
      expect(parseSetting(setting, setting.fallback), setting.name).toMatchObject({ problem: null });
    }
  });

  it('report every violation at once', () => {
    expect(
      messages({ port: '70000', partitions: 100, evictoin: 's3-fifo', probeTimeoutMs: 5000, join: 'here' }),
    ).toEqual([
      'evictoin: is not a setting',
      'port: 70000 is above 65535',
      'join: "here" is not host:port',
      'partitions: 100 is not a power of two',
      'probeTimeoutMs: must be less than probeIntervalMs',
    ]);
  });

  it.each([
    [{ port: 60_000 }, 'gossipPort: port 60000 leaves no room for port + 10000; say --gossip-port'],
    [{ port: 7000, gossipPort: 7000 }, 'gossipPort: must differ from port'],
    [
      { bind: '0.0.0.0' },
      'bind: 0.0.0.0 is not loopback: it takes --password-file (passwordFile) for clients, and --secret-file (secretFile) for nodes: hearsay secret new makes one; or say --insecure (insecure in a file) in a network where whoever reaches a port may be believed',
    ],
    [
      { bind: '10.0.0.1', password: 'p' },
      'bind: 10.0.0.1 is not loopback: it takes --secret-file (secretFile) for nodes: hearsay secret new makes one; or say --insecure (insecure in a file) in a network where whoever reaches a port may be believed',
    ],
    [
      { bind: '10.0.0.1', secretFile: '/run/secret' },
      'bind: 10.0.0.1 is not loopback: it takes --password-file (passwordFile) for clients; or say --insecure (insecure in a file) in a network where whoever reaches a port may be believed',
    ],
    [{ bind: '10.0.0.1', insecure: true, enableFaultInjection: true }, 'enableFaultInjection: needs a loopback bind'],
    [{ password: 'a', passwordFile: 'b' }, 'passwordFile: and password exclude each other'],
    [{ advertise: '0.0.0.0' }, 'advertise: 0.0.0.0 reaches no node; name an address of this machine'],
    [{ suspicionFloorMs: 500 }, 'suspicionFloorMs: must be at least probeIntervalMs'],
    [{ tickIntervalMs: 250 }, 'tickIntervalMs: must be at most gossipIntervalMs'],
    [{ memberGraceMs: 2000 }, 'memberGraceMs: must be more than suspicionFloorMs'],
    [{ tombstoneGraceMs: 60_000 }, 'tombstoneGraceMs: must be at least memberGraceMs'],
    [{ maxMemory: '16mb', segmentBytes: '4mb' }, 'segmentBytes: must be 0, or from 4kb to a sixteenth of maxMemory'],
    [{ maxMemory: '1mb' }, 'maxMemory: 1mb is below 8mb'],
    [{ maxMemory: 'lots' }, 'maxMemory: is not a size such as 64mb'],
    [{ eviction: 'lru' }, 'eviction: "lru" is none of s3-fifo, none'],
    [{ readConsistency: 'two' }, 'readConsistency: "two" is none of one, quorum, all'],
    [{ replicas: 2.5 }, 'replicas: is not a whole number'],
    [{ weight: '0.05' }, 'weight: 0.05 is below 0.1'],
    [{ weight: 11 }, 'weight: 11 is above 10'],
    [{ weight: 'heavy' }, 'weight: is not a number'],
    [{ weight: '1e1' }, 'weight: is not a number'],
    [{ weight: Number.NaN }, 'weight: is not a number'],
    [{ insecure: 'perhaps' }, 'insecure: "perhaps" is neither true nor false'],
    [{ id: 'no spaces' }, 'id: "no spaces" does not match ^[A-Za-z0-9._-]{1,64}$'],
  ])('refuse %j', (values, message) => {
    expect(messages(values)).toEqual([message]);
  });

  it.each([
    { bind: '0.0.0.0', password: 'secret', insecure: true },
    { bind: '::', passwordFile: '/run/password', insecure: true },
    { bind: '192.168.1.5', insecure: true },
    { bind: '192.168.1.5', password: 'p', secretFile: '/run/secret' },
    { port: 0 },
    { weight: '0.1' },
    { weight: 2.5 },
    { port: 60_000, gossipPort: 60_001 },
    { join: ['a.example:1', '[::1]:2'], maxMemory: 8 * 1024 * 1024 },
  ])('accept %j', (values) => {
    expect(messages(values)).toEqual([]);
  });

  it('never show a password', () => {
    expect(messages({ password: 'se\ncret' }).join()).not.toContain('cret');
  });

  it('take any value from outside without throwing, and give a config exactly when nothing is wrong', () => {
    const names = fc.constantFrom(...SETTINGS.map((setting) => setting.name), 'other');
    fc.assert(
      fc.property(fc.dictionary(names, fc.anything()), (values) => {
        const { config, violations } = completeConfig(values);
        expect(config === null).toBe(violations.length > 0);
      }),
      { numRuns: 300 },
    );
  });
});

describe('sizes and addresses', () => {
  it.each([
    ['0', 0],
    ['512', 512],
    ['4k', 4096],
    ['256mb', 268_435_456],
    ['2 GiB', 2_147_483_648],
    ['1.5gb', Number.NaN],
    ['-1', Number.NaN],
    ['', Number.NaN],
  ])('reads %j as %d', (text, count) => {
    expect(parseBytes(text)).toBe(count);
  });

  it('reads back the sizes it prints', () => {
    fc.assert(fc.property(fc.nat({ max: 2 ** 40 }), (count) => parseBytes(formatBytes(count)) === count));
  });

  it.each([
    ['127.0.0.1:7379', ['127.0.0.1', 7379]],
    ['[::1]:80', ['::1', 80]],
    ['cache.example:65535', ['cache.example', 65_535]],
    ['cache.example', null],
    ['::1:80', null],
    ['a:0', null],
    ['a:65536', null],
  ])('splits %j', (address, parts) => {
    expect(splitAddress(address)).toEqual(parts);
  });

  it('knows what only this machine can reach', () => {
    expect(['127.0.0.1', '127.9.9.9', '::1', 'localhost'].every(isLoopback)).toBe(true);
    expect(['0.0.0.0', '::', '10.0.0.1', '127.example.com'].some(isLoopback)).toBe(false);
  });
});
