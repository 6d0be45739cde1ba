// The node's committed image: replays what the quorum commits and tells those who follow (C-0.2, D-0). All in the call of
// `apply`, so that whoever awaits an offset or reads `image` afterwards sees it.
import { assert } from '../base/assert.ts';
import { Heap } from '../base/heap.ts';
import type { Epoch, Offset } from '../base/ids.ts';
import type { MetadataDelta } from './delta.ts';
import type { MetadataImage } from './image.ts';
import { EMPTY_IMAGE } from './image.ts';
import { decodeRecords } from './record.ts';
import { replay } from './replay.ts';

/** A committed batch as the quorum hands it over; `records` is empty for its own control batches. */
export interface CommittedBatch {
  readonly baseOffset: Offset;
  readonly endOffset: Offset;
  readonly epoch: Epoch;
  readonly records: readonly Uint8Array[];
}

/** Called after `image` has become current; `previous` is the image before the batch. */
export type ImageListener = (image: MetadataImage, delta: MetadataDelta, previous: MetadataImage) => void;

interface Waiter {
  readonly endOffset: Offset;
  readonly resolve: () => void;
}

export class MetadataPublisher {
  #image = EMPTY_IMAGE;
  readonly #listeners = new Set<ImageListener>();
  readonly #waiters = new Heap<Waiter>((a, b) => a.endOffset < b.endOffset);

  /** The newest committed image. */
  get image(): MetadataImage {
    return this.#image;
  }

  /** Takes the next committed batch. AssertionError if it is not the next or cannot be applied: fatal (C-0.4, R-9.4). */
  apply(batch: CommittedBatch): void {
    const previous = this.#image;
    assert(
      batch.baseOffset === previous.endOffset,
      () => `committed batch at ${batch.baseOffset} does not follow the image, which ends at ${previous.endOffset}`,
    );
    const { image, delta } = replay(previous, { ...batch, records: decodeRecords(batch.records, batch.baseOffset) });
    this.#image = image;
    for (const listener of this.#listeners) listener(image, delta, previous);
    for (let first = this.#waiters.peek(); first !== undefined; first = this.#waiters.peek()) {
      if (first.endOffset > image.endOffset) break;
      this.#waiters.pop();
      first.resolve();
    }
  }

  /** Calls the listener for each batch from now on, in order of subscription; returns what ends that. */
  subscribe(listener: ImageListener): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Resolves when the image shows everything below `endOffset`; at once if it does. Never rejects. */
  whenAt(endOffset: Offset): Promise<void> {
    if (this.#image.endOffset >= endOffset) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiters.push({ endOffset, resolve });
    });
  }
}
