// A log that begins anew, empty (D-3.8): further on, as a follower does whose leader has nothing of what comes next here any more, or
// further down, where the leader's log ends below the start of this one.
// Order: the new segment, then the durable note of where the log starts, then everything in memory at once, then the old
// files. Until the note is durable a crash leaves the old log, from then on the new one: the leader epochs of either
// follow from its batches, as their file goes first.
import { assert } from '../base/assert.ts';
import type { Offset } from '../base/ids.ts';
import { EnvError } from '../env/error.ts';
import { removeEpochs, writeEpochs } from './epoch-checkpoint.ts';
import { LeaderEpochCache } from './leader-epoch-cache.ts';
import { takeFiles } from './log-start.ts';
import type { LogState } from './log-state.ts';
import { activeSegment, checkNotClosed, failLog } from './log-state.ts';
import { ProducerStates } from './producer-states.ts';
import { Segment } from './segment.ts';

/** As of LogHooks. */
export interface TruncationHooks {
  readonly beforeTruncation: (offset: Offset) => Promise<void>;
  readonly noteLogStart: (offset: Offset) => Promise<void>;
  readonly lowerLogStart: (offset: Offset) => Promise<void>;
}

/**
 * Drops everything: the log starts and ends at `offset`, and knows no epochs and no producers. No append may run meanwhile. EnvError; the
 * log is fenced then.
 */
export async function truncateFullyAndStartAt(state: LogState, offset: Offset, hooks: TruncationHooks): Promise<void> {
  await startAt(state, Math.max(offset, state.logEndOffset), hooks);
  if (offset < state.logStartOffset) await lowerStart(state, offset, hooks);
}

/** Nothing is left: a crash finds an empty log, at the old start until the files of that are gone, and then at the new one. */
async function lowerStart(state: LogState, offset: Offset, hooks: TruncationHooks): Promise<void> {
  assert(state.logStartOffset === state.logEndOffset, 'a log that starts further down is empty');
  state.truncatingTo = offset;
  try {
    await hooks.beforeTruncation(offset);
    await hooks.lowerLogStart(offset);
    await takeFiles(state, state.segments, state.snapshots);
    const first = Segment.create(state.host, offset);
    begin(state, first);
    await state.deps.disk.syncDirectory(state.directory);
  } catch (error) {
    if (error instanceof EnvError) failLog(state, 'sync', error);
    throw error;
  } finally {
    state.truncatingTo = undefined;
  }
}

/** `offset` is not below the log's end. */
async function startAt(state: LogState, offset: Offset, hooks: TruncationHooks): Promise<void> {
  checkNotClosed(state);
  const failure = state.writeFailure ?? state.syncFailure;
  if (failure !== undefined) throw failure;
  const { disk } = state.deps;
  state.truncatingTo = state.logEndOffset;
  try {
    const active = activeSegment(state);
    const first = active.baseOffset === offset ? active : Segment.create(state.host, offset);
    await removeEpochs(disk, state.directory);
    await disk.syncDirectory(state.directory);
    await hooks.beforeTruncation(state.logEndOffset);
    await hooks.noteLogStart(offset);
    await beginAnew(state, first);
  } catch (error) {
    if (error instanceof EnvError) failLog(state, 'sync', error);
    throw error;
  } finally {
    state.truncatingTo = undefined;
  }
}

async function beginAnew(state: LogState, first: Segment): Promise<void> {
  const { deps, directory, snapshots } = state;
  const removed = state.segments.filter((segment) => segment !== first);
  begin(state, first);
  await takeFiles(state, removed, snapshots);
  await writeEpochs(deps.disk, directory, []);
}

/** In memory, at once. */
function begin(state: LogState, first: Segment): void {
  state.generation += 1;
  state.tail.clear();
  state.preallocation = undefined;
  state.rollBasis = undefined;
  state.segments = [first];
  state.rolled = [];
  state.snapshots = [];
  state.producers = new ProducerStates(state.deps.shared.producerIdExpirationMs);
  state.epochs = new LeaderEpochCache();
  state.epochsChanged = false;
  state.notedEpoch = undefined;
  state.logStartOffset = first.baseOffset;
  state.logEndOffset = first.baseOffset;
  state.flushedEndOffset = first.baseOffset;
  state.firstDirtyOffset = first.baseOffset;
}
