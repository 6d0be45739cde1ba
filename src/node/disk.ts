// The real Disk: files by descriptor over node:fs. Writes are synchronous (they only fill the page cache), everything
// that may wait for the device runs on libuv's thread pool. Durability is fdatasync and fsync of directories (M-2).
import * as fs from 'node:fs';
import { assert } from '../base/assert.ts';
import type { DirectoryEntry, Disk, DiskFile, OpenMode } from '../env/disk.ts';
import { EnvError } from '../env/error.ts';
import { toEnvError } from './system-error.ts';

/** libuv's thread pool has so many threads unless UV_THREADPOOL_SIZE says otherwise. */
const DEFAULT_POOL_THREADS = 4;

const FILE_MODE = 0o644;

const OPEN_FLAGS: Readonly<Record<OpenMode, number>> = {
  read: fs.constants.O_RDONLY,
  update: fs.constants.O_RDWR,
  write: fs.constants.O_RDWR | fs.constants.O_CREAT,
  create: fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_EXCL,
};

export function createDisk(): Disk {
  const slots = new SyncSlots(maxConcurrentSyncs());
  return {
    open: async (path, mode) => {
      const attempt = `cannot open ${path} to ${mode}`;
      const fd = await settle<number>(attempt, (done) => fs.open(path, OPEN_FLAGS[mode], FILE_MODE, done));
      return new NodeFile(path, fd, slots);
    },
    openNow: (path, mode) => {
      try {
        return new NodeFile(path, fs.openSync(path, OPEN_FLAGS[mode], FILE_MODE), slots);
      } catch (error) {
        throw toEnvError(error, `cannot open ${path} to ${mode}`);
      }
    },
    readFile: (path) => settle<Buffer>(`cannot read ${path}`, (done) => fs.readFile(path, done)),
    list,
    exists,
    fileSize,
    makeDirectory: async (path) => {
      await settle<unknown>(`cannot create directory ${path}`, (done) => fs.mkdir(path, { recursive: true }, done));
    },
    rename: (from, to) => settle<void>(`cannot rename ${from} to ${to}`, (done) => fs.rename(from, to, done)),
    remove: (path) =>
      settle<void>(`cannot remove ${path}`, (done) => fs.rm(path, { recursive: true, force: true }, done)),
    syncDirectory: (path) => slots.run(() => syncDirectory(path)),
    space: async (path) => {
      const stats = await settle<fs.StatsFs>(`cannot ask the space of ${path}`, (done) => fs.statfs(path, done));
      return { totalBytes: stats.bsize * stats.blocks, usableBytes: stats.bsize * stats.bavail };
    },
  };
}

class NodeFile implements DiskFile {
  readonly path: string;
  private readonly fd: number;
  private readonly slots: SyncSlots;
  private closed = false;
  /** Operations on the thread pool. The descriptor outlives them: its number may be another file's after the close. */
  private running = 0;
  private whenIdle: (() => void) | undefined;

  constructor(path: string, fd: number, slots: SyncSlots) {
    this.path = path;
    this.fd = fd;
    this.slots = slots;
  }

  read(target: Uint8Array, targetStart: number, length: number, position: number): Promise<number> {
    return this.run<number>('read', (done) => fs.read(this.fd, target, targetStart, length, position, done));
  }

  write(chunks: readonly Uint8Array[], position: number): number {
    this.assertOpen();
    const [first] = chunks;
    if (first === undefined) return 0;
    try {
      if (chunks.length === 1) return fs.writeSync(this.fd, first, 0, first.length, position);
      return fs.writevSync(this.fd, chunks, position);
    } catch (error) {
      throw toEnvError(error, `cannot write ${this.path}`);
    }
  }

  sync(beforeStart?: () => void): Promise<void> {
    const start = (): Promise<void> => {
      beforeStart?.();
      return this.run<void>('sync', (done) => fs.fdatasync(this.fd, done));
    };
    return beforeStart === undefined ? this.slots.run(start) : endOfTurn().then(() => this.slots.run(start));
  }

  truncate(size: number): Promise<void> {
    return this.run<void>('truncate', (done) => fs.ftruncate(this.fd, size, done));
  }

  async size(): Promise<number> {
    return (await this.run<fs.Stats>('stat', (done) => fs.fstat(this.fd, done))).size;
  }

  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    if (this.running > 0) {
      await new Promise<void>((resolve) => {
        this.whenIdle = resolve;
      });
    }
    await settle<void>(`cannot close ${this.path}`, (done) => fs.close(this.fd, done));
  }

  private assertOpen(): void {
    if (this.closed) throw new EnvError('CLOSED', `${this.path} is closed`);
  }

  private async run<T>(what: string, start: (done: Done<T>) => void): Promise<T> {
    this.assertOpen();
    this.running += 1;
    try {
      return await settle<T>(`cannot ${what} ${this.path}`, start);
    } finally {
      this.running -= 1;
      if (this.running === 0) this.whenIdle?.();
    }
  }
}

/** Lets a limited number of syncs run at once: they would fill the thread pool and keep reads of cached bytes waiting. */
class SyncSlots {
  private free: number;
  private readonly waiting: (() => void)[] = [];

  constructor(count: number) {
    assert(count >= 1, 'at least one sync must be able to run');
    this.free = count;
  }

  async run<T>(operation: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free -= 1;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      return await operation();
    } finally {
      const next = this.waiting.shift();
      if (next === undefined) this.free += 1;
      else next();
    }
  }
}

/** Everything that the sockets hold now is handled by then. */
function endOfTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** A quarter of the thread pool stays free for reads. */
function maxConcurrentSyncs(): number {
  const configured = Number(process.env['UV_THREADPOOL_SIZE'] ?? DEFAULT_POOL_THREADS);
  const threads = Number.isInteger(configured) && configured > 0 ? configured : DEFAULT_POOL_THREADS;
  return Math.max(1, Math.floor((threads * 3) / 4));
}

async function list(path: string): Promise<DirectoryEntry[]> {
  const entries = await settle<fs.Dirent[]>(`cannot list ${path}`, (done) =>
    fs.readdir(path, { withFileTypes: true }, done),
  );
  return entries
    .map((entry) => ({ name: entry.name, isDirectory: entry.isDirectory() }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function exists(path: string): Promise<boolean> {
  try {
    await settle<void>(`cannot look up ${path}`, (done) => fs.access(path, done));
    return true;
  } catch (error) {
    if (error instanceof EnvError && error.code === 'NOT_FOUND') return false;
    throw error;
  }
}

async function fileSize(path: string): Promise<number | undefined> {
  try {
    return (await settle<fs.Stats>(`cannot look up ${path}`, (done) => fs.stat(path, done))).size;
  } catch (error) {
    if (error instanceof EnvError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}

/** Makes entries created, renamed and removed in this directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  const attempt = `cannot sync directory ${path}`;
  const fd = await settle<number>(attempt, (done) => fs.open(path, fs.constants.O_RDONLY, done));
  try {
    await settle<void>(attempt, (done) => fs.fsync(fd, done));
  } finally {
    await settle<void>(attempt, (done) => fs.close(fd, done));
  }
}

type Done<T> = (error: NodeJS.ErrnoException | null, value?: T) => void;

/** Runs one callback-style operation; its failure is an EnvError that begins with `attempt`. */
function settle<T>(attempt: string, start: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => {
      if (error === null) resolve(value as T);
      else reject(toEnvError(error, attempt));
    });
  });
}
