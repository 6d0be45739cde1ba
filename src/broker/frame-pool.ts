// Buffers for request frames, used again: fresh memory is the dominant cost of receiving. A frame goes back when its request
// is answered, so handlers must not keep views of it beyond that.

const SMALLEST = 4096;
const LARGEST = 4 * 1024 * 1024;

export class FramePool {
  /** Free buffers by size class; a class is SMALLEST * 2^i bytes. */
  readonly #free: Buffer[][] = [];
  #bytes = 0;
  readonly #budget: number;

  /** Keeps at most `budget` bytes for use again. */
  constructor(budget: number) {
    this.#budget = budget;
    for (let size = SMALLEST; size <= LARGEST; size *= 2) this.#free.push([]);
  }

  /** At least `size` bytes, not cleared. */
  take(size: number): Buffer {
    if (size < SMALLEST / 2 || size > LARGEST) return Buffer.allocUnsafe(size);
    const index = sizeClass(size);
    const reused = this.#free[index]?.pop();
    if (reused === undefined) return Buffer.allocUnsafeSlow(SMALLEST * 2 ** index);
    this.#bytes -= reused.length;
    return reused;
  }

  giveBack(buffer: Buffer): void {
    if (buffer.length < SMALLEST || buffer.length > LARGEST || this.#bytes + buffer.length > this.#budget) return;
    this.#bytes += buffer.length;
    this.#free[sizeClass(buffer.length)]?.push(buffer);
  }
}

function sizeClass(size: number): number {
  return size <= SMALLEST ? 0 : 32 - Math.clz32((size - 1) >>> 12);
}
