// Both indexes of a segment and the sparse rule that fills them, as Kafka's LogSegment.append does: an entry in each
// when more than index.interval.bytes were written since the last one, and the maximal timestamp at the end.
import type { Offset } from '../base/ids.ts';
import type { BatchHeader } from '../record/batch.ts';
import { OffsetIndex } from './offset-index.ts';
import type { TimestampOffset } from './time-index.ts';
import { TimeIndex } from './time-index.ts';

export class SegmentIndex {
  readonly offsets: OffsetIndex;
  readonly times: TimeIndex;
  /** index.interval.bytes when it was made; entries read from a file may be further apart. */
  readonly intervalBytes: number;
  #bytesSinceEntry = 0;
  /** Greatest timestamp so far and the last offset of the first batch that has it; -1 at the base offset if none. */
  #max: TimestampOffset;

  /** Given indexes must hold entries for a prefix of the segment's batches; `add` is then called from {@link resumeAt}. */
  constructor(baseOffset: Offset, intervalBytes: number, offsets?: OffsetIndex, times?: TimeIndex) {
    this.offsets = offsets ?? new OffsetIndex(baseOffset);
    this.times = times ?? new TimeIndex(baseOffset);
    this.intervalBytes = intervalBytes;
    this.#max = this.times.last();
  }

  get max(): TimestampOffset {
    return this.#max;
  }

  /** What both take in memory, room for more entries included. */
  get sizeInBytes(): number {
    return this.offsets.capacity + this.times.capacity;
  }

  /** Position of the batch from which `add` continues after a load or {@link prefix}: the last one with an entry. */
  get resumeAt(): number {
    return this.offsets.last().position;
  }

  /** Notes the batch that starts at `position`. */
  add(batch: BatchHeader, position: number): void {
    const { lastOffset, maxTimestamp, sizeInBytes } = batch;
    if (maxTimestamp > this.#max.timestamp) this.#max = { timestamp: maxTimestamp, offset: lastOffset };
    if (this.#bytesSinceEntry > this.intervalBytes) {
      this.offsets.append(lastOffset, position);
      this.times.maybeAppend(this.#max.timestamp, this.#max.offset);
      this.#bytesSinceEntry = 0;
    }
    this.#bytesSinceEntry += sizeInBytes;
  }

  /** The last entry of the time index is the segment's maximum, as Kafka writes it at roll and at close. */
  seal(): void {
    this.times.maybeAppend(this.#max.timestamp, this.#max.offset);
  }

  /** A copy that knows only the batches below `position`, which end at `endOffset`; go on at {@link resumeAt}. */
  prefix(position: number, endOffset: Offset): SegmentIndex {
    const { baseOffset } = this.offsets;
    const offsets = new OffsetIndex(baseOffset, Buffer.from(this.offsets.bytes));
    offsets.truncate(position);
    // The batch that a time entry stands for may lie after the last offset entry left: `add` meets it again.
    const times = new TimeIndex(baseOffset, Buffer.from(this.times.bytes));
    times.truncate(endOffset);
    return new SegmentIndex(baseOffset, this.intervalBytes, offsets, times);
  }
}
