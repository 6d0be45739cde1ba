// Cutting the end of a log (D-3.6, T-3.2). The new producer state is computed first; then everything in memory changes at
// once, so that readers see the old log or the new one; then the disk follows, later segments first. Durable when it
// resolves. No append may run meanwhile.
import { assert } from '../base/assert.ts';
import type { Offset } from '../base/ids.ts';
import { EnvError } from '../env/error.ts';
import type { BatchHeader } from '../record/batch.ts';
import { writeEpochs } from './epoch-checkpoint.ts';
import { parseLogFileName } from './file-names.ts';
import type { LogState } from './log-state.ts';
import { activeSegment, checkNotClosed, failLog, segmentIndexFor } from './log-state.ts';
import { readNewestSnapshot } from './producer-snapshot.ts';
import { forEachBatch } from './replay.ts';
import { readRollBasis } from './roll.ts';
import { Segment } from './segment.ts';
import type { SegmentIndex } from './segment-index.ts';
import { positionOf, viewOf } from './segment-view.ts';

/**
 * Removes all batches that hold an offset at or above `offset`, and the leader epochs that start there (D-1.3). With an
 * offset in the middle of a batch, the log ends before that batch, but not below its start. `before` runs when it is known where the log will
 * end, before anything is removed.
 */
export async function truncateLog(
  state: LogState,
  offset: Offset,
  before: (endOffset: Offset) => Promise<void>,
): Promise<void> {
  checkNotClosed(state);
  if (state.writeFailure !== undefined) throw state.writeFailure;
  if (state.syncFailure !== undefined) throw state.syncFailure;
  assert(offset >= state.logStartOffset, () => `truncation to ${offset}, log starts at ${state.logStartOffset}`);
  state.truncatingTo = offset;
  try {
    if (offset < state.logEndOffset) await cutLog(state, offset, before);
    // KAFKA-10706: the cache loses its tail even if the log does not.
    if (state.epochs.truncateFromEnd(offset) || state.epochsChanged) {
      await writeEpochs(state.deps.disk, state.directory, state.epochs.entries);
      state.epochsChanged = false;
    }
  } catch (error) {
    if (error instanceof EnvError) failLog(state, 'sync', error);
    throw error;
  } finally {
    state.truncatingTo = undefined;
  }
}

/** What is left of a log that is cut. */
interface Rest {
  /** The last segment that stays, and what of it. */
  readonly segment: Segment;
  readonly i: number;
  readonly position: number;
  readonly index: SegmentIndex;
  /** Where its last batch ends, not where the gap behind it does: that is what a restart finds. */
  readonly endOffset: Offset;
}

async function restBelow(state: LogState, offset: Offset): Promise<Rest> {
  const i = segmentIndexFor(state, offset);
  const view = await viewOf(state, i);
  const { segment, content } = view;
  const position = await positionOf(view, offset);
  const index = content.index.prefix(position, offset);
  let endOffset = segment.baseOffset;
  const note = (batch: BatchHeader): void => {
    endOffset = batch.nextOffset;
  };
  await segment.extendIndex(content, index, note, position);
  return { segment, i, position, index, endOffset };
}

/** T-3.2: those in the folder, known or not: a removal that nothing made durable may have been undone since. */
async function removeSnapshotsAbove({ deps, directory }: LogState, endOffset: Offset): Promise<void> {
  for (const { name } of await deps.disk.list(directory)) {
    const file = parseLogFileName(name);
    if (file?.kind === 'snapshot' && file.offset > endOffset) await deps.disk.remove(`${directory}/${name}`);
  }
}

async function cutLog(state: LogState, offset: Offset, before: (endOffset: Offset) => Promise<void>): Promise<void> {
  const rest = await restBelow(state, offset);
  // A batch that straddles the log start goes as a whole: nothing is left then, and the log begins anew where it starts.
  const isAnew = rest.endOffset < state.logStartOffset;
  const endOffset = isAnew ? state.logStartOffset : rest.endOffset;
  state.truncatingTo = endOffset;
  await before(endOffset);
  const { producers, offset: from } = await readNewestSnapshot(
    state.deps,
    state.directory,
    state.snapshots,
    (state.segments[0] as Segment).baseOffset,
    rest.endOffset,
  );
  const range = { from, to: rest.endOffset };
  await forEachBatch(state.segments, state.logEndOffset, range, (batch) => producers.update(batch));

  const kept = isAnew ? [Segment.create(state.host, endOffset)] : state.segments.slice(0, rest.i + 1);
  const removed = state.segments.filter((segment) => !kept.includes(segment));
  state.generation += 1;
  state.tail.clear();
  state.preallocation = undefined;
  state.segments = kept;
  state.rolled = state.rolled.filter((sealed) => kept.includes(sealed.segment) && sealed.segment !== rest.segment);
  state.snapshots = state.snapshots.filter((snapshot) => snapshot <= rest.endOffset);
  state.producers = producers;
  state.epochs.truncateFromEnd(endOffset);
  state.epochsChanged = true;
  state.logEndOffset = endOffset;
  state.flushedEndOffset = Math.min(state.flushedEndOffset, endOffset);
  state.firstDirtyOffset = Math.min(state.firstDirtyOffset, endOffset);
  if (!isAnew) rest.segment.replace(rest.index, rest.position);

  for (const gone of removed.toReversed()) await gone.remove();
  await removeSnapshotsAbove(state, rest.endOffset);
  await state.deps.disk.syncDirectory(state.directory);
  const active = activeSegment(state);
  await active.file.truncate(active.size);
  await active.file.sync();
  state.rollBasis = await readRollBasis(active, state.deps.clock.wallTime());
}
