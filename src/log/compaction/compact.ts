// Compaction of one log (D-9.4): keeps the last record of each key. Two passes over the files, beside appends and reads; only the swap of
// a segment has the log to itself. Segments are swapped in ascending order, each durably before the next: what a tombstone ends has
// gone before the tombstone goes. A truncation, a removal of old segments or a close meanwhile ends the run: what was swapped is
// right without the rest, and the first dirty offset stays where it was.
import type { Offset } from '../../base/ids.ts';
import { isEnvError } from '../../env/error.ts';
import type { LogState } from '../log-state.ts';
import { producersOf, segmentEndOffset } from '../log-state.ts';
import type { Pace } from './batch-walk.ts';
import { buildMap } from './build-map.ts';
import type { Cleanable } from './cleanable.ts';
import { cleanablePart, groupSegments } from './cleanable.ts';
import type { CleanedFile } from './cleaned-file.ts';
import type { KeptProducers } from './filter.ts';
import { BatchFilter } from './filter.ts';
import { OffsetMap } from './offset-map.ts';
import { rewriteGroup } from './rewrite.ts';
import type { Source } from './source.ts';
import { swapSegments } from './swap.ts';

export interface CompactionRun {
  /** Nothing is compacted that is not below: the high watermark, or the last stable offset. */
  readonly endOffset: Offset;
  /** Wall time. */
  readonly now: number;
  /** Memory for the keys: log.cleaner.dedupe.buffer.size. If they are too many, the log is compacted as far as they fit. */
  readonly mapBytes: number;
  /** 16 bytes, new ones for each run. */
  readonly secret: Uint8Array;
  /** Asked before so many bytes are read or written; waits if that is too fast. */
  readonly throttle?: (bytes: number) => Promise<void> | undefined;
  /** Whether the run is to end. */
  readonly isStopped?: () => boolean;
}

export interface CompactionStats {
  readonly startOffset: Offset;
  /** Exclusive: what is below is clean now. */
  readonly endOffset: Offset;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  readonly recordsBefore: number;
  readonly recordsAfter: number;
  readonly keys: number;
}

export type CompactionResult =
  | { readonly kind: 'nothing' }
  /** Something else took bytes away meanwhile, or the run was stopped. */
  | { readonly kind: 'aborted' }
  | ({ readonly kind: 'compacted' } & CompactionStats);

/** What the log lends to a compaction. */
export interface CompactionHost {
  readonly state: LogState;
  /** Gets the producers known. */
  warm(): Promise<void>;
  /** Runs it while nothing else takes bytes away. */
  exclusively<T>(operation: () => Promise<T>): Promise<T>;
  /** The log is clean below: durable when it resolves. */
  noteFirstDirty(offset: Offset): Promise<void>;
}

class Aborted extends Error {
  override name = 'Aborted';
}

/** The part of the log that may be compacted, with its segments. Loads those whose age is not known but matters. */
export async function findCleanable(
  state: LogState,
  endOffset: Offset,
  now: number,
): Promise<{ part: Cleanable; sources: Source[] } | undefined> {
  const limit = Math.min(endOffset, state.flushedEndOffset);
  const sources: Source[] = [];
  for (const [i, segment] of state.segments.slice(0, -1).entries()) {
    const end = segmentEndOffset(state, i);
    if (end > limit) break;
    if (state.config.minCompactionLagMs > 0 && segment.max === undefined) await segment.load(end);
    sources.push({
      segment,
      baseOffset: segment.baseOffset,
      endOffset: end,
      size: segment.size,
      maxTimestamp: segment.max?.timestamp ?? -1,
      durable: !state.rolled.some((rolled) => rolled.segment === segment),
    });
  }
  const part = cleanablePart(sources, firstDirtyOffset(state), limit, now, state.config);
  if (part === undefined) return undefined;
  return { part, sources: sources.filter((source) => source.endOffset <= part.endOffset) };
}

/** What is noted counts only for the log that there is. */
function firstDirtyOffset(state: LogState): Offset {
  const { firstDirtyOffset: noted, logStartOffset, logEndOffset } = state;
  return noted < logStartOffset || noted > logEndOffset ? logStartOffset : noted;
}

/** EnvError if the disk fails or the log is damaged (CORRUPT): nothing half done is left, as far as the disk lets it be removed. */
export async function compactLog(host: CompactionHost, run: CompactionRun): Promise<CompactionResult> {
  const { state } = host;
  await host.warm();
  const generation = { now: state.generation };
  const check = (): void => {
    if (state.closed || state.generation !== generation.now || state.truncatingTo !== undefined) throw new Aborted();
    if (state.writeFailure !== undefined || state.syncFailure !== undefined) throw new Aborted();
    if (run.isStopped?.() === true) throw new Aborted();
  };
  const pace: Pace = {
    step(bytes) {
      check();
      return run.throttle?.(bytes);
    },
  };
  try {
    const producers = keptProducers(state, run.endOffset);
    const found = await findCleanable(state, run.endOffset, run.now);
    check();
    if (found === undefined) return { kind: 'nothing' };
    return await compactSources(host, run, { ...found, producers, pace, check, generation });
  } catch (error) {
    if (error instanceof Aborted) return { kind: 'aborted' };
    // A file that was closed under the compaction is gone from the log.
    if (isEnvError(error, 'CLOSED')) return { kind: 'aborted' };
    // What was read of a file while bytes of it were taken away says nothing of the log.
    if (isEnvError(error, 'CORRUPT') && state.generation !== generation.now) return { kind: 'aborted' };
    throw error;
  }
}

interface Work {
  readonly part: Cleanable;
  readonly sources: readonly Source[];
  readonly producers: KeptProducers;
  readonly pace: Pace;
  readonly check: () => void;
  readonly generation: { now: number };
}

async function compactSources(host: CompactionHost, run: CompactionRun, work: Work): Promise<CompactionResult> {
  const { state } = host;
  const { firstDirtyOffset: start, endOffset: limit } = work.part;
  const map = new OffsetMap(run.mapBytes, limit - start, run.secret);
  const { endOffset } = await buildMap(work.sources, start, limit, map, work.pace);
  const filter = new BatchFilter({
    map,
    mapEndOffset: endOffset,
    producers: work.producers,
    now: run.now,
    deleteRetentionMs: state.config.deleteRetentionMs,
  });
  const covered = work.sources.filter((source) => source.baseOffset < endOffset);
  const bytesBefore = bytesOf(covered);
  let saved = 0;
  for (const group of groupSegments(covered, state.config)) {
    const cleaned = await rewriteGroup(state, group, filter, work.pace);
    if (cleaned === undefined) continue;
    saved += bytesOf(group) - cleaned.size;
    await swapIn(host, work, group, cleaned);
  }
  await host.exclusively(async () => {
    work.check();
    await host.noteFirstDirty(endOffset);
    state.firstDirtyOffset = endOffset;
  });
  const { recordsRead: recordsBefore, recordsKept: recordsAfter } = filter;
  const bytesAfter = bytesBefore - saved;
  return {
    kind: 'compacted',
    startOffset: start,
    endOffset,
    bytesBefore,
    bytesAfter,
    recordsBefore,
    recordsAfter,
    keys: map.size,
  };
}

async function swapIn(host: CompactionHost, work: Work, group: readonly Source[], cleaned: CleanedFile): Promise<void> {
  let begun = false;
  try {
    await host.exclusively(async () => {
      work.check();
      begun = true;
      await swapSegments(host.state, group, cleaned);
      work.generation.now = host.state.generation;
    });
  } catch (error) {
    // Once begun, the log is fenced, and a load finishes it or removes the rest.
    if (!begun) await cleaned.discard().catch(() => undefined);
    throw error;
  }
}

/** What keeps producers known, also after a truncation to `endOffset` or above. */
function keptProducers(state: LogState, endOffset: Offset): KeptProducers {
  const lastOffsets = new Set<Offset>();
  const uncertain = new Set<number>();
  for (const { producerId, batches } of producersOf(state).values()) {
    const last = batches.at(-1);
    const below = batches.findLast(({ lastOffset }) => lastOffset < endOffset);
    if (last !== undefined) lastOffsets.add(last.lastOffset);
    if (below !== undefined) lastOffsets.add(below.lastOffset);
    else uncertain.add(producerId);
  }
  return { lastOffsets, uncertain };
}

function bytesOf(segments: readonly { readonly size: number }[]): number {
  return segments.reduce((sum, { size }) => sum + size, 0);
}
