// When a log goes on in a new segment, by Kafka's rules (LogSegment.shouldRoll): the batch does not fit any more, or the segment has
// reached its age, measured by the batches' timestamps, by the wall clock only where the first batch has none.

import type { Ms, Offset } from '../base/ids.ts';
import { hash32, mix32 } from '../base/keyed-random.ts';
import type { TopicConfig } from '../config/topic-config.ts';
import { compacts } from '../config/topic-config.ts';
import type { Clock } from '../env/clock.ts';
import { BATCH_HEADER_BYTES, BatchHeader, NO_TIMESTAMP } from '../record/batch.ts';
import { readFully } from './batch-scan.ts';
import type { Segment } from './segment.ts';
import type { SegmentIndex } from './segment-index.ts';

/** Positions and relative offsets in the indexes are int32. */
const INT32_MAX = 0x7fff_ffff;
const OFFSET_ENTRY_BYTES = 8;
const TIME_ENTRY_BYTES = 12;

/** Since when a segment is active. */
export interface RollBasis {
  readonly baseOffset: Offset;
  /** The greatest timestamp of its first batch; -1 if that has none, or there is no batch yet. */
  readonly firstTimestamp: number;
  /** Wall clock when it was made, or first looked at since the log was opened. */
  readonly createdMs: number;
}

export interface RollingSegment {
  readonly baseOffset: Offset;
  /** Bytes; above 0. */
  readonly size: number;
  readonly index: Pick<SegmentIndex, 'offsets' | 'times'>;
  /** Batches that are not in the index yet: each may get an entry. */
  readonly pending: number;
}

export type RollConfig = Pick<
  TopicConfig,
  'segmentBytes' | 'segmentMs' | 'segmentJitterMs' | 'segmentIndexBytes' | 'cleanupPolicy' | 'maxCompactionLagMs'
>;

/** Whether the batch may not be added to the segment, which is not empty, for the room that it takes. */
export function isFull(segment: RollingSegment, batch: BatchHeader, config: RollConfig): boolean {
  const { baseOffset, size, index, pending } = segment;
  return (
    size + batch.sizeInBytes > Math.min(config.segmentBytes, INT32_MAX) ||
    batch.lastOffset - baseOffset > INT32_MAX ||
    // The time index keeps room for the entry that it gets when it is sealed.
    index.offsets.count + pending >= Math.floor(config.segmentIndexBytes / OFFSET_ENTRY_BYTES) ||
    index.times.count + pending >= Math.floor(config.segmentIndexBytes / TIME_ENTRY_BYTES) - 1
  );
}

/** Whether the segment has reached its age when the batch comes. `directory`: the log's, for the jitter. */
export function isOld(
  basis: RollBasis,
  batch: BatchHeader,
  config: RollConfig,
  directory: string,
  clock: Pick<Clock, 'wallTime'>,
): boolean {
  const { baseOffset, firstTimestamp, createdMs } = basis;
  const ageMs = firstTimestamp > NO_TIMESTAMP ? batch.maxTimestamp - firstTimestamp : clock.wallTime() - createdMs;
  return ageMs > maxSegmentAge(config) - jitter(config, directory, baseOffset);
}

/** What is not sealed cannot be compacted: a segment may not hold up what max.compaction.lag.ms promises. */
function maxSegmentAge(config: RollConfig): Ms {
  const { segmentMs, maxCompactionLagMs } = config;
  return maxCompactionLagMs < segmentMs && compacts(config) ? maxCompactionLagMs : segmentMs;
}

/** At most segment.jitter.ms, the same for a segment whenever it is asked: so that not all logs roll at once. */
function jitter({ segmentMs, segmentJitterMs }: RollConfig, directory: string, baseOffset: Offset): Ms {
  const most = Math.min(segmentJitterMs, segmentMs);
  return most === 0 ? 0 : (mix32(hash32(`${directory}/${baseOffset}`)) / 0x1_0000_0000) * most;
}

/** Of the active segment of a log that was just loaded or cut. */
export async function readRollBasis(active: Segment, nowMs: number): Promise<RollBasis> {
  const { baseOffset, file } = active;
  const header = Buffer.alloc(BATCH_HEADER_BYTES);
  const count = active.size === 0 ? 0 : await readFully(file, header, BATCH_HEADER_BYTES, 0);
  const firstTimestamp = count < BATCH_HEADER_BYTES ? NO_TIMESTAMP : new BatchHeader(header).maxTimestamp;
  return { baseOffset, firstTimestamp, createdMs: nowMs };
}
