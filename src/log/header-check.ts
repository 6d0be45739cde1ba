// Whether a batch can be what its header says where it lies. For whoever looks at headers alone, after a clean stop, where no CRC is
// computed: rot must not lead into indexes and states that cannot hold it (D-10.2).
import type { Offset } from '../base/ids.ts';
import type { BatchHeader } from '../record/batch.ts';
import { NO_PRODUCER_ID } from '../record/batch.ts';

/** Indexes have offsets relative to the segment's, in 31 bits. */
const MAX_OFFSET_SPAN = 0x8000_0000;

/**
 * What is wrong with a batch of the segment that begins with `segmentBase`, behind which `leastOffset` is the lowest that may
 * follow; undefined if nothing can be said against it.
 */
export function misfit(batch: BatchHeader, segmentBase: Offset, leastOffset: Offset): string | undefined {
  const { baseOffset, lastOffset } = batch;
  if (baseOffset < leastOffset || lastOffset < baseOffset || lastOffset - segmentBase >= MAX_OFFSET_SPAN) {
    return `a batch has offsets ${baseOffset} to ${lastOffset}, where ${leastOffset} is the least that may follow`;
  }
  return unstorable(batch);
}

/** A number that no broker lets pass and nothing that is derived from batches can hold; undefined if there is none. */
export function unstorable({ maxTimestamp, producerId, partitionLeaderEpoch }: BatchHeader): string | undefined {
  if (partitionLeaderEpoch < 0) return `a batch has leader epoch ${partitionLeaderEpoch}`;
  if (!Number.isSafeInteger(maxTimestamp)) return `a batch has timestamp ${maxTimestamp}`;
  if (producerId < NO_PRODUCER_ID || !Number.isSafeInteger(producerId)) return `a batch has producer id ${producerId}`;
  return undefined;
}
