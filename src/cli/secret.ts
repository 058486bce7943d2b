/**
 * `hearsay secret new|add|use|remove|list FILE`: the keys that the nodes of a cluster share (system/secret-file.ts). A rotation is
 * add, use, remove, with the file brought to every node after each step; running nodes take it up within a second.
 * Guarded: no key is ever printed, only its id; the key in use can not be removed; the file is replaced whole or not at all.
 */
import type { Command } from 'commander';
import { HearsayError } from '../core/base/errors.js';
import {
  freshHashLine,
  freshKeyLine,
  type KeyLine,
  readSecretFile,
  type SecretFile,
  writeSecretFile,
} from '../system/secret-file.js';
import { exitCodes } from './exit-codes.js';
import type { Terminal } from './terminal.js';

const EXIT_CODES = `\n${exitCodes('done', 'the file was refused or could not be written')}`;

export function addSecretVerbs(program: Command, terminal: Terminal): void {
  const secret = program
    .command('secret')
    .description('the keys that nodes share, in the file that --secret-file names');
  const say = (line: string): void => terminal.out(`${line}\n`);
  secret
    .command('new')
    .description('make a file with a fresh key, readable by its owner alone')
    .argument('<file>', 'must not be there yet')
    .addHelpText('after', `\nBring the same file to every node. ${EXIT_CODES.trim()}`)
    .action((path: string) => {
      const head =
        '# The keys of a Hearsay cluster: the first seals, all are accepted. Keep it as safe as what it guards.';
      writeSecretFile(path, [head, freshKeyLine(), freshHashLine()], true);
      say(`${path}: key ${idText(readSecretFile(path).keys[0])}, used`);
    });
  secret
    .command('add')
    .description('add a key that is accepted and not yet used')
    .argument('<file>')
    .option('--from <other>', 'take the keys of another secret file that are missing, instead of a fresh one')
    .addHelpText(
      'after',
      `\nThe first step of a rotation: bring the file to every node, then use the key. ${EXIT_CODES.trim()}`,
    )
    .action((path: string, flags: { from?: string }) => {
      const file = readSecretFile(path);
      const lines = flags.from === undefined ? [freshKeyLine()] : missingLines(file, readSecretFile(flags.from));
      const after = file.keys[file.keys.length - 1].at + 1;
      write(path, [...file.lines.slice(0, after), ...lines, ...file.lines.slice(after)]);
      const added = readSecretFile(path).keys.slice(file.keys.length);
      for (const key of added) say(`${path}: key ${idText(key)}, accepted`);
      if (added.length === 0) say(`${path}: nothing is missing`);
    });
  secret
    .command('use')
    .description('seal with this key from now on; the others are still accepted')
    .argument('<file>')
    .argument('<id>', 'as `hearsay secret list` shows it')
    .addHelpText('after', `\nEvery node must have the key before one uses it. ${EXIT_CODES.trim()}`)
    .action((path: string, id: string) => {
      const file = readSecretFile(path);
      const chosen = keyNamed(path, file, id);
      const rest = file.lines.filter((_, at) => at !== chosen.at);
      const first = Math.min(...file.keys.map(({ at }) => at));
      write(path, [...rest.slice(0, first), file.lines[chosen.at], ...rest.slice(first)]);
      say(`${path}: key ${idText(chosen)}, used`);
    });
  secret
    .command('remove')
    .description('accept this key no longer')
    .argument('<file>')
    .argument('<id>', 'as `hearsay secret list` shows it; not the one in use')
    .addHelpText(
      'after',
      `\nSafe when HEARSAY.STATUS of every node shows another secret_key for every member. ${EXIT_CODES.trim()}`,
    )
    .action((path: string, id: string) => {
      const file = readSecretFile(path);
      const chosen = keyNamed(path, file, id);
      if (chosen === file.keys[0]) {
        throw new HearsayError('CONFIG', `key ${idText(chosen)} is in use: hearsay secret use another first`);
      }
      write(
        path,
        file.lines.filter((_, at) => at !== chosen.at),
      );
      say(`${path}: key ${idText(chosen)} is gone`);
    });
  secret
    .command('list')
    .description('show the ids of the keys, and which is used')
    .argument('<file>')
    .addHelpText('after', EXIT_CODES)
    .action((path: string) => {
      const { keys, hashSeed } = readSecretFile(path);
      for (const [index, key] of keys.entries()) {
        const kind = key.isPassphrase ? 'passphrase' : 'key';
        say(`${idText(key)}  ${index === 0 ? 'used    ' : 'accepted'}  ${kind}`);
      }
      if (hashSeed === null) say('no hash line: the hash of keys is drawn from cluster name, settings and password');
    });
}

function write(path: string, lines: readonly string[]): void {
  writeSecretFile(path, lines, false);
}

function missingLines(file: SecretFile, other: SecretFile): string[] {
  const known = new Set(file.keys.map(({ secret }) => secret.id));
  return other.keys.filter(({ secret }) => !known.has(secret.id)).map(({ at }) => other.lines[at]);
}

function keyNamed(path: string, { keys }: SecretFile, id: string): KeyLine {
  const found = keys.find((key) => idText(key) === id.toLowerCase());
  if (found !== undefined) return found;
  throw new HearsayError('CONFIG', `${path} has no key ${id.slice(0, 40)}: it has ${keys.map(idText).join(', ')}`);
}

function idText({ secret }: KeyLine): string {
  return secret.id.toString(16).padStart(8, '0');
}
