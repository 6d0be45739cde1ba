// Checks the batches of one segment after an unclean stop (D-10.1): CRC, magic, offsets that ascend, epochs that do not fall.
// What is read is at most one chunk or batch at a time, and the event loop runs in between.
import type { Epoch, Offset } from '../base/ids.ts';
import type { BatchHeader } from '../record/batch.ts';
import { scanBatches } from './batch-scan.ts';
import { unstorable } from './header-check.ts';
import type { LeaderEpochCache } from './leader-epoch-cache.ts';
import type { SegmentContent } from './segment.ts';

/** Indexes have offsets relative to the segment's, in 31 bits. */
const MAX_OFFSET_SPAN = 0x8000_0000;

export interface CheckedSegment {
  /** Of the batches that are good, which end at `position` of the file. */
  readonly endOffset: Offset;
  readonly position: number;
  /** What is wrong there; undefined at the end of the file. */
  readonly problem: string | undefined;
  /** Whether the batch there matches its CRC: it was not torn. */
  readonly isIntact: boolean;
  /** Position of the first good batch that reaches above the recovery point, `position` if none does. */
  readonly unsureFrom: number;
}

export interface CheckContext {
  readonly recoveryPoint: Offset;
  /** Of the batches checked so far; goes on with this segment's. */
  readonly epochs: LeaderEpochCache;
}

/** Checks the segment, and puts the batches that are good into its index. */
export async function checkBatches(
  { file, index, size }: SegmentContent,
  baseOffset: Offset,
  { recoveryPoint, epochs }: CheckContext,
): Promise<CheckedSegment> {
  let endOffset = baseOffset;
  let unsureFrom: number | undefined;
  let wrong: Problem | undefined;
  const end = await scanBatches(file, { from: 0, to: size, view: 'whole' }, (batch, position) => {
    wrong = problemOf(batch, { baseOffset, endOffset, latestEpoch: epochs.latestEpoch });
    if (wrong !== undefined) return false;
    endOffset = batch.nextOffset;
    if (endOffset > recoveryPoint) unsureFrom ??= position;
    index.add(batch, position);
    epochs.assign(batch.partitionLeaderEpoch, batch.baseOffset);
    return true;
  });
  return {
    endOffset,
    position: end.position,
    problem: wrong?.text ?? end.problem,
    isIntact: wrong?.isIntact ?? false,
    unsureFrom: unsureFrom ?? end.position,
  };
}

interface Problem {
  readonly text: string;
  readonly isIntact: boolean;
}

interface Before {
  /** Of the segment. */
  readonly baseOffset: Offset;
  /** Of the batch before, exclusive. */
  readonly endOffset: Offset;
  readonly latestEpoch: Epoch;
}

/** Base offset and leader epoch are not covered by the CRC: one that does not fit may as well be of the batch before. */
function problemOf(batch: BatchHeader, { baseOffset, endOffset, latestEpoch }: Before): Problem | undefined {
  if (batch.computeCrc() !== batch.crc) return { text: 'a batch does not match its CRC', isIntact: false };
  const { baseOffset: first, lastOffsetDelta, partitionLeaderEpoch } = batch;
  if (lastOffsetDelta < 0) return intact(`a batch has last offset delta ${lastOffsetDelta}`);
  if (first < endOffset) return intact(`a batch has offset ${first} after ${endOffset - 1}`);
  if (first + lastOffsetDelta - baseOffset >= MAX_OFFSET_SPAN) {
    return intact(`a batch has offset ${first} in a segment that begins with ${baseOffset}`);
  }
  const strange = unstorable(batch);
  if (strange !== undefined) return intact(strange);
  if (partitionLeaderEpoch >= latestEpoch) return undefined;
  return intact(`a batch has leader epoch ${partitionLeaderEpoch} after ${latestEpoch}`);
}

function intact(text: string): Problem {
  return { text, isIntact: true };
}
