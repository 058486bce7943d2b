/** Settings as flags, environment, file and secret file may give them: typed, within bounds, or refused by name, all at once. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import fc from 'fast-check';
import { afterAll, describe, expect } from 'vitest';
import { addSettingFlags, settingFlags } from '../../src/cli/settings.js';
import { HearsayError } from '../../src/core/base/errors.js';
import { completeConfig, SETTINGS } from '../../src/core/config.js';
import { environmentOf, flagOf, parseSetting } from '../../src/core/setting.js';
import { gatherConfig } from '../../src/system/configuration.js';
import { readSecretFile } from '../../src/system/secret-file.js';
import { applyChanges, changes } from './mutations.js';
import { law } from './room.js';

const directory = mkdtempSync(join(tmpdir(), 'hearsay-fuzz-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const path = join(directory, 'config.json');

const odd = fc.oneof(
  fc.constantFrom(
    '',
    ' ',
    '0',
    '-1',
    '1e3',
    '0x10',
    'NaN',
    'Infinity',
    '64mb',
    '1 GiB',
    '99999999999999999999',
    'true',
  ),
  fc.constantFrom('127.0.0.1', '0.0.0.0', '::', '[::1]:80', 'a:1,b:2', 'off', 'always', '__proto__', '../x', 'a\0b'),
  fc.string({ maxLength: 80, unit: 'binary' }),
);
const given = fc.oneof({ weight: 3, arbitrary: odd }, fc.jsonValue({ maxDepth: 2 }), fc.double(), fc.nat());
const names = fc.constantFrom(...SETTINGS.map((setting) => setting.name));
const anyName = fc.oneof(
  { weight: 8, arbitrary: names },
  fc.constantFrom('__proto__', 'constructor', 'toString', 'prot', ''),
);

describe('settings from outside', () => {
  law(
    'are typed and within their bounds, or refused with a short line',
    2000,
    fc.property(fc.constantFrom(...SETTINGS), given, (setting, raw) => {
      const { value, problem } = parseSetting(setting, raw);
      if (problem !== null) {
        expect(problem.length).toBeLessThan(600);
        return;
      }
      if (typeof value === 'number') {
        expect(value).toBeGreaterThanOrEqual(setting.min ?? value);
        expect(value).toBeLessThanOrEqual(setting.max ?? value);
      }
      // What was taken is taken again, and is the same.
      expect(parseSetting(setting, value)).toEqual({ value, problem: null });
    }),
  );

  law(
    'give a node that breaks none of them, or say everything that is wrong',
    500,
    fc.property(fc.array(fc.tuple(anyName, given), { maxLength: 6 }), (pairs) => {
      const values = Object.fromEntries(pairs);
      const { config, violations } = completeConfig(values);
      expect(config === null).toBe(violations.length > 0);
      for (const name of Object.keys(values)) {
        if (SETTINGS.some((setting) => setting.name === name)) continue;
        expect(violations.map((violation) => violation.setting)).toContain(name);
      }
      if (config !== null) expect(Object.getPrototypeOf(config)).toBe(Object.prototype);
    }),
  );

  law(
    'come from a file and the environment without a throw, whatever stands there',
    150,
    fc.property(
      fc.array(fc.tuple(anyName, given), { maxLength: 4 }),
      changes,
      fc.boolean(),
      fc.array(fc.tuple(names, odd), { maxLength: 3 }),
      (pairs, list, spoils, variables) => {
        const json = Buffer.from(
          `{${pairs.map(([name, raw]) => `${JSON.stringify(name)}:${JSON.stringify(raw) ?? 0}`)}}`,
        );
        writeFileSync(path, spoils ? applyChanges(json, json, list) : json);
        const environment: Record<string, string> = {};
        for (const [name, raw] of variables) {
          const setting = SETTINGS.find((each) => each.name === name);
          // Files named here would be read.
          if (setting !== undefined && !name.endsWith('File')) environment[environmentOf(setting)] = raw;
        }
        const { config, violations } = gatherConfig({ flags: {}, environment, file: path });
        expect(config === null).toBe(violations.length > 0);
        for (const line of violations) expect(line.length).toBeLessThan(1000);
        expect(Object.getPrototypeOf({})).toBe(Object.prototype);
      },
    ),
  );

  law(
    'come as flags without a throw but the refusal of the words, whatever stands behind them',
    300,
    fc.property(fc.array(fc.tuple(names, odd), { maxLength: 5 }), fc.boolean(), (pairs, joined) => {
      const words = pairs
        .filter(([name]) => !name.endsWith('File'))
        .flatMap(([name, raw]) => {
          const flag = flagOf(SETTINGS.find((each) => each.name === name) as (typeof SETTINGS)[number]);
          return joined ? [`${flag}=${raw}`] : [flag, raw];
        });
      const command = new Command().exitOverride().configureOutput({ writeErr: () => {} });
      addSettingFlags(command);
      try {
        command.parse(words, { from: 'user' });
      } catch (error) {
        // Excess words, flags that want a word, settings without a flag.
        expect(error).toBeInstanceOf(CommanderError);
        return;
      }
      const { config, violations } = gatherConfig({ flags: settingFlags(command.opts()), environment: {}, file: null });
      expect(config === null).toBe(violations.length > 0);
      for (const line of violations) expect(line.length).toBeLessThan(1000);
    }),
  );

  law(
    'have a secret file that is read or refused in one line that holds nothing of it',
    100,
    fc.property(changes, fc.uint8Array({ maxLength: 60 }), (list, drawn) => {
      const line = `v1:${'A'.repeat(43)}\nhash:${'B'.repeat(22)}\n# words\nv1:${'C'.repeat(43)}\n`;
      // No line long enough to be stretched as a passphrase.
      const bytes = applyChanges(Buffer.from(line), Buffer.from(drawn), list);
      const secret = join(directory, 'secret');
      writeFileSync(secret, bytes, { mode: 0o600 });
      try {
        expect(readSecretFile(secret).keys.length).toBeGreaterThan(0);
      } catch (error) {
        if (!(error instanceof HearsayError)) throw error;
        expect(error.code).toBe('CONFIG');
        expect(error.message.split('\n').length).toBe(1);
        expect(error.message).not.toContain('AAAAAA');
        expect(error.message).not.toContain('CCCCCC');
      }
    }),
  );
});
