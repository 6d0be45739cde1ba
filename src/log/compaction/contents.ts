// The uncompressed records of a batch, where they lie or decompressed.

import { decompress } from '../../codec/compression.ts';
import { CodecError } from '../../codec/error.ts';
import { EnvError } from '../../env/error.ts';
import type { BatchHeader } from '../../record/batch.ts';
import { BATCH_HEADER_BYTES } from '../../record/batch.ts';
import type { RecordCursor } from '../../record/cursor.ts';
import { RecordError } from '../../record/record.ts';

/** As many bytes as the records of one batch may decompress to. */
const MAX_CONTENT_BYTES = 256 * 1024 * 1024;

/** Bytes [start, end) of `content`. */
export interface Contents {
  readonly content: Buffer;
  readonly start: number;
  readonly end: number;
}

/** Opens the cursor at them. EnvError CORRUPT if they cannot be decompressed. */
export function openRecords(batch: BatchHeader, cursor: RecordCursor): Contents {
  const contents = readable(batch, () => contentsOf(batch));
  cursor.open(contents.content, contents.start, contents.end, batch.recordsCount, batch.baseOffset);
  return contents;
}

function contentsOf(batch: BatchHeader): Contents {
  const { compression } = batch;
  if (compression === 'none') return { content: batch.buffer, start: batch.start + BATCH_HEADER_BYTES, end: batch.end };
  if (compression === undefined) throw new RecordError(`unknown compression in attributes ${batch.attributes}`);
  const content = decompress(compression, batch.recordBytes, MAX_CONTENT_BYTES);
  return { content, start: 0, end: content.length };
}

/** What does not make sense in a batch whose CRC is right is damage all the same: nothing of it may be guessed. */
export function readable<T>(batch: BatchHeader, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof RecordError) && !(error instanceof CodecError)) throw error;
    throw new EnvError('CORRUPT', `batch at offset ${batch.baseOffset}: ${error.message}`, error);
  }
}
