// Single records: decoding the content of a batch, and the encoding of one record. Keys, values and headers are views
// into the batch where it is not compressed. Layout: https://kafka.apache.org/documentation/#record

import type { ByteWriter } from '../base/bytes.ts';
import { ByteReader, BytesError } from '../base/bytes.ts';
import type { Offset } from '../base/ids.ts';
import { decompress } from '../codec/compression.ts';
import { CodecError } from '../codec/error.ts';
import type { BatchHeader } from './batch.ts';

export interface RecordHeader {
  readonly key: string;
  readonly value: Buffer | null;
}

export interface KafkaRecord {
  readonly offset: Offset;
  /** Milliseconds since 1970, -1 for none. */
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly RecordHeader[];
}

/** A batch whose records are not what its header says, or whose bytes make no records. */
export class RecordError extends Error {
  override name = 'RecordError';
}

/** Bytes that records may decompress to where the caller sets no limit of its own. */
const DEFAULT_MAX_BYTES = 256 * 1024 * 1024;

/**
 * The records of a batch; [] for one that compaction emptied. Offsets ascend; timestamps follow the batch's timestamp
 * type. RecordError if the bytes are damaged or decompress to more than `maxBytes`. Does not check the CRC.
 */
export function decodeRecords(batch: BatchHeader, maxBytes: number = DEFAULT_MAX_BYTES): KafkaRecord[] {
  const count = batch.recordsCount;
  if (count < 0) throw new RecordError(`batch at offset ${batch.baseOffset} with ${count} records`);
  if (count === 0) return [];
  try {
    const reader = new ByteReader(recordContent(batch, maxBytes));
    const records: KafkaRecord[] = [];
    for (let i = 0; i < count; i++) records.push(readRecord(reader, batch));
    if (reader.remaining > 0) throw new RecordError(`${reader.remaining} bytes after the last of ${count} records`);
    return records;
  } catch (error) {
    if (error instanceof BytesError) {
      throw new RecordError(`batch at offset ${batch.baseOffset}: ${error.message}`, { cause: error });
    }
    throw error;
  }
}

/** The bytes of the records, decompressed: a view where they are not compressed. RecordError as of {@link decodeRecords}. */
export function recordContent(batch: BatchHeader, maxBytes: number = DEFAULT_MAX_BYTES): Buffer {
  const { compression } = batch;
  if (compression === undefined) throw new RecordError(`unknown compression in attributes ${batch.attributes}`);
  try {
    return decompress(compression, batch.recordBytes, maxBytes);
  } catch (error) {
    if (!(error instanceof CodecError)) throw error;
    throw new RecordError(`batch at offset ${batch.baseOffset}: ${error.message}`, { cause: error });
  }
}

function readRecord(reader: ByteReader, batch: BatchHeader): KafkaRecord {
  const length = reader.varint();
  const end = reader.position + length;
  if (length < 0 || end > reader.end) throw new RecordError(`record of ${length} bytes, ${reader.remaining} left`);
  reader.int8(); // Attributes, of which no bit is in use.
  const timestampDelta = reader.varlong();
  const offset = batch.baseOffset + reader.varint();
  // LogAppendTime: the broker's time, which is the batch's maximum, holds for all (kafka-protocol.md 23).
  const timestamp = batch.timestampType === 'LogAppendTime' ? batch.maxTimestamp : batch.baseTimestamp + timestampDelta;
  const key = readNullable(reader);
  const value = readNullable(reader);
  const headers = readHeaders(reader);
  if (reader.position !== end) {
    throw new RecordError(`record at offset ${offset} is not as long as it says: ${reader.position - end} bytes over`);
  }
  return { offset, timestamp, key, value, headers };
}

const NO_HEADERS: readonly RecordHeader[] = [];

function readHeaders(reader: ByteReader): readonly RecordHeader[] {
  const count = reader.varint();
  if (count === 0) return NO_HEADERS;
  if (count < 0 || count > reader.remaining) throw new RecordError(`record with ${count} headers`);
  const headers: RecordHeader[] = [];
  for (let i = 0; i < count; i++) {
    const keyLength = reader.varint();
    if (keyLength < 0) throw new RecordError('header without a key');
    headers.push({ key: reader.utf8(keyLength), value: readNullable(reader) });
  }
  return headers;
}

function readNullable(reader: ByteReader): Buffer | null {
  const length = reader.varint();
  if (length < -1) throw new RecordError(`field of ${length} bytes`);
  return length === -1 ? null : reader.bytes(length);
}

/** Bytes of a record after its length field. */
export function recordBodyBytes(
  record: Omit<KafkaRecord, 'offset'>,
  timestampDelta: number,
  offsetDelta: number,
): number {
  let size = 1 + varlongBytes(timestampDelta) + varintBytes(offsetDelta);
  size += nullableBytes(record.key) + nullableBytes(record.value) + varintBytes(record.headers.length);
  for (const header of record.headers) {
    const keyLength = Buffer.byteLength(header.key);
    size += varintBytes(keyLength) + keyLength + nullableBytes(header.value);
  }
  return size;
}

/** Writes one record, its length first. */
export function writeRecord(
  writer: ByteWriter,
  record: Omit<KafkaRecord, 'offset'>,
  timestampDelta: number,
  offsetDelta: number,
): void {
  writer.varint(recordBodyBytes(record, timestampDelta, offsetDelta));
  writer.int8(0);
  writer.varlong(timestampDelta);
  writer.varint(offsetDelta);
  writeNullable(writer, record.key);
  writeNullable(writer, record.value);
  writer.varint(record.headers.length);
  for (const header of record.headers) {
    writer.varint(Buffer.byteLength(header.key));
    writer.utf8(header.key);
    writeNullable(writer, header.value);
  }
}

function writeNullable(writer: ByteWriter, bytes: Buffer | null): void {
  if (bytes === null) {
    writer.varint(-1);
  } else {
    writer.varint(bytes.length);
    writer.bytes(bytes);
  }
}

function nullableBytes(bytes: Buffer | null): number {
  return bytes === null ? 1 : varintBytes(bytes.length) + bytes.length;
}

/** Bytes that a zigzag varint takes. */
function varintBytes(value: number): number {
  const raw = ((value << 1) ^ (value >> 31)) >>> 0;
  return raw < 0x80 ? 1 : raw < 0x4000 ? 2 : raw < 0x20_0000 ? 3 : raw < 0x1000_0000 ? 4 : 5;
}

function varlongBytes(value: number): number {
  let rest = value < 0 ? -value * 2 - 1 : value * 2;
  let size = 1;
  while (rest >= 0x80) {
    rest = Math.floor(rest / 0x80);
    size++;
  }
  return size;
}
