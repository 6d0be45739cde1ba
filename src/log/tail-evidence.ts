// A bad batch at or above the recovery point: torn by a crash (D-10.3: cut), or rotten (D-10.4: never cut silently)?
// What a crash can do (M-2): of what was not synced, any 512-byte sector may be missing, and where nothing was before, a
// missing sector reads as zeros or the file is shorter. Files are only ever appended to, and a truncation is synced before
// the next append, so nothing else can lie there. Hence:
// - the file ends inside the header, or a sector of the batch is all zeros: torn. Intact batches after it were not synced
//   either (a sync covers the file's prefix, and older segments), so they were never acknowledged as durable and go too;
// - the file ends before the batch does: torn as well, unless an intact batch follows in this file: then the length is rotten;
// - every sector has content but it is wrong: rot, or a misdirected write, if an intact batch follows anywhere. If none
//   does, it cannot be told from a torn end, and nothing behind it is lost by a cut.
// Payloads with a sector of zeros make the first case look likelier than it is (of a few bytes at the end the CRC tells); the
// recovery point bounds what that risks.
import { crc32c as crc32cFrom } from '../base/crc32c.ts';
import type { Offset } from '../base/ids.ts';
import { crc32c } from '../codec/crc32c.ts';
import type { DiskFile } from '../env/disk.ts';
import {
  ATTRIBUTES_AT,
  BATCH_HEADER_BYTES,
  BatchHeader,
  LOG_OVERHEAD_BYTES,
  MAGIC_AT,
  MAGIC_V2,
} from '../record/batch.ts';
import { scanBatch } from '../record/scan.ts';
import { readFully } from './batch-scan.ts';

const SECTOR_BYTES = 512;
const WINDOW_BYTES = 256 * 1024;
/** Offsets of one segment differ by less than this. */
const MAX_OFFSET_SPAN = 0x8000_0000;

export interface BadBatch {
  readonly file: DiskFile;
  /** Where it starts, and the size of the file. */
  readonly position: number;
  readonly size: number;
  /** The base offset that it should have. */
  readonly expectedOffset: Offset;
}

/**
 * What is there of a bad batch. `partial`: the file ends inside the header, or a sector is missing. `cut-off`: the file
 * ends before the batch says that it does. `complete`: all of it, but wrong.
 */
export type BadBatchState = 'partial' | 'cut-off' | 'complete';

export async function examine({ file, position, size, expectedOffset }: BadBatch): Promise<BadBatchState> {
  const left = size - position;
  if (left < BATCH_HEADER_BYTES) return 'partial';
  const header = Buffer.alloc(BATCH_HEADER_BYTES);
  await readFully(file, header, BATCH_HEADER_BYTES, position);
  // A length that leads beyond the end may be rotten itself: then only the header is surely of this batch.
  const scan = scanBatch(header, 0);
  const stated = new BatchHeader(header).sizeInBytes;
  const length = scan.kind !== 'malformed' && stated <= left ? stated : BATCH_HEADER_BYTES;
  const bytes = Buffer.alloc(length);
  await readFully(file, bytes, length, position);
  // The first sector is shared with the batch before: what of the base offset lies in it may be zero by right.
  const expected = Buffer.alloc(8);
  expected.writeBigInt64BE(BigInt(expectedOffset));
  const firstEnd = SECTOR_BYTES - (position % SECTOR_BYTES);
  for (let from = 0; from < length; from = from === 0 ? firstEnd : from + SECTOR_BYTES) {
    const to = Math.min(from === 0 ? firstEnd : from + SECTOR_BYTES, length);
    const zeroByRight = from === 0 && to < expected.length && isZero(expected.subarray(0, to));
    if (zeroByRight || !isZero(bytes.subarray(from, to))) continue;
    const isEnd = to === length && length === stated && to - from <= FEW_BYTES;
    if (!isEnd || canBeMissing(bytes, from)) return 'partial';
  }
  return scan.kind !== 'malformed' && stated > left ? 'cut-off' : 'complete';
}

/** Of more than this nobody would send a batch. */
const MAX_BATCH_BYTES = 128 * 1024 * 1024;

/**
 * Whether a batch that seems cut off is all there, up to the end of the file, and only its length is wrong: the CRC does not
 * cover the length, and matches. No crash does that.
 */
export async function isWholeButForLength({ file, position, size }: BadBatch): Promise<boolean> {
  const length = size - position;
  if (length < BATCH_HEADER_BYTES || length > MAX_BATCH_BYTES) return false;
  const bytes = Buffer.allocUnsafe(length);
  if ((await readFully(file, bytes, length, position)) < length) return false;
  return crc32c(bytes, ATTRIBUTES_AT) === new BatchHeader(bytes).crc;
}

/** So many at the end of a batch may be zero by right: a record without headers ends with a zero. */
const FEW_BYTES = 2;

/** Whether the batch would match its CRC with other bytes from `from` on, of which there are few. */
function canBeMissing(bytes: Buffer, from: number): boolean {
  const { crc } = new BatchHeader(bytes);
  const before = crc32cFrom(bytes, ATTRIBUTES_AT, from);
  const rest = Buffer.alloc(bytes.length - from);
  for (let value = 1; value < 256 ** rest.length; value++) {
    rest.writeUIntBE(value, 0, rest.length);
    if (crc32cFrom(rest, 0, rest.length, before) === crc) return true;
  }
  return false;
}

function isZero(bytes: Buffer): boolean {
  return lastNonZero(bytes) === undefined;
}

const ZEROS = Buffer.alloc(4096);

/** Position of the last byte that is not zero. */
function lastNonZero(bytes: Buffer): number | undefined {
  for (let end = bytes.length; end > 0; end -= Math.min(end, ZEROS.length)) {
    const part = bytes.subarray(Math.max(0, end - ZEROS.length), end);
    if (part.equals(ZEROS.subarray(0, part.length))) continue;
    let at = end - 1;
    while (bytes[at] === 0) at -= 1;
    return at;
  }
  return undefined;
}

/** Where only zeros follow up to `to`, at `from` or later: they are room for records that never came, or a hole. */
export async function usedEnd(file: DiskFile, from: number, to: number): Promise<number> {
  const window = Buffer.allocUnsafe(Math.min(WINDOW_BYTES, Math.max(to - from, 1)));
  for (let end = to; end > from; ) {
    const start = Math.max(from, end - window.length);
    const filled = await readFully(file, window, end - start, start);
    const last = lastNonZero(window.subarray(0, filled));
    if (last !== undefined) return start + last + 1;
    end = start;
  }
  return from;
}

/** Bytes that may be read of what looks like batches and is none, beyond some times the size of the file. */
const LEAST_BUDGET_BYTES = 64 * 1024 * 1024;

/**
 * Where the first intact batch starts that lies behind the bad one and continues its offsets; undefined if none does. `unclear`: records
 * were written to look like batches, so many that looking at each would take for ever.
 */
export async function findIntactBatchAfter(bad: BadBatch): Promise<number | 'unclear' | undefined> {
  const window = Buffer.allocUnsafe(WINDOW_BYTES);
  let budget = LEAST_BUDGET_BYTES + 4 * bad.size;
  // Windows overlap by a header less one byte: every header lies wholly in one of them.
  for (let start = bad.position + 1; start + BATCH_HEADER_BYTES <= bad.size; ) {
    const filled = await readFully(bad.file, window, Math.min(WINDOW_BYTES, bad.size - start), start);
    for (const at of candidates(window, filled, bad.expectedOffset, bad.size - start)) {
      const { sizeInBytes } = new BatchHeader(window, at);
      if (await isIntact(bad, start + at, sizeInBytes)) return start + at;
      budget -= sizeInBytes;
      if (budget < 0) return 'unclear';
    }
    if (filled < BATCH_HEADER_BYTES) return undefined;
    start += filled - BATCH_HEADER_BYTES + 1;
  }
  return undefined;
}

/** Positions in the window where the header of a later batch may start. */
function candidates(window: Buffer, filled: number, expectedOffset: Offset, left: number): number[] {
  const found: number[] = [];
  for (
    let at = window.indexOf(MAGIC_V2, MAGIC_AT) - MAGIC_AT;
    at >= 0;
    at = window.indexOf(MAGIC_V2, at + MAGIC_AT + 1) - MAGIC_AT
  ) {
    if (at + BATCH_HEADER_BYTES > filled) break;
    const batch = new BatchHeader(window, at);
    const { batchLength, baseOffset } = batch;
    const fits = batchLength >= BATCH_HEADER_BYTES - LOG_OVERHEAD_BYTES && at + batch.sizeInBytes <= left;
    if (fits && baseOffset >= expectedOffset && baseOffset < expectedOffset + MAX_OFFSET_SPAN) found.push(at);
  }
  return found;
}

async function isIntact(bad: BadBatch, position: number, size: number): Promise<boolean> {
  const bytes = Buffer.allocUnsafe(size);
  if ((await readFully(bad.file, bytes, size, position)) < size) return false;
  const scan = scanBatch(bytes, 0);
  return scan.kind === 'batch' && scan.batch.computeCrc() === scan.batch.crc;
}
