// What this leader has appended and not seen committed: bounded, so that a quorum without a majority does not fill the memory of
// its leader, and a follower has only so much to catch up.
import type { Offset } from '../base/ids.ts';
import { MAX_UNCOMMITTED_BATCHES, MAX_UNCOMMITTED_BYTES } from './limits.ts';

export class Uncommitted {
  #batches: { readonly endOffset: Offset; readonly bytes: number }[] = [];
  /** Batches at the front that are committed. */
  #done = 0;
  #bytes = 0;

  /** Nothing more should be taken on. */
  get isFull(): boolean {
    return this.#batches.length - this.#done >= MAX_UNCOMMITTED_BATCHES || this.#bytes >= MAX_UNCOMMITTED_BYTES;
  }

  appended(endOffset: Offset, bytes: number): void {
    this.#batches.push({ endOffset, bytes });
    this.#bytes += bytes;
  }

  committed(highWatermark: Offset): void {
    for (let batch = this.#batches[this.#done]; batch !== undefined; batch = this.#batches[this.#done]) {
      if (batch.endOffset > highWatermark) break;
      this.#bytes -= batch.bytes;
      this.#done++;
    }
    if (this.#done < 1000 && this.#done < this.#batches.length) return;
    this.#batches.splice(0, this.#done);
    this.#done = 0;
  }

  /** The leadership is over: whatever it was, it is not this node's any more. */
  clear(): void {
    this.#batches = [];
    this.#done = 0;
    this.#bytes = 0;
  }
}
