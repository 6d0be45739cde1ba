// Offsets by time. The time index leads to the batch, the batch's records to the record (ListOffsets, kafka-protocol.md 39).
import type { Epoch, Offset } from '../base/ids.ts';
import { BatchHeader } from '../record/batch.ts';
import type { KafkaRecord } from '../record/record.ts';
import { decodeRecords } from '../record/record.ts';
import { LENGTH_PREFIX_BYTES, scanBatches } from './batch-scan.ts';
import type { LogState } from './log-state.ts';
import { segmentEndOffset } from './log-state.ts';
import type { SegmentView } from './segment-view.ts';
import { consistently, positionOf, readAt, viewOf } from './segment-view.ts';
import type { TimestampOffset } from './time-index.ts';

export interface FoundTimestamp {
  readonly offset: Offset;
  readonly timestamp: number;
  readonly leaderEpoch: Epoch;
}

/** The first record below `endOffset` whose timestamp is at least `timestamp`. */
export function findTimestamp(
  state: LogState,
  timestamp: number,
  endOffset: Offset,
): Promise<FoundTimestamp | undefined> {
  return consistently(state, async () => {
    for (const [i, segment] of state.segments.entries()) {
      if (segment.baseOffset >= endOffset) return undefined;
      const view = await viewOf(state, i);
      if (view.content.index.max.timestamp < timestamp) continue;
      const found = await findInSegment(state, view, timestamp);
      if (found !== undefined) return found.offset < endOffset ? found : undefined;
    }
    return undefined;
  });
}

async function findInSegment(
  state: LogState,
  view: SegmentView,
  timestamp: number,
): Promise<FoundTimestamp | undefined> {
  const { index, file } = view.content;
  // All records up to that entry are older, but for the batch that ends there, which may be as old as asked for.
  let from = index.offsets.lookup(index.times.lookup(timestamp).offset).position;
  while (from < view.size) {
    let size = 0;
    const end = await scanBatches(file, { from, to: view.size, view: 'header' }, (batch) => {
      if (batch.maxTimestamp < timestamp || batch.lastOffset < state.logStartOffset) return true;
      size = batch.sizeInBytes;
      return false;
    });
    if (size === 0) return undefined;
    const batch = new BatchHeader(await readAt(view, end.position, size));
    const record = decodeRecords(batch).find((r) => r.timestamp >= timestamp && r.offset >= state.logStartOffset);
    if (record !== undefined) return found(record, batch);
    from = end.position + size;
  }
  return undefined;
}

/** The first of the records below `endOffset` that have the greatest timestamp. */
export function findMaxTimestamp(state: LogState, endOffset: Offset): Promise<FoundTimestamp | undefined> {
  return consistently(state, async () => {
    let best: { view: SegmentView; max: TimestampOffset } | undefined;
    for (const [i, segment] of state.segments.entries()) {
      if (segment.baseOffset >= endOffset) break;
      const view = await viewOf(state, i);
      const whole = segmentEndOffset(state, i) <= endOffset;
      const max = whole ? view.content.index.max : await maxBelow(view, endOffset);
      if (max.timestamp > (best?.max.timestamp ?? -1)) best = { view, max };
    }
    if (best === undefined) return undefined;
    const position = await positionOf(best.view, best.max.offset);
    const header = new BatchHeader(await readAt(best.view, position, LENGTH_PREFIX_BYTES));
    const batch = new BatchHeader(await readAt(best.view, position, header.sizeInBytes));
    const records = decodeRecords(batch);
    const greatest = records.reduce((max, record) => Math.max(max, record.timestamp), -1);
    const record = records.find((candidate) => candidate.timestamp === greatest);
    return record === undefined ? undefined : found(record, batch);
  });
}

/** The greatest timestamp of the batches that end below `endOffset`, which lies in the segment. */
async function maxBelow(view: SegmentView, endOffset: Offset): Promise<TimestampOffset> {
  const { index, file } = view.content;
  let max = index.times.lookupBelow(endOffset);
  const from = index.offsets.lookup(max.offset).position;
  await scanBatches(file, { from, to: view.size, view: 'header' }, (batch) => {
    if (batch.lastOffset >= endOffset) return false;
    if (batch.maxTimestamp > max.timestamp) max = { timestamp: batch.maxTimestamp, offset: batch.lastOffset };
    return true;
  });
  return max;
}

function found(record: KafkaRecord, batch: BatchHeader): FoundTimestamp {
  return { offset: record.offset, timestamp: record.timestamp, leaderEpoch: batch.partitionLeaderEpoch };
}
