// What of a log may be compacted, whether it is time to, and which segments become one (D-9.4). Decisions on plain values.
// Sources: Kafka's LogCleanerManager.cleanableOffsets, LogToClean, Cleaner.groupSegmentsBySize.
import type { Offset } from '../../base/ids.ts';
import { BATCH_HEADER_BYTES } from '../../record/batch.ts';
import type { LogConfig } from '../log-state.ts';

/** A sealed segment. */
export interface SealedSegment {
  readonly baseOffset: Offset;
  /** Exclusive: the next one's base offset. */
  readonly endOffset: Offset;
  readonly size: number;
  /** Of its records; -1 if none has one. */
  readonly maxTimestamp: number;
  /** Its files are durable. */
  readonly durable: boolean;
}

export interface Cleanable {
  /** Below it no key comes twice. */
  readonly firstDirtyOffset: Offset;
  /** The end of the last segment that may be compacted. */
  readonly endOffset: Offset;
  readonly cleanBytes: number;
  readonly dirtyBytes: number;
}

/** Positions and relative offsets in the indexes are int32. */
const INT32_MAX = 0x7fff_ffff;
const TIME_INDEX_ENTRY_BYTES = 12;

/**
 * The part of the log that may be compacted; undefined if nothing in it is dirty. `segments`: the sealed ones, ascending.
 * `limit`: what is not below may still be taken back (high watermark, last stable offset, recovery point). `now` in wall time.
 */
export function cleanablePart(
  segments: readonly SealedSegment[],
  firstDirtyOffset: Offset,
  limit: Offset,
  now: number,
  { minCompactionLagMs }: Pick<LogConfig, 'minCompactionLagMs'>,
): Cleanable | undefined {
  let cleanBytes = 0;
  let dirtyBytes = 0;
  let endOffset: Offset | undefined;
  for (const segment of segments) {
    const dirty = segment.endOffset > firstDirtyOffset;
    const young = dirty && minCompactionLagMs > 0 && segment.maxTimestamp > now - minCompactionLagMs;
    if (segment.endOffset > limit || !segment.durable || young) break;
    if (dirty) dirtyBytes += segment.size;
    else cleanBytes += segment.size;
    endOffset = segment.endOffset;
  }
  if (endOffset === undefined || endOffset <= firstDirtyOffset) return undefined;
  return { firstDirtyOffset, endOffset, cleanBytes, dirtyBytes };
}

/** Share of the part that is dirty, 0 .. 1. */
export function dirtyRatio({ cleanBytes, dirtyBytes }: Cleanable): number {
  return dirtyBytes === 0 ? 0 : dirtyBytes / (cleanBytes + dirtyBytes);
}

/** Whether a record has waited for compaction as long as it may; `firstTimestamp`: of the first dirty batch, -1 for none. */
export function lagExceeded(
  firstTimestamp: number,
  now: number,
  { maxCompactionLagMs }: Pick<LogConfig, 'maxCompactionLagMs'>,
): boolean {
  return firstTimestamp > 0 && firstTimestamp < now - maxCompactionLagMs;
}

/** Neighbours that fit into one segment as they are, by bytes, index entries and range of offsets. */
export function groupSegments<T extends Pick<SealedSegment, 'baseOffset' | 'endOffset' | 'size'>>(
  segments: readonly T[],
  config: Pick<LogConfig, 'segmentBytes' | 'segmentIndexBytes' | 'indexIntervalBytes'>,
): T[][] {
  const maxBytes = Math.min(config.segmentBytes, INT32_MAX);
  // At most one entry per interval, and one per batch.
  const interval = Math.max(config.indexIntervalBytes, BATCH_HEADER_BYTES);
  const indexBytesOf = (bytes: number): number => (bytes / interval + 1) * TIME_INDEX_ENTRY_BYTES;
  const groups: T[][] = [];
  let bytes = 0;
  for (const segment of segments) {
    const group = groups.at(-1);
    const first = group?.[0];
    const fits =
      first !== undefined &&
      bytes + segment.size <= maxBytes &&
      indexBytesOf(bytes + segment.size) <= config.segmentIndexBytes &&
      segment.endOffset - 1 - first.baseOffset <= INT32_MAX;
    if (fits) {
      group?.push(segment);
      bytes += segment.size;
    } else {
      groups.push([segment]);
      bytes = segment.size;
    }
  }
  return groups;
}
