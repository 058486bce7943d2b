/** The Node side of the vitals port: what this process takes, as the operating system accounts for it. */
import { performance } from 'node:perf_hooks';
import type { Vitals } from '../ports/vitals.js';

export const processVitals: Vitals = {
  rssBytes: () => process.memoryUsage.rss(),
  cpuUserSeconds: () => process.cpuUsage().user / 1e6,
  cpuSystemSeconds: () => process.cpuUsage().system / 1e6,
  workClockMs: () => performance.now(),
};
