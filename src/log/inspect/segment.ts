// A segment file: its batches with all header fields, their records if asked for, and what is wrong with them: CRC, order of
// offsets and epochs, lengths, records that are not what the header says.
import type { BatchHeader } from '../../record/batch.ts';
import { ATTRIBUTES_AT, DELETE_HORIZON_FLAG } from '../../record/batch.ts';
import type { KafkaRecord } from '../../record/record.ts';
import { decodeRecords, RecordError } from '../../record/record.ts';
import { walkBatches } from './batch-walk.ts';
import { decodeControl } from './control.ts';
import type { BatchFinding, Content, RecordFinding } from './finding.ts';
import { problemAt } from './finding.ts';
import type { FileWindow } from './window.ts';

export interface SegmentOptions {
  /** Records too, not only the headers of batches. Needs `loadCodecs()` before. */
  readonly records: boolean;
}

/** What the segments before this one ended with; goes on to the next one. */
export interface SegmentChain {
  nextOffset: number;
  leaderEpoch: number;
}

export function newChain(): SegmentChain {
  return { nextOffset: 0, leaderEpoch: -1 };
}

export async function* inspectSegment(
  window: FileWindow,
  baseOffset: number,
  options: SegmentOptions,
  chain: SegmentChain = newChain(),
): AsyncGenerator<Content, void, undefined> {
  if (baseOffset < chain.nextOffset) {
    yield problemAt(0, `the segment before goes up to offset ${chain.nextOffset - 1}, beyond this one's base`);
  }
  chain.nextOffset = baseOffset;
  let old = 0;
  for await (const stretch of walkBatches(window, baseOffset)) {
    const { position } = stretch;
    switch (stretch.kind) {
      case 'batch':
        yield* inspectBatch(stretch.batch, position, options, chain);
        break;
      case 'old':
        old += 1;
        if (old === 1) yield problemAt(position, oldFormat(stretch.magic));
        break;
      case 'zeros':
        yield {
          type: 'note',
          text: `zeros from position ${position} to the end, ${stretch.sizeInBytes} bytes: reserved ahead of use`,
        };
        break;
      case 'damage':
        yield problemAt(position, `${stretch.problem}; ${stretch.sizeInBytes} bytes are of no intact batch`);
        break;
    }
  }
  if (old > 1) yield { type: 'note', text: `${old} messages of an old format were passed over` };
}

function oldFormat(magic: number): string {
  return `message format v${magic} (magic ${magic}, before Kafka 0.11) is not supported: only v2 is`;
}

function* inspectBatch(
  batch: BatchHeader,
  position: number,
  options: SegmentOptions,
  chain: SegmentChain,
): Generator<Content, void, undefined> {
  const found = batchFinding(batch, position);
  yield found;
  for (const problem of problemsOf(found, chain)) yield problemAt(position, problem);
  if (found.lastOffset >= chain.nextOffset) chain.nextOffset = found.lastOffset + 1;
  chain.leaderEpoch = Math.max(chain.leaderEpoch, found.leaderEpoch);
  if (!options.records || !found.isCrcValid) return;
  let records: KafkaRecord[];
  try {
    records = decodeRecords(batch);
  } catch (error) {
    if (!(error instanceof RecordError)) throw error;
    yield problemAt(position, error.message);
    return;
  }
  let previous = found.baseOffset - 1;
  for (const record of records) {
    yield recordFinding(record, found);
    if (record.offset <= previous || record.offset > found.lastOffset) {
      yield problemAt(
        position,
        `record offset ${record.offset} after ${previous} in a batch up to ${found.lastOffset}`,
      );
    }
    previous = record.offset;
  }
}

function batchFinding(batch: BatchHeader, position: number): BatchFinding {
  const horizon = (batch.buffer.readInt16BE(batch.start + ATTRIBUTES_AT) & DELETE_HORIZON_FLAG) !== 0;
  return {
    type: 'batch',
    position,
    sizeInBytes: batch.sizeInBytes,
    baseOffset: batch.baseOffset,
    lastOffset: batch.lastOffset,
    recordsCount: batch.recordsCount,
    leaderEpoch: batch.partitionLeaderEpoch,
    magic: batch.magic,
    crc: batch.crc,
    isCrcValid: batch.computeCrc() === batch.crc,
    codec: batch.compression ?? 'unknown',
    timestampType: batch.timestampType,
    baseTimestamp: batch.baseTimestamp,
    maxTimestamp: batch.maxTimestamp,
    producerId: batch.producerId,
    producerEpoch: batch.producerEpoch,
    baseSequence: batch.baseSequence,
    lastSequence: batch.lastSequence,
    isTransactional: batch.isTransactional,
    isControl: batch.isControl,
    ...(horizon ? { deleteHorizonMs: batch.baseTimestamp } : {}),
  };
}

function recordFinding(record: KafkaRecord, batch: BatchFinding): RecordFinding {
  return { type: 'record', ...record, ...(batch.isControl ? { control: decodeControl(record) } : {}) };
}

function* problemsOf(batch: BatchFinding, chain: SegmentChain): Generator<string, void, undefined> {
  const { baseOffset, lastOffset, recordsCount, leaderEpoch } = batch;
  if (!batch.isCrcValid) yield `offset ${baseOffset}: the content does not match the CRC ${batch.crc}`;
  if (baseOffset < chain.nextOffset)
    yield `offset ${baseOffset} where ${chain.nextOffset} is the least that may follow`;
  if (lastOffset < baseOffset) yield `last offset ${lastOffset} below the base offset ${baseOffset}`;
  if (recordsCount < 0 || recordsCount > lastOffset - baseOffset + 1) {
    yield `${recordsCount} records for offsets ${baseOffset} to ${lastOffset}`;
  }
  if (leaderEpoch < chain.leaderEpoch) yield `leader epoch ${leaderEpoch} after ${chain.leaderEpoch}`;
  if (batch.codec === 'unknown') yield 'a compression codec that no version of Kafka knows';
}
