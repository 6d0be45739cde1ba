// Cutting the end of a log (D-3.6, T-3.2). The new producer state is computed first; then everything in memory changes at
// once, so that readers see the old log or the new one; then the disk follows, later segments first. Durable when it
// resolves. No append may run meanwhile.
import { assert } from '../base/assert.ts';
import type { Offset } from '../base/ids.ts';
import { EnvError } from '../env/error.ts';
import type { BatchHeader } from '../record/batch.ts';
import { writeEpochs } from './epoch-checkpoint.ts';
import { snapshotPath } from './file-names.ts';
import type { LogState } from './log-state.ts';
import { checkNotClosed, failLog, segmentIndexFor } from './log-state.ts';
import { readNewestSnapshot } from './producer-snapshot.ts';
import { forEachBatch } from './replay.ts';
import { readRollBasis } from './roll.ts';
import type { Segment } from './segment.ts';
import { positionOf, viewOf } from './segment-view.ts';

/**
 * Removes all batches that hold an offset at or above `offset`, and the leader epochs that start there (D-1.3). With an
 * offset in the middle of a batch, the log ends before that batch. `before` runs when it is known where the log will
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

async function cutLog(state: LogState, offset: Offset, before: (endOffset: Offset) => Promise<void>): Promise<void> {
  const i = segmentIndexFor(state, offset);
  const view = await viewOf(state, i);
  const { segment, content } = view;
  const position = await positionOf(view, offset);
  const index = content.index.prefix(position, offset);
  // Where the last batch ends that stays, not where the gap behind it does: that is what a restart finds.
  let endOffset = segment.baseOffset;
  const note = (batch: BatchHeader): void => {
    endOffset = batch.nextOffset;
  };
  await segment.extendIndex(content, index, note, position);
  state.truncatingTo = endOffset;
  await before(endOffset);
  const { producers, offset: from } = await readNewestSnapshot(
    state.deps,
    state.directory,
    state.snapshots,
    (state.segments[0] as Segment).baseOffset,
    endOffset,
  );
  await forEachBatch(state.segments, state.logEndOffset, { from, to: endOffset }, (batch) => producers.update(batch));

  const removed = state.segments.slice(i + 1);
  const removedSnapshots = state.snapshots.filter((snapshot) => snapshot > endOffset);
  state.generation += 1;
  state.tail.clear();
  state.preallocation = undefined;
  state.segments = state.segments.slice(0, i + 1);
  state.rolled = state.rolled.filter((sealedOne) => sealedOne.endOffset <= endOffset && sealedOne.segment !== segment);
  state.snapshots = state.snapshots.filter((snapshot) => snapshot <= endOffset);
  state.producers = producers;
  state.epochs.truncateFromEnd(endOffset);
  state.epochsChanged = true;
  state.logEndOffset = endOffset;
  state.flushedEndOffset = Math.min(state.flushedEndOffset, endOffset);
  state.firstDirtyOffset = Math.min(state.firstDirtyOffset, endOffset);
  segment.replace(index, position);

  for (const later of removed.toReversed()) await later.remove();
  for (const snapshot of removedSnapshots) await state.deps.disk.remove(snapshotPath(state.directory, snapshot));
  await state.deps.disk.syncDirectory(state.directory);
  await segment.file.truncate(position);
  await segment.file.sync();
  state.rollBasis = await readRollBasis(segment, state.deps.clock.wallTime());
}
