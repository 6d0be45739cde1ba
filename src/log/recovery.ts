// Checking the segments of a log after an unclean stop (D-10.1): every batch from the recovery point on, whole segments at a
// time; cut at the first torn one, with all later segments. What was durable and is gone or damaged is never repaired by
// cutting: EnvError CORRUPT with file and position, for the owner to take the log offline (D-10.2, D-10.4).
import type { Epoch, Offset } from '../base/ids.ts';
import type { Disk } from '../env/disk.ts';
import { EnvError } from '../env/error.ts';
import type { BatchHeader } from '../record/batch.ts';
import { scanBatches, writeFully } from './batch-scan.ts';
import type { EpochEntry } from './leader-epoch-cache.ts';
import { LeaderEpochCache } from './leader-epoch-cache.ts';
import type { Segment } from './segment.ts';
import type { BadBatch } from './tail-evidence.ts';
import { examine, findIntactBatchAfter } from './tail-evidence.ts';

/** What the check found. */
export interface RecoveredSegments {
  /** Those that stay; the last one is open and empty if nothing of it is left. */
  readonly segments: Segment[];
  readonly logEndOffset: Offset;
  /** Of the batches checked. */
  readonly epochs: readonly EpochEntry[];
  /** Bytes cut from the end of the log, and how many segments were removed with them. */
  readonly cutBytes: number;
  readonly removedSegments: number;
}

/** Checks `segments` (all there are, in order) from the one at `first` on, and makes the result durable. */
export async function recoverSegments(
  disk: Disk,
  directory: string,
  segments: readonly Segment[],
  first: number,
  recoveryPoint: Offset,
): Promise<RecoveredSegments> {
  const epochs = new LeaderEpochCache();
  let endOffset = (segments[first] as Segment).baseOffset;
  for (let i = first; i < segments.length; i++) {
    const segment = segments[i] as Segment;
    // The end of the segment before did not survive, though this one's directory entry did.
    if (segment.baseOffset > endOffset && endOffset >= recoveryPoint) {
      return cut(disk, directory, { segments, last: i - 1, position: undefined, endOffset, epochs });
    }
    if (segment.baseOffset !== endOffset)
      throw lost(segment.path, endOffset, `the segment begins with offset ${segment.baseOffset}`);
    const checked = await checkSegment(segment, { startOffset: endOffset, recoveryPoint, epochs });
    endOffset = checked.endOffset;
    if (checked.problem !== undefined) {
      const later = segments.slice(i + 1);
      await refuseIfNotTorn(segment, { ...checked, problem: checked.problem }, later, recoveryPoint);
      return cut(disk, directory, { segments, last: i, position: checked.position, endOffset, epochs });
    }
    await segment.content.file.sync();
    if (i + 1 < segments.length) {
      segment.content.index.seal();
      await segment.persistIndexes();
    }
  }
  if (endOffset < recoveryPoint) throw lost(directory, endOffset, `it was durable up to offset ${recoveryPoint}`);
  await disk.syncDirectory(directory);
  return { segments: [...segments], logEndOffset: endOffset, epochs: epochs.entries, cutBytes: 0, removedSegments: 0 };
}

function lost(path: string, endOffset: Offset, why: string): EnvError {
  return new EnvError(
    'CORRUPT',
    `${path}: the log ends at offset ${endOffset}, but ${why}: acknowledged records are lost`,
  );
}

interface CheckedSegment {
  /** Of the batches that are good, which end at `position` of the file. */
  readonly endOffset: Offset;
  readonly position: number;
  readonly problem: string | undefined;
}

interface CheckStart {
  readonly startOffset: Offset;
  readonly recoveryPoint: Offset;
  /** Of the batches checked so far. */
  readonly epochs: LeaderEpochCache;
}

/**
 * Opens the segment and checks its batches; those that are good are in its index. Good ones above the recovery point are
 * written again: after a failed sync the page cache may hold, as clean, what the disk does not have.
 */
async function checkSegment(segment: Segment, start: CheckStart): Promise<CheckedSegment> {
  const { file, index, size } = await segment.open();
  let endOffset = start.startOffset;
  let wrong: string | undefined;
  const end = await scanBatches(file, { from: 0, to: size, view: 'whole' }, (batch, position) => {
    wrong = problemOf(batch, endOffset, start.epochs.latestEpoch);
    if (wrong !== undefined) return false;
    if (batch.nextOffset > start.recoveryPoint) writeFully(file, batch.bytes, position);
    index.add(batch, position);
    start.epochs.assign(batch.partitionLeaderEpoch, batch.baseOffset);
    endOffset = batch.nextOffset;
    return true;
  });
  return { endOffset, position: end.position, problem: wrong ?? end.problem };
}

function problemOf(batch: BatchHeader, expectedOffset: Offset, latestEpoch: Epoch): string | undefined {
  if (batch.computeCrc() !== batch.crc) return 'a batch does not match its CRC';
  if (batch.baseOffset !== expectedOffset) return `a batch has offset ${batch.baseOffset} instead of ${expectedOffset}`;
  if (batch.lastOffsetDelta < 0) return `a batch has last offset delta ${batch.lastOffsetDelta}`;
  if (batch.partitionLeaderEpoch < latestEpoch) {
    return `a batch has leader epoch ${batch.partitionLeaderEpoch} after ${latestEpoch}`;
  }
  return undefined;
}

async function refuseIfNotTorn(
  segment: Segment,
  bad: CheckedSegment & { readonly problem: string },
  later: readonly Segment[],
  recoveryPoint: Offset,
): Promise<void> {
  const where = `${segment.path} is damaged at position ${bad.position} (offset ${bad.endOffset}): ${bad.problem}`;
  if (bad.endOffset < recoveryPoint) {
    throw new EnvError('CORRUPT', `${where}; it was durable up to offset ${recoveryPoint}`);
  }
  const { file, size } = segment.content;
  const batch: BadBatch = { file, size, position: bad.position, expectedOffset: bad.endOffset };
  const state = await examine(batch);
  if (state === 'partial') return;
  const intact = await findIntactBatchAfter(batch);
  if (intact !== undefined) throw new EnvError('CORRUPT', `${where}; an intact batch follows at position ${intact}`);
  if (state === 'cut-off') return;
  for (const other of later) {
    const content = await other.open();
    const whole: BadBatch = { file: content.file, size: content.size, position: -1, expectedOffset: bad.endOffset };
    const found = await findIntactBatchAfter(whole);
    await other.close();
    if (found !== undefined) throw new EnvError('CORRUPT', `${where}; an intact batch follows in ${other.path}`);
  }
}

interface CutPoint {
  readonly segments: readonly Segment[];
  /** The last segment that stays. */
  readonly last: number;
  /** Where its good batches end; undefined where all of it is good. */
  readonly position: number | undefined;
  readonly endOffset: Offset;
  readonly epochs: LeaderEpochCache;
}

/** Later segments go first: what is left after a crash in the middle is again a log with a torn end. */
async function cut(disk: Disk, directory: string, point: CutPoint): Promise<RecoveredSegments> {
  const removed = point.segments.slice(point.last + 1);
  let cutBytes = 0;
  for (const segment of removed.toReversed()) {
    cutBytes += (await segment.open()).size;
    await segment.remove();
  }
  await disk.syncDirectory(directory);
  const { content } = point.segments[point.last] as Segment;
  const position = point.position ?? content.size;
  cutBytes += content.size - position;
  await content.file.truncate(position);
  content.size = position;
  await content.file.sync();
  return {
    segments: point.segments.slice(0, point.last + 1),
    logEndOffset: point.endOffset,
    epochs: point.epochs.entries,
    cutBytes,
    removedSegments: removed.length,
  };
}
