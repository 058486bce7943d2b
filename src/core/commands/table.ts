/**
 * The table of commands: from the bytes of a name to its row. Sessions look up every command here, peers those that were
 * forwarded to them. The one lookup by string there is: case folded byte by byte, open addressing, no allocation.
 * Guarded: every name stands once; a row's index is its place in the counters.
 */
import { assert } from '../base/assert.js';
import type { Args } from '../resp/args.js';
import { backupCommands } from './backup.js';
import { bitfieldCommands } from './bitfield.js';
import { bitopCommand } from './bitop.js';
import { bitCommands } from './bits.js';
import { catalogCommand } from './catalog.js';
import { clientCommand } from './client.js';
import { clusterCommand } from './cluster.js';
import type { Command } from './command.js';
import { compareCommands } from './compare.js';
import { configCommand } from './config.js';
import { connectionCommands } from './connection.js';
import { counterCommands } from './counter.js';
import { expiryCommands } from './expiry.js';
import { floatCommand } from './float.js';
import { getCommands } from './get.js';
import { hearsayCommands } from './hearsay.js';
import { hotkeysCommand } from './hotkeys.js';
import { hyperLogLogCommands } from './hyperloglog.js';
import { infoCommand } from './info.js';
import { keysCommands } from './keys.js';
import { latencyCommand } from './latency.js';
import { lcsCommand } from './lcs.js';
import { lolwutCommand } from './lolwut.js';
import { manyCommands } from './many.js';
import { memoryCommands } from './memory.js';
import { monitorCommand } from './monitor.js';
import { objectCommand } from './object.js';
import { partitionCommand } from './partition.js';
import { randomkeyCommand } from './randomkey.js';
import { rangeCommands } from './ranges.js';
import { scanCommands } from './scan.js';
import { scriptingCommands } from './scripting.js';
import { serverCommands } from './server.js';
import { setCommands } from './set.js';
import { siblingsCommands } from './siblings.js';
import { slowLogCommand } from './slow-log.js';
import { snapshotCommand } from './snapshot.js';
import { transferCommands } from './transfer.js';

export class CommandTable {
  readonly commands: readonly Command[];
  private readonly slots: Int16Array;
  private readonly mask: number;

  constructor(commands: readonly Command[]) {
    this.commands = commands;
    let size = 64;
    while (size < commands.length * 4) size *= 2;
    this.mask = size - 1;
    this.slots = new Int16Array(size).fill(-1);
    for (const [index, command] of commands.entries()) {
      assert(this.indexOf(command.name) < 0, `command ${command.name} stands twice`);
      const bytes = Buffer.from(command.name, 'latin1');
      let slot = hashName(bytes, 0, bytes.length) & this.mask;
      while (this.slots[slot] >= 0) slot = (slot + 1) & this.mask;
      this.slots[slot] = index;
    }
  }

  /** Index of the command that the first word names, in any case; -1 if there is none. */
  find(args: Args): number {
    return this.findBytes(args.buffer, args.starts[0], args.ends[0]);
  }

  /** The same for `bytes[start, end)`. */
  findBytes(bytes: Uint8Array, start: number, end: number): number {
    let slot = hashName(bytes, start, end) & this.mask;
    for (; this.slots[slot] >= 0; slot = (slot + 1) & this.mask) {
      if (isName(this.commands[this.slots[slot]].name, bytes, start, end)) return this.slots[slot];
    }
    return -1;
  }

  /** The command of a name that is known to be in the table. */
  named(name: string): Command {
    const index = this.indexOf(name);
    assert(index >= 0, `no command ${name}`);
    return this.commands[index];
  }

  private indexOf(name: string): number {
    const bytes = Buffer.from(name, 'latin1');
    return this.findBytes(bytes, 0, bytes.length);
  }
}

/** Every command that Hearsay knows. */
export const commandTable = new CommandTable([
  ...getCommands,
  ...setCommands,
  ...rangeCommands,
  ...counterCommands,
  floatCommand,
  ...bitCommands,
  ...bitfieldCommands,
  bitopCommand,
  lcsCommand,
  ...manyCommands,
  ...compareCommands,
  ...hyperLogLogCommands,
  ...siblingsCommands,
  ...expiryCommands,
  ...keysCommands,
  ...transferCommands,
  objectCommand,
  randomkeyCommand,
  ...scanCommands,
  partitionCommand,
  ...connectionCommands,
  clientCommand,
  configCommand,
  infoCommand,
  catalogCommand,
  ...serverCommands,
  ...scriptingCommands,
  ...memoryCommands,
  lolwutCommand,
  slowLogCommand,
  latencyCommand,
  monitorCommand,
  clusterCommand,
  ...hearsayCommands,
  ...backupCommands,
  snapshotCommand,
  hotkeysCommand,
]);

function hashName(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length === 0) return 0;
  let hash = length;
  for (let at = start; at < end && at < start + 32; at++) hash = Math.imul(hash, 31) + (bytes[at] | 0x20);
  return (hash ^ (hash >>> 7)) >>> 0;
}

function isName(name: string, bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start !== name.length) return false;
  for (let at = 0; at < name.length; at++) {
    let byte = bytes[start + at];
    if (byte >= 0x41 && byte <= 0x5a) byte += 0x20;
    if (byte !== name.charCodeAt(at)) return false;
  }
  return true;
}
