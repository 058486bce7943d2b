/**
 * File descriptors held back for the data directory, so that clients can not take the last one from the log: the disk opens
 * its files through here and tells when it has closed one. Guarded: a file that is wanted finds a descriptor as long as
 * fewer than `RESERVE` were taken since the last close, whatever number of sockets there is.
 */
import { closeSync, constants, openSync } from 'node:fs';

/** The next log file, an image, the manifest's draft, and a region set aside: what the log may open at one time. */
const RESERVE = 6;

export interface DescriptorCalls {
  open(path: string, flags: number, mode?: number): number;
  close(descriptor: number): void;
}

export class DescriptorReserve {
  private readonly held: number[] = [];
  private most = RESERVE;
  private readonly path: string;
  private readonly calls: DescriptorCalls;

  /** `path` is anything that can be opened for reading. */
  constructor(path: string, calls: DescriptorCalls = { open: openSync, close: closeSync }) {
    this.path = path;
    this.calls = calls;
    this.refill();
  }

  get size(): number {
    return this.held.length;
  }

  /** Opens a file, with a descriptor of the reserve if there is no other. Throws what the operating system does. */
  open(path: string, flags: number, mode: number): number {
    for (;;) {
      try {
        return this.calls.open(path, flags, mode);
      } catch (error) {
        const spared = isWant(error) ? this.held.pop() : undefined;
        if (spared === undefined) throw error;
        this.calls.close(spared);
      }
    }
  }

  /** A file was closed: its descriptor is kept back if some were taken. */
  refill(): void {
    try {
      while (this.held.length < this.most) this.held.push(this.calls.open(this.path, constants.O_RDONLY));
    } catch (error) {
      if (!isWant(error)) throw error;
    }
  }

  /** Nothing is held back any more. */
  release(): void {
    this.most = 0;
    for (const descriptor of this.held.splice(0)) this.calls.close(descriptor);
  }
}

function isWant(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'EMFILE' || code === 'ENFILE';
}
