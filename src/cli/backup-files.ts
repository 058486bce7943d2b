/**
 * Backup files on the disk: written to FILE.part and renamed when whole, read back frame by frame. The bytes are those of
 * core/wal/backup-file.ts; backup.ts writes, restore.ts and `backup --verify` read.
 * Guarded: FILE is there whole or not at all; what is appended to FILE.part was verified first, and a writer that goes on cuts
 * whatever stands behind the last whole frame; a reader hands out nothing that was not verified.
 */
import { type FileHandle, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { crc32 } from 'node:zlib';
import { accelerateCrc32 } from '../core/base/crc32.js';
import { HearsayError } from '../core/base/errors.js';
import {
  BACKUP_FOOTER_BYTES,
  BACKUP_PREFIX_BYTES,
  type BackupFooter,
  type BackupFrame,
  type BackupHeader,
  BackupTally,
  backupHeaderBytes,
  decodeBackupHeader,
  encodeBackupHeader,
} from '../core/wal/backup-file.js';
import { FRAME_HEADER_BYTES } from '../core/wal/frame.js';

accelerateCrc32(crc32);

/** Lent a verified frame: its records lie in `bytes[frame.start, frame.end)` until the call, and what it awaits, is over. */
export type FrameVisitor = (frame: BackupFrame, bytes: Buffer) => Promise<void> | void;

export function partOf(path: string): string {
  return `${path}.part`;
}

export class BackupWriter {
  private constructor(
    private readonly path: string,
    private readonly file: FileHandle,
    readonly tally: BackupTally,
  ) {}

  /** A new FILE.part, in place of any other. */
  static async begin(path: string, header: BackupHeader): Promise<BackupWriter> {
    const file = await open(partOf(path), 'w+', 0o600);
    await writeAll(file, encodeBackupHeader(header), 0);
    return new BackupWriter(path, file, new BackupTally(header));
  }

  /** FILE.part as far as it is whole, each frame lent to `visit`; null if there is none, or none with a header. */
  static async resume(
    path: string,
    visit: (frame: BackupFrame, bytes: Buffer, header: BackupHeader) => void,
  ): Promise<BackupWriter | null> {
    const file = await openIfThere(partOf(path));
    if (file === null) return null;
    try {
      const reader = await BackupReader.over(file);
      const { header } = reader.tally;
      await reader.run((frame, bytes) => visit(frame, bytes, header)).catch(ignoreDamage);
      await file.truncate(reader.tally.position);
      return new BackupWriter(path, file, reader.tally);
    } catch (error) {
      await file.close();
      ignoreDamage(error);
      return null;
    }
  }

  /** One more frame: records read from the tally's cursor on. Throws ERR if they are not what belongs there. */
  async append(records: Buffer, next: number): Promise<void> {
    const { position } = this.tally;
    await writeAll(this.file, this.tally.encode(records, next), position);
  }

  /** The footer; then the file is synced, read through once more, and gets its name. */
  async finish(footer: BackupFooter): Promise<void> {
    const { position } = this.tally;
    await writeAll(this.file, this.tally.encodeFooter(footer), position);
    await this.file.sync();
    await (await BackupReader.over(this.file)).run(() => {});
    await this.file.close();
    await rename(partOf(this.path), this.path);
    const directory = await open(dirname(this.path), 'r');
    await directory.sync().finally(() => directory.close());
  }

  /** Leaves FILE.part as it is. */
  close(): Promise<void> {
    return this.file.close();
  }
}

export class BackupReader {
  private bytes = Buffer.allocUnsafe(FRAME_HEADER_BYTES);

  private constructor(
    private readonly file: FileHandle,
    readonly fileBytes: number,
    readonly tally: BackupTally,
  ) {}

  /** Throws ERR when there is no such file, or when its header is damaged or of another format. */
  static async open(path: string): Promise<BackupReader> {
    const file = await openIfThere(path, 'r');
    if (file === null) throw new HearsayError('ERR', 'there is no such file');
    try {
      const stats = await file.stat();
      if (!stats.isFile())
        throw new HearsayError('ERR', stats.isDirectory() ? 'is a directory, not a file' : 'is no file');
      return await BackupReader.over(file);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  static async over(file: FileHandle): Promise<BackupReader> {
    const { size } = await file.stat();
    const prefix = Buffer.alloc(Math.min(BACKUP_PREFIX_BYTES, size));
    await readAll(file, prefix, prefix.length, 0);
    const header = Buffer.alloc(backupHeaderBytes(prefix));
    if (header.length > size) throw new HearsayError('ERR', `ends at byte ${size}, within its header`);
    await readAll(file, header, header.length, 0);
    return new BackupReader(file, size, new BackupTally(decodeBackupHeader(header)));
  }

  /** Reads to the end, verifying. Throws ERR, naming the byte, at the first damage. */
  async run(visit: FrameVisitor): Promise<void> {
    const { tally, fileBytes } = this;
    while (tally.footer === null) {
      await this.load(FRAME_HEADER_BYTES);
      await this.load(tally.frameBytes(this.bytes, 0));
      const frame = tally.take(this.bytes, 0);
      await visit(frame, this.bytes);
    }
    if (tally.position !== fileBytes) {
      throw new HearsayError('ERR', `${fileBytes - tally.position} bytes too many, from byte ${tally.position} on`);
    }
  }

  /** The footer alone, from the file's end, verified for itself. */
  async footer(): Promise<BackupFooter> {
    const position = this.fileBytes - BACKUP_FOOTER_BYTES;
    const bytes = Buffer.alloc(BACKUP_FOOTER_BYTES);
    if (position >= this.tally.position) await readAll(this.file, bytes, bytes.length, position);
    return this.tally.peekFooter(bytes, position);
  }

  close(): Promise<void> {
    return this.file.close();
  }

  /** Brings the first `length` bytes from the tally's position into the buffer. */
  private async load(length: number): Promise<void> {
    const { position } = this.tally;
    if (position + length > this.fileBytes) {
      throw new HearsayError(
        'ERR',
        `ends at byte ${this.fileBytes}, before its footer: frame at byte ${position} is cut`,
      );
    }
    if (length > this.bytes.length) this.bytes = Buffer.allocUnsafe(length);
    await readAll(this.file, this.bytes, length, position);
  }
}

async function openIfThere(path: string, flags: 'r' | 'r+' = 'r+'): Promise<FileHandle | null> {
  try {
    return await open(path, flags);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Damage ends what is whole of a file; anything else is thrown on. */
function ignoreDamage(error: unknown): void {
  if (!(error instanceof HearsayError)) throw error;
}

async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at, position + at);
    at += bytesWritten;
  }
}

async function readAll(file: FileHandle, bytes: Buffer, length: number, position: number): Promise<void> {
  for (let at = 0; at < length; ) {
    const { bytesRead } = await file.read(bytes, at, length - at, position + at);
    if (bytesRead === 0) throw new HearsayError('ERR', `ends at byte ${position + at}, where more was before`);
    at += bytesRead;
  }
}
