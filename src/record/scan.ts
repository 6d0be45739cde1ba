// Walks a buffer batch by batch: over what a fetch returned, what a segment holds, or what a producer sent. Looks at
// lengths and magic only; whether the content is what was written is the CRC's business.
import { BATCH_HEADER_BYTES, BATCH_LENGTH_AT, BatchHeader, LOG_OVERHEAD_BYTES, MAGIC_AT, MAGIC_V2 } from './batch.ts';

/** What lies at a position. `truncated`: the start of a batch whose end is missing; `malformed`: no batch v2 at all. */
export type BatchScan =
  | { readonly kind: 'batch'; readonly batch: BatchHeader }
  | { readonly kind: 'end' }
  | { readonly kind: 'truncated' }
  | { readonly kind: 'malformed'; readonly reason: string };

/** What lies at `at`, of the bytes up to `end`. */
export function scanBatch(buffer: Buffer, at: number, end: number = buffer.length): BatchScan {
  const available = end - at;
  if (available === 0) return { kind: 'end' };
  if (available < LOG_OVERHEAD_BYTES) return { kind: 'truncated' };
  const batchLength = buffer.readInt32BE(at + BATCH_LENGTH_AT);
  if (batchLength < BATCH_HEADER_BYTES - LOG_OVERHEAD_BYTES) {
    return { kind: 'malformed', reason: `batch length ${batchLength} at ${at} is too small for a header` };
  }
  if (available > MAGIC_AT) {
    const magic = buffer.readInt8(at + MAGIC_AT);
    if (magic !== MAGIC_V2) return { kind: 'malformed', reason: `magic ${magic} at ${at} instead of ${MAGIC_V2}` };
  }
  if (available < LOG_OVERHEAD_BYTES + batchLength) return { kind: 'truncated' };
  return { kind: 'batch', batch: new BatchHeader(buffer, at) };
}

/** The whole batches from `start` on. Stops before a truncated or malformed one; returns where it stopped. */
export function* splitBatches(
  buffer: Buffer,
  start = 0,
  end: number = buffer.length,
): Generator<BatchHeader, number, undefined> {
  let at = start;
  for (;;) {
    const scan = scanBatch(buffer, at, end);
    if (scan.kind !== 'batch') return at;
    at = scan.batch.end;
    yield scan.batch;
  }
}
