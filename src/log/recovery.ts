// Checking the segments of a log after an unclean stop (D-10.1): every batch from the recovery point on, whole segments at a
// time; cut at the first torn one, with all later segments. What was durable and is gone or damaged is never repaired by
// cutting: EnvError CORRUPT with file and position, for the owner to take the log offline (D-10.2, D-10.4).
// Offsets ascend inside a segment, with gaps where compaction took records; it leaves the last batch of a segment, emptied if need be.
// So a segment begins where the one before ends, always: where it begins later, the end of the older one was lost.
import type { Offset } from '../base/ids.ts';
import type { Disk, DiskFile } from '../env/disk.ts';
import { EnvError } from '../env/error.ts';
import { readFully, writeFully } from './batch-scan.ts';
import { forgetFailedSync, hasFailedSync, syncOrNote } from './failed-sync.ts';
import type { EpochEntry } from './leader-epoch-cache.ts';
import { LeaderEpochCache } from './leader-epoch-cache.ts';
import type { Segment, SegmentContent } from './segment.ts';
import type { CheckedSegment } from './segment-check.ts';
import { checkBatches } from './segment-check.ts';
import type { BadBatch } from './tail-evidence.ts';
import { examine, findIntactBatchAfter, isWholeButForLength, usedEnd } from './tail-evidence.ts';

const REWRITE_BYTES = 1024 * 1024;

/** What the check found. */
export interface RecoveredSegments {
  /** Those that stay; the last one is open and empty if nothing of it is left. */
  readonly segments: Segment[];
  readonly logEndOffset: Offset;
  /** Of the batches checked. */
  readonly epochs: readonly EpochEntry[];
  /**
   * Bytes cut from the end of the log, and how many segments were removed with them. Zeros behind the last of other bytes do
   * not count: they are room that was made for records which never came.
   */
  readonly cutBytes: number;
  readonly removedSegments: number;
  /** Bytes of batches whose CRC was checked, and of those how many were written again after a failed sync. */
  readonly checkedBytes: number;
  readonly rewrittenBytes: number;
}

/** The work under way. */
interface Recovery {
  readonly disk: Disk;
  readonly directory: string;
  readonly segments: readonly Segment[];
  readonly recoveryPoint: Offset;
  /** Whether what is good above the recovery point is to be written again. */
  readonly rewrites: boolean;
  /** Of the batches checked. */
  readonly epochs: LeaderEpochCache;
  checkedBytes: number;
  rewrittenBytes: number;
}

/** Checks `segments` (all there are, in order) from the one at `first` on, and makes the result durable. */
export async function recoverSegments(
  disk: Disk,
  directory: string,
  segments: readonly Segment[],
  first: number,
  recoveryPoint: Offset,
): Promise<RecoveredSegments> {
  const rewrites = await hasFailedSync(disk, directory);
  const counts = { checkedBytes: 0, rewrittenBytes: 0 };
  const epochs = new LeaderEpochCache();
  const work: Recovery = { disk, directory, segments, recoveryPoint, rewrites, epochs, ...counts };
  const end = await checkSegments(work, first);
  if (rewrites) await forgetFailedSync(disk, directory);
  const { checkedBytes, rewrittenBytes } = work;
  return { ...end, epochs: epochs.entries, checkedBytes, rewrittenBytes };
}

type LogEnd = Pick<RecoveredSegments, 'segments' | 'logEndOffset' | 'cutBytes' | 'removedSegments'>;

async function checkSegments(work: Recovery, first: number): Promise<LogEnd> {
  const { segments, recoveryPoint } = work;
  let endOffset = (segments[first] as Segment).baseOffset;
  for (let i = first; i < segments.length; i++) {
    const segment = segments[i] as Segment;
    if (segment.baseOffset > endOffset) {
      // The end of the segment before did not survive, though this one's directory entry did.
      if (endOffset >= recoveryPoint) return cut(work, { last: i - 1, position: undefined, endOffset });
      throw lost(segments[i - 1] as Segment, endOffset, `${segment.path} begins with offset ${segment.baseOffset}`);
    }
    if (segment.baseOffset < endOffset) {
      const why = `the segment begins with offset ${segment.baseOffset}, but the one before reaches to ${endOffset}`;
      throw new EnvError('CORRUPT', `${segment.path} is damaged at position 0: ${why}`);
    }
    const content = await segment.open();
    const checked = await checkBatches(content, segment.baseOffset, work);
    endOffset = checked.endOffset;
    work.checkedBytes += checked.position;
    const next = segments[i + 1];
    const damaged = checked.problem !== undefined && !(await isRoomOnly(content, checked, { next, recoveryPoint }));
    if (damaged) await refuseIfNotTorn(work, i, content, checked);
    else if (checked.problem !== undefined) await trim(content, checked.position);
    await persist(work, content, checked);
    if (damaged) return cut(work, { last: i, position: checked.position, endOffset });
    if (next !== undefined) {
      content.index.seal();
      await segment.persistIndexes();
    }
  }
  if (endOffset < recoveryPoint) {
    throw lost(segments.at(-1) as Segment, endOffset, `the log was durable up to offset ${recoveryPoint}`);
  }
  await work.disk.syncDirectory(work.directory);
  return { segments: [...segments], logEndOffset: endOffset, cutBytes: 0, removedSegments: 0 };
}

function lost(last: Segment, endOffset: Offset, why: string): EnvError {
  const where = `${last.path} ends at position ${last.content.size} (offset ${endOffset})`;
  return new EnvError('CORRUPT', `${where}, but ${why}: acknowledged records are lost`);
}

interface Expected {
  readonly next: Segment | undefined;
  readonly recoveryPoint: Offset;
}

/** Whether nothing but zeros lies behind the good batches, and nothing is known to have been there. */
async function isRoomOnly(content: SegmentContent, checked: CheckedSegment, expected: Expected): Promise<boolean> {
  const { next, recoveryPoint } = expected;
  if (checked.endOffset < recoveryPoint || (next !== undefined && next.baseOffset !== checked.endOffset)) return false;
  return (await usedEnd(content.file, checked.position, content.size)) === checked.position;
}

async function trim(content: SegmentContent, size: number): Promise<void> {
  await content.file.truncate(size);
  content.size = size;
}

/** Makes durable what is good in a segment. */
async function persist(work: Recovery, { file }: SegmentContent, checked: CheckedSegment): Promise<void> {
  if (work.rewrites && checked.unsureFrom < checked.position) {
    work.rewrittenBytes += checked.position - checked.unsureFrom;
    await rewrite(file, checked.unsureFrom, checked.position);
  }
  await syncOrNote(work.disk, work.directory, file);
}

/** Writes what the file has in [from, to) to where it is, so that the next sync makes it durable. */
async function rewrite(file: DiskFile, from: number, to: number): Promise<void> {
  const buffer = Buffer.allocUnsafe(Math.min(REWRITE_BYTES, to - from));
  for (let at = from; at < to; ) {
    const count = await readFully(file, buffer, Math.min(buffer.length, to - at), at);
    if (count === 0) throw new EnvError('CORRUPT', `${file.path} ends at position ${at}, and had ${to} bytes before`);
    writeFully(file, buffer.subarray(0, count), at);
    at += count;
  }
}

async function refuseIfNotTorn(work: Recovery, i: number, content: SegmentContent, bad: CheckedSegment): Promise<void> {
  const { segments, recoveryPoint } = work;
  const { path } = segments[i] as Segment;
  const where = `${path} is damaged at position ${bad.position} (offset ${bad.endOffset}): ${bad.problem}`;
  if (bad.endOffset < recoveryPoint) {
    throw new EnvError('CORRUPT', `${where}; it was durable up to offset ${recoveryPoint}`);
  }
  if (bad.isIntact) throw new EnvError('CORRUPT', `${where}; no crash does that to a batch that matches its CRC`);
  const { file, size } = content;
  const batch: BadBatch = { file, size, position: bad.position, expectedOffset: bad.endOffset };
  const state = await examine(batch);
  if (state === 'partial') return;
  const intact = await findIntactBatchAfter(batch);
  if (intact === 'unclear') throw new EnvError('CORRUPT', `${where}; too much that follows looks like a batch`);
  if (intact !== undefined) throw new EnvError('CORRUPT', `${where}; an intact batch follows at position ${intact}`);
  if (state === 'cut-off' && !(await isWholeButForLength(batch))) return;
  for (const other of segments.slice(i + 1)) {
    const later = await other.open();
    const whole: BadBatch = { file: later.file, size: later.size, position: -1, expectedOffset: bad.endOffset };
    const found = await findIntactBatchAfter(whole);
    other.unload();
    if (found !== undefined) throw new EnvError('CORRUPT', `${where}; an intact batch follows in ${other.path}`);
  }
}

interface CutPoint {
  /** The last segment that stays. */
  readonly last: number;
  /** Where its good batches end; undefined where all of it is good, and durable. */
  readonly position: number | undefined;
  readonly endOffset: Offset;
}

/** Later segments go first: what is left after a crash in the middle is again a log with a torn end. */
async function cut(work: Recovery, { last, position, endOffset }: CutPoint): Promise<LogEnd> {
  const { disk, directory, segments } = work;
  const removed = segments.slice(last + 1);
  let cutBytes = 0;
  for (const segment of removed.toReversed()) {
    const { file, size } = await segment.open();
    cutBytes += await usedEnd(file, 0, size);
    await segment.remove();
  }
  await disk.syncDirectory(directory);
  const { content } = segments[last] as Segment;
  const end = position ?? content.size;
  cutBytes += (await usedEnd(content.file, end, content.size)) - end;
  await trim(content, end);
  await syncOrNote(disk, directory, content.file);
  return { segments: segments.slice(0, last + 1), logEndOffset: endOffset, cutBytes, removedSegments: removed.length };
}
