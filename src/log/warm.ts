// Cold and warm logs. A cold one is known by its numbers alone; warming it loads what an append needs: the active segment's
// indexes and the producers. A log that nobody appends to may be cooled: what it holds in memory is in its files then.
import { EnvError } from '../env/error.ts';
import { saveProducerSnapshot } from './flush.ts';
import { loadProducers } from './load.ts';
import type { LogState } from './log-state.ts';
import { activeSegment, checkNotClosed, failLog, hasUnsavedEpochs } from './log-state.ts';
import type { LogSummary } from './log-summary.ts';
import { hasRoom, trimRoom } from './preallocation.ts';
import { encodeProducerSnapshot } from './producer-snapshot.ts';
import { readRollBasis } from './roll.ts';
import type { Segment } from './segment.ts';

export function isWarm(state: LogState): boolean {
  return state.producers !== undefined && activeSegment(state).isLoaded && !state.trimming;
}

/**
 * Makes the log warm. EnvError CORRUPT if its files are not as they were when it was cooled or closed; whatever fails, fences
 * the log. To be run exclusively.
 */
export async function warmLog(state: LogState): Promise<void> {
  checkNotClosed(state);
  const failure = state.writeFailure ?? state.syncFailure;
  if (failure !== undefined) throw failure;
  try {
    // What is loaded first may be given back while the rest is.
    while (!isWarm(state)) await loadOnce(state);
  } catch (error) {
    if (error instanceof EnvError) failLog(state, 'write', error);
    throw error;
  }
}

async function loadOnce(state: LogState): Promise<void> {
  const { logEndOffset } = state;
  const active = activeSegment(state);
  await active.load(logEndOffset);
  if (state.producers !== undefined) return;
  state.rollBasis ??= await readRollBasis(active, state.deps.clock.wallTime());
  state.producers = await loadProducers(state);
  state.persisted = { endOffset: logEndOffset, generation: state.generation };
}

function isPersisted({ persisted, logEndOffset, generation }: LogState): boolean {
  return persisted?.endOffset === logEndOffset && persisted.generation === generation;
}

/** Gives back what a log that is durable as a whole holds in memory, unless it is appended to meanwhile. To be run exclusively. */
export async function coolLog(state: LogState): Promise<void> {
  if (state.closed || state.writeFailure !== undefined || !isWarm(state)) return;
  const { logEndOffset } = state;
  if (state.flushedEndOffset !== logEndOffset || state.rolled.length > 0) return;
  await persistActive(state);
  const active = activeSegment(state);
  if (state.logEndOffset !== logEndOffset || active.file.isDirty) return;
  active.unload();
  state.producers = undefined;
}

/** Writes what is derived from the batches of the active segment, as it is now: durable when it resolves. */
export async function persistActive(state: LogState): Promise<void> {
  // What a cold log has is in its files, even if it cannot be read.
  if (state.closed || state.producers === undefined) return;
  if (state.writeFailure !== undefined) throw state.writeFailure;
  const active = activeSegment(state);
  await trimActive(state, active);
  const { logEndOffset, producers } = state;
  // Nothing is derived from no batches; what a roll left below was written with the sealed segment.
  if (active.size === 0 || isPersisted(state)) return;
  const { generation } = state;
  active.content.index.seal();
  // Appends go on meanwhile: a snapshot says what was known at its offset, not later (T-3.1).
  const snapshot = encodeProducerSnapshot(producers, logEndOffset);
  try {
    await active.persistIndexes();
    // Syncs the folder, and so the names of the indexes.
    await saveProducerSnapshot(state, logEndOffset, snapshot);
    state.persisted = { endOffset: logEndOffset, generation };
  } catch (error) {
    if (error instanceof EnvError) failLog(state, 'sync', error);
    throw error;
  }
}

/** Leaves nothing behind the records of the active segment. Who wants to append finds the log not warm, and waits. */
async function trimActive(state: LogState, active: Segment): Promise<void> {
  if (!hasRoom(state, active)) return;
  state.trimming = true;
  try {
    await trimRoom(state, active);
    await active.file.sync();
  } catch (error) {
    if (error instanceof EnvError) failLog(state, 'sync', error);
    throw error;
  } finally {
    state.trimming = false;
  }
}

/** What can be said of the log without its folder; undefined unless it is closed and all of it durable. */
export function summaryOf(state: LogState, topic: string): LogSummary | undefined {
  const { logStartOffset, logEndOffset, flushedEndOffset, rolled, epochs, snapshots } = state;
  // A cold log changed nothing: if its files are not what they should be, it is still true what they should be.
  const failure = state.syncFailure ?? state.writeFailure;
  const failed = failure !== undefined && (state.producers !== undefined || failure.code !== 'CORRUPT');
  const pending =
    hasUnsavedEpochs(state) || state.tailUnknown || flushedEndOffset !== logEndOffset || rolled.length > 0;
  if (!state.closed || failed || pending) return undefined;
  const segments = state.segments.map(({ baseOffset, size, max }) => ({ baseOffset, size, max }));
  return { topic, logStartOffset, logEndOffset, epochs: epochs.entries, segments, snapshots };
}
