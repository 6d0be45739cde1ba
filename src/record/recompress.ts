// A batch with another codec, as compression.type of a topic asks for (LogValidator.buildRecordsAndAssignOffsets): the same records,
// deltas, timestamps and producer; what changes is the codec, the length and the CRC.
import type { CompressionType } from '../codec/compression.ts';
import { COMPRESSION_TYPES, compress } from '../codec/compression.ts';
import { crc32c } from '../codec/crc32c.ts';
import type { BatchHeader } from './batch.ts';
import {
  ATTRIBUTES_AT,
  BATCH_HEADER_BYTES,
  BATCH_LENGTH_AT,
  COMPRESSION_MASK,
  CRC_AT,
  LOG_OVERHEAD_BYTES,
} from './batch.ts';

/**
 * The batch in a buffer of its own, given the bytes of its records as they are without compression. Synchronous: gzip and zstd hold up
 * the event loop by about 5 ms per MiB of records, snappy and lz4 by about 2.
 */
export function recompressed(batch: BatchHeader, content: Buffer, compression: CompressionType): Buffer {
  const packed = compress(compression, content);
  const bytes = Buffer.allocUnsafe(BATCH_HEADER_BYTES + packed.length);
  batch.buffer.copy(bytes, 0, batch.start, batch.start + BATCH_HEADER_BYTES);
  packed.copy(bytes, BATCH_HEADER_BYTES);
  bytes.writeInt32BE(bytes.length - LOG_OVERHEAD_BYTES, BATCH_LENGTH_AT);
  const attributes = (batch.attributes & ~COMPRESSION_MASK) | COMPRESSION_TYPES.indexOf(compression);
  bytes.writeInt16BE(attributes, ATTRIBUTES_AT);
  bytes.writeUInt32BE(crc32c(bytes, ATTRIBUTES_AT), CRC_AT);
  return bytes;
}
