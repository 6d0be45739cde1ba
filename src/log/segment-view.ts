// A segment as a reader sees it, and finding a batch in it: the index leads to a batch that is not behind, a pread of the headers
// that follow to the one that is wanted.
import type { Offset } from '../base/ids.ts';
import { EnvError } from '../env/error.ts';
import { BATCH_HEADER_BYTES } from '../record/batch.ts';
import { readFully, scanBatches } from './batch-scan.ts';
import type { LogState } from './log-state.ts';
import { checkNotClosed, segmentEndOffset } from './log-state.ts';
import type { Segment, SegmentContent } from './segment.ts';

/** Appends go on while a reader waits for the disk: only what is there now counts. */
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

/** The same at once; undefined if it is not loaded. */
export function viewNow(state: LogState, i: number): SegmentView | undefined {
  const segment = state.segments[i] as Segment;
  if (!segment.isLoaded) return undefined;
  const { content } = segment;
  const sealed = i < state.segments.length - 1;
  return { segment, content, sealed, size: content.size, generation: state.generation };
}

/**
 * Runs `look` until no truncation happened meanwhile: one takes bytes away, so what was read, or failed to be, says
 * nothing. EnvError CLOSED if the log was closed under it.
 */
export async function consistently<T>(state: LogState, look: () => T | Promise<T>): Promise<T> {
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

/**
 * Where the first batch starts whose last offset is not below `offset`. The segment's end if there is none: in a sealed
 * segment compaction may have left none. EnvError CORRUPT if its batches make no sense.
 */
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

/** Undefined if the index does not fit the batches, or leads beyond them. */
async function searchFrom({ content, size, sealed }: SegmentView, offset: Offset): Promise<number | undefined> {
  const { offsets } = content.index;
  const entry = offsets.lookup(offset);
  const next = offsets.after(offset);
  const from = entry.position;
  // Between two entries lie no more than the bytes of an interval and one batch, to whose end the next entry leads.
  const range = {
    from,
    to: size,
    view: 'header',
    chunkBytes: content.index.intervalBytes + BATCH_HEADER_BYTES,
  } as const;
  let fits = true;
  let found: number | undefined;
  const end = await scanBatches(content.file, range, (batch, position) => {
    if (position === from && from > 0) fits = batch.lastOffset === entry.offset;
    if (!fits) return false;
    if (batch.lastOffset < offset) {
      if (position + batch.sizeInBytes !== next?.position) return true;
      found = next.position;
      return false;
    }
    found = position;
    return false;
  });
  if (!fits) return undefined;
  return found ?? (sealed && end.problem === undefined ? size : undefined);
}

/** Memory that nobody had before. */
export function freshMemory(size: number): Buffer {
  return Buffer.allocUnsafeSlow(size);
}

/** So many bytes at a position, in a buffer of their own. */
export async function readAt({ segment, content }: SegmentView, position: number, length: number): Promise<Buffer> {
  const bytes = freshMemory(length);
  const count = await readFully(content.file, bytes, length, position);
  if (count === length) return bytes;
  throw endsTooEarly(segment, position + count, position + length);
}

export function endsTooEarly({ path }: Segment, end: number, wanted: number): EnvError {
  return new EnvError('CORRUPT', `${path} ends at ${end}, below ${wanted}`);
}
