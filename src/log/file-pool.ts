// The open files of a broker's logs: at most so many at once. A segment's file opens itself when it is used; when too many
// are open, those that were used least recently are closed. One with unsynced writes is synced first: to close it with them
// would swallow the error of writing them back, and what failed to become durable fences its log.
// Small chunks may be left to be written later, together: whatever else is done with the file, they are in it first.
import type { Disk, DiskFile } from '../env/disk.ts';
import { EnvError } from '../env/error.ts';
import { writeFully } from './batch-scan.ts';
import { Staging, StagingMemory } from './staging.ts';

/** Whose file it is. */
export interface FileOwner {
  readonly disk: Disk;
  readonly files: FilePool;
  /** A sync that nobody asked for failed, or bytes that were left to be written later are lost. Every later sync fails likewise. */
  syncFailed: (error: EnvError) => void;
}

export class FilePool {
  readonly staging = new StagingMemory();
  readonly #maxOpen: number;
  /** Those that are open, the least recently used first. */
  readonly #open = new Set<PooledFile>();
  #newest: PooledFile | undefined;
  /** How many are being synced to be closed. */
  #leaving = 0;
  #waiting: (() => void)[] = [];

  /** `maxOpen`: log.max.open.files. More are open only while all of them are in use or being synced. */
  constructor(maxOpen: number) {
    this.#maxOpen = maxOpen;
  }

  get openCount(): number {
    return this.#open.size;
  }

  get hasRoom(): boolean {
    return this.#open.size <= this.#maxOpen;
  }

  /** Resolves when no more than the allowed number are open; undefined if that is so. */
  get room(): Promise<void> | undefined {
    if (this.hasRoom) return undefined;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** The file is open, and in use now. */
  used(file: PooledFile): void {
    if (file === this.#newest) return;
    this.#newest = file;
    this.#open.delete(file);
    this.#open.add(file);
    this.makeRoom();
  }

  closed(file: PooledFile): void {
    this.#open.delete(file);
    if (file === this.#newest) this.#newest = undefined;
    if (this.#open.size > this.#maxOpen) return;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Closes files, or begins to, until there are not too many. */
  makeRoom(): void {
    if (this.#open.size - this.#leaving <= this.#maxOpen) return;
    for (const file of this.#open) {
      if (file === this.#newest || !file.mayLeave) continue;
      file.leave();
      if (file.isOpen) void this.#syncOut(file);
      if (this.#open.size - this.#leaving <= this.#maxOpen) return;
    }
  }

  async #syncOut(file: PooledFile): Promise<void> {
    this.#leaving += 1;
    await file.leaveSynced();
    this.#leaving -= 1;
    // If it was used again meanwhile, it is somebody else's turn.
    this.makeRoom();
  }
}

/** A file that is open while it is used. All that {@link DiskFile} says holds for it. */
export class PooledFile implements DiskFile {
  readonly path: string;
  readonly #owner: FileOwner;
  #handle: DiskFile | undefined;
  #closed = false;
  #running = 0;
  /** Changes made, and how many of them a sync has covered. */
  #changes = 0;
  #synced = 0;
  /** Settles, and never rejects, when the sync that is under way is done. */
  #syncing: Promise<void> | undefined;
  #failure: EnvError | undefined;
  readonly #staging: Staging;
  /** What was left to be written there or behind could not be. */
  #lost: { readonly from: number; readonly error: EnvError } | undefined;
  #isMoving = false;

  private constructor(owner: FileOwner, path: string) {
    this.#owner = owner;
    this.path = path;
    this.#staging = new Staging(owner.files.staging);
  }

  /** One that is there. Nothing is opened yet. */
  static existing(owner: FileOwner, path: string): PooledFile {
    return new PooledFile(owner, path);
  }

  /** A new one, at once. EnvError EXISTS if it is there. */
  static create(owner: FileOwner, path: string): PooledFile {
    const file = new PooledFile(owner, path);
    file.#attach(owner.disk.openNow(path, 'create'));
    return file;
  }

  /** One that lies under another name still, open and durable: it stays open until it has {@link arrived}. */
  static moving(owner: FileOwner, path: string, handle: DiskFile): PooledFile {
    const file = new PooledFile(owner, path);
    file.#isMoving = true;
    file.#attach(handle);
    return file;
  }

  /** It cannot be found at its path yet. */
  get isMoving(): boolean {
    return this.#isMoving;
  }

  /** It lies at its path now. */
  arrived(): void {
    this.#isMoving = false;
    this.#owner.files.makeRoom();
  }

  get isOpen(): boolean {
    return this.#handle !== undefined;
  }

  /** Opens it without holding up anybody else; whoever uses it earlier opens it at once. */
  async open(): Promise<void> {
    if (this.#handle !== undefined || this.#closed) return;
    const handle = await this.#owner.disk.open(this.path, 'update');
    if (this.#handle === undefined && !this.#closed) this.#attach(handle);
    else await handle.close();
  }

  read(target: Uint8Array, targetStart: number, length: number, position: number): Promise<number> {
    return this.#run((handle) => {
      if (!this.#staging.isEmpty && position + length > this.#staging.position) this.#writeOut(handle);
      if (this.#lost !== undefined && position + length > this.#lost.from) throw this.#lost.error;
      return handle.read(target, targetStart, length, position);
    });
  }

  write(chunks: readonly Uint8Array[], position: number): number {
    if (this.#failure !== undefined) throw this.#failure;
    const handle = this.#use();
    this.#writeOut(handle);
    this.#changes += 1;
    return handle.write(chunks, position);
  }

  /**
   * Writes all of `chunk`, now or with others later, before anything else is done with this file: until a sync, or the next
   * write, the end of the process may lose it. EnvError as for a write that is not short; of this chunk, or of those before.
   */
  writeLater(chunk: Uint8Array, position: number): void {
    if (this.#failure !== undefined) throw this.#failure;
    const handle = this.#use();
    if (!this.#staging.add(chunk, position)) {
      this.#writeOut(handle);
      if (!this.#staging.add(chunk, position)) return writeFully(this, chunk, position);
    }
    this.#changes += 1;
  }

  /** Writes what was left to be written later: the end of the process loses nothing of it then. EnvError if it is lost. */
  writeStaged(): void {
    if (!this.#staging.isEmpty) this.#writeOut(this.#use());
  }

  /** what could not be written as a whole leaves an unknown tail, and the file takes nothing more. */
  #writeOut(handle: DiskFile): void {
    if (this.#staging.isEmpty) return;
    const { position } = this.#staging;
    try {
      this.#staging.writeTo(handle);
    } catch (error) {
      if (!(error instanceof EnvError)) throw error;
      this.#failure ??= error;
      this.#lost ??= { from: position, error };
      this.#owner.syncFailed(error);
      throw error;
    }
  }

  /** As {@link #writeOut}, for what makes no sense without all of the bytes. */
  #completed(handle: DiskFile): DiskFile {
    this.#writeOut(handle);
    if (this.#lost !== undefined) throw this.#lost.error;
    return handle;
  }

  sync(beforeStart?: () => void): Promise<void> {
    return this.#run((handle) => this.#sync(handle, beforeStart));
  }

  /**
   * One at a time: of two syncs of one descriptor, only one is told that pages were lost. Once one failed, all fail: what
   * it should have written may count as clean.
   */
  async #sync(handle: DiskFile, beforeStart?: () => void): Promise<void> {
    while (this.#syncing !== undefined) await this.#syncing;
    if (this.#failure !== undefined) throw this.#failure;
    let covered = this.#changes;
    const note = (): void => {
      beforeStart?.();
      this.#completed(handle);
      covered = this.#changes;
    };
    if (beforeStart === undefined) note();
    try {
      const syncing = handle.sync(beforeStart === undefined ? undefined : note);
      this.#syncing = settled(syncing);
      await syncing;
      this.#synced = covered;
    } catch (error) {
      if (error instanceof EnvError && error.code !== 'CLOSED') this.#failure ??= error;
      throw error;
    } finally {
      this.#syncing = undefined;
    }
  }

  async truncate(size: number): Promise<void> {
    try {
      await this.#run((handle) => this.#completed(handle).truncate(size));
    } finally {
      this.#changes += 1;
    }
  }

  size(): Promise<number> {
    return this.#run((handle) => this.#completed(handle).size());
  }

  /** Whoever wants to know that everything was written syncs first. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const handle = this.#detach();
    try {
      this.#staging.writeTo(handle);
    } catch (error) {
      if (!(error instanceof EnvError)) throw error;
    }
    await handle?.close();
  }

  /** It is open, and nobody is using it at this moment. */
  get mayLeave(): boolean {
    return this.#handle !== undefined && this.#running === 0 && !this.#isMoving;
  }

  /** Not everything that was written to it is known to be durable. */
  get isDirty(): boolean {
    return this.#changes > this.#synced;
  }

  /** Closes the descriptor, which the next use opens again, if nobody uses it now and nothing is lost by that. */
  leave(): void {
    if (!this.mayLeave || (this.isDirty && this.#failure === undefined)) return;
    this.#detach()
      ?.close()
      .catch(() => undefined);
  }

  /** Syncs and then, if nobody used it meanwhile, closes the descriptor. */
  async leaveSynced(): Promise<void> {
    try {
      await this.sync();
    } catch (error) {
      if (!(error instanceof EnvError)) throw error;
      // Closed under it: whoever closed it knows what it is worth.
      if (error.code !== 'CLOSED') this.#owner.syncFailed(error);
    }
    this.leave();
  }

  #use(): DiskFile {
    if (this.#closed) throw new EnvError('CLOSED', `${this.path} is closed`);
    // The room that is made for it may not be its own.
    this.#running += 1;
    try {
      if (this.#handle === undefined) this.#attach(this.#owner.disk.openNow(this.path, 'update'));
      else this.#owner.files.used(this);
    } finally {
      this.#running -= 1;
    }
    return this.#handle as DiskFile;
  }

  async #run<T>(operation: (handle: DiskFile) => Promise<T>): Promise<T> {
    const handle = this.#use();
    this.#running += 1;
    try {
      return await operation(handle);
    } finally {
      this.#running -= 1;
      if (this.#running === 0) this.#owner.files.makeRoom();
    }
  }

  #attach(handle: DiskFile): void {
    this.#handle = handle;
    this.#owner.files.used(this);
  }

  #detach(): DiskFile | undefined {
    const handle = this.#handle;
    this.#handle = undefined;
    if (handle !== undefined) this.#owner.files.closed(this);
    return handle;
  }
}

async function settled(promise: Promise<unknown>): Promise<void> {
  await promise.then(
    () => undefined,
    () => undefined,
  );
}
