// What a follower believes of the records that a leader sends (D-3.7): whole batches, intact by their CRC, that continue its log, with
// headers that a log can hold. Anything else is refused as a whole: nothing of it is appended.
import type { Epoch, Offset } from '../base/ids.ts';
import { unstorable } from '../log/header-check.ts';
import type { BatchHeader } from '../record/batch.ts';
import { scanBatch } from '../record/scan.ts';

/** Where the log of the follower ends, and who leads. */
export interface LogTip {
  readonly endOffset: Offset;
  /** Of the log; -1 if it knows none. */
  readonly latestEpoch: Epoch;
  /** In which the records were fetched: none of a later one can be among them. */
  readonly leaderEpoch: Epoch;
}

export type CheckedRun =
  /** Whole batches that may be appended; what follows them of a batch that was cut is left out (behaviour 32). */
  { readonly kind: 'run'; readonly bytes: Buffer } | { readonly kind: 'refused'; readonly reason: string };

/** A jump in the offsets larger than this fits into no index, and no compaction leaves one. */
const MAX_OFFSET_SPAN = 0x7fff_ffff;

/** Looks at every batch, at no record. `records` is not empty. */
export function checkRun(records: Buffer, { endOffset, latestEpoch, leaderEpoch }: LogTip): CheckedRun {
  let at = 0;
  let leastOffset = endOffset;
  let leastEpoch = latestEpoch;
  while (at < records.length) {
    const scan = scanBatch(records, at);
    if (scan.kind === 'malformed') return refused(scan.reason);
    if (scan.kind !== 'batch') break;
    const { batch } = scan;
    const reason = unfit(batch, leastOffset, leastEpoch, leaderEpoch);
    if (reason !== undefined) return refused(reason);
    at = batch.end;
    leastOffset = batch.nextOffset;
    leastEpoch = batch.partitionLeaderEpoch;
  }
  if (at === 0) return refused(`${records.length} bytes without a whole batch`);
  return { kind: 'run', bytes: at === records.length ? records : records.subarray(0, at) };
}

/**
 * Where a follower with an empty log has to begin to hold what the leader sends: with the whole batch, of which the leader's log starts in
 * the middle (D-9.1, KAFKA-6975). Undefined: where it begins.
 */
export function earlierStart(
  records: Buffer,
  { logStartOffset, logEndOffset }: { readonly logStartOffset: Offset; readonly logEndOffset: Offset },
): Offset | undefined {
  if (logStartOffset < logEndOffset) return undefined;
  const scan = scanBatch(records, 0);
  if (scan.kind !== 'batch') return undefined;
  const { baseOffset, lastOffset } = scan.batch;
  return 0 <= baseOffset && baseOffset < logEndOffset && logEndOffset <= lastOffset ? baseOffset : undefined;
}

function refused(reason: string): CheckedRun {
  return { kind: 'refused', reason };
}

function unfit(batch: BatchHeader, leastOffset: Offset, leastEpoch: Epoch, leaderEpoch: Epoch): string | undefined {
  const { baseOffset, lastOffset, lastOffsetDelta, recordsCount, partitionLeaderEpoch } = batch;
  if (!Number.isSafeInteger(baseOffset) || lastOffsetDelta < 0) {
    return `a batch has offsets ${baseOffset} to ${lastOffset}`;
  }
  if (baseOffset < leastOffset || lastOffset - leastOffset >= MAX_OFFSET_SPAN) {
    return `a batch has offsets ${baseOffset} to ${lastOffset}, the log ends at ${leastOffset}`;
  }
  if (partitionLeaderEpoch < leastEpoch || partitionLeaderEpoch > leaderEpoch) {
    return `the batch at offset ${baseOffset} is of leader epoch ${partitionLeaderEpoch}, after ${leastEpoch}, in ${leaderEpoch}`;
  }
  // Compaction may have taken records out of it.
  if (recordsCount < 0 || recordsCount > lastOffsetDelta + 1) {
    return `the batch at offset ${baseOffset} says that it has ${recordsCount} records`;
  }
  if (batch.compression === undefined) return `the batch at offset ${baseOffset} has a compression that nobody knows`;
  const wrong = unstorable(batch);
  if (wrong !== undefined) return wrong;
  return batch.computeCrc() === batch.crc ? undefined : `the batch at offset ${baseOffset} does not match its CRC`;
}
