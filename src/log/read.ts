// Reading: offset → segment → index → position → one pread, cut to whole batches in memory. Fetchers mostly go on where
// their last read ended, so the positions of recent ends are remembered and the index only serves jumps.
import { assert } from '../base/assert.ts';
import type { Offset } from '../base/ids.ts';
import { EnvError } from '../env/error.ts';
import { BATCH_HEADER_BYTES, BatchHeader } from '../record/batch.ts';
import { scanBatch } from '../record/scan.ts';
import { readFully, scanBatches } from './batch-scan.ts';
import type { LogState } from './log-state.ts';
import { checkNotClosed, segmentEndOffset, segmentIndexFor } from './log-state.ts';
import type { Segment, SegmentContent } from './segment.ts';

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

/** How many ends of reads are remembered. */
const MAX_HINTS = 16;

/** Where the batch starts that a fetcher of an offset wants next, as of one generation of the log. */
export class PositionHints {
  readonly #positions = new Map<Offset, { segment: Segment; position: number }>();
  #generation = 0;

  get(view: SegmentView, offset: Offset): number | undefined {
    if (view.generation !== this.#generation) return undefined;
    const hint = this.#positions.get(offset);
    return hint?.segment === view.segment ? hint.position : undefined;
  }

  set(view: SegmentView, offset: Offset, position: number): void {
    // A reader that a truncation overtook knows positions that are gone.
    if (view.generation < this.#generation) return;
    if (view.generation > this.#generation) this.#positions.clear();
    this.#generation = view.generation;
    this.#positions.delete(offset);
    this.#positions.set(offset, { segment: view.segment, position });
    if (this.#positions.size <= MAX_HINTS) return;
    for (const oldest of this.#positions.keys()) {
      this.#positions.delete(oldest);
      return;
    }
  }
}

/** The bytes, in memory that was allocated for them; empty if nothing qualifies. One segment's at most. */
export async function readLog(state: LogState, hints: PositionHints, request: ReadRequest): Promise<Buffer> {
  assert(
    request.offset >= state.logStartOffset,
    () => `read at ${request.offset}, log starts at ${state.logStartOffset}`,
  );
  return consistently(state, async () => {
    const endOffset = Math.min(request.endOffset, state.logEndOffset);
    if (request.offset >= endOffset) return NOTHING;
    const view = await viewOf(state, segmentIndexFor(state, request.offset));
    return readSegment(view, hints, { ...request, endOffset });
  });
}

/** A segment as a reader sees it: appends go on while it waits for the disk, only what is there now counts. */
export interface SegmentView {
  readonly segment: Segment;
  readonly content: SegmentContent;
  /** Not the active one. */
  readonly sealed: boolean;
  readonly size: number;
  /** Of the log, when this was looked at. */
  readonly generation: number;
}

/** The segment at `i` of the list as it is now; loads it. */
export async function viewOf(state: LogState, i: number): Promise<SegmentView> {
  const { generation } = state;
  const segment = state.segments[i] as Segment;
  const content = await segment.load(segmentEndOffset(state, i));
  return { segment, content, sealed: i < state.segments.length - 1, size: content.size, generation };
}

/**
 * Runs `look` until no truncation happened meanwhile: one takes bytes away, so what was read, or failed to be, says
 * nothing. EnvError CLOSED if the log was closed under it.
 */
export async function consistently<T>(state: LogState, look: () => Promise<T>): Promise<T> {
  for (;;) {
    checkNotClosed(state);
    const { generation } = state;
    let outcome: { value: T } | { problem: unknown };
    try {
      outcome = { value: await look() };
    } catch (problem) {
      outcome = { problem };
    }
    if (generation !== state.generation) continue;
    checkNotClosed(state);
    if ('problem' in outcome) throw outcome.problem;
    return outcome.value;
  }
}

async function readSegment(view: SegmentView, hints: PositionHints, request: ReadRequest): Promise<Buffer> {
  const { segment, size } = view;
  const position = hints.get(view, request.offset) ?? (await positionOf(view, request.offset));
  const wanted = Math.min(Math.max(request.maxBytes, BATCH_HEADER_BYTES), size - position);
  const bytes = await readAt(view, position, wanted, request.allocate);
  const cut = cutToWholeBatches(segment, bytes, position, request);
  if (cut.length > 0) {
    hints.set(view, cut.nextOffset, position + cut.length);
    return bytes.subarray(0, cut.length);
  }
  if (cut.firstBatchBytes === 0 || !request.atLeastOne) return NOTHING;
  const first = await readAt(view, position, cut.firstBatchBytes, request.allocate);
  hints.set(view, cut.nextOffset, position + first.length);
  return first;
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
function cutToWholeBatches(segment: Segment, bytes: Buffer, position: number, request: ReadRequest): Cut {
  const first = new BatchHeader(bytes);
  if (scanBatch(bytes, 0).kind === 'malformed' || request.offset > first.lastOffset) {
    throw new EnvError('CORRUPT', `${segment.path} has no batch for offset ${request.offset} at position ${position}`);
  }
  if (first.lastOffset >= request.endOffset) return { length: 0, nextOffset: request.offset, firstBatchBytes: 0 };
  let length = 0;
  let nextOffset = first.nextOffset;
  while (length < bytes.length) {
    const scan = scanBatch(bytes, length, Math.min(bytes.length, request.maxBytes));
    if (scan.kind === 'malformed') throw new EnvError('CORRUPT', `${segment.path}: ${scan.reason} of ${position}`);
    if (scan.kind !== 'batch' || scan.batch.lastOffset >= request.endOffset) break;
    length = scan.batch.end;
    nextOffset = scan.batch.nextOffset;
  }
  return { length, nextOffset, firstBatchBytes: first.sizeInBytes };
}

/** Where the first batch starts whose last offset is not below `offset`, which the segment holds. */
export async function positionOf(view: SegmentView, offset: Offset): Promise<number> {
  const found = await searchFrom(view, offset);
  if (found !== undefined) return found;
  // The index led past the batch or into the middle of one: it is wrong, and derived from the batches.
  if (view.sealed) {
    await view.segment.rebuildIndex(view.content);
    const again = await searchFrom(view, offset);
    if (again !== undefined) return again;
  }
  throw new EnvError('CORRUPT', `${view.segment.path} has no batch for offset ${offset}`);
}

async function searchFrom({ content, size }: SegmentView, offset: Offset): Promise<number | undefined> {
  const from = content.index.offsets.lookup(offset).position;
  let found: number | undefined;
  await scanBatches(content.file, { from, to: size, view: 'header' }, (batch, position) => {
    if (batch.lastOffset < offset) return true;
    if (batch.baseOffset <= offset) found = position;
    return false;
  });
  return found;
}

/** Memory that nobody had before. */
export function freshMemory(size: number): Buffer {
  return Buffer.allocUnsafeSlow(size);
}

/** So many bytes at a position, in a buffer of their own unless other memory is given. */
export async function readAt(
  { segment, content }: SegmentView,
  position: number,
  length: number,
  allocate: (size: number) => Buffer = freshMemory,
): Promise<Buffer> {
  const bytes = allocate(length);
  const count = await readFully(content.file, bytes, length, position);
  if (count === length) return bytes;
  throw new EnvError('CORRUPT', `${segment.path} ends at ${position + count}, below ${position + length}`);
}
