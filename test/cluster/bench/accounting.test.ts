import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { expect, test } from 'vitest';
import {
  cpuTicksOf,
  deviceNumbers,
  numberAfter,
  processTree,
  pssBytes,
  sectorsWritten,
} from '../../../cluster/bench/accounting.js';
import { Children } from '../../../cluster/bench/processes.js';

test('processor time is that of the process and of children it waited for, whatever its name holds', () => {
  const stat = '42 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 100 20 3 4 20 0 1 0 5';
  expect(cpuTicksOf(stat)).toBe(127);
  expect(cpuTicksOf('')).toBe(0);
});

test('a line of /proc is found by its beginning', () => {
  expect(numberAfter('Rss: 1 kB\nPss:   24 kB\nPss_Dirty: 7 kB', 'Pss:')).toBe(24);
  expect(numberAfter('Rss: 1 kB', 'Pss:')).toBe(0);
});

test('what a device has written is found by its numbers, in sectors', () => {
  const diskstats = [
    ' 253       0 zram0 1 0 8 0 2 0 16 0 0 0 0',
    ' 254       0 vda 35 1 4096 9 71 2 8192 7 0 4 16',
    '',
  ].join('\n');
  expect(sectorsWritten(diskstats, 254, 0)).toBe(8192);
  expect(sectorsWritten(diskstats, 254, 1)).toBeNull();
  expect(sectorsWritten('', 254, 0)).toBeNull();
});

test('the numbers of a device are those that the system names', () => {
  const mount = readFileSync('/proc/self/mountinfo', 'latin1')
    .split('\n')
    .map((line) => line.split(' '))
    .findLast((fields) => fields[4] === '/proc');
  expect(deviceNumbers(statSync('/proc').dev).join(':')).toBe(mount?.[2]);
  expect(deviceNumbers(2 ** 44 * 3 + 2 ** 20 * 5 + 0x2a7)).toEqual([3 * 0x1000 + 2, 5 * 0x100 + 0xa7]);
});

test('a process is seen with its children, and one that is gone takes no memory', async () => {
  const parent = spawn('sh', ['-c', 'sleep 30 & echo $!; wait'], { detached: true });
  try {
    const [line] = await once(parent.stdout, 'data');
    expect(processTree(parent.pid as number)).toEqual([parent.pid, Number(String(line))]);
    expect(pssBytes(parent.pid as number)).toBeGreaterThan(0);
  } finally {
    process.kill(-(parent.pid as number), 'SIGKILL');
    await once(parent, 'close');
  }
  expect(pssBytes(parent.pid as number)).toBe(0);
});

test('a tool that does not end is killed with what it started, and named', async () => {
  const children = new Children();
  await expect(children.runTool(['sh', '-c', 'sleep 60 & sleep 60'], 50)).rejects.toThrow('sh did not end');
  children.killAll();
});

test('a tool that fails says what it said', async () => {
  const children = new Children();
  await expect(children.runTool(['sh', '-c', 'echo no such thing >&2; exit 3'], 10_000)).rejects.toThrow(
    'sh ended with 3: no such thing',
  );
  expect((await children.runTool(['sh', '-c', 'cat; echo done'], 10_000, Promise.resolve())).out).toBe('done\n');
  children.killAll();
  expect(() => children.start(['true'])).toThrow('stopped');
});
