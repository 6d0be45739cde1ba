// Fetch, ListOffsets and OffsetForLeaderEpoch on one partition. The high watermark is read once per answer (D-8.1).
import type { Epoch, Offset } from '../base/ids.ts';
import { EnvError } from '../env/error.ts';
import type { EpochEndOffset } from '../log/leader-epoch-cache.ts';
import type { ErrorName } from '../protocol/error-codes.ts';
import { RecordError } from '../record/record.ts';
import type { Partition } from './partition.ts';
import { checkLeaderEpoch } from './role.ts';

export interface PartitionFetch {
  /** Any 64-bit number a client may send. */
  readonly fetchOffset: number | bigint;
  /** -1: not checked. */
  readonly currentLeaderEpoch: Epoch;
  /** -1: no check for divergence. */
  readonly lastFetchedEpoch: Epoch;
  readonly maxBytes: number;
  /** Return one whole batch even if it is larger (behaviour 30). */
  readonly atLeastOne: boolean;
  /** Memory for the records, which are the only view of it; fresh memory unless given. */
  readonly allocate?: (size: number) => Buffer;
}

export interface PartitionRead {
  readonly error: ErrorName;
  /** -1 where the error leaves it unknown. */
  readonly highWatermark: Offset;
  readonly logStartOffset: Offset;
  /** D-8.2: where the reader's log leaves ours. */
  readonly diverging: EpochEndOffset | undefined;
  /** Whole batches; the first may begin before the fetch offset (behaviour 31). */
  readonly records: Buffer;
}

const NOTHING = Buffer.alloc(0);

/** The answer for a partition that cannot be read at all. */
export function unreadable(error: ErrorName): PartitionRead {
  return { error, highWatermark: -1, logStartOffset: -1, diverging: undefined, records: NOTHING };
}

/** Why this replica cannot answer a client that names `currentLeaderEpoch`; undefined if it can. */
export function refusal(partition: Partition, currentLeaderEpoch: Epoch): ErrorName | undefined {
  if (partition.failure !== undefined) return 'KAFKA_STORAGE_ERROR';
  if (partition.isRetired) return 'NOT_LEADER_OR_FOLLOWER';
  // D-2.2: the epoch before the leadership, so that a client that is ahead waits and one that is behind refreshes.
  return (
    checkLeaderEpoch(currentLeaderEpoch, partition.leaderEpoch) ??
    (partition.leader === undefined ? 'NOT_LEADER_OR_FOLLOWER' : undefined)
  );
}

/**
 * What a read gives, or why it gives nothing. A failing disk takes the partition offline; records that a client garbled, and a
 * log that was closed under the read, are the reader's answer only.
 */
export async function onDisk<T extends object | undefined>(
  partition: Partition,
  work: () => Promise<T>,
): Promise<T | 'KAFKA_STORAGE_ERROR' | 'CORRUPT_MESSAGE' | 'NOT_LEADER_OR_FOLLOWER'> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof RecordError) return 'CORRUPT_MESSAGE';
    if (!(error instanceof EnvError)) throw error;
    if (partition.isRetired) return 'NOT_LEADER_OR_FOLLOWER';
    partition.fail(error);
    return 'KAFKA_STORAGE_ERROR';
  }
}

/** Reads for a consumer. */
export async function readPartition(partition: Partition, fetch: PartitionFetch): Promise<PartitionRead> {
  const refused = refusal(partition, fetch.currentLeaderEpoch);
  if (refused !== undefined) return unreadable(refused);
  const { log, highWatermark } = partition;
  const { logStartOffset } = log;
  const answer = { error: 'NONE' as const, highWatermark, logStartOffset, diverging: undefined, records: NOTHING };
  if (fetch.fetchOffset < logStartOffset || fetch.fetchOffset > log.logEndOffset) {
    return { ...answer, error: 'OFFSET_OUT_OF_RANGE' }; // behaviour 33
  }
  const fetchOffset = Number(fetch.fetchOffset);
  if (fetch.lastFetchedEpoch >= 0) {
    const diverging = divergence(partition, fetch.lastFetchedEpoch, fetchOffset);
    if (diverging === 'unknown') return { ...answer, error: 'OFFSET_OUT_OF_RANGE' }; // D-2.2 (5)
    if (diverging !== undefined) return { ...answer, diverging };
  }
  if (fetchOffset >= highWatermark) return answer; // D-6.6
  const records = await onDisk(partition, () =>
    log.read(fetchOffset, fetch.maxBytes, highWatermark, fetch.atLeastOne, fetch.allocate),
  );
  if (typeof records === 'string') return unreadable(records);
  // D-9.1: deleted while it was read.
  if (fetchOffset < log.logStartOffset) {
    return { ...answer, logStartOffset: log.logStartOffset, error: 'OFFSET_OUT_OF_RANGE' };
  }
  return { ...answer, records };
}

/** Where a log that ends at `fetchOffset` with that epoch leaves ours, if it does; 'unknown': that cannot be told. */
export function divergence(
  partition: Partition,
  lastFetchedEpoch: Epoch,
  fetchOffset: Offset,
): EpochEndOffset | 'unknown' | undefined {
  const found = partition.log.endOffsetFor(lastFetchedEpoch);
  if (found === undefined) return 'unknown';
  return found.epoch < lastFetchedEpoch || found.endOffset < fetchOffset ? found : undefined;
}

export interface FoundOffset {
  readonly error: ErrorName;
  readonly offset: Offset;
  readonly timestamp: number;
  readonly leaderEpoch: Epoch;
}

const NOT_FOUND: FoundOffset = { error: 'NONE', offset: -1, timestamp: -1, leaderEpoch: -1 };
/** D-6.6: what is committed beyond the high watermark is not known yet. */
const NOT_AVAILABLE: FoundOffset = { ...NOT_FOUND, error: 'OFFSET_NOT_AVAILABLE' };

/** Behaviour 39: -1 latest, -2 earliest, -3 of the maximal timestamp, -4 as -2, -5 none (nothing is tiered), else by time. */
export async function findOffset(
  partition: Partition,
  timestamp: number | bigint,
  currentLeaderEpoch: Epoch,
): Promise<FoundOffset> {
  const refused = refusal(partition, currentLeaderEpoch);
  const role = partition.leader;
  if (refused !== undefined || role === undefined) return { ...NOT_FOUND, error: refused ?? 'NOT_LEADER_OR_FOLLOWER' };
  const { log, highWatermark } = partition;
  const leaderEpoch = role.state.leaderEpoch;
  switch (Number(timestamp)) {
    case -5:
      return NOT_FOUND;
    case -1:
      // D-6.6 (KIP-207): rather no answer than one that goes back.
      if (highWatermark < role.epochStartOffset) return NOT_AVAILABLE;
      return { ...NOT_FOUND, offset: highWatermark, leaderEpoch };
    case -2:
    case -4:
      return { ...NOT_FOUND, offset: log.logStartOffset, leaderEpoch: leaderEpochAt(partition, log.logStartOffset) };
    default:
  }
  const found = await onDisk(partition, () =>
    Number(timestamp) === -3
      ? log.offsetOfMaxTimestamp(highWatermark)
      : log.offsetForTimestamp(Number(timestamp), highWatermark),
  );
  if (typeof found === 'string') return { ...NOT_FOUND, error: found };
  if (found !== undefined) return { error: 'NONE', ...found };
  return highWatermark < role.epochStartOffset ? NOT_AVAILABLE : NOT_FOUND;
}

export interface EpochEnd {
  readonly error: ErrorName;
  /** -1, -1: unknown. */
  readonly leaderEpoch: Epoch;
  readonly endOffset: Offset;
}

/** Behaviour 40, D-1.2; bounded by the high watermark (D-8.4). */
export function findEpochEnd(partition: Partition, leaderEpoch: Epoch, currentLeaderEpoch: Epoch): EpochEnd {
  const error = refusal(partition, currentLeaderEpoch);
  if (error !== undefined) return { error, leaderEpoch: -1, endOffset: -1 };
  const found = partition.log.endOffsetFor(leaderEpoch);
  if (found === undefined) return { error: 'NONE', leaderEpoch: -1, endOffset: -1 };
  const { highWatermark, leader } = partition;
  // D-6.6: an end that goes back would look like a truncation.
  if (found.endOffset > highWatermark && highWatermark < (leader?.epochStartOffset ?? 0)) {
    return { error: 'OFFSET_NOT_AVAILABLE', leaderEpoch: -1, endOffset: -1 };
  }
  return { error: 'NONE', leaderEpoch: found.epoch, endOffset: Math.min(found.endOffset, highWatermark) };
}

/** The epoch of the record at `offset`; of an empty log, the one that leads. */
function leaderEpochAt(partition: Partition, offset: Offset): Epoch {
  const epoch = partition.log.epochs.epochOf(offset);
  return epoch < 0 ? partition.leaderEpoch : epoch;
}
