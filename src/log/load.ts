// Opening a log: segments, then what is derived from them. After a clean stop sizes are trusted and only the end of the
// active segment is looked at; after an unclean one the batches are checked (recovery.ts). A sealed segment's index files
// are trusted only if the segment was durable as a whole: written at a clean stop, or wholly below the recovery point,
// which moves past a segment's end only after its indexes are synced.
import type { Offset } from '../base/ids.ts';
import type { Disk } from '../env/disk.ts';
import { EnvError, isEnvError } from '../env/error.ts';
import { readEpochs, writeEpochs } from './epoch-checkpoint.ts';
import { parseLogFileName, snapshotPath } from './file-names.ts';
import type { EpochEntry } from './leader-epoch-cache.ts';
import { LeaderEpochCache } from './leader-epoch-cache.ts';
import type { LogConfig, LogDeps, LogState } from './log-state.ts';
import { readNewestSnapshot } from './producer-snapshot.ts';
import type { ProducerStates } from './producer-states.ts';
import type { RecoveredSegments } from './recovery.ts';
import { recoverSegments } from './recovery.ts';
import { forEachBatch } from './replay.ts';
import { Segment } from './segment.ts';
import type { SegmentIndex } from './segment-index.ts';

/** What is known of the log from outside its folder. */
export interface LogRecovery {
  /** The log was closed, and the marker that says so consumed (D-10.1). */
  readonly cleanShutdown: boolean;
  /** Everything below was durable; 0 if nothing is known. */
  readonly recoveryPoint: Offset;
  /** Where the log starts, at least; 0 unless given. */
  readonly logStartOffset?: Offset;
}

export async function loadLog(
  deps: LogDeps,
  directory: string,
  config: LogConfig,
  recovery: LogRecovery,
): Promise<LogState> {
  const { disk } = deps;
  await disk.makeDirectory(directory);
  const files = await listFiles(disk, directory);
  const loaded = await loadSegments(deps, directory, config, recovery, files.segments);
  const { segments, logEndOffset } = loaded;
  const firstOffset = (segments[0] as Segment).baseOffset;
  const logStartOffset = Math.max(recovery.logStartOffset ?? 0, firstOffset);
  if (logStartOffset > logEndOffset) {
    throw new EnvError('CORRUPT', `${directory} ends at offset ${logEndOffset}, below its start ${logStartOffset}`);
  }
  // T-3.2: a snapshot of what is gone may not outlive it.
  const gone = files.snapshots.filter((offset) => offset > logEndOffset);
  for (const offset of gone) await disk.remove(snapshotPath(directory, offset));
  if (gone.length > 0) await disk.syncDirectory(directory);
  const snapshots = files.snapshots.filter((offset) => offset <= logEndOffset);
  return {
    deps,
    directory,
    config,
    segments,
    logStartOffset,
    logEndOffset,
    flushedEndOffset: logEndOffset,
    epochs: await loadEpochs(disk, directory, loaded),
    producers: await loadProducers(deps, directory, loaded, snapshots, logEndOffset),
    rolled: [],
    epochsChanged: false,
    snapshots,
    generation: 0,
    truncatingTo: undefined,
    closed: false,
    tailUnknown: false,
    writeFailure: undefined,
    syncFailure: undefined,
  };
}

interface Files {
  /** Base offsets of segments, and offsets of producer snapshots, ascending. */
  readonly segments: Offset[];
  readonly snapshots: Offset[];
}

/** What is there; half-written replacements and indexes without a log go. */
async function listFiles(disk: Disk, directory: string): Promise<Files> {
  const names = (await disk.list(directory)).map((entry) => entry.name);
  const parsed = names.flatMap((name) => {
    const file = parseLogFileName(name);
    return file === undefined ? [] : [{ ...file, name }];
  });
  const offsets = (kind: string) => parsed.filter((file) => file.kind === kind).map((file) => file.offset);
  const segments = new Set(offsets('log'));
  const orphans = parsed.filter((file) => file.kind.endsWith('index') && !segments.has(file.offset));
  const leftovers = [...names.filter((name) => name.endsWith('.tmp')), ...orphans.map((file) => file.name)];
  for (const name of leftovers) await disk.remove(`${directory}/${name}`);
  return { segments: [...segments].sort((a, b) => a - b), snapshots: offsets('snapshot').sort((a, b) => a - b) };
}

interface LoadedSegments {
  readonly segments: Segment[];
  readonly logEndOffset: Offset;
  /** Leader epochs of the batches from `epochsFrom` on. */
  readonly epochs: readonly EpochEntry[];
  readonly epochsFrom: Offset;
}

async function loadSegments(
  deps: LogDeps,
  directory: string,
  config: LogConfig,
  recovery: LogRecovery,
  baseOffsets: readonly Offset[],
): Promise<LoadedSegments> {
  const { disk } = deps;
  const { recoveryPoint } = recovery;
  if (baseOffsets.length === 0) {
    const start = recovery.logStartOffset ?? 0;
    if (recoveryPoint > start) {
      throw new EnvError('CORRUPT', `${directory} has no segments, but was durable up to offset ${recoveryPoint}`);
    }
    const segment = Segment.create(disk, directory, start, config.indexIntervalBytes);
    await disk.syncDirectory(directory);
    return { segments: [segment], logEndOffset: start, epochs: [], epochsFrom: start };
  }
  const segments = baseOffsets.map((base) => Segment.existing(disk, directory, base, config.indexIntervalBytes));
  if (recovery.cleanShutdown) return loadClean(directory, segments, recoveryPoint);
  const trusted = baseOffsets.findIndex((_, i) => !((baseOffsets[i + 1] ?? recoveryPoint) < recoveryPoint));
  const epochsFrom = baseOffsets[trusted] as Offset;
  const recovered = await recoverSegments(disk, directory, segments, trusted, recoveryPoint);
  logRecovery(deps, directory, recovered, recoveryPoint);
  return { ...recovered, epochsFrom };
}

function logRecovery(deps: LogDeps, directory: string, recovered: RecoveredSegments, recoveryPoint: Offset): void {
  const { logEndOffset, cutBytes, removedSegments } = recovered;
  const facts = { directory, recoveryPoint, logEndOffset, cutBytes, removedSegments };
  // Never silent: what was cut had not been synced, but with flush mode async it may have been acknowledged.
  if (cutBytes > 0) deps.logger.warn('log-recovered-with-cut', facts);
  else deps.logger.debug('log-recovered', facts);
}

/** After a clean stop: the end of the active segment from its last index entry on. */
async function loadClean(directory: string, segments: Segment[], recoveryPoint: Offset): Promise<LoadedSegments> {
  const active = segments.at(-1) as Segment;
  const content = await active.open();
  const indexed = content.size === 0 ? undefined : await active.readIndexFiles(Number.MAX_SAFE_INTEGER);
  const tail = (indexed && (await tryTail(active, indexed))) ?? (await readTail(active, content.index));
  content.index = tail.index;
  if (tail.endOffset < recoveryPoint) {
    const facts = `${directory} ends at offset ${tail.endOffset}, but was durable up to offset ${recoveryPoint}`;
    throw new EnvError('CORRUPT', `${facts}: acknowledged records are lost`);
  }
  return { segments, logEndOffset: tail.endOffset, epochs: tail.epochs.entries, epochsFrom: tail.startOffset };
}

/** The batches from the last indexed one on. */
interface Tail {
  readonly index: SegmentIndex;
  readonly startOffset: Offset;
  /** The last offset of the first of them. */
  readonly firstLastOffset: Offset | undefined;
  readonly endOffset: Offset;
  readonly epochs: LeaderEpochCache;
}

/** Undefined if the index does not fit the batches. */
async function tryTail(active: Segment, index: SegmentIndex): Promise<Tail | undefined> {
  const indexedOffset = index.offsets.count === 0 ? undefined : index.offsets.last().offset;
  try {
    const tail = await readTail(active, index);
    const fits = indexedOffset === undefined || indexedOffset === tail.firstLastOffset;
    return fits && index.times.isSane(tail.endOffset) ? tail : undefined;
  } catch (error) {
    if (isEnvError(error, 'CORRUPT')) return undefined;
    throw error;
  }
}

/** EnvError CORRUPT if the batches do not reach to the end of the file. */
async function readTail(active: Segment, index: SegmentIndex): Promise<Tail> {
  const epochs = new LeaderEpochCache();
  let startOffset: Offset | undefined;
  let firstLastOffset: Offset | undefined;
  let endOffset = active.baseOffset;
  await active.extendIndex(index, (batch) => {
    startOffset ??= batch.baseOffset;
    firstLastOffset ??= batch.lastOffset;
    endOffset = batch.nextOffset;
    epochs.assign(batch.partitionLeaderEpoch, batch.baseOffset);
  });
  return { index, startOffset: startOffset ?? endOffset, firstLastOffset, endOffset, epochs };
}

/**
 * The checkpoint for what lies below the batches looked at, then those batches, then the checkpoint's last entry if it
 * is of a leader that wrote nothing yet. Without a usable checkpoint all batches tell.
 */
async function loadEpochs(disk: Disk, directory: string, loaded: LoadedSegments): Promise<LeaderEpochCache> {
  const { segments, logEndOffset, epochsFrom } = loaded;
  const stored = await readEpochs(disk, directory);
  const epochs = new LeaderEpochCache(stored?.filter((entry) => entry.startOffset < epochsFrom) ?? []);
  if (stored === undefined) {
    await forEachBatch(
      segments,
      logEndOffset,
      { from: (segments[0] as Segment).baseOffset, to: epochsFrom },
      (batch) => {
        epochs.assign(batch.partitionLeaderEpoch, batch.baseOffset);
      },
    );
  }
  for (const entry of loaded.epochs) epochs.assign(entry.epoch, entry.startOffset);
  const last = stored?.at(-1);
  if (last !== undefined && last.startOffset === logEndOffset && last.epoch > epochs.latestEpoch) {
    epochs.assign(last.epoch, last.startOffset);
  }
  const same = stored !== undefined && JSON.stringify(stored) === JSON.stringify(epochs.entries);
  if (!same && (stored !== undefined || epochs.entries.length > 0)) await writeEpochs(disk, directory, epochs.entries);
  return epochs;
}

/** T-3.1: the newest intact snapshot, and the batches after it. */
async function loadProducers(
  deps: LogDeps,
  directory: string,
  { segments, logEndOffset }: LoadedSegments,
  snapshots: readonly Offset[],
  upTo: Offset,
): Promise<ProducerStates> {
  const start = (segments[0] as Segment).baseOffset;
  const { producers, offset } = await readNewestSnapshot(deps, directory, snapshots, start, upTo);
  await forEachBatch(segments, logEndOffset, { from: offset, to: upTo }, (batch) => producers.update(batch));
  return producers;
}
