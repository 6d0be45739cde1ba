// The state of an open log as a plain value, and what may be said of it at any time:
// logStartOffset <= flushedEndOffset <= logEndOffset; segments ascend without holes, the last one is active.
// A log is warm while its active segment is loaded and its producers are known, cold else: then nothing can be appended.
import { must } from '../base/assert.ts';
import type { Epoch, Offset } from '../base/ids.ts';
import type { TopicConfig } from '../config/topic-config.ts';
import type { Clock } from '../env/clock.ts';
import type { Disk } from '../env/disk.ts';
import { EnvError } from '../env/error.ts';
import type { Logger } from '../env/logger.ts';
import type { DeletedFiles } from './deleted-files.ts';
import { noteFailedSync } from './failed-sync.ts';
import type { LeaderEpochCache } from './leader-epoch-cache.ts';
import type { LogShared } from './log-shared.ts';
import type { ProducerStates } from './producer-states.ts';
import type { RollBasis } from './roll.ts';
import type { Segment, SegmentHost } from './segment.ts';
import type { LogTail } from './tail-cache.ts';

export interface LogDeps {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly shared: LogShared;
  /** Told once when a log fences itself after a failed write or sync: its directory is to go offline (D-10.5). */
  readonly logFailed?: (directory: string, error: EnvError) => void;
}

export type LogConfig = Omit<TopicConfig, 'minInsyncReplicas' | 'maxMessageBytes' | 'compressionType'>;

/** A sealed segment whose files are not durable yet. */
export interface RolledSegment {
  readonly segment: Segment;
  /** The log's end when it was sealed, and the producer state there, encoded. */
  readonly endOffset: Offset;
  readonly producerSnapshot: Buffer;
  /** Zeros lie behind its records. */
  readonly hasRoom: boolean;
}

/** Zeros behind the records of the segment at `baseOffset`. */
export interface Preallocation {
  readonly baseOffset: Offset;
  /** Where they end, or ended before records took their place. Infinite once they could not be written. */
  end: number;
  /** Bytes of records when the last flush began. */
  flushed: number;
}

export interface LogState {
  readonly deps: LogDeps;
  /** The partition's folder. */
  readonly directory: string;
  config: LogConfig;
  readonly host: SegmentHost;
  segments: Segment[];
  /** Of the active segment, once it has been looked at. */
  rollBasis: RollBasis | undefined;
  /** Of the active segment, if zeros were written ahead of its records. */
  preallocation: Preallocation | undefined;
  /** It is being cut to its records: no append. */
  trimming: boolean;
  /** The newest bytes, in memory. */
  readonly tail: LogTail;
  logStartOffset: Offset;
  logEndOffset: Offset;
  flushedEndOffset: Offset;
  /** Compaction has seen everything below, see compaction/compact.ts. */
  firstDirtyOffset: Offset;
  epochs: LeaderEpochCache;
  /** Undefined while the log is cold. */
  producers: ProducerStates | undefined;
  /** Oldest first. */
  rolled: RolledSegment[];
  /** The epoch checkpoint on disk is older than `epochs`. */
  epochsChanged: boolean;
  /** Noted outside the folder as the last of `epochs`: durable there while no record follows. */
  notedEpoch: Epoch | undefined;
  /** As of when the indexes of the active segment and the producers were in their files; undefined if that is not known. */
  persisted: { readonly endOffset: Offset; readonly generation: number } | undefined;
  /** Offsets of the producer snapshots on disk, ascending. */
  snapshots: Offset[];
  /** Taken out of the log, not yet removed. */
  readonly deletedFiles: DeletedFiles;
  /** Counts truncations and removals: what was read under another number may be of records that are gone. */
  generation: number;
  /** Where the log will end when a truncation that is under way is done. */
  truncatingTo: Offset | undefined;
  closed: boolean;
  /** A write failed half-way: bytes of no batch may follow the active segment's `size` on disk. */
  tailUnknown: boolean;
  /** Set by a failed write: no append any more. What is in the log can still be flushed and read. */
  writeFailure: EnvError | undefined;
  /** Set by a failed sync: no append and no flush ever again. */
  syncFailure: EnvError | undefined;
}

export function activeSegment(state: LogState): Segment {
  return must(state.segments.at(-1), `active segment of ${state.directory}`);
}

/** Of a warm log. */
export function producersOf(state: LogState): ProducerStates {
  return must(state.producers, `producers of ${state.directory}, which is cold`);
}

/** The offset after the last record of the segment at `i`. */
export function segmentEndOffset(state: LogState, i: number): Offset {
  return state.segments[i + 1]?.baseOffset ?? state.logEndOffset;
}

/** Whether all batches are durable, and nothing is under way that may change them. */
export function isFlushed(state: LogState): boolean {
  const { rolled, tailUnknown, truncatingTo, writeFailure, syncFailure } = state;
  const works = writeFailure === undefined && syncFailure === undefined && !tailUnknown;
  return works && state.flushedEndOffset === state.logEndOffset && rolled.length === 0 && truncatingTo === undefined;
}

/** Whether `epochs` say something that would not survive a crash. */
export function hasUnsavedEpochs({ epochs, epochsChanged, notedEpoch, logEndOffset }: LogState): boolean {
  if (!epochsChanged) return false;
  const last = epochs.entries.at(-1);
  return last === undefined || last.epoch !== notedEpoch || last.startOffset !== logEndOffset;
}

/** EnvError CLOSED: the log was closed or removed under a caller that still had it in hand. */
export function checkNotClosed(state: LogState): void {
  if (state.closed) throw new EnvError('CLOSED', `${state.directory} is closed`);
}

/** Position in the list of the segment that holds `offset`, or whose range it would be in. */
export function segmentIndexFor(state: LogState, offset: Offset): number {
  let [low, high] = [0, state.segments.length];
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if ((state.segments[middle] as Segment).baseOffset <= offset) low = middle;
    else high = middle;
  }
  return low;
}

/** Fences the log: the first failure is the one that is told. */
export function failLog(state: LogState, kind: 'write' | 'sync', error: EnvError): void {
  if (kind === 'sync') noteFailedSync(state.deps.disk, state.directory);
  const first = state.writeFailure === undefined && state.syncFailure === undefined;
  if (kind === 'sync') state.syncFailure ??= error;
  else state.writeFailure ??= error;
  if (!first) return;
  state.deps.logger.error('log-failed', { directory: state.directory, operation: kind, error });
  state.deps.logFailed?.(state.directory, error);
}
