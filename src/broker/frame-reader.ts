// Cuts a byte stream into frames: an int32 size, then that many bytes. The stream's chunks are valid during the call only, so a
// frame is copied once, into a buffer of the pool. Memory grows with the bytes that came, not with the size that was announced.
import type { FramePool } from './frame-pool.ts';

/** Frames up to this size get their buffer at once. */
const TRUSTED_BYTES = 1024 * 1024;

export interface Frame {
  /** Owned until given back to the pool. */
  readonly buffer: Buffer;
  /** The frame is the first `size` bytes of the buffer. */
  readonly size: number;
}

export class FrameReader {
  readonly #pool: FramePool;
  readonly #maxBytes: number;
  readonly #size = Buffer.alloc(4);
  #sizeBytes = 0;
  #frame: Buffer | undefined;
  #wanted = 0;
  #filled = 0;

  constructor(pool: FramePool, maxBytes: number) {
    this.#pool = pool;
    this.#maxBytes = maxBytes;
  }

  /** Takes a chunk and hands out the frames it completes. Returns why the stream must be closed, if it must (behaviour 4). */
  read(chunk: Buffer, onFrame: (frame: Frame) => void): string | undefined {
    let at = 0;
    while (at < chunk.length) {
      if (this.#frame === undefined) {
        const count = Math.min(4 - this.#sizeBytes, chunk.length - at);
        chunk.copy(this.#size, this.#sizeBytes, at, at + count);
        this.#sizeBytes += count;
        at += count;
        if (this.#sizeBytes < 4) break;
        this.#sizeBytes = 0;
        this.#wanted = this.#size.readInt32BE(0);
        if (this.#wanted <= 0) return `a frame of ${this.#wanted} bytes`;
        if (this.#wanted > this.#maxBytes) {
          return `a frame of ${this.#wanted} bytes, socket.request.max.bytes is ${this.#maxBytes}`;
        }
        this.#frame = this.#pool.take(Math.min(this.#wanted, TRUSTED_BYTES));
        this.#filled = 0;
      }
      at += this.#fill(chunk, at);
      if (this.#filled === this.#wanted) {
        const frame = { buffer: this.#frame, size: this.#wanted };
        this.#frame = undefined;
        onFrame(frame);
      }
    }
    return undefined;
  }

  #fill(chunk: Buffer, at: number): number {
    const count = Math.min(this.#wanted - this.#filled, chunk.length - at);
    let frame = this.#frame as Buffer;
    if (this.#filled + count > frame.length) {
      const bigger = this.#pool.take(Math.min(this.#wanted, Math.max(this.#filled + count, frame.length * 2)));
      frame.copy(bigger, 0, 0, this.#filled);
      this.#pool.giveBack(frame);
      frame = bigger;
      this.#frame = bigger;
    }
    chunk.copy(frame, this.#filled, at, at + count);
    this.#filled += count;
    return count;
  }
}
