// Write-behind of small appends: those that wait for the same sync are gathered in memory and go to their file with one write.
// What is staged is lost when the process ends, so nothing that is acknowledged may rest on it. Memory is taken when the first
// chunk comes and given back with the write: an idle file holds none, and none is fresh once the pool has been filled.
import type { DiskFile } from '../env/disk.ts';
import { writeFully } from './batch-scan.ts';

/** Holds what some hundred small appends bring. */
const BUFFER_BYTES = 128 * 1024;
/** A chunk that is larger is worth a write of its own. */
const MAX_CHUNK_BYTES = 16 * 1024;
/** Budget: 8 MiB. Files that find no memory write at once. */
const MAX_BUFFERS = 64;

/** Shared by all files of a broker. */
export class StagingMemory {
  readonly #free: Buffer[] = [];
  #made = 0;

  take(): Buffer | undefined {
    const free = this.#free.pop();
    if (free !== undefined || this.#made === MAX_BUFFERS) return free;
    this.#made += 1;
    return Buffer.allocUnsafeSlow(BUFFER_BYTES);
  }

  giveBack(buffer: Buffer): void {
    this.#free.push(buffer);
  }
}

/** One run of bytes of one file. */
export class Staging {
  readonly #memory: StagingMemory;
  #bytes: Buffer | undefined;
  #length = 0;
  /** Where it is to go, if there is any. */
  position = 0;

  constructor(memory: StagingMemory) {
    this.#memory = memory;
  }

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /** Copies the chunk behind what is here; false, and nothing, if it does not belong there or finds no room. */
  add(chunk: Uint8Array, position: number): boolean {
    if (chunk.length > MAX_CHUNK_BYTES) return false;
    if (this.#bytes === undefined) {
      this.#bytes = this.#memory.take();
      this.position = position;
    }
    const bytes = this.#bytes;
    if (bytes === undefined || position !== this.position + this.#length) return false;
    if (this.#length + chunk.length > bytes.length) return false;
    bytes.set(chunk, this.#length);
    this.#length += chunk.length;
    return true;
  }

  /** Writes what is here, and holds nothing afterwards, whether that worked or not; without a file it is dropped. EnvError. */
  writeTo(file: DiskFile | undefined): void {
    const bytes = this.#bytes;
    if (bytes === undefined) return;
    const staged = bytes.subarray(0, this.#length);
    this.#bytes = undefined;
    this.#length = 0;
    try {
      if (file !== undefined) writeFully(file, staged, this.position);
    } finally {
      this.#memory.giveBack(bytes);
    }
  }
}
