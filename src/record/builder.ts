// Builds record batches: what our own producer sends, and what tests and tools need.
import { assert } from '../base/assert.ts';
import { ByteWriter } from '../base/bytes.ts';
import type { Epoch, Offset } from '../base/ids.ts';
import type { CompressionType } from '../codec/compression.ts';
import { COMPRESSION_TYPES, compress } from '../codec/compression.ts';
import { crc32c } from '../codec/crc32c.ts';
import type { TimestampType } from './batch.ts';
import {
  ATTRIBUTES_AT,
  BATCH_HEADER_BYTES,
  CONTROL_FLAG,
  CRC_AT,
  LOG_APPEND_TIME_FLAG,
  LOG_OVERHEAD_BYTES,
  MAGIC_V2,
  NO_PRODUCER_EPOCH,
  NO_PRODUCER_ID,
  NO_SEQUENCE,
  NO_TIMESTAMP,
  TRANSACTIONAL_FLAG,
} from './batch.ts';
import type { KafkaRecord } from './record.ts';
import { writeRecord } from './record.ts';

/** A record before it has an offset. */
export type NewRecord = Omit<KafkaRecord, 'offset'>;

export interface BatchOptions {
  readonly compression?: CompressionType;
  /** Offset of the first record, 0 unless given: the leader sets it. */
  readonly baseOffset?: Offset;
  /** -1 unless given: the leader sets it. */
  readonly partitionLeaderEpoch?: Epoch;
  readonly producerId?: number;
  readonly producerEpoch?: Epoch;
  readonly baseSequence?: number;
  readonly transactional?: boolean;
  readonly control?: boolean;
  /** With LogAppendTime, `maxTimestamp` must be given. */
  readonly timestampType?: TimestampType;
  /** The records' own maximum unless given. */
  readonly maxTimestamp?: number;
  /** The last record's unless given: compaction may have removed that record. */
  readonly lastOffsetDelta?: number;
}

/** One batch of the records, with contiguous offsets from `baseOffset`. */
export function buildBatch(records: readonly NewRecord[], options: BatchOptions = {}): Buffer {
  const compression = options.compression ?? 'none';
  const baseTimestamp = records[0]?.timestamp ?? NO_TIMESTAMP;
  const writer = new ByteWriter(BATCH_HEADER_BYTES + 64 * records.length);
  writer.claim(BATCH_HEADER_BYTES);
  let maxTimestamp = NO_TIMESTAMP;
  for (const [i, record] of records.entries()) {
    writeRecord(writer, record, record.timestamp - baseTimestamp, i);
    maxTimestamp = Math.max(maxTimestamp, record.timestamp);
  }
  assert(
    options.timestampType !== 'LogAppendTime' || options.maxTimestamp !== undefined,
    'LogAppendTime without a time',
  );
  let batch = writer.finish();
  if (compression !== 'none') {
    const packed = compress(compression, batch.subarray(BATCH_HEADER_BYTES));
    batch = Buffer.concat([batch.subarray(0, BATCH_HEADER_BYTES), packed]);
  }
  writeHeader(batch, options, {
    attributes: attributesOf(compression, options),
    recordsCount: records.length,
    baseTimestamp,
    maxTimestamp: options.maxTimestamp ?? maxTimestamp,
  });
  return batch;
}

function attributesOf(compression: CompressionType, options: BatchOptions): number {
  return (
    COMPRESSION_TYPES.indexOf(compression) |
    (options.timestampType === 'LogAppendTime' ? LOG_APPEND_TIME_FLAG : 0) |
    (options.transactional ? TRANSACTIONAL_FLAG : 0) |
    (options.control ? CONTROL_FLAG : 0)
  );
}

interface DerivedFields {
  readonly attributes: number;
  readonly recordsCount: number;
  readonly baseTimestamp: number;
  readonly maxTimestamp: number;
}

/** Fills in the header's place at the front of the batch; the CRC last. */
function writeHeader(batch: Buffer, options: BatchOptions, derived: DerivedFields): void {
  const header = new ByteWriter(BATCH_HEADER_BYTES);
  header.int64(options.baseOffset ?? 0);
  header.int32(batch.length - LOG_OVERHEAD_BYTES);
  header.int32(options.partitionLeaderEpoch ?? -1);
  header.int8(MAGIC_V2);
  header.uint32(0);
  header.int16(derived.attributes);
  header.int32(options.lastOffsetDelta ?? derived.recordsCount - 1);
  header.int64(derived.baseTimestamp);
  header.int64(derived.maxTimestamp);
  header.int64(options.producerId ?? NO_PRODUCER_ID);
  header.int16(options.producerEpoch ?? NO_PRODUCER_EPOCH);
  header.int32(options.baseSequence ?? NO_SEQUENCE);
  header.int32(derived.recordsCount);
  header.finish().copy(batch);
  batch.writeUInt32BE(crc32c(batch, ATTRIBUTES_AT), CRC_AT);
}
