import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { clusterOptions } from '../../src/cli/cluster.js';
import { gossipPortHint } from '../../src/cli/gossip-port.js';
import { settingsMarkdown } from '../../src/cli/help.js';
import { settingFlags } from '../../src/cli/settings.js';
import { UsageError } from '../../src/cli/terminal.js';
import { SETTINGS } from '../../src/core/config.js';
import { environmentOf, flagOf } from '../../src/core/setting.js';
import { encodeBackupHeader } from '../../src/core/wal/backup-file.js';
import { notingTerminal, runVerb } from './run.js';

const place = mkdtempSync(join(tmpdir(), 'hearsay-cli-'));
afterAll(() => rmSync(place, { recursive: true, force: true }));

const LAUNCHER = 'bin/hearsay.js';

const run = (words: string, environment: Record<string, string> = {}) =>
  runVerb(words.split(' ').filter(Boolean), { environment, launcher: LAUNCHER });

const terminalFor = (environment: Record<string, string>) =>
  notingTerminal({ out: '', error: '' }, { environment, launcher: LAUNCHER });

describe('the command line', () => {
  it('prints help for nothing, as wrong usage', async () => {
    const { code, error } = await run('');
    expect(code).toBe(2);
    for (const verb of ['serve', 'cluster', 'ping', 'settings', 'version']) expect(error).toContain(verb);
  });

  it('tells everything about a verb', async () => {
    const { code, out } = await run('serve --help');
    expect(code).toBe(0);
    for (const setting of SETTINGS) expect(out).toContain(setting.flag ? flagOf(setting) : setting.name);
    expect(out).toContain('HEARSAY_MAX_MEMORY');
    expect(out).toMatch(/Exit codes/);
    expect((await run('cluster --help')).out).toContain('--fresh');
  });

  it('prints its version in two ways', async () => {
    expect(await run('version')).toEqual({ code: 0, out: '0.1.0\n', error: '' });
    expect(await run('--version')).toEqual({ code: 0, out: '0.1.0\n', error: '' });
  });

  it('prints every setting as a table', async () => {
    const { out } = await run('settings');
    expect(out).toBe(settingsMarkdown());
    for (const setting of SETTINGS) expect(out).toContain(`\`${environmentOf(setting)}\``);
  });

  it('prints the table of settings that README shows', () => {
    const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8');
    const [, shown] = /<!-- settings:begin[^\n]*\n([\s\S]*?)<!-- settings:end -->/.exec(readme) ?? [];
    expect(shown).toBe(settingsMarkdown());
  });

  it.each([
    ['srve', "unknown command 'srve'", 'serve'],
    ['serve --prot 1', "unknown option '--prot'", '--port'],
    ['cluster --frsh', "unknown option '--frsh'", '--fresh'],
  ])('asks what %j meant', async (words, complaint, meant) => {
    const { code, error } = await run(words);
    expect(code).toBe(2);
    expect(error).toContain(complaint);
    expect(error).toMatch(new RegExp(`Did you mean.*${meant}`));
  });

  it('reports every unknown flag of a command line, and what else is wrong with it', async () => {
    const { code, error } = await run('cluster --frsh --replicas 8 --nodes 0 --prot 1');
    expect(code).toBe(2);
    expect(error.trimEnd().split('\n')).toEqual([
      "hearsay: unknown option '--frsh' (Did you mean --fresh?)",
      "hearsay: unknown option '--prot' (Did you mean --port?)",
      'hearsay: --nodes: 0 is not from 1 to 64',
      'hearsay: --replicas: 8 is above 7',
    ]);
    expect((await run('version of what')).error).toBe("hearsay: too many words for 'version': of what\n");
    expect((await run('ping --xyzzy')).error).toBe("hearsay: unknown option '--xyzzy'\n");
  });

  it.each(['serve', 'cluster', 'ping', 'leave', 'forget', 'backup', 'restore', 'export', 'wal verify', 'wal inspect'])(
    'gives the exit codes of %s in its help, each with the one meaning it has everywhere',
    async (verb) => {
      const { out } = await run(`${verb} --help`);
      expect(out.replaceAll(/\s+/g, ' ')).toMatch(
        /Exit codes: 0 [^.]+, 1 [^.]+, 2 wrong usage or settings(, 3 [^.]+)?\./,
      );
    },
  );

  it('tells who takes the gossip port for the RESP port which is which', async () => {
    const status = '*4\r\n$4\r\nnode\r\n$1\r\nn\r\n$7\r\nmembers\r\n*1\r\n';
    let gossipPort = 0;
    const node = createServer((socket) => {
      socket.on('error', () => {});
      const own = `127.0.0.1:${gossipPort}`;
      socket.end(`${status}*4\r\n$4\r\nself\r\n:1\r\n$6\r\ngossip\r\n$${own.length}\r\n${own}\r\n`);
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => node.once('listening', resolve));
    const { port } = node.address() as { port: number };
    gossipPort = port + 10_000;
    const hint = `that is the gossip port of n; its RESP port is ${port}: --port ${port}`;
    expect(await gossipPortHint('127.0.0.1', gossipPort)).toBe(hint);
    gossipPort = port + 1;
    expect(await gossipPortHint('127.0.0.1', port + 10_000)).toBe('');
    node.close();
  });

  it('reports all wrong settings with where they came from, and starts nothing', async () => {
    const file = join(place, 'wrong.json');
    writeFileSync(file, '{"partitions": 100, "colour": "red"}');
    const { code, error } = await run(`serve --port 70000 --config ${file}`, { HEARSAY_REPLICAS: '9' });
    expect(code).toBe(2);
    expect(error.split('\n')).toEqual([
      `hearsay: colour in ${file}: is not a setting`,
      'hearsay: --port: 70000 is above 65535',
      'hearsay: HEARSAY_REPLICAS: 9 is above 7',
      `hearsay: partitions in ${file}: 100 is not a power of two`,
      '',
    ]);
  });

  it.each([
    ['cluster --nodes 0', '--nodes: 0 is not from 1 to 64'],
    ['cluster --port many', '--port: many is not from 1 to 55533'],
    ['cluster --replicas 8', '--replicas: 8 is above 7'],
  ])('refuses %j', async (words, complaint) => {
    const { code, error } = await run(words);
    expect([code, error]).toEqual([2, `hearsay: ${complaint}\n`]);
  });

  it('says in one line which port of a node is taken, and fails', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as { port: number };
    const words = `serve --port ${port} --gossip-port 0 --data ${join(place, 'taken')} --log-level error`;
    const { code, error } = await run(words);
    taken.close();
    expect([code, error]).toEqual([1, `hearsay: port ${port} is in use: choose another with --port\n`]);
  });

  it.each([
    ['ping --port 1', '127.0.0.1:1', '--port or --bind'],
    ['export --port 1', 'export: 127.0.0.1:1', '--port or --host'],
    [`backup ${join(place, 'x')} --port 1`, '127.0.0.1:1', '--port or --host'],
    [`restore ${join(place, 'a-backup')} --port 1`, '127.0.0.1:1', '--port or --host'],
  ])('says what to do where no node listens, to %j', async (words, where, flags) => {
    const header = { salt: 1, startHlc: 1, sinceHlc: 1, createdMs: 1, partitions: 16, replicas: 1 };
    const names = { clusterId: '0123456789abcdef', cluster: 'c', version: 'v' };
    writeFileSync(join(place, 'a-backup'), encodeBackupHeader({ ...header, ...names }));
    const { code, error } = await run(words);
    const why = 'no node listens there (ECONNREFUSED): start one with hearsay serve or hearsay cluster';
    expect([code, error]).toEqual([1, `hearsay: ${where}: ${why}, or name another with ${flags}\n`]);
  });
});

describe('the flags of a cluster', () => {
  it('pass on to every node what a node takes, and nothing else', () => {
    const options = {
      nodes: '3',
      port: '7400',
      data: 'place',
      fresh: true,
      maxMemory: '64mb',
      enableFaultInjection: true,
      config: undefined,
    };
    const environment = { HEARSAY_PASSWORD: 'p', HEARSAY_TICK_INTERVAL_MS: '50', HEARSAY_MAX_MEMORY: '32mb' };
    expect(clusterOptions(options, ['node', 'hearsay', 'serve'], terminalFor(environment))).toEqual({
      nodes: 3,
      host: '127.0.0.1',
      port: 7400,
      gossipPort: 17_400,
      dataDirectory: 'place',
      verbose: false,
      command: ['node', 'hearsay', 'serve'],
      flags: ['--max-memory', '64mb', '--enable-fault-injection'],
      environment: ['HEARSAY_PASSWORD="$HEARSAY_PASSWORD"', 'HEARSAY_TICK_INTERVAL_MS=50'],
      password: 'p',
    });
    expect(() => clusterOptions({ ...options, port: '56000' }, [], terminalFor({}))).toThrow(UsageError);
  });

  it('are told from options that are no settings', () => {
    expect(settingFlags({ port: '1', nodes: '3', fresh: true, join: 'a:1,b:2' })).toEqual({
      port: '1',
      join: 'a:1,b:2',
    });
  });
});
