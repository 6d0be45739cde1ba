// Walks a segment file for inspection: every byte of it belongs to one of the stretches that come out, in order. Behind
// damage it goes on at the next batch that is intact. Knows nothing of indexes and shares nothing with recovery, which it
// is to check; takes memory for one batch.
import { BATCH_HEADER_BYTES, BatchHeader, LOG_OVERHEAD_BYTES, MAGIC_AT, MAGIC_V2 } from '../../record/batch.ts';
import type { FileWindow } from './window.ts';

/** No request brings a larger batch (socket.request.max.bytes); a larger length is damage. */
const MAX_BATCH_BYTES = 256 * 1024 * 1024;
const STEP_BYTES = 256 * 1024;
/** Offset, length, CRC, magic, attributes, lengths of key and value: the least that a message of the old formats takes. */
const MIN_OLD_BYTES = 26;
const MAX_OFFSET_SPAN = 0x8000_0000;
/** Bytes read to tell batches from what looks like one, before the search behind damage gives up. */
const SEARCH_BUDGET_BYTES = 1024 * 1024 * 1024;

export type Stretch =
  /** The batch is valid until the next stretch is asked for. */
  | { readonly kind: 'batch'; readonly position: number; readonly batch: BatchHeader }
  /** A message, or message set, of a format before Kafka 0.11. */
  | { readonly kind: 'old'; readonly position: number; readonly sizeInBytes: number; readonly magic: number }
  /** Zeros up to the end of the file. */
  | { readonly kind: 'zeros'; readonly position: number; readonly sizeInBytes: number }
  | { readonly kind: 'damage'; readonly position: number; readonly sizeInBytes: number; readonly problem: string };

/** `baseOffset`: of the segment, below which no batch is looked for behind damage. */
export async function* walkBatches(window: FileWindow, baseOffset: number): AsyncGenerator<Stretch, void, undefined> {
  const budget = { bytes: SEARCH_BUDGET_BYTES };
  let position = 0;
  while (position < window.size) {
    const stretch = await stretchAt(window, position);
    if (stretch.kind !== 'damage') {
      yield stretch;
      position += stretch.kind === 'batch' ? stretch.batch.sizeInBytes : stretch.sizeInBytes;
      continue;
    }
    const next = (await intactBatchAfter(window, position, baseOffset, budget)) ?? window.size;
    yield { ...stretch, sizeInBytes: next - position };
    position = next;
  }
}

async function stretchAt(window: FileWindow, position: number): Promise<Stretch> {
  const left = window.size - position;
  const damage = (problem: string): Stretch => ({ kind: 'damage', position, sizeInBytes: left, problem });
  const header = await window.view(position, BATCH_HEADER_BYTES);
  if (isZero(header) && (await isZeroFrom(window, position))) return { kind: 'zeros', position, sizeInBytes: left };
  if (header.length <= MAGIC_AT) return damage('the file ends in the middle of a batch header');
  const { magic, sizeInBytes } = new BatchHeader(header);
  if (magic === 0 || magic === 1) {
    if (sizeInBytes < MIN_OLD_BYTES || sizeInBytes > left)
      return damage(`a message of ${sizeInBytes} bytes, magic ${magic}`);
    return { kind: 'old', position, sizeInBytes, magic };
  }
  if (magic !== MAGIC_V2) return damage(`magic ${magic} instead of ${MAGIC_V2}`);
  if (sizeInBytes < BATCH_HEADER_BYTES) return damage(`batch length ${sizeInBytes - LOG_OVERHEAD_BYTES} is too small`);
  if (sizeInBytes > MAX_BATCH_BYTES) return damage(`batch length ${sizeInBytes - LOG_OVERHEAD_BYTES} is too large`);
  if (sizeInBytes > left) return damage(`the file ends in the middle of a batch: ${left} of ${sizeInBytes} bytes`);
  const bytes = await window.view(position, sizeInBytes);
  if (bytes.length < sizeInBytes) return damage('the file became shorter while it was read');
  return { kind: 'batch', position, batch: new BatchHeader(bytes) };
}

const ZEROS = Buffer.alloc(STEP_BYTES);

function isZero(bytes: Buffer): boolean {
  return bytes.equals(ZEROS.subarray(0, bytes.length));
}

async function isZeroFrom(window: FileWindow, position: number): Promise<boolean> {
  for (let at = position; at < window.size; at += STEP_BYTES) {
    if (!isZero(await window.view(at, STEP_BYTES))) return false;
  }
  return true;
}

interface Budget {
  bytes: number;
}

/** Where the next batch starts that has its CRC; undefined if there is none. */
async function intactBatchAfter(
  window: FileWindow,
  position: number,
  baseOffset: number,
  budget: Budget,
): Promise<number | undefined> {
  // Steps overlap by a header less one byte: every header lies wholly in one of them.
  for (let start = position + 1; start + BATCH_HEADER_BYTES <= window.size; ) {
    const step = Buffer.from(await window.view(start, STEP_BYTES));
    for (let at = step.indexOf(MAGIC_V2, MAGIC_AT); at >= 0; at = step.indexOf(MAGIC_V2, at + 1)) {
      const from = at - MAGIC_AT;
      if (from + BATCH_HEADER_BYTES > step.length) break;
      const batch = new BatchHeader(step, from);
      if (!isLikely(batch, baseOffset, window.size - start - from)) continue;
      budget.bytes -= batch.sizeInBytes;
      if (budget.bytes < 0) return undefined;
      const whole = new BatchHeader(await window.view(start + from, batch.sizeInBytes));
      if (whole.computeCrc() === whole.crc) return start + from;
    }
    if (step.length < BATCH_HEADER_BYTES) return undefined;
    start += step.length - BATCH_HEADER_BYTES + 1;
  }
  return undefined;
}

/** Whether every field may be what a broker wrote; costs nothing. */
function isLikely(batch: BatchHeader, baseOffset: number, left: number): boolean {
  const { sizeInBytes, attributes, lastOffsetDelta, recordsCount } = batch;
  if (sizeInBytes < BATCH_HEADER_BYTES || sizeInBytes > Math.min(left, MAX_BATCH_BYTES)) return false;
  if (attributes < 0 || attributes > 0x7f || batch.compression === undefined) return false;
  if (recordsCount < 0 || lastOffsetDelta < 0 || recordsCount > lastOffsetDelta + 1) return false;
  return batch.baseOffset >= baseOffset && batch.baseOffset < baseOffset + MAX_OFFSET_SPAN;
}
