// Cuts a byte stream into Kafka's frames (an int32 size, then so many bytes). Each frame is copied once, into memory of
// its own unless the owner says otherwise, since chunks are the network's and are gone after the call.
import { BytesError } from '../base/bytes.ts';

export class FrameSplitter {
  readonly #maxBytes: number;
  readonly #allocate: (size: number) => Buffer;
  readonly #size = Buffer.alloc(4);
  #sizeBytes = 0;
  #frame: Buffer | undefined;
  #filled = 0;

  /** Frames above `maxBytes` are refused before memory is taken for them; `allocate` gives exactly what it is asked for. */
  constructor(maxBytes: number, allocate = (size: number): Buffer => Buffer.allocUnsafe(size)) {
    this.#maxBytes = maxBytes;
    this.#allocate = allocate;
  }

  /** Takes the next bytes and hands over each frame that they complete, without its size. BytesError for a bad size. */
  push(chunk: Buffer, deliver: (frame: Buffer) => void): void {
    let at = 0;
    while (at < chunk.length) {
      at = this.#frame === undefined ? this.#takeSize(chunk, at) : this.#takeBytes(this.#frame, chunk, at);
      const frame = this.#frame;
      if (frame === undefined || this.#filled < frame.length) continue;
      this.#frame = undefined;
      this.#sizeBytes = 0;
      deliver(frame);
    }
  }

  #takeSize(chunk: Buffer, at: number): number {
    const count = Math.min(4 - this.#sizeBytes, chunk.length - at);
    chunk.copy(this.#size, this.#sizeBytes, at, at + count);
    this.#sizeBytes += count;
    if (this.#sizeBytes === 4) {
      const size = this.#size.readInt32BE(0);
      if (size <= 0 || size > this.#maxBytes)
        throw new BytesError(`frame of ${size} bytes, 1 to ${this.#maxBytes} allowed`);
      this.#frame = this.#allocate(size);
      this.#filled = 0;
    }
    return at + count;
  }

  #takeBytes(frame: Buffer, chunk: Buffer, at: number): number {
    const count = Math.min(frame.length - this.#filled, chunk.length - at);
    chunk.copy(frame, this.#filled, at, at + count);
    this.#filled += count;
    return at + count;
  }
}
