/**
 * Writes the report of chaos runs into a directory: a page for each scenario, after each run, and an index when there are several.
 * Guarded: a file is replaced whole or not at all, so that a run which is interrupted leaves pages that can be read.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileOf, indexPage, runPage } from './page.js';
import type { RunRecord } from './record.js';

/** `directory` is there and takes files. `records`: all runs so far, the latest last. Gives the files that it wrote. */
export function writeReport(directory: string, records: readonly RunRecord[], withIndex: boolean): string {
  const latest = records.at(-1);
  const page = latest === undefined ? null : join(directory, fileOf(latest));
  const index = withIndex ? join(directory, 'index.html') : null;
  if (latest !== undefined && page !== null) replaceFile(page, runPage(latest));
  if (index !== null) replaceFile(index, indexPage(records));
  return [page, index].filter((file) => file !== null).join(', ');
}

function replaceFile(path: string, text: string): void {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}
