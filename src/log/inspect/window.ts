// A window over a file: views of any stretch of it, while only about a chunk of it is in memory.
import type { DiskFile } from '../../env/disk.ts';
import { readFully } from '../batch-scan.ts';

const CHUNK_BYTES = 1 << 20;

export class FileWindow {
  readonly size: number;
  readonly #file: DiskFile;
  #buffer: Buffer = Buffer.alloc(0);
  #start = 0;
  #filled = 0;

  /** Over the first `size` bytes: what is appended meanwhile stays out of sight. */
  constructor(file: DiskFile, size: number) {
    this.#file = file;
    this.size = size;
  }

  /** The bytes from `position` on, fewer than `length` only at the end. Valid until the next call. */
  async view(position: number, length: number): Promise<Buffer> {
    const end = Math.min(position + length, this.size);
    if (position < this.#start || end > this.#start + this.#filled) await this.#load(position, end);
    const from = position - this.#start;
    return this.#buffer.subarray(from, Math.max(from, Math.min(end - this.#start, this.#filled)));
  }

  async #load(position: number, end: number): Promise<void> {
    const wanted = Math.max(end - position, Math.min(CHUNK_BYTES, this.size - position));
    // Memory of a large batch is not kept for the small ones that follow.
    if (wanted > this.#buffer.length || this.#buffer.length > Math.max(wanted, CHUNK_BYTES)) {
      this.#buffer = Buffer.allocUnsafeSlow(wanted);
    }
    this.#start = position;
    this.#filled = await readFully(this.#file, this.#buffer, wanted, position);
  }
}
