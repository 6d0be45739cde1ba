// Buffers for request frames and for records on their way out, used again: fresh memory is the dominant cost of moving bytes.
// A frame goes back when its request is answered, so handlers must not keep views of it beyond that; what was read for a
// response goes back when the response has left.

const SMALLEST = 4096;
const LARGEST = 4 * 1024 * 1024;

export class FramePool {
  /** Free buffers by size class; a class is SMALLEST * 2^i bytes. */
  readonly #free: Buffer[][] = [];
  #bytes = 0;
  readonly #budget: number;
  /** By the memory of each buffer that is lent. */
  readonly #lent = new WeakMap<ArrayBufferLike, Buffer>();

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

  /** Exactly `size` bytes, to be given back by whoever has any view of them; or forgotten, then they are garbage. */
  lend(size: number): Buffer {
    const buffer = this.take(size);
    if (isPooled(buffer)) this.#lent.set(buffer.buffer, buffer);
    return buffer.length === size ? buffer : buffer.subarray(0, size);
  }

  /** Whether the memory behind a view is lent. */
  isLent(view: Buffer): boolean {
    return this.#lent.has(view.buffer);
  }

  /** Ends the loan of the memory behind a view, if it is one: no view of it may be used any more. */
  takeBack(view: Buffer): void {
    const buffer = this.#lent.get(view.buffer);
    if (buffer === undefined) return;
    this.#lent.delete(view.buffer);
    this.giveBack(buffer);
  }

  giveBack(buffer: Buffer): void {
    if (!isPooled(buffer) || this.#bytes + buffer.length > this.#budget) return;
    this.#bytes += buffer.length;
    this.#free[sizeClass(buffer.length)]?.push(buffer);
  }
}

/** Of a whole buffer: smaller ones are slices of what node keeps for them, larger ones are rare. */
function isPooled(buffer: Buffer): boolean {
  return buffer.length >= SMALLEST && buffer.length <= LARGEST;
}

function sizeClass(size: number): number {
  return size <= SMALLEST ? 0 : 32 - Math.clz32((size - 1) >>> 12);
}
