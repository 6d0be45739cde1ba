// Appending, synchronously: the bytes are in the page cache when these return, or, where nothing is acknowledged before a flush,
// staged to be written with it at the latest. Order (D-7.2): check the producer, assign offset and epoch in place, write, then
// index, log end, producer state: all checks before, one mutation after (T-1.6).
import { assert } from '../base/assert.ts';
import type { Epoch, Offset } from '../base/ids.ts';
import { EnvError } from '../env/error.ts';
import {
  BatchHeader,
  NO_TIMESTAMP,
  setBaseOffset,
  setLogAppendTime,
  setPartitionLeaderEpoch,
} from '../record/batch.ts';
import { splitBatches } from '../record/scan.ts';
import { writeFully } from './batch-scan.ts';
import type { LogState } from './log-state.ts';
import { activeSegment, checkNotClosed, failLog, producersOf } from './log-state.ts';
import { hasRoom } from './preallocation.ts';
import { encodeProducerSnapshot } from './producer-snapshot.ts';
import type { ProducerRefusal } from './producer-states.ts';
import type { RollBasis } from './roll.ts';
import { isFull, isOld } from './roll.ts';
import { Segment } from './segment.ts';

export type AppendResult =
  | {
      readonly kind: 'appended';
      readonly baseOffset: Offset;
      readonly lastOffset: Offset;
      /** The time that all records got, -1 with CreateTime. */
      readonly logAppendTime: number;
    }
  /** T-1.2: already in the log, at these offsets. `timestamp` is that batch's maximal one. */
  | {
      readonly kind: 'duplicate';
      readonly baseOffset: Offset;
      readonly lastOffset: Offset;
      readonly timestamp: number;
    }
  | { readonly kind: 'refused'; readonly error: ProducerRefusal };

/** As the leader: one whole, validated batch. Changes its offset and epoch in place. EnvError if the log is fenced. */
export function appendAsLeader(state: LogState, bytes: Buffer, leaderEpoch: Epoch): AppendResult {
  checkOpen(state);
  const batch = new BatchHeader(bytes);
  assert(batch.end === bytes.length, () => `append of ${bytes.length} bytes for a batch of ${batch.sizeInBytes}`);
  assert(leaderEpoch >= state.epochs.latestEpoch, () => `epoch ${leaderEpoch} after ${state.epochs.latestEpoch}`);
  const check = producersOf(state).check(batch);
  if (check.kind === 'refused') return check;
  if (check.kind === 'duplicate') {
    const { firstOffset, lastOffset, timestamp } = check.batch;
    return { kind: 'duplicate', baseOffset: firstOffset, lastOffset, timestamp };
  }
  setBaseOffset(bytes, state.logEndOffset);
  setPartitionLeaderEpoch(bytes, leaderEpoch);
  let logAppendTime = NO_TIMESTAMP;
  if (state.config.timestampType === 'LogAppendTime') {
    logAppendTime = state.deps.clock.wallTime();
    setLogAppendTime(bytes, logAppendTime);
  }
  if (mustRoll(state, batch)) fencingIfItFails(state, () => rollSegment(state));
  appendAll(state, [batch], bytes);
  return { kind: 'appended', baseOffset: batch.baseOffset, lastOffset: batch.lastOffset, logAppendTime };
}

/**
 * As a follower: whole batches from the leader with the offsets and epochs that it assigned, their CRC checked by the
 * caller. They must continue the log (D-3.7), gaps left by compaction aside; no producer check applies to them (T-1.5).
 * One write for all that goes into one segment. EnvError as for the leader: what was written before stays in the log.
 */
export function appendAsFollower(state: LogState, bytes: Buffer): void {
  checkOpen(state);
  let run = newRun(state);
  for (const batch of splitBatches(bytes)) {
    assert(batch.baseOffset >= run.endOffset, () => `batch at ${batch.baseOffset}, log ends at ${run.endOffset}`);
    assert(
      batch.partitionLeaderEpoch >= Math.max(run.epoch, 0),
      () => `batch of epoch ${batch.partitionLeaderEpoch} after ${run.epoch}`,
    );
    if (mustRoll(state, batch, run)) {
      appendRun(state, run);
      fencingIfItFails(state, () => rollSegment(state));
      run = newRun(state);
    }
    run.batches.push(batch);
    run.bytes += batch.sizeInBytes;
    run.endOffset = batch.nextOffset;
    run.epoch = batch.partitionLeaderEpoch;
  }
  appendRun(state, run);
}

function checkOpen(state: LogState): void {
  checkNotClosed(state);
  if (state.writeFailure !== undefined) throw state.writeFailure;
  if (state.syncFailure !== undefined) throw state.syncFailure;
  assert(
    state.producers !== undefined && activeSegment(state).isLoaded && !state.trimming,
    () => `append to ${state.directory}, which is cold`,
  );
  assert(state.truncatingTo === undefined, () => `append to ${state.directory} while it is truncated`);
}

/** Batches that lie behind each other in one buffer, and are to do so in the active segment. */
interface Run {
  readonly batches: BatchHeader[];
  bytes: number;
  /** Of the log with them. */
  endOffset: Offset;
  epoch: Epoch;
}

function newRun(state: LogState): Run {
  return { batches: [], bytes: 0, endOffset: state.logEndOffset, epoch: state.epochs.latestEpoch };
}

function appendRun(state: LogState, { batches, bytes }: Run): void {
  const [first] = batches;
  if (first !== undefined) appendAll(state, batches, first.buffer.subarray(first.start, first.start + bytes));
}

/** One write; then, as it succeeded, everything that follows from it (D-7.2). `chunk` is what the batches are in. */
function appendAll(state: LogState, batches: readonly BatchHeader[], chunk: Buffer): void {
  const active = activeSegment(state);
  const { content } = active;
  fencingIfItFails(state, () => {
    if (state.config.flushMode === 'sync') active.file.writeLater(chunk, content.size);
    else writeFully(active.file, chunk, content.size);
  });
  if (content.size === 0) state.rollBasis = basisOf(state, batches[0]?.maxTimestamp);
  state.tail.append(active, content.size, chunk);
  for (const batch of batches) {
    content.index.add(batch, content.size);
    content.size += batch.sizeInBytes;
    state.logEndOffset = batch.nextOffset;
    producersOf(state).update(batch);
    if (state.epochs.assign(batch.partitionLeaderEpoch, batch.baseOffset)) state.epochsChanged = true;
  }
}

/** never continue after an unknown tail. The next flush cuts it. */
function fencingIfItFails(state: LogState, change: () => void): void {
  try {
    change();
  } catch (error) {
    state.tailUnknown = true;
    if (error instanceof EnvError) failLog(state, 'write', error);
    throw error;
  }
}

/** Whether the batch has to go to a new segment, if those of the run are in this one. */
function mustRoll(state: LogState, batch: BatchHeader, run?: Run): boolean {
  const { config, directory, deps } = state;
  const { baseOffset, content } = activeSegment(state);
  const size = content.size + (run?.bytes ?? 0);
  if (size === 0) return false;
  const pending = run?.batches.length ?? 0;
  if (isFull({ baseOffset, size, index: content.index, pending }, batch, config)) return true;
  if (state.rollBasis?.baseOffset !== baseOffset) state.rollBasis = basisOf(state, run?.batches[0]?.maxTimestamp);
  return isOld(state.rollBasis, batch, config, directory, deps.clock);
}

function basisOf(state: LogState, firstTimestamp: number = NO_TIMESTAMP): RollBasis {
  const { baseOffset } = activeSegment(state);
  const known = state.rollBasis?.baseOffset === baseOffset ? state.rollBasis.createdMs : undefined;
  return { baseOffset, firstTimestamp, createdMs: known ?? state.deps.clock.wallTime() };
}

/** Begins a new segment if the active one has anything in it, whatever its size. EnvError as for an append. */
export function rollNow(state: LogState): void {
  checkOpen(state);
  if (activeSegment(state).content.size > 0) fencingIfItFails(state, () => rollSegment(state));
}

/** Seals the active segment and starts the next at the log's end. The old one becomes durable with the next flush. */
function rollSegment(state: LogState): void {
  const { logEndOffset } = state;
  const sealed = activeSegment(state);
  // Only an active segment has anything staged.
  sealed.file.writeStaged();
  sealed.content.index.seal();
  const next = Segment.create(state.host, logEndOffset);
  const producerSnapshot = encodeProducerSnapshot(producersOf(state), logEndOffset);
  state.segments = [...state.segments, next];
  state.rolled.push({ segment: sealed, endOffset: logEndOffset, producerSnapshot, hasRoom: hasRoom(state, sealed) });
  state.rollBasis = basisOf(state);
}
