/**
 * The table of settings as text: for `VERB --help`, and as the Markdown table of the README.
 * Both are made from SETTINGS (core/config.ts), so that a setting cannot be documented otherwise than it behaves.
 */
import { SETTINGS } from '../core/config.js';
import type { Setting } from '../core/setting.js';
import { environmentOf, flagOf, formatBytes } from '../core/setting.js';
import { exitCodes } from './exit-codes.js';

/** `meaning (default: x, bounds)`. */
export function describeSetting(setting: Setting): string {
  const facts = [`default: ${fallbackOf(setting)}`];
  const bounds = boundsOf(setting);
  if (bounds !== '' && setting.kind !== 'choice') facts.push(bounds);
  return `${setting.meaning} (${facts.join('; ')})`;
}

/** What `serve --help` says after the flags: the other doors, and the settings that have no flag. */
export function helpAfterFlags(): string {
  const rows = SETTINGS.filter((setting) => !setting.flag);
  const width = Math.max(...rows.map((setting) => setting.name.length));
  const lines = rows.map((setting) => `  ${setting.name.padEnd(width)}  ${describeSetting(setting)}`);
  return [
    '',
    'Every setting is also read from the environment (--max-memory is HEARSAY_MAX_MEMORY) and from the JSON file',
    'that --config names (maxMemory). A flag goes before the environment, that before the file.',
    '',
    'Settings without a flag, for the environment and the file:',
    ...lines,
    '',
    exitCodes('stopped as asked', 'could not start or failed'),
  ].join('\n');
}

/** The reference of the README. */
export function settingsMarkdown(): string {
  const rows = SETTINGS.map((setting) =>
    [
      `\`${setting.name}\``,
      setting.flag ? `\`${flagOf(setting)}\`` : '',
      `\`${environmentOf(setting)}\``,
      setting.meaning,
      fallbackOf(setting),
      boundsOf(setting),
    ].map((cell) => cell.replaceAll('|', '\\|')),
  );
  return [
    ['setting', 'flag', 'environment', 'meaning', 'default', 'bounds'],
    ['---', '---', '---', '---', '---', '---'],
    ...rows,
  ]
    .map((cells) => `| ${cells.join(' | ')} |\n`)
    .join('');
}

function fallbackOf(setting: Setting): string {
  if (setting.fallbackText !== undefined) return setting.fallbackText;
  if (setting.fallback === null || setting.fallback === '') return 'none';
  if (setting.kind === 'switch') return 'off';
  if (setting.kind === 'bytes') return formatBytes(setting.fallback as number);
  return String(setting.fallback);
}

function boundsOf(setting: Setting): string {
  if (setting.kind === 'choice') return (setting.choices ?? []).join(', ');
  if (setting.min === undefined || setting.max === undefined) return '';
  const print = setting.kind === 'bytes' ? formatBytes : String;
  return `${print(setting.min)} to ${print(setting.max)}${setting.powerOfTwo ? ', a power of two' : ''}`;
}
