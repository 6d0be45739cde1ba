// A batch without some of its records, as compaction leaves it (D-9.4). Offsets stay: base offset and last offset are those of the
// batch as it was written, and so are leader epoch, producer, sequence and codec. Sources: MemoryRecords.filterTo, KIP-534.
import { ByteWriter } from '../base/bytes.ts';
import { compress } from '../codec/compression.ts';
import { crc32c } from '../codec/crc32c.ts';
import type { BatchHeader } from './batch.ts';
import {
  ATTRIBUTES_AT,
  BASE_TIMESTAMP_AT,
  BATCH_HEADER_BYTES,
  BATCH_LENGTH_AT,
  COMPRESSION_MASK,
  CRC_AT,
  DELETE_HORIZON_FLAG,
  LOG_OVERHEAD_BYTES,
  MAX_TIMESTAMP_AT,
  NO_TIMESTAMP,
  RECORDS_COUNT_AT,
  setInt64,
} from './batch.ts';
import { RecordCursor } from './cursor.ts';

/** Which records of a batch stay. */
export interface Retained {
  /** The records, decompressed: bytes [start, end) of `content`. */
  readonly content: Buffer;
  readonly start: number;
  readonly end: number;
  /** For each record, not 0 if it stays. At least one does. */
  readonly keep: Uint8Array;
  /** From when on tombstones may go, to be set; undefined: what the batch says stays as it is. */
  readonly deleteHorizonMs: number | undefined;
}

/** The batch with the records that stay, written to `writer` from its start: valid until that is used again. */
export function retainRecords(batch: BatchHeader, retained: Retained, writer: ByteWriter = new ByteWriter()): Buffer {
  const { deleteHorizonMs } = retained;
  writer.position = 0;
  writer.claim(BATCH_HEADER_BYTES);
  const shift = deleteHorizonMs === undefined ? 0 : batch.baseTimestamp - deleteHorizonMs;
  const { count, maxDelta } = copyRecords(writer, batch, retained, shift);
  const records = writer.finish();
  const compression = batch.compression ?? 'none';
  const bytes =
    compression === 'none'
      ? records
      : Buffer.concat([
          records.subarray(0, BATCH_HEADER_BYTES),
          compress(compression, records.subarray(BATCH_HEADER_BYTES)),
        ]);
  batch.buffer.copy(bytes, 0, batch.start, batch.start + BATCH_HEADER_BYTES);
  if (batch.timestampType === 'CreateTime') setInt64(bytes, batch.baseTimestamp + maxDelta, MAX_TIMESTAMP_AT);
  if (deleteHorizonMs !== undefined) {
    bytes.writeInt16BE(batch.attributes | DELETE_HORIZON_FLAG, ATTRIBUTES_AT);
    setInt64(bytes, deleteHorizonMs, BASE_TIMESTAMP_AT);
  }
  return sealed(bytes, count);
}

/** The batch without any record: what it says of offsets, epoch and producer outlives them. */
export function emptiedBatch(batch: BatchHeader): Buffer {
  const bytes = Buffer.from(batch.buffer.subarray(batch.start, batch.start + BATCH_HEADER_BYTES));
  bytes.writeInt16BE(batch.attributes & ~(COMPRESSION_MASK | DELETE_HORIZON_FLAG), ATTRIBUTES_AT);
  setInt64(bytes, NO_TIMESTAMP, BASE_TIMESTAMP_AT);
  return sealed(bytes, 0);
}

/** Sets what depends on the records: length, count and CRC. */
function sealed(bytes: Buffer, count: number): Buffer {
  bytes.writeInt32BE(bytes.length - LOG_OVERHEAD_BYTES, BATCH_LENGTH_AT);
  bytes.writeInt32BE(count, RECORDS_COUNT_AT);
  bytes.writeUInt32BE(crc32c(bytes, ATTRIBUTES_AT), CRC_AT);
  return bytes;
}

/** `maxDelta`: the greatest timestamp of those that stay, above the batch's old base timestamp. */
function copyRecords(
  writer: ByteWriter,
  batch: BatchHeader,
  { content, start, end, keep, deleteHorizonMs }: Retained,
  shift: number,
): { count: number; maxDelta: number } {
  const cursor = new RecordCursor();
  cursor.open(content, start, end, batch.recordsCount, 0);
  let count = 0;
  let maxDelta = -Infinity;
  let from = start;
  let to = start;
  for (let i = 0; cursor.next(); i++) {
    if (keep[i] === 0) continue;
    count += 1;
    const delta = cursor.timestampDelta();
    if (delta > maxDelta) maxDelta = delta;
    if (deleteHorizonMs !== undefined) writeShifted(writer, content, cursor, delta + shift);
    else {
      // Neighbours are copied at once.
      if (cursor.start !== to) {
        writer.bytes(content.subarray(from, to));
        from = cursor.start;
      }
      to = cursor.end;
    }
  }
  writer.bytes(content.subarray(from, to));
  return { count, maxDelta };
}

/** The record with another timestamp delta. */
function writeShifted(writer: ByteWriter, content: Buffer, cursor: RecordCursor, delta: number): void {
  const rest = cursor.end - cursor.offsetAt;
  const zigzag = delta < 0 ? -delta * 2 - 1 : delta * 2;
  let deltaBytes = 1;
  for (let left = zigzag; left >= 0x80; left = Math.floor(left / 0x80)) deltaBytes += 1;
  writer.varint(1 + deltaBytes + rest);
  writer.int8(content.readInt8(cursor.bodyStart));
  writer.varlong(delta);
  writer.bytes(content.subarray(cursor.offsetAt, cursor.end));
}
