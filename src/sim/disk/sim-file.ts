// An open file of one incarnation.
import type { DiskFile } from '../../env/disk.ts';
import { EnvError } from '../../env/error.ts';
import type { Incarnation } from '../world/incarnation.ts';
import type { FileNode } from './file-node.ts';
import type { SimDisk } from './sim-disk.ts';

export class SimFile implements DiskFile {
  readonly path: string;
  readonly #disk: SimDisk;
  readonly #incarnation: Incarnation;
  readonly #node: FileNode;
  readonly #writable: boolean;
  #isOpen = true;

  constructor(disk: SimDisk, incarnation: Incarnation, path: string, node: FileNode, writable: boolean) {
    this.path = path;
    this.#disk = disk;
    this.#incarnation = incarnation;
    this.#node = node;
    this.#writable = writable;
  }

  read(target: Uint8Array, targetStart: number, length: number, position: number): Promise<number> {
    return this.#operate(this.#disk.latency(this.#disk.settings.readLatencyUs), () => {
      this.#disk.throwFailure('read', this.path);
      return this.#node.cached.read(target, targetStart, length, position);
    });
  }

  write(chunks: readonly Uint8Array[], position: number): number {
    this.#assertOpen();
    let wanted = 0;
    for (const chunk of chunks) wanted += chunk.length;
    if (this.#incarnation.isDead || wanted === 0) return wanted;
    this.#assertWritable();
    this.#disk.throwFailure('write', this.path);
    const end = this.#reach(position + wanted);
    if (end <= position) throw new EnvError('NO_SPACE', `no space left to write ${this.path}`);
    let at = position;
    for (const chunk of chunks) {
      const part = chunk.length <= end - at ? chunk : chunk.subarray(0, end - at);
      if (part.length > 0) this.#node.write(part, at);
      at += part.length;
    }
    return at - position;
  }

  sync(beforeStart?: () => void): Promise<void> {
    beforeStart?.();
    const { mark } = this.#node;
    return this.#operate(this.#disk.latency(this.#disk.settings.syncLatencyUs), () => {
      const failure = this.#disk.failure('sync', this.path);
      if (failure === undefined) {
        this.#node.settle(mark);
        this.#disk.onOperation('synced', this.path);
        return;
      }
      // fsyncgate: the pages count as clean from here on.
      this.#node.drop(mark);
      throw failure;
    });
  }

  truncate(size: number): Promise<void> {
    const change = (): void => {
      const { size: before } = this.#node.cached;
      if (size > before && this.#disk.takeRoom(size - before) < size - before) {
        throw new EnvError('NO_SPACE', `no space left to extend ${this.path}`);
      }
      if (size < before) this.#disk.freeRoom(before - size);
      this.#node.truncate(size);
    };
    return this.#operate(
      this.#disk.latency(this.#disk.settings.metadataLatencyUs),
      () => {
        this.#assertWritable();
        this.#disk.throwFailure('write', this.path);
        change();
      },
      change,
    );
  }

  size(): Promise<number> {
    return this.#operate(this.#disk.latency(this.#disk.settings.metadataLatencyUs), () => this.#node.cached.size);
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#disk.operate(
      this.#incarnation,
      this.#disk.latency(this.#disk.settings.metadataLatencyUs),
      () => undefined,
    );
  }

  /** Takes the room that a write to `end` needs; returns how far it can reach. */
  #reach(end: number): number {
    const { size } = this.#node.cached;
    const missing = Math.max(0, end - size);
    const room = missing === 0 ? 0 : this.#disk.takeRoom(missing);
    return end - (missing - room);
  }

  #assertOpen(): void {
    if (!this.#isOpen) throw new EnvError('CLOSED', `${this.path} is closed`);
  }

  #assertWritable(): void {
    if (!this.#writable) throw new EnvError('PERMISSION', `${this.path} is open for reading`);
  }

  async #operate<T>(latencyUs: number, effect: () => T, interrupted?: () => void): Promise<T> {
    this.#assertOpen();
    return this.#disk.operate(this.#incarnation, latencyUs, effect, interrupted === undefined ? {} : { interrupted });
  }
}
