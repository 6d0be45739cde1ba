// Walks the batches of a segment file in order, through one reused buffer: for recovery (whole batches, to check their
// CRC) and for rebuilding what is derived from them (headers only: batches larger than a chunk are skipped over).
import type { DiskFile } from '../env/disk.ts';
import { BATCH_HEADER_BYTES, BatchHeader, LOG_OVERHEAD_BYTES } from '../record/batch.ts';
import { scanBatch } from '../record/scan.ts';

/** Read at once. A chunk takes about 0.2 ms to check, and the event loop runs in between. */
const CHUNK_BYTES = { whole: 1024 * 1024, header: 128 * 1024 };
/** Batches that are visited before the event loop runs again, however small they are. */
const MAX_BATCHES_AT_ONCE = 256;

export interface ScanRange {
  /** Where a batch starts. */
  readonly from: number;
  /** No batch reaches beyond. */
  readonly to: number;
  /** `whole`: the visitor may look at all bytes of the batch; `header`: at its header only. */
  readonly view: 'whole' | 'header';
  /** How much is read at once, unless a batch takes more: for a look at a few headers. */
  readonly chunkBytes?: number;
}

export interface ScanEnd {
  /** Where the first byte lies that was not part of a visited batch. */
  readonly position: number;
  /** Why the scan ended there; undefined at the end of the range or where the visitor stopped it. */
  readonly problem: string | undefined;
}

/** Reads up to `length` bytes; fewer only at the end of the file. */
export async function readFully(file: DiskFile, target: Buffer, length: number, position: number): Promise<number> {
  let done = 0;
  while (done < length) {
    const count = await file.read(target, done, length - done, position + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}

/** Writes all of the bytes; a short write is continued, and on a full disk the next one throws NO_SPACE. */
export function writeFully(file: DiskFile, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) done += file.write([bytes.subarray(done)], position + done);
}

/**
 * Calls `visit` for each batch with its position in the file. The batch is valid during the call only.
 * `visit` returns false to stop before that batch.
 */
export async function scanBatches(
  file: DiskFile,
  range: ScanRange,
  visit: (batch: BatchHeader, position: number) => boolean,
): Promise<ScanEnd> {
  const most = Math.min(CHUNK_BYTES[range.view], range.chunkBytes ?? CHUNK_BYTES[range.view]);
  const chunk = Math.min(most, Math.max(range.to - range.from, BATCH_HEADER_BYTES));
  let buffer = Buffer.allocUnsafe(chunk);
  let take = chunk;
  let position = range.from;
  while (position < range.to) {
    const left = range.to - position;
    const wanted = Math.min(take, left);
    const filled = await readFully(file, buffer, wanted, position);
    let at = 0;
    let count = 0;
    for (; count < MAX_BATCHES_AT_ONCE; count++) {
      const next = batchAt(buffer, at, filled, left, range.view);
      if (typeof next === 'string') return { position: position + at, problem: next };
      if (next === undefined) break;
      if (!visit(next, position + at)) return { position: position + at, problem: undefined };
      at = next.end;
    }
    position += at;
    // Of small batches no more is read than is looked at.
    if (at > 0) take = count === MAX_BATCHES_AT_ONCE ? Math.min(chunk, at + (at >>> 3)) : chunk;
    else {
      // Nothing taken: more bytes are needed for this batch, or the file ends before its size said.
      const size = new BatchHeader(buffer).sizeInBytes;
      if (filled < wanted || size <= take) return { position, problem: 'the file ends in the middle of a batch' };
      take = size;
      if (size > buffer.length) buffer = Buffer.allocUnsafe(size);
    }
  }
  return { position, problem: undefined };
}

/** The batch at `at`, undefined if more bytes must be read first, or what is wrong there. */
function batchAt(
  buffer: Buffer,
  at: number,
  filled: number,
  left: number,
  view: 'whole' | 'header',
): BatchHeader | string | undefined {
  if (at >= filled) return undefined;
  const scan = scanBatch(buffer, at, filled);
  if (scan.kind === 'batch') return scan.batch;
  if (scan.kind === 'malformed') return scan.reason;
  if (left - at < BATCH_HEADER_BYTES) return 'the file ends in the middle of a batch header';
  if (filled - at < BATCH_HEADER_BYTES) return undefined;
  const batch = new BatchHeader(buffer, at);
  if (batch.sizeInBytes > left - at) return 'the file ends in the middle of a batch';
  return view === 'header' ? batch : undefined;
}

/** Bytes that tell how long the batch is. */
export const LENGTH_PREFIX_BYTES = LOG_OVERHEAD_BYTES;
