/**
 * What a process and its children have used, as the kernel counts it: processor time, proportional memory, bytes written to disk.
 * Cases read it before and after a run. Guarded: all threads and children count; a process that is gone counts as nothing.
 */
import { readFileSync, statSync } from 'node:fs';

/** Of the clock that /proc counts by; Linux has shown 100 to programs on every architecture in use. */
const CLOCK_TICKS_PER_SECOND = 100;
const SECTOR_BYTES = 512;

/** A process and everything below it that lives. */
export function processTree(pid: number): number[] {
  const found = [pid];
  for (let at = 0; at < found.length; at++) {
    const children = contentOf(`/proc/${found[at]}/task/${found[at]}/children`).split(/\s+/).filter(Boolean);
    found.push(...children.map(Number));
  }
  return found;
}

/** Seconds of processor time, user and system, of all threads, and of children that live or were waited for. */
export function cpuSeconds(pid: number): number {
  let ticks = 0;
  for (const member of processTree(pid)) ticks += cpuTicksOf(contentOf(`/proc/${member}/stat`));
  return ticks / CLOCK_TICKS_PER_SECOND;
}

/** Fields 14 to 17 of a stat line: utime, stime, cutime, cstime. The name before them may hold blanks and brackets. */
export function cpuTicksOf(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields.length < 15) return 0;
  return Number(fields[11]) + Number(fields[12]) + Number(fields[13]) + Number(fields[14]);
}

/** Proportional set size in bytes: pages shared between a server and its fork count once. */
export function pssBytes(pid: number): number {
  let kib = 0;
  for (const member of processTree(pid)) kib += numberAfter(contentOf(`/proc/${member}/smaps_rollup`), 'Pss:');
  return kib * 1024;
}

/** Bytes that went to the page cache to be written to disk, those of children that live or were waited for included. */
export function diskWriteBytes(pid: number): number {
  let bytes = 0;
  for (const member of processTree(pid)) bytes += numberAfter(contentOf(`/proc/${member}/io`), 'write_bytes:');
  return bytes;
}

/**
 * Bytes that the device under a directory has written since the system started, whoever asked for it; null where the device is not known,
 * as under an overlay. A process's own count is of whole folios of the page cache, however little of each is new.
 */
export function deviceWriteBytes(directory: string): number | null {
  const [major, minor] = deviceNumbers(statSync(directory).dev);
  const sectors = sectorsWritten(contentOf('/proc/diskstats'), major, minor);
  return sectors === null ? null : sectors * SECTOR_BYTES;
}

/** Field 10 of the line of /proc/diskstats for a device; null if it has none. Its sectors are of 512 bytes, whatever the device's are. */
export function sectorsWritten(diskstats: string, major: number, minor: number): number | null {
  for (const line of diskstats.split('\n')) {
    const fields = line.trim().split(/\s+/);
    if (Number(fields[0]) === major && Number(fields[1]) === minor && fields.length >= 10) return Number(fields[9]);
  }
  return null;
}

/** Major and minor number of a device, as glibc packs them into one. */
export function deviceNumbers(dev: number): [major: number, minor: number] {
  const major = (Math.floor(dev / 2 ** 8) & 0xfff) + Math.floor(dev / 2 ** 44) * 0x1000;
  const minor = (dev & 0xff) + (Math.floor(dev / 2 ** 20) & 0xffffff) * 0x100;
  return [major, minor];
}

/** The number behind the first line that begins so; 0 if there is none. */
export function numberAfter(text: string, label: string): number {
  for (const line of text.split('\n')) {
    if (line.startsWith(label)) return Number.parseInt(line.slice(label.length), 10) || 0;
  }
  return 0;
}

function contentOf(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
