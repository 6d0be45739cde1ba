// Making a log durable (group commit). Order of one run: epoch checkpoint (D-1.4), then sealed segments with their
// indexes and producer snapshots, then the directory (D-9.3, KAFKA-3968), then the active segment; only then does
// flushedEndOffset move, to the log's end as it was when that last sync started. A failed sync fences the log for good.
import { EnvError } from '../env/error.ts';
import { writeEpochs } from './epoch-checkpoint.ts';
import { snapshotPath } from './file-names.ts';
import type { LogState, RolledSegment } from './log-state.ts';
import { activeSegment, checkNotClosed, failLog, hasUnsavedEpochs } from './log-state.ts';
import { makeRoom } from './preallocation.ts';
import { straySnapshots, writeProducerSnapshot } from './producer-snapshot.ts';

export async function flushLog(state: LogState): Promise<void> {
  if (state.syncFailure !== undefined) throw state.syncFailure;
  checkNotClosed(state);
  let endOffset = state.logEndOffset;
  const active = activeSegment(state);
  const rolled = [...state.rolled];
  const nothingNew = endOffset === state.flushedEndOffset && rolled.length === 0;
  if (nothingNew && !hasUnsavedEpochs(state) && !state.tailUnknown) return;
  try {
    if (state.tailUnknown) {
      await active.file.truncate(active.size);
      state.preallocation = undefined;
    }
    state.tailUnknown = false;
    if (state.epochsChanged) {
      state.epochsChanged = false;
      await writeEpochs(state.deps.disk, state.directory, state.epochs.entries);
    }
    for (const sealed of rolled) await persistSealed(state, sealed);
    if (rolled.length > 0) await state.deps.disk.syncDirectory(state.directory);
    if (active.file.isDirty) {
      await active.file.sync(() => {
        if (activeSegment(state) === active) makeRoom(state);
        // What came until the sync starts is in it, unless more than this file and what is written must become durable for it.
        if (activeSegment(state) === active && !state.epochsChanged) endOffset = state.logEndOffset;
      });
    }
  } catch (error) {
    if (error instanceof EnvError) failLog(state, 'sync', error);
    throw error;
  }
  state.rolled.splice(0, rolled.length);
  state.flushedEndOffset = Math.max(state.flushedEndOffset, endOffset);
}

async function persistSealed(state: LogState, sealed: RolledSegment): Promise<void> {
  const { segment, endOffset, producerSnapshot } = sealed;
  if (sealed.hasRoom) await segment.file.truncate(segment.size);
  await segment.file.sync();
  await segment.persistIndexes();
  await saveProducerSnapshot(state, endOffset, producerSnapshot);
}

/** Writes one producer snapshot and takes note of it; those that nobody needs any more go. */
export async function saveProducerSnapshot(state: LogState, offset: number, bytes: Buffer): Promise<void> {
  const { disk } = state.deps;
  await writeProducerSnapshot(disk, state.directory, offset, bytes);
  // One of a sealed segment may come after one of the log's end: both are there, and a truncation must find them.
  const others = state.snapshots.filter((known) => known !== offset);
  const snapshots = [...others, offset].sort((a, b) => a - b);
  const stray = straySnapshots(
    snapshots,
    state.segments.map(({ baseOffset }) => baseOffset),
  );
  state.snapshots = snapshots.filter((known) => !stray.includes(known));
  for (const gone of stray) await disk.remove(snapshotPath(state.directory, gone));
}
