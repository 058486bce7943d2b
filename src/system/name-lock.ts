/**
 * A name that one process holds at a time: a listening socket in Linux's abstract namespace, which the kernel takes back when the
 * process dies, however it dies. Data directories (data-directory.ts) and the files of backups (cli/file-lock.ts) are held so.
 * Guarded: at most one holder of a name in a network namespace; the socket keeps no process alive, and says nothing.
 */
import { createServer } from 'node:net';

/** Whether this system has such names. */
export const HAS_NAME_LOCKS = process.platform === 'linux';

export interface NameLock {
  release(): Promise<void>;
}

/** Holds `hearsay-NAME`; null when another process does. */
export function lockName(name: string): Promise<NameLock | null> {
  const server = createServer((socket) => socket.destroy());
  server.unref();
  const release = () => new Promise<void>((released) => server.close(() => released()));
  return new Promise((done, fail) => {
    server.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? done(null) : fail(error)));
    server.listen({ path: `\0hearsay-${name}` }, () => done({ release }));
  });
}
