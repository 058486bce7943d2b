/**
 * Chaos by loss of power, on a file system of its own: all data directories lie on an ext4 image behind a loop device. All nodes are
 * killed at one moment, the image is copied as it is beneath the mounted file system, without what that has not written, and the nodes
 * start on the copy. With `--durability always` nothing that was acknowledged is missing.
 * Guarded: it needs root, loop devices and mkfs.ext4, and says so where they are not there; the mount and its files are gone at the end.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Arena, type ChaosScript, inTurns, startAgain, startAndWait } from './disturbance.js';

const run = promisify(execFile);

/** Sparse: it takes what is written. */
const IMAGE_BYTES = 1024 ** 3;
/** The file system writes nothing by itself while a run lasts. */
const MOUNT_OPTIONS = 'loop,commit=300';
const DARK_MS = [1500, 3000] as const;

export const powerCut = (): ChaosScript => {
  let directory = '';
  const image = (): string => join(directory, 'image');
  const mounted = (): string => join(directory, 'mounted');
  const mount = (): Promise<unknown> => run('mount', ['-o', MOUNT_OPTIONS, image(), mounted()]);
  return {
    lateEffectMs: 4000,
    // Nobody answers while it is dark, and each node reads its log first.
    silenceMaxMs: 30_000,
    flags: ['--durability', 'always'],
    missing: whatIsMissing,
    setUp: async () => {
      directory = await mkdtemp(join(tmpdir(), 'hearsay-power-'));
      await makeImage(image());
      await mkdir(mounted());
      await mount();
    },
    environmentOf: (index) => ({ HEARSAY_DATA: join(mounted(), `node-${index + 1}`) }),
    plan: (draws, _nodes, durationMs) =>
      inTurns(draws, durationMs, DARK_MS, (beginsAtMs, endsAtMs) => ({
        beginsAtMs,
        endsAtMs,
        begins: 'the power goes at all nodes',
        ends: 'the power is back',
        begin: async ({ cluster }) => {
          const hasPower = cluster.running().length > 0;
          await Promise.all(cluster.running().map((index) => cluster.kill(index)));
          await run('cp', ['--sparse=always', image(), `${image()}-after`]);
          await run('umount', [mounted()]);
          await rename(`${image()}-after`, image());
          await mount();
          return hasPower;
        },
        end: powerBack,
      })),
    tearDown: async () => {
      if (directory === '') return;
      await run('umount', [mounted()]).catch(() => {});
      await rm(directory, { recursive: true, force: true, maxRetries: 3 });
    },
  };
};

async function powerBack(arena: Arena): Promise<void> {
  const { cluster } = arena;
  for (const index of cluster.nodes.keys()) startAgain(arena, index);
  for (const index of cluster.nodes.keys()) await startAndWait(arena, index);
}

async function makeImage(file: string): Promise<void> {
  await writeFile(file, '');
  await truncate(file, IMAGE_BYTES);
  await run('mkfs.ext4', ['-q', '-F', '-E', 'lazy_itable_init=0', file]);
}

/** It is tried: a container may have the devices and not be allowed to use them. */
async function whatIsMissing(): Promise<string | null> {
  if (process.getuid?.() !== 0) return 'it needs root, to mount a file system';
  if (!existsSync('/dev/loop-control')) return 'it needs loop devices';
  const directory = await mkdtemp(join(tmpdir(), 'hearsay-power-'));
  const [image, mounted] = [join(directory, 'image'), join(directory, 'mounted')];
  try {
    await makeImage(image);
    await mkdir(mounted);
    await run('mount', ['-o', MOUNT_OPTIONS, image, mounted]);
    await run('umount', [mounted]);
    return null;
  } catch (error) {
    return `a file system in a file can not be mounted here: ${(error as Error).message.split('\n')[0]}`;
  } finally {
    await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  }
}
