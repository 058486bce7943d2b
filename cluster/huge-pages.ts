/**
 * The environment of a node that this machine starts: it asks the C library for huge pages, which the memory of records, the index and
 * the log's buffers then lies in, and a lookup misses the processor's table of pages less. Called where node processes are started; the
 * Dockerfile says the same to a container. Guarded: what an operator has set for the C library stays as it is. Where there is no glibc, or
 * one before 2.35, it means nothing.
 */
const TUNABLES = 'GLIBC_TUNABLES';
const HUGE_PAGES = 'glibc.malloc.hugetlb';

export function withHugePages(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const set = environment[TUNABLES] ?? '';
  if (set.includes(`${HUGE_PAGES}=`)) return environment;
  return { ...environment, [TUNABLES]: set === '' ? `${HUGE_PAGES}=1` : `${set}:${HUGE_PAGES}=1` };
}
