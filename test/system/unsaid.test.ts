/** What a password and a secret file hold is said nowhere: not in logs at their loudest, not in answers, not in what is wrong with settings. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { isPublic } from '../../src/core/commands/command.js';
import { commandTable } from '../../src/core/commands/table.js';
import { completeConfig } from '../../src/core/config.js';
import { gatherConfig } from '../../src/system/configuration.js';
import { NodeLog } from '../../src/system/log.js';
import { startNode } from '../../src/system/serve.js';
import { runVerb } from '../cli/run.js';
import { encode } from '../core/session/harness.js';

const place = mkdtempSync(join(tmpdir(), 'hearsay-unsaid-'));
afterAll(() => rmSync(place, { recursive: true, force: true }));

const PASSWORD = 'correcthorsebattery';
const KEY = Buffer.alloc(32, 'staple').toString('base64url');

function fileWith(name: string, text: string): string {
  const path = join(place, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

/** Everything that comes until the node closes the connection. */
async function conversation(port: number, ...commands: string[][]): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  const parts: Buffer[] = [];
  socket.on('data', (bytes) => parts.push(bytes as Buffer));
  socket.on('error', () => {});
  const closed = once(socket, 'close');
  socket.write(Buffer.concat([...commands.map((words) => encode(...words)), encode('QUIT')]));
  await closed;
  return Buffer.concat(parts).toString('latin1');
}

describe('a password and the key of a cluster', () => {
  it.each(['password', 'passwordFile'])('are in no line of a log and in no answer, with %s', async (source) => {
    const lines: string[] = [];
    const log = new NodeLog(
      { write: (line) => lines.push(line), flush: () => {} },
      { node: null, level: 'debug', format: 'json', terminal: false },
    );
    const { config, violations } = gatherConfig({
      flags: { port: 0, data: join(place, `data of ${source}`), maxMemory: '16mb', walFileBytes: '1mb' },
      environment:
        source === 'password'
          ? { HEARSAY_PASSWORD: PASSWORD, HEARSAY_SECRET_FILE: fileWith('secret', `v1:${KEY}\n`) }
          : {
              HEARSAY_PASSWORD_FILE: fileWith('password', `${PASSWORD}\n`),
              HEARSAY_SECRET_FILE: fileWith('secret', `v1:${KEY}\n`),
            },
      file: null,
    });
    if (config === null) throw new Error(violations.join());
    const node = await startNode(config, log);
    const said: string[] = [];
    try {
      said.push(
        await conversation(
          node.port,
          ...[
            ['GET', 'a'],
            ['AUTH', PASSWORD, PASSWORD],
            ['AUTH', PASSWORD, 'x', 'y'],
            ['AUTH', 'stranger', PASSWORD],
          ],
        ),
        await conversation(node.port, ['HELLO', '3', 'AUTH', 'default', `${PASSWORD}s`]),
        await conversation(node.port, ['HELLO', '3', 'AUTH', 'default', PASSWORD, 'SETNAME', 'a b']),
        await conversation(
          node.port,
          ...[
            ['AUTH', PASSWORD],
            ['CLIENT', 'LIST'],
            ['INFO', 'everything'],
            ['CONFIG', 'GET', '*'],
            ['HEARSAY.STATUS'],
          ],
          ...[['CONFIG', 'GET', 'requirepass'], ['HEARSAY.SECRET'], ['HEARSAY.SECRET', 'RELOAD'], ['COMMAND', 'DOCS']],
          ...[
            ['HEARSAY.EXPLAIN', 'a'],
            ['CLUSTER', 'NODES'],
            ['CLIENT', 'INFO'],
            ['HEARSAY.FAULT', 'LIST'],
          ],
        ),
        // Every command, with nothing behind its name and with one word.
        await conversation(
          node.port,
          ['AUTH', PASSWORD],
          ...commandTable.commands
            .filter((row) => isPublic(row) && !['quit', 'hearsay.leave', 'auth', 'reset'].includes(row.name))
            .flatMap((row) => [[row.name], [row.name, 'LIST']]),
        ),
      );
      fileWith('secret', `v1:${KEY.slice(1)}\n`);
      node.reloadSecrets();
      await node.stop();
    } finally {
      await node.stop();
    }
    expect(said.join('')).toContain('WRONGPASS');
    expect(said[3]).toContain('hearsay-cluster');
    expect(lines.length).toBeGreaterThan(3);
    for (const text of [...said, ...lines, JSON.stringify(await node.ended)]) {
      expect(text).not.toContain(PASSWORD);
      expect(text).not.toContain(KEY.slice(1, 20));
    }
  });

  it.each([
    ['a file that is not JSON', `{"password": ${PASSWORD}}`],
    ['a file that breaks off', `{"password": "${PASSWORD}`],
    ['a file with a comma too many', `{"port": 7001, "password": "${PASSWORD}",}`],
    ['a password that is a list', `{"password": ["${PASSWORD}"]}`],
    ['a password in an object', `{"password": {"of": "${PASSWORD}"}}`],
    ['a password with a NUL', `{"password": "${PASSWORD}\\u0000"}`],
    ['a password and a file of one', `{"password": "${PASSWORD}", "passwordFile": "/none"}`],
    ['a password and an unknown setting', `{"password": "${PASSWORD}", "prot": 1}`],
  ])('are not quoted by what is wrong with %s', async (_what, text) => {
    const file = fileWith('config.json', text);
    const { config, violations } = gatherConfig({ flags: {}, environment: {}, file });
    expect(config).toBe(null);
    expect(violations.join('\n')).not.toContain('horse');
    const { code, out, error } = await runVerb(['serve', '--config', file]);
    expect(code).toBe(2);
    expect(out + error).not.toContain('horse');
  });

  it.each([
    ['serve', `--password=${PASSWORD}`],
    ['serve', '--password', PASSWORD],
    ['cluster', `--password=${PASSWORD}`],
    ['ping', `--pasword=${PASSWORD}`],
  ])('are not quoted by a flag that there is not: %s', async (...words) => {
    const { code, out, error } = await runVerb(words);
    expect(code).toBe(2);
    expect(out + error).not.toContain('horse');
  });

  it('a number for a password is refused without being shown', () => {
    const { violations } = completeConfig({ password: 987_654_321 });
    expect(violations).toEqual([{ setting: 'password', message: 'the value is not text' }]);
  });

  it.each([`${'p'.repeat(513)}\n`, `${PASSWORD}\0\n`])(
    'a password file whose first line is no password is refused',
    (text) => {
      const passwordFile = fileWith('password', text);
      const { config, violations } = gatherConfig({ flags: { passwordFile }, environment: {}, file: null });
      expect(config).toBe(null);
      expect(violations.join()).toContain('is no password');
      expect(violations.join()).not.toContain('horse');
    },
  );
});

it('a setting in a file that is called as a prototype is refused by name, and sets nothing', () => {
  const file = fileWith('config.json', '{"__proto__": {"port": 1234}, "constructor": 1}');
  const { config, violations } = gatherConfig({ flags: {}, environment: {}, file });
  expect(config).toBe(null);
  expect(violations).toEqual([`__proto__ in ${file}: is not a setting`, `constructor in ${file}: is not a setting`]);
});
