/**
 * What is known against the Node release that this process runs on. `startNode` logs it, one line. Guarded: it says nothing about
 * releases in which the fault is mended, or that came after.
 */

/** The first releases of each line in which integer-like keys can not be chosen to collide (CVE-2026-21717). */
const HASHES_MENDED: readonly (readonly [major: number, minor: number, patch: number])[] = [
  [20, 20, 2],
  [22, 22, 2],
  [24, 14, 1],
  [25, 8, 2],
];
const NEWEST_FAULTY_LINE = 25;

/** One line for the log; null for a release without known faults. `version` as `process.versions.node` has it. */
export function releaseFault(version: string): string | null {
  const [major, minor, patch] = version.split('.').map((part) => Number.parseInt(part, 10));
  if (!(major <= NEWEST_FAULTY_LINE)) return null;
  const mended = HASHES_MENDED.find(([line]) => line === major);
  if (mended !== undefined && (minor > mended[1] || (minor === mended[1] && patch >= mended[2]))) return null;
  const remedy = mended === undefined ? 'run 20.20.2, 22.22.2, 24.14.1 or later' : `run ${mended.join('.')} or later`;
  return `Node ${version} can be slowed down by text with chosen hashes (CVE-2026-21717): ${remedy}`;
}
