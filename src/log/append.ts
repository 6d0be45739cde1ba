// Appending, synchronously: the bytes are in the page cache when these return. Order (D-7.2): check the producer, assign
// offset and epoch in place, write, then index, log end, producer state: all checks before, one mutation after (T-1.6).
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
import { encodeProducerSnapshot } from './producer-snapshot.ts';
import type { ProducerRefusal } from './producer-states.ts';
import { Segment } from './segment.ts';

/** Positions and relative offsets in the indexes are int32. */
const INT32_MAX = 0x7fff_ffff;

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
  appendBatch(state, batch);
  return { kind: 'appended', baseOffset: batch.baseOffset, lastOffset: batch.lastOffset, logAppendTime };
}

/**
 * As a follower: whole batches from the leader with the offsets and epochs that it assigned, their CRC checked by the
 * caller. They must continue the log (D-3.7); no producer check applies to them (T-1.5).
 */
export function appendAsFollower(state: LogState, bytes: Buffer): void {
  checkOpen(state);
  for (const batch of splitBatches(bytes)) {
    assert(
      batch.baseOffset === state.logEndOffset,
      () => `batch at ${batch.baseOffset}, log ends at ${state.logEndOffset}`,
    );
    assert(
      batch.partitionLeaderEpoch >= state.epochs.latestEpoch,
      () => `batch of epoch ${batch.partitionLeaderEpoch} after ${state.epochs.latestEpoch}`,
    );
    appendBatch(state, batch);
  }
}

function checkOpen(state: LogState): void {
  checkNotClosed(state);
  if (state.writeFailure !== undefined) throw state.writeFailure;
  if (state.syncFailure !== undefined) throw state.syncFailure;
  assert(
    state.producers !== undefined && activeSegment(state).isLoaded,
    () => `append to ${state.directory}, which is cold`,
  );
  assert(state.truncatingTo === undefined, () => `append to ${state.directory} while it is truncated`);
}

function appendBatch(state: LogState, batch: BatchHeader): void {
  try {
    rollIfNeeded(state, batch);
    writeToActive(state, batch);
  } catch (error) {
    // never continue after an unknown tail. The next flush cuts it.
    state.tailUnknown = true;
    if (error instanceof EnvError) failLog(state, 'write', error);
    throw error;
  }
  state.logEndOffset = batch.nextOffset;
  producersOf(state).update(batch);
  if (state.epochs.assign(batch.partitionLeaderEpoch, batch.baseOffset)) state.epochsChanged = true;
}

function writeToActive(state: LogState, batch: BatchHeader): void {
  const { content } = activeSegment(state);
  writeFully(content.file, batch.bytes, content.size);
  content.index.add(batch, content.size);
  content.size += batch.sizeInBytes;
}

function rollIfNeeded(state: LogState, batch: BatchHeader): void {
  const active = activeSegment(state);
  const { size } = active.content;
  if (size === 0) return;
  const full = size + batch.sizeInBytes > Math.min(state.config.segmentBytes, INT32_MAX);
  if (full || batch.lastOffset - active.baseOffset > INT32_MAX) rollSegment(state);
}

/** Begins a new segment if the active one has anything in it, whatever its size. EnvError as for an append. */
export function rollNow(state: LogState): void {
  checkOpen(state);
  if (activeSegment(state).content.size === 0) return;
  try {
    rollSegment(state);
  } catch (error) {
    if (error instanceof EnvError) failLog(state, 'write', error);
    throw error;
  }
}

/** Seals the active segment and starts the next at the log's end. The old one becomes durable with the next flush. */
function rollSegment(state: LogState): void {
  const { logEndOffset } = state;
  const sealed = activeSegment(state);
  sealed.content.index.seal();
  const next = Segment.create(state.host, logEndOffset);
  const producerSnapshot = encodeProducerSnapshot(producersOf(state), logEndOffset);
  state.segments = [...state.segments, next];
  state.rolled.push({ segment: sealed, endOffset: logEndOffset, producerSnapshot });
}
