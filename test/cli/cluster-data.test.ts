/** What `hearsay cluster` does to directories before it starts: the nodes that use them are this process's own disks. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { prepareClusterData } from '../../src/cli/cluster-data.js';
import { NodeDisk } from '../../src/system/disk.js';

const place = mkdtempSync(join(tmpdir(), 'hearsay-data-'));
afterAll(() => rmSync(place, { recursive: true, force: true }));

let directory: string;
let count = 0;
beforeEach(() => {
  directory = join(place, String(++count));
  for (const number of [1, 2, 3]) {
    mkdirSync(nodeDirectory(number), { recursive: true });
    for (const name of ['manifest', 'log-00000001']) writeFileSync(join(nodeDirectory(number), name), 'data');
  }
});

function nodeDirectory(number: number): string {
  return join(directory, `node-${number}`);
}

function prepare(nodes: number, fresh: boolean): Promise<void> {
  const numbers = Array.from({ length: nodes }, (_, index) => index + 1);
  return prepareClusterData({ directory, nodeDirectories: numbers.map(nodeDirectory), fresh });
}

function left(): number[] {
  return [1, 2, 3].map((number) => readdirSync(nodeDirectory(number)).filter((name) => name !== 'lock').length);
}

describe('the data of a cluster that is about to start', () => {
  it('is emptied for --fresh, of the nodes asked for', async () => {
    await prepare(2, true);
    expect(left()).toEqual([0, 0, 2]);
  });

  it('stays without --fresh, and a directory is made where there is none', async () => {
    await prepare(3, false);
    expect(left()).toEqual([2, 2, 2]);
    directory = join(place, 'not', 'there');
    await prepare(3, true);
    expect(existsSync(directory)).toBe(true);
  });

  it.each([
    ['the last node asked for', 3, 3],
    ['a node of a larger cluster', 2, 3],
  ])('is not touched by --fresh while %s uses its own', async (_, nodes, user) => {
    const disk = await NodeDisk.open(nodeDirectory(user), () => {});
    await expect(prepare(nodes, true)).rejects.toMatchObject({
      code: 'DATADIR',
      message: `data directory ${nodeDirectory(user)} is in use by another process (pid ${process.pid}): stop it before --fresh; nothing was deleted`,
    });
    expect(left()).toEqual([2, 2, 2]);
    await disk.release();
    await prepare(nodes, true);
    expect(left().slice(0, nodes)).toEqual(Array(nodes).fill(0));
  });

  it('is not started on while another process uses it', async () => {
    const disk = await NodeDisk.open(nodeDirectory(2), () => {});
    await expect(prepare(3, false)).rejects.toThrow(/node-2 is in use .*: stop it, or choose another with --data/);
    await disk.release();
  });

  it('is not touched by --fresh when a file or folder of any node is none of its own', async () => {
    writeFileSync(join(nodeDirectory(3), 'diary.txt'), '');
    await expect(prepare(3, true)).rejects.toThrow(/diary\.txt was not written by a node: --fresh would remove it/);
    rmSync(join(nodeDirectory(3), 'diary.txt'));
    mkdirSync(join(nodeDirectory(3), 'log-2'));
    await expect(prepare(3, true)).rejects.toThrow(/log-2 was not written by a node/);
    expect(left()).toEqual([2, 2, 3]);
  });

  it('is refused by name where a file stands', async () => {
    rmSync(nodeDirectory(2), { recursive: true });
    writeFileSync(nodeDirectory(2), '');
    await expect(prepare(2, true)).rejects.toMatchObject({ message: `${nodeDirectory(2)} is no directory` });
    directory = nodeDirectory(2);
    await expect(prepare(2, false)).rejects.toMatchObject({
      code: 'DATADIR',
      message: `data directory ${directory} can not be used: it is no directory`,
    });
  });
});
