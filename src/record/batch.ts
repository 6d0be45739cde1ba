// Record batch, version 2 ("magic 2"), as it lies in logs and on the wire: header layout, a view that copies nothing, and the
// fields that a broker may set in place. Layout: https://kafka.apache.org/documentation/#recordbatch
// Base offset, length and partition leader epoch come before the CRC and are not covered by it.
import type { Epoch, Offset } from '../base/ids.ts';
import type { CompressionType } from '../codec/compression.ts';
import { COMPRESSION_TYPES } from '../codec/compression.ts';
import { crc32c } from '../codec/crc32c.ts';

const BASE_OFFSET_AT = 0;
export const BATCH_LENGTH_AT = 8;
const PARTITION_LEADER_EPOCH_AT = 12;
export const MAGIC_AT = 16;
export const CRC_AT = 17;
/** The CRC covers everything from here to the batch's end. */
export const ATTRIBUTES_AT = 21;
const LAST_OFFSET_DELTA_AT = 23;
export const BASE_TIMESTAMP_AT = 27;
export const MAX_TIMESTAMP_AT = 35;
const PRODUCER_ID_AT = 43;
const PRODUCER_EPOCH_AT = 51;
const BASE_SEQUENCE_AT = 53;
export const RECORDS_COUNT_AT = 57;
/** Where the records start, and the size of a batch without any. */
export const BATCH_HEADER_BYTES = 61;
/** Base offset and length: what `batchLength` does not count. */
export const LOG_OVERHEAD_BYTES = 12;
export const MAGIC_V2 = 2;

export const COMPRESSION_MASK = 0x07;
export const LOG_APPEND_TIME_FLAG = 0x08;
export const TRANSACTIONAL_FLAG = 0x10;
export const CONTROL_FLAG = 0x20;
export const DELETE_HORIZON_FLAG = 0x40;

/** No producer id, and no epoch or sequence with it. */
export const NO_PRODUCER_ID = -1;
export const NO_PRODUCER_EPOCH = -1;
export const NO_SEQUENCE = -1;
/** A record or batch without a time. */
export const NO_TIMESTAMP = -1;

const MAX_SEQUENCE = 0x7fff_ffff;

export type TimestampType = 'CreateTime' | 'LogAppendTime';

/**
 * A batch in a buffer, read field by field, never copied. Fields are what the bytes say: trust them only after
 * {@link validateBatch} or a CRC check of one's own log. 64-bit fields beyond the safe integers lose precision.
 */
export class BatchHeader {
  readonly buffer: Buffer;
  /** Where the batch starts in the buffer, which holds at least its header. */
  readonly start: number;

  constructor(buffer: Buffer, start = 0) {
    this.buffer = buffer;
    this.start = start;
  }

  get baseOffset(): Offset {
    return int64(this.buffer, this.start + BASE_OFFSET_AT);
  }
  /** Bytes after this field. */
  get batchLength(): number {
    return this.buffer.readInt32BE(this.start + BATCH_LENGTH_AT);
  }
  get partitionLeaderEpoch(): Epoch {
    return this.buffer.readInt32BE(this.start + PARTITION_LEADER_EPOCH_AT);
  }
  get magic(): number {
    return this.buffer.readInt8(this.start + MAGIC_AT);
  }
  /** As stored, unsigned. */
  get crc(): number {
    return this.buffer.readUInt32BE(this.start + CRC_AT);
  }
  get attributes(): number {
    return this.buffer.readInt16BE(this.start + ATTRIBUTES_AT);
  }
  get lastOffsetDelta(): number {
    return this.buffer.readInt32BE(this.start + LAST_OFFSET_DELTA_AT);
  }
  get baseTimestamp(): number {
    return int64(this.buffer, this.start + BASE_TIMESTAMP_AT);
  }
  get maxTimestamp(): number {
    return int64(this.buffer, this.start + MAX_TIMESTAMP_AT);
  }
  get producerId(): number {
    return int64(this.buffer, this.start + PRODUCER_ID_AT);
  }
  get producerEpoch(): Epoch {
    return this.buffer.readInt16BE(this.start + PRODUCER_EPOCH_AT);
  }
  get baseSequence(): number {
    return this.buffer.readInt32BE(this.start + BASE_SEQUENCE_AT);
  }
  get recordsCount(): number {
    return this.buffer.readInt32BE(this.start + RECORDS_COUNT_AT);
  }

  /** The whole batch in bytes, header included. */
  get sizeInBytes(): number {
    return LOG_OVERHEAD_BYTES + this.batchLength;
  }
  /** Where the batch ends in the buffer, exclusive. */
  get end(): number {
    return this.start + this.sizeInBytes;
  }
  /** Inclusive. */
  get lastOffset(): Offset {
    return this.baseOffset + this.lastOffsetDelta;
  }
  /** The offset after the batch. */
  get nextOffset(): Offset {
    return this.lastOffset + 1;
  }
  /** Sequence of the last record, -1 without a producer's sequence. */
  get lastSequence(): number {
    return this.baseSequence === NO_SEQUENCE ? NO_SEQUENCE : addToSequence(this.baseSequence, this.lastOffsetDelta);
  }
  /** Undefined for an id that no version of Kafka knows. */
  get compression(): CompressionType | undefined {
    return COMPRESSION_TYPES[this.attributes & COMPRESSION_MASK];
  }
  get timestampType(): TimestampType {
    return this.attributes & LOG_APPEND_TIME_FLAG ? 'LogAppendTime' : 'CreateTime';
  }
  get isTransactional(): boolean {
    return (this.attributes & TRANSACTIONAL_FLAG) !== 0;
  }
  get isControl(): boolean {
    return (this.attributes & CONTROL_FLAG) !== 0;
  }
  get hasProducerId(): boolean {
    return this.producerId !== NO_PRODUCER_ID;
  }
  /** From when on compaction may drop the tombstones in it, in wall time; undefined if that is not decided yet (KIP-534). */
  get deleteHorizonMs(): number | undefined {
    return this.attributes & DELETE_HORIZON_FLAG ? this.baseTimestamp : undefined;
  }

  /** The whole batch, not copied. */
  get bytes(): Buffer {
    return this.buffer.subarray(this.start, this.end);
  }
  /** The records as stored, compressed or not; not copied. */
  get recordBytes(): Buffer {
    return this.buffer.subarray(this.start + BATCH_HEADER_BYTES, this.end);
  }
  /** The CRC-32C that the content has. */
  computeCrc(): number {
    return crc32c(this.buffer, this.start + ATTRIBUTES_AT, this.end);
  }
}

function int64(buffer: Buffer, at: number): number {
  return buffer.readInt32BE(at) * 0x1_0000_0000 + buffer.readUInt32BE(at + 4);
}

/** Writes a 64-bit field of a header. */
export function setInt64(buffer: Buffer, value: number, at: number): void {
  const high = Math.floor(value / 0x1_0000_0000);
  buffer.writeInt32BE(high, at);
  buffer.writeUInt32BE(value - high * 0x1_0000_0000, at + 4);
}

/** The sequence `count` after `sequence`; sequences wrap from 2^31-1 to 0 (T-1.3). */
export function addToSequence(sequence: number, count: number): number {
  return (sequence + count) % (MAX_SEQUENCE + 1);
}

/** Sets the base offset of the batch at `start`, in place; the CRC does not cover it. */
export function setBaseOffset(buffer: Buffer, baseOffset: Offset, start = 0): void {
  setInt64(buffer, baseOffset, start + BASE_OFFSET_AT);
}

/** Sets the partition leader epoch of the batch at `start`, in place; the CRC does not cover it. */
export function setPartitionLeaderEpoch(buffer: Buffer, leaderEpoch: Epoch, start = 0): void {
  buffer.writeInt32BE(leaderEpoch, start + PARTITION_LEADER_EPOCH_AT);
}

/** Makes the batch at `start` one of LogAppendTime, in place, and renews its CRC. Its records count as of that time. */
export function setLogAppendTime(buffer: Buffer, timestamp: number, start = 0): void {
  const batch = new BatchHeader(buffer, start);
  buffer.writeInt16BE(batch.attributes | LOG_APPEND_TIME_FLAG, start + ATTRIBUTES_AT);
  setInt64(buffer, timestamp, start + MAX_TIMESTAMP_AT);
  buffer.writeUInt32BE(batch.computeCrc(), start + CRC_AT);
}
