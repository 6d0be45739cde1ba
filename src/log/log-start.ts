// Where a log starts (D-9.1), and the removal of what lies below (D-9.2). Order: what stays is durable, the new start is
// noted durably, then everything in memory changes at once, then the files go, oldest first. A batch that straddles the
// start stays until its segment goes, and so does the active segment.
import { assert } from '../base/assert.ts';
import type { Offset } from '../base/ids.ts';
import type { Disk } from '../env/disk.ts';
import { EnvError } from '../env/error.ts';
import { writeEpochs } from './epoch-checkpoint.ts';
import { filePrefix, snapshotPath } from './file-names.ts';
import { flushLog } from './flush.ts';
import type { LogState } from './log-state.ts';
import { checkNotClosed, failLog, segmentIndexFor } from './log-state.ts';
import type { Segment } from './segment.ts';

/** Segments that are gone, with offsets startOffset <= o < endOffset. */
export interface RemovedHead {
  readonly count: number;
  readonly bytes: number;
  readonly startOffset: Offset;
  readonly endOffset: Offset;
}

/**
 * Moves the start of the log up to `wanted`, which is committed, and removes the segments that lie wholly below. Does not
 * go back: with a lower offset, only what is left of an earlier removal goes. Nothing else may take bytes away meanwhile.
 * `noteLogStart`: see LogHooks. Returns what went, if anything did. EnvError; the log is fenced then.
 */
export async function moveLogStart(
  state: LogState,
  wanted: Offset,
  noteLogStart: (offset: Offset) => Promise<void>,
): Promise<RemovedHead | undefined> {
  checkNotClosed(state);
  if (state.syncFailure !== undefined) throw state.syncFailure;
  // What was committed when this was asked for may have been truncated since, where an unclean election allowed it.
  const offset = Math.min(wanted, state.logEndOffset);
  // A log may not start, after a crash, where it does not reach to; nor lose the producers of what it loses.
  const isUnsynced = state.flushedEndOffset < offset || state.rolled.some(({ endOffset }) => endOffset <= offset);
  if (isUnsynced) await flushLog(state);
  try {
    if (offset > state.logStartOffset) {
      await noteLogStart(offset);
      state.logStartOffset = offset;
      if (state.epochs.truncateFromStart(offset)) state.epochsChanged = true; // D-1.3
    }
    return await removeHead(state);
  } catch (error) {
    if (error instanceof EnvError) failLog(state, 'sync', error);
    throw error;
  }
}

async function removeHead(state: LogState): Promise<RemovedHead | undefined> {
  const { directory, deps } = state;
  const count = segmentIndexFor(state, state.logStartOffset);
  if (count === 0) return undefined;
  const removed = state.segments.slice(0, count);
  const kept = state.segments.slice(count);
  const [first] = kept;
  const bytes = removed.reduce((sum, { size }) => sum + size, 0);
  assert(first !== undefined && first.baseOffset <= state.logStartOffset, 'the segment that holds the log start stays');
  const removedSnapshots = state.snapshots.filter((snapshot) => snapshot < first.baseOffset);
  state.generation += 1;
  state.segments = kept;
  state.snapshots = state.snapshots.filter((snapshot) => snapshot >= first.baseOffset);

  await takeFiles(state, removed, removedSnapshots);
  if (state.epochsChanged) {
    state.epochsChanged = false;
    await writeEpochs(deps.disk, directory, state.epochs.entries);
  }
  return { count, bytes, startOffset: (removed[0] as Segment).baseOffset, endOffset: first.baseOffset };
}

/** Takes the files of segments and snapshots out of the folder, which are no part of the log any more, durably (D-9.3). */
export async function takeFiles(
  { deps, directory, deletedFiles, config }: LogState,
  segments: readonly Segment[],
  snapshots: readonly Offset[],
): Promise<void> {
  for (const segment of segments) {
    await segment.close();
    await deletedFiles.take(segmentPaths(directory, segment.baseOffset), config.fileDeleteDelayMs);
  }
  const paths = snapshots.map((snapshot) => snapshotPath(directory, snapshot));
  await deletedFiles.take(paths, config.fileDeleteDelayMs);
  await deps.disk.syncDirectory(directory);
}

/** The records last, so that what is there without them counts for nothing. */
function segmentPaths(directory: string, baseOffset: Offset): string[] {
  return ['index', 'timeindex', 'log'].map((kind) => `${filePrefix(directory, baseOffset)}.${kind}`);
}

/** Offsets that files of a log are named by, ascending. */
export interface NumberedFiles {
  readonly segments: Offset[];
  readonly snapshots: Offset[];
}

/**
 * Before a log is loaded that starts at `logStartOffset` at least: removes what lies below, which a crash left. Of some
 * of it perhaps only a part: nothing may be concluded from it. Returns what stays.
 */
export async function removeBelowLogStart(
  disk: Disk,
  directory: string,
  { segments, snapshots }: NumberedFiles,
  logStartOffset: Offset,
): Promise<NumberedFiles> {
  const first = segments.findLast((baseOffset) => baseOffset <= logStartOffset) ?? segments[0];
  if (first === undefined || first === segments[0]) return { segments, snapshots };
  for (const baseOffset of segments.filter((base) => base < first)) {
    for (const path of segmentPaths(directory, baseOffset)) await disk.remove(path);
  }
  for (const snapshot of snapshots.filter((offset) => offset < first)) {
    await disk.remove(snapshotPath(directory, snapshot));
  }
  await disk.syncDirectory(directory);
  return {
    segments: segments.filter((base) => base >= first),
    snapshots: snapshots.filter((offset) => offset >= first),
  };
}
