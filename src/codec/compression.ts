// Compression as Kafka's record batches use it: five types, synchronous, deterministic, every output limited.

import { unreachable } from '../base/assert.ts';
import { asBuffer } from '../base/bytes.ts';
import { tooLarge } from './error.ts';
import { gunzip, gzip } from './gzip.ts';
import { compressLz4, decompressLz4 } from './lz4.ts';
import { compressSnappy, decompressSnappy } from './snappy.ts';
import { compressZstd, decompressZstd, loadZstd } from './zstd.ts';

export type CompressionType = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';

/** In the order of their ids in a batch's attributes. */
export const COMPRESSION_TYPES: readonly CompressionType[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];

/** Loads what cannot be loaded synchronously. Once, before the first use of zstd. */
export async function loadCodecs(): Promise<void> {
  await loadZstd();
}

/** What Kafka's own producers would write: gzip member, xerial-framed snappy, one LZ4 frame, one zstd frame. */
export function compress(type: CompressionType, bytes: Uint8Array): Buffer {
  const input = asBuffer(bytes);
  switch (type) {
    case 'none':
      return input;
    case 'gzip':
      return gzip(input);
    case 'snappy':
      return compressSnappy(input);
    case 'lz4':
      return compressLz4(input);
    case 'zstd':
      return compressZstd(input);
    default:
      return unreachable(type, 'compression type');
  }
}

/**
 * The reverse of {@link compress}, for what any Kafka client writes. CodecError for damaged input and for output above
 * `maxBytes`; in neither case is more than about `maxBytes` of memory taken. With `none` the input itself is returned.
 */
export function decompress(type: CompressionType, bytes: Uint8Array, maxBytes: number): Buffer {
  const input = asBuffer(bytes);
  switch (type) {
    case 'none':
      if (input.length > maxBytes) throw tooLarge('uncompressed', maxBytes);
      return input;
    case 'gzip':
      return gunzip(input, maxBytes);
    case 'snappy':
      return decompressSnappy(input, maxBytes);
    case 'lz4':
      return decompressLz4(input, maxBytes);
    case 'zstd':
      return decompressZstd(input, maxBytes);
    default:
      return unreachable(type, 'compression type');
  }
}
