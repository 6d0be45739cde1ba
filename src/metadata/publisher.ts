// The node's committed image: replays what the quorum commits, or starts over from a snapshot, and tells those who follow
// (C-0.2, D-0, R-9.1). They are told in the step in which the image changes, so that whoever awaits an offset or reads `image`
// afterwards sees it.
import { assert } from '../base/assert.ts';
import { Heap } from '../base/heap.ts';
import type { Epoch, Offset } from '../base/ids.ts';
import type { MetadataDelta } from './delta.ts';
import type { MetadataImage } from './image.ts';
import { EMPTY_IMAGE } from './image.ts';
import { ImageBuilder } from './image-builder.ts';
import { snapshotRecords } from './image-records.ts';
import { decodeRecord, decodeRecords, encodeRecord } from './record.ts';
import { replay } from './replay.ts';

/** A committed batch as the quorum hands it over; `records` is empty for its own control batches. */
export interface CommittedBatch {
  readonly baseOffset: Offset;
  readonly endOffset: Offset;
  readonly epoch: Epoch;
  readonly records: readonly Uint8Array[];
}

/** What a snapshot shows: everything below `endOffset`, whose last record is of `epoch`. */
export interface SnapshotEnd {
  readonly endOffset: Offset;
  readonly epoch: Epoch;
}

/** Called after `image` has become current; `previous` is the image before the batch or the snapshot. */
export type ImageListener = (image: MetadataImage, delta: MetadataDelta, previous: MetadataImage) => void;

interface Waiter {
  readonly endOffset: Offset;
  readonly resolve: () => void;
}

export class MetadataPublisher {
  #image = EMPTY_IMAGE;
  #isLoading = false;
  readonly #listeners = new Set<ImageListener>();
  readonly #waiters = new Heap<Waiter>((a, b) => a.endOffset < b.endOffset);

  /** The newest committed image. */
  get image(): MetadataImage {
    return this.#image;
  }

  /** Whether a snapshot is on its way in. */
  get isLoading(): boolean {
    return this.#isLoading;
  }

  /** Takes the next committed batch. AssertionError if it is not the next or cannot be applied: fatal (C-0.4, R-9.4). */
  apply(batch: CommittedBatch): void {
    const previous = this.#image;
    assert(!this.#isLoading, 'a batch is committed while a snapshot is loaded');
    assert(
      batch.baseOffset === previous.endOffset,
      () => `committed batch at ${batch.baseOffset} does not follow the image, which ends at ${previous.endOffset}`,
    );
    const { image, delta } = replay(previous, { ...batch, records: decodeRecords(batch.records, batch.baseOffset) });
    this.#publish(image, delta);
  }

  /**
   * Starts over from a snapshot: `chunks` are its records in order, each chunk a few milliseconds of work, whose source lets
   * others run in between. The image changes once, at the end; until then nothing may be applied. AssertionError if the
   * records make no image or an older one than the present: fatal. What `chunks` throws is thrown on.
   */
  async load({ endOffset, epoch }: SnapshotEnd, chunks: AsyncIterable<readonly Uint8Array[]>): Promise<void> {
    assert(!this.#isLoading, 'a snapshot is loaded while another one is');
    const present = this.#image.endOffset;
    assert(
      endOffset >= present,
      () => `a snapshot that ends at ${endOffset} replaces an image that ends at ${present}`,
    );
    this.#isLoading = true;
    try {
      const builder = new ImageBuilder(this.#image);
      let position = 0;
      for await (const chunk of chunks) {
        for (const bytes of chunk) builder.add(decodeRecord(bytes, position++));
      }
      const { image, delta } = builder.finish(endOffset, epoch);
      this.#publish(image, delta);
    } finally {
      this.#isLoading = false;
    }
  }

  /** The records of a snapshot of the present image, made as they are asked for: later changes do not touch them. */
  snapshot(): Iterable<Uint8Array> {
    return encoded(this.#image);
  }

  #publish(image: MetadataImage, delta: MetadataDelta): void {
    const previous = this.#image;
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

function* encoded(image: MetadataImage): Generator<Uint8Array, void, undefined> {
  for (const record of snapshotRecords(image)) yield encodeRecord(record);
}
