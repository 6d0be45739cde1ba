// Where each epoch of the log begins (D-1), derived from the batches. Epochs and start offsets both strictly increase, but
// for the anchor: the epoch of the record before the log start, where the log does not begin at 0.
import type { Epoch, Offset } from '../base/ids.ts';

export interface EpochEnd {
  readonly epoch: Epoch;
  /** Exclusive. */
  readonly endOffset: Offset;
}

export class EpochCache {
  readonly #epochs: Epoch[] = [];
  readonly #starts: Offset[] = [];
  /** 1 if entry 0 is the anchor: it starts at the log start, or before it, and is never cut. */
  #anchors: 0 | 1 = 0;

  /** Epoch of the last entry, 0 if there is none: no batch has epoch 0. */
  get lastEpoch(): Epoch {
    return this.#epochs.at(-1) ?? 0;
  }

  /** D-1.1: a batch of `epoch` lies at `startOffset`; a new entry if it is the epoch's first. Both never go down. */
  assign(epoch: Epoch, startOffset: Offset): void {
    if (epoch <= this.lastEpoch) return;
    this.#epochs.push(epoch);
    this.#starts.push(startOffset);
  }

  /** D-1.3: drops entries that start at or after `endOffset`. */
  truncate(endOffset: Offset): void {
    while (this.#starts.length > this.#anchors && (this.#starts.at(-1) ?? -1) >= endOffset) {
      this.#starts.pop();
      this.#epochs.pop();
    }
  }

  /** the log begins at `startOffset` now, after a record of `startEpoch`. */
  trim(startOffset: Offset, startEpoch: Epoch): void {
    let gone = 0;
    while (gone < this.#starts.length && (this.#starts[gone] ?? 0) < startOffset) gone++;
    this.#starts.splice(0, gone, startOffset);
    this.#epochs.splice(0, gone, startEpoch);
    this.#anchors = 1;
  }

  /** the log holds nothing, and continues at `startOffset`, after a record of `startEpoch`. */
  reset(startOffset: Offset, startEpoch: Epoch): void {
    this.#starts.length = 0;
    this.#epochs.length = 0;
    this.trim(startOffset, startEpoch);
  }

  /** Epoch of the record before `offset`, which lies at or above the log start; 0 if there is none. */
  epochBefore(offset: Offset): Epoch {
    let above = this.#epochs.length - 1;
    while (above >= this.#anchors && (this.#starts[above] ?? 0) >= offset) above--;
    return this.#epochs[above] ?? 0;
  }

  /**
   * D-1.2, R-6.2: the largest epoch <= `epoch` that the log has, and where it ends. Where every entry is of a higher
   * epoch: `epoch` itself, ending where the log begins (its first entry's start, `logEndOffset` if it is empty).
   */
  endOffsetFor(epoch: Epoch, logEndOffset: Offset): EpochEnd {
    let above = this.#epochs.length;
    let low = 0;
    while (low < above) {
      const middle = (low + above) >>> 1;
      if ((this.#epochs[middle] ?? 0) > epoch) above = middle;
      else low = middle + 1;
    }
    return { epoch: this.#epochs[above - 1] ?? epoch, endOffset: this.#starts[above] ?? logEndOffset };
  }
}
