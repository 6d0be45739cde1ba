// Reading: offset → segment → index → position → bytes, cut to whole batches in memory. The newest records come from the tail
// cache at once, without a turn of the thread pool; what is older from the file, by way of the read-ahead.
import { assert } from '../base/assert.ts';
import type { Offset } from '../base/ids.ts';
import { EnvError } from '../env/error.ts';
import { BATCH_HEADER_BYTES, BatchHeader } from '../record/batch.ts';
import { scanBatch } from '../record/scan.ts';
import type { LogState } from './log-state.ts';
import { segmentIndexFor } from './log-state.ts';
import type { PositionHints } from './position-hints.ts';
import type { SegmentView } from './segment-view.ts';
import { consistently, endsTooEarly, positionOf, viewNow, viewOf } from './segment-view.ts';

export interface ReadRequest {
  /** At least logStartOffset. In the middle of a batch: the whole batch is read (kafka-protocol.md 31). */
  readonly offset: Offset;
  readonly maxBytes: number;
  /** No batch that reaches to or beyond this offset is read. */
  readonly endOffset: Offset;
  /** Return the first batch even if it is larger than maxBytes (kafka-protocol.md 30). */
  readonly atLeastOne: boolean;
  /** Memory for what is read. */
  readonly allocate: (size: number) => Buffer;
}

const NOTHING: Buffer = Buffer.alloc(0);

/** Batches of the tail that are looked at, at most, before the event loop runs again. */
const MAX_STEPS = 256;

/** The bytes, in memory that was allocated for them; empty if nothing qualifies. One segment's at most. */
export async function readLog(state: LogState, hints: PositionHints, request: ReadRequest): Promise<Buffer> {
  assert(
    request.offset >= state.logStartOffset,
    () => `read at ${request.offset}, log starts at ${state.logStartOffset}`,
  );
  return consistently(state, () => {
    const endOffset = Math.min(request.endOffset, state.logEndOffset);
    // The log may begin higher up by now: who asks for more sees that.
    if (request.offset >= endOffset || request.offset < state.logStartOffset) return NOTHING;
    const wanted = { ...request, endOffset };
    return readTail(state, hints, wanted) ?? readSegments(state, hints, wanted);
  });
}

/** Undefined if not all that is asked for is in the tail cache. */
function readTail(state: LogState, hints: PositionHints, request: ReadRequest): Buffer | undefined {
  const view = viewNow(state, segmentIndexFor(state, request.offset));
  if (view === undefined) return undefined;
  const { tail } = state;
  const position = hints.get(view, request.offset) ?? positionInTail(state, view, request.offset);
  if (position === undefined || !tail.has(view.segment, position)) return undefined;
  const bytes = request.allocate(wantedBytes(view, position, request));
  if (!tail.read(view.segment, position, bytes, bytes.length)) return undefined;
  const cut = cutToWholeBatches(view, bytes, position, request);
  if (cut.length > 0) return taken(view, hints, position, bytes.subarray(0, cut.length), cut);
  if (cut.firstBatchBytes === 0 || !request.atLeastOne) return NOTHING;
  const first = request.allocate(cut.firstBatchBytes);
  if (!tail.read(view.segment, position, first, first.length)) return undefined;
  return taken(view, hints, position, first, cut);
}

/** Where the first batch starts whose last offset is not below `offset`, if the way to it is in the tail cache. */
function positionInTail(
  { tail }: LogState,
  { segment, content, size }: SegmentView,
  offset: Offset,
): number | undefined {
  const header = new BatchHeader(Buffer.allocUnsafe(BATCH_HEADER_BYTES));
  let { position } = content.index.offsets.lookup(offset);
  for (let i = 0; i < MAX_STEPS && position < size; i++) {
    if (!tail.read(segment, position, header.buffer, BATCH_HEADER_BYTES)) return undefined;
    if (header.lastOffset >= offset) return position;
    position = header.end + position;
  }
  return undefined;
}

/** From the first segment on that has a batch at `offset` or behind: compaction may have left none in the one before. */
async function readSegments(state: LogState, hints: PositionHints, request: ReadRequest): Promise<Buffer> {
  for (let i = segmentIndexFor(state, request.offset); i < state.segments.length; i++) {
    const bytes = await readSegment(state, await viewOf(state, i), hints, request);
    if (bytes !== undefined) return bytes;
  }
  return NOTHING;
}

async function readSegment(
  state: LogState,
  view: SegmentView,
  hints: PositionHints,
  request: ReadRequest,
): Promise<Buffer | undefined> {
  const { readAhead } = state.deps.shared;
  const hint = hints.get(view, request.offset);
  const position = hint ?? (await readAhead.inTurn(() => positionOf(view, request.offset)));
  if (position === view.size) return undefined;
  const source = { segment: view.segment, file: view.content.file, generation: view.generation, size: view.size };
  const read = async (length: number): Promise<Buffer> => {
    const bytes = await readAhead.read(source, position, length, hint !== undefined, request.allocate);
    if (bytes.length === length) return bytes;
    throw endsTooEarly(view.segment, position + bytes.length, position + length);
  };
  const bytes = await read(wantedBytes(view, position, request));
  const cut = cutToWholeBatches(view, bytes, position, request);
  if (cut.length > 0) return taken(view, hints, position, bytes.subarray(0, cut.length), cut);
  if (cut.firstBatchBytes === 0 || !request.atLeastOne) return NOTHING;
  return taken(view, hints, position, await read(cut.firstBatchBytes), cut);
}

function wantedBytes({ size }: SegmentView, position: number, { maxBytes }: ReadRequest): number {
  return Math.min(Math.max(maxBytes, BATCH_HEADER_BYTES), size - position);
}

/** Who reads this will go on behind it. */
function taken(view: SegmentView, hints: PositionHints, position: number, bytes: Buffer, { nextOffset }: Cut): Buffer {
  hints.set(view, nextOffset, position + bytes.length);
  return bytes;
}

interface Cut {
  /** Bytes of whole batches that fit; 0 if the first is too large or ends too late. */
  readonly length: number;
  /** The offset after them, or after the first batch if it is too large. */
  readonly nextOffset: Offset;
  /** 0 if the first batch reaches beyond endOffset. */
  readonly firstBatchBytes: number;
}

/** How much of `bytes`, which start with a batch header, are whole batches that may be returned. */
function cutToWholeBatches({ segment, size }: SegmentView, bytes: Buffer, position: number, request: ReadRequest): Cut {
  const first = new BatchHeader(bytes);
  if (scanBatch(bytes, 0).kind === 'malformed' || request.offset > first.lastOffset) {
    throw new EnvError('CORRUPT', `${segment.path} has no batch for offset ${request.offset} at position ${position}`);
  }
  // A length that is rotten may ask for any amount of memory.
  if (first.sizeInBytes > size - position) throw endsTooEarly(segment, size, position + first.sizeInBytes);
  if (first.lastOffset >= request.endOffset) return { length: 0, nextOffset: request.offset, firstBatchBytes: 0 };
  let length = 0;
  let nextOffset = first.nextOffset;
  while (length < bytes.length) {
    const scan = scanBatch(bytes, length, Math.min(bytes.length, request.maxBytes));
    if (scan.kind === 'malformed') throw new EnvError('CORRUPT', `${segment.path}: ${scan.reason} of ${position}`);
    if (scan.kind !== 'batch' || scan.batch.lastOffset >= request.endOffset) break;
    // No CRC covers the offsets: an order that is wrong is rot, and a reader who took it would go back.
    if (length > 0 && (scan.batch.baseOffset < nextOffset || scan.batch.lastOffsetDelta < 0)) {
      throw new EnvError('CORRUPT', `${segment.path} has a wrong offset at position ${position + length}`);
    }
    length = scan.batch.end;
    nextOffset = scan.batch.nextOffset;
  }
  return { length, nextOffset, firstBatchBytes: first.sizeInBytes };
}
