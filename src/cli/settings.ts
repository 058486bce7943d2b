/**
 * Flags of a verb from the table of settings, and back: what the user gave, by setting name.
 * Used by every verb that starts nodes (serve.ts, cluster.ts).
 */
import { type Command, Option } from 'commander';
import { SETTINGS } from '../core/config.js';
import { flagOf } from '../core/setting.js';
import type { GatheredConfig } from '../system/configuration.js';
import { gatherConfig } from '../system/configuration.js';
import { describeSetting } from './help.js';
import type { Terminal } from './terminal.js';
import { UsageError } from './terminal.js';

/** Adds a flag for every setting that has one, but those in `except`, and `--config`. */
export function addSettingFlags(command: Command, except: readonly string[] = []): void {
  for (const setting of SETTINGS) {
    if (!setting.flag || except.includes(setting.name)) continue;
    const words = setting.kind === 'switch' ? flagOf(setting) : `${flagOf(setting)} <${setting.placeholder}>`;
    const option = new Option(words, describeSetting(setting));
    if (setting.kind === 'addresses') option.argParser((value: string, before?: string) => joined(before, value));
    command.addOption(option);
  }
  command.addOption(new Option('--config <file>', 'JSON file of settings'));
}

/** The settings among a verb's options. */
export function settingFlags(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const flags: Record<string, unknown> = {};
  for (const setting of SETTINGS) {
    if (setting.flag && options[setting.name] !== undefined) flags[setting.name] = options[setting.name];
  }
  return flags;
}

/** The complete settings; throws UsageError with one line for each violation. */
export function configFrom(
  flags: Record<string, unknown>,
  file: unknown,
  terminal: Terminal,
): GatheredConfig & { config: NonNullable<GatheredConfig['config']> } {
  const gathered = gatherConfig({
    flags,
    environment: terminal.environment,
    file: typeof file === 'string' ? file : null,
  });
  if (gathered.config === null) throw new UsageError(gathered.violations);
  return { ...gathered, config: gathered.config };
}

function joined(before: string | undefined, value: string): string {
  return before === undefined ? value : `${before},${value}`;
}
