// The Disk port: files as Kvorum needs them. Weaknesses (safety.md M-2), which every implementation has:
// - a write is volatile until `sync` of that file resolved; at a power cut any subset of unsynced writes survives,
//   torn at 512-byte sectors. The death of the process alone loses nothing that was written;
// - create, rename and remove are volatile until `syncDirectory` of the parent resolved;
// - after a failed `sync` the unsynced writes are lost even if a later one succeeds: stop using the file;
// - a write may be short (full disk), a read may return rotten bytes: callers check lengths and CRCs.
// Paths use '/'. All failures are EnvError (NOT_FOUND, EXISTS, NO_SPACE, IO, PERMISSION).
import { isEnvError } from './error.ts';

export interface DirectoryEntry {
  readonly name: string;
  readonly isDirectory: boolean;
}

export interface DiskFile {
  readonly path: string;
  /** Reads up to `length` bytes at `position` into `target` from `targetStart`; returns the count, 0 at the end. */
  read(target: Uint8Array, targetStart: number, length: number, position: number): Promise<number>;
  /**
   * Copies the chunks to the page cache at `position`, synchronously: by the time it returns, reads see them.
   * Returns the bytes written, which is less than asked when the disk is full (then the next call throws NO_SPACE).
   */
  write(chunks: readonly Uint8Array[], position: number): number;
  /**
   * Makes everything written and truncated before the call durable (fdatasync). `beforeStart` runs right before it starts, when
   * what has arrived by now was handled and it is this file's turn: what is written until it returns becomes durable too.
   */
  sync(beforeStart?: () => void): Promise<void>;
  /** Cuts or extends with zeros; durable after `sync`. */
  truncate(size: number): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}

/**
 * `read`: must exist. `update`: read and write, must exist. `write`: read and write, created if missing.
 * `create`: read and write, EXISTS if there.
 */
export type OpenMode = 'read' | 'update' | 'write' | 'create';

/** Of a file system, in bytes. */
export interface DiskSpace {
  readonly totalBytes: number;
  /** What may still be written; 0 <= usableBytes <= totalBytes. */
  readonly usableBytes: number;
}

export interface Disk {
  open(path: string, mode: OpenMode): Promise<DiskFile>;
  /** `open`, synchronously: for a log that must write in the middle of an append to a file that is not open. */
  openNow(path: string, mode: OpenMode): DiskFile;
  /** The whole file. */
  readFile(path: string): Promise<Buffer>;
  /** Entries in name order; NOT_FOUND if there is no such directory. */
  list(path: string): Promise<DirectoryEntry[]>;
  exists(path: string): Promise<boolean>;
  /** Bytes of the file, without opening it; undefined if there is none. */
  fileSize(path: string): Promise<number | undefined>;
  /** Creates the directory and its missing parents; fine if it exists. */
  makeDirectory(path: string): Promise<void>;
  /** Replaces `to` atomically if it is a file. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file, or a directory with all it holds; fine if it does not exist. */
  remove(path: string): Promise<void>;
  /** Makes entries created, renamed and removed in this directory durable. */
  syncDirectory(path: string): Promise<void>;
  /** Of the file system that the file or directory is on. */
  space(path: string): Promise<DiskSpace>;
}

/** The directory part of a path. */
export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash <= 0 ? '/' : path.slice(0, slash);
}

/** The whole file; undefined if there is none. */
export async function readIfThere(disk: Disk, path: string): Promise<Buffer | undefined> {
  try {
    return await disk.readFile(path);
  } catch (error) {
    if (isEnvError(error, 'NOT_FOUND')) return undefined;
    throw error;
  }
}

/** Replaces a file's content atomically and durably: temp file, sync, rename, directory sync. */
export async function writeFileDurably(disk: Disk, path: string, content: Uint8Array): Promise<void> {
  const temporary = `${path}.tmp`;
  const file = await disk.open(temporary, 'write');
  try {
    // What a crash left of an earlier attempt may be longer.
    await file.truncate(0);
    for (let at = 0; at < content.length; ) at += file.write([content.subarray(at)], at);
    await file.sync();
  } finally {
    await file.close();
  }
  await disk.rename(temporary, path);
  await disk.syncDirectory(parentOf(path));
}
