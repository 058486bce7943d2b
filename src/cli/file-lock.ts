/**
 * One writer per file: held by `hearsay backup` for FILE while it writes FILE.part. As the lock of a data directory
 * (system/data-directory.ts) it is a listening socket in Linux's abstract namespace, which the kernel takes back when the process
 * dies, named by the directory's device and inode and by the file's name. Elsewhere two writers are not kept apart; but what both
 * wrote to does not pass the reading that comes before FILE gets its name. Guarded: at most one holder of a name at a time.
 */
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { createServer } from 'node:net';
import { basename, dirname } from 'node:path';
import { HearsayError } from '../core/base/errors.js';

/** Holds `path` until the function it returns is called. Throws ERR when another process holds it. */
export async function lockFile(path: string): Promise<() => Promise<void>> {
  if (process.platform !== 'linux') return () => Promise.resolve();
  const { dev, ino } = statSync(dirname(path), { bigint: true });
  const name = createHash('sha256').update(basename(path)).digest('hex').slice(0, 16);
  const server = createServer((socket) => socket.destroy());
  server.unref();
  await new Promise<void>((done, fail) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const busy = new HearsayError('ERR', 'another backup is writing it: let that end, or name another file');
      fail(error.code === 'EADDRINUSE' ? busy : error);
    });
    server.listen({ path: `\0hearsay-file-${dev}-${ino}-${name}` }, done);
  });
  return () => new Promise((released) => server.close(() => released()));
}
