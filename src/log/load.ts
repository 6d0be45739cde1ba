// Opening a log: segments, then what is derived from them. After a clean stop sizes are trusted and only the end of the
// active segment is looked at; after an unclean one the batches are checked (recovery.ts). A sealed segment's index files
// are trusted only if the segment was durable as a whole: written at a clean stop, or wholly below the recovery point,
// which moves past a segment's end only after its indexes are synced.
import type { Offset } from '../base/ids.ts';
import type { Disk } from '../env/disk.ts';
import { EnvError } from '../env/error.ts';
import { finishSwaps } from './compaction/swap.ts';
import { DELETED_SUFFIX, DeletedFiles } from './deleted-files.ts';
import { readEpochs, writeEpochs } from './epoch-checkpoint.ts';
import { parseLogFileName, snapshotPath } from './file-names.ts';
import type { EpochEntry } from './leader-epoch-cache.ts';
import { LeaderEpochCache } from './leader-epoch-cache.ts';
import { removeBelowLogStart } from './log-start.ts';
import type { LogConfig, LogDeps, LogState } from './log-state.ts';
import type { LogSummary } from './log-summary.ts';
import {
  encodeProducerSnapshot,
  readNewestSnapshot,
  straySnapshots,
  writeProducerSnapshot,
} from './producer-snapshot.ts';
import type { ProducerStates } from './producer-states.ts';
import type { RecoveredSegments } from './recovery.ts';
import { recoverSegments } from './recovery.ts';
import { forEachBatch } from './replay.ts';
import { readRollBasis } from './roll.ts';
import type { SegmentHost } from './segment.ts';
import { Segment } from './segment.ts';

/** What is known of the log from outside its folder. */
export interface LogRecovery {
  /** The log was closed, and the marker that says so consumed (D-10.1). */
  readonly cleanShutdown: boolean;
  /** Everything below was durable; 0 if nothing is known. */
  readonly recoveryPoint: Offset;
  /** Where the log starts, at least; 0 unless given. */
  readonly logStartOffset?: Offset;
  /** How far it was compacted; 0 unless given. */
  readonly firstDirtyOffset?: Offset;
  /** Of a leader that had written nothing when it was noted. */
  readonly leaderEpoch?: EpochEntry | undefined;
}

export async function loadLog(
  deps: LogDeps,
  directory: string,
  config: LogConfig,
  known: LogRecovery,
): Promise<LogState> {
  const { disk } = deps;
  // D-9.2: where the log starts was noted when everything below was durable, or gone for good.
  const recovery = { ...known, recoveryPoint: Math.max(known.recoveryPoint, known.logStartOffset ?? 0) };
  await disk.makeDirectory(directory);
  const found = await listFiles(disk, directory);
  const files = await removeBelowLogStart(disk, directory, found, recovery.logStartOffset ?? 0);
  const host = newHost(deps, directory, config);
  const loaded = await loadSegments(deps, host, recovery, files.segments);
  const { segments, logEndOffset } = loaded;
  for (const segment of segments) await segment.measure();
  const firstOffset = (segments[0] as Segment).baseOffset;
  const logStartOffset = Math.max(recovery.logStartOffset ?? 0, firstOffset);
  if (logStartOffset > logEndOffset) {
    throw new EnvError('CORRUPT', `${directory} ends at offset ${logEndOffset}, below its start ${logStartOffset}`);
  }
  // T-3.2: a snapshot of what is gone may not outlive it.
  const stray = straySnapshots(files.snapshots, files.segments);
  const gone = files.snapshots.filter((offset) => offset > logEndOffset || stray.includes(offset));
  for (const offset of gone) await disk.remove(snapshotPath(directory, offset));
  if (gone.length > 0) await disk.syncDirectory(directory);
  const snapshots = files.snapshots.filter((offset) => !gone.includes(offset));
  const producers = await loadProducers({ deps, directory, segments, logEndOffset, snapshots });
  // T-3.1: who wrote to segments that go is known by a snapshot above them. A roll that a crash cut short may have left none.
  if (segments.length > 1 && (snapshots.at(-1) ?? 0) < (segments.at(-1) as Segment).baseOffset) {
    await writeProducerSnapshot(disk, directory, logEndOffset, encodeProducerSnapshot(producers, logEndOffset));
    snapshots.push(logEndOffset);
  }
  return newState(deps, config, host, {
    segments,
    logStartOffset,
    logEndOffset,
    firstDirtyOffset: knownDirtyOffset(recovery, logEndOffset),
    epochs: await loadEpochs(disk, directory, loaded, recovery.leaderEpoch),
    producers,
    snapshots,
    rollBasis: await readRollBasis(segments.at(-1) as Segment, deps.clock.wallTime()),
  });
}

/** What was found on disk, all of it durable; or, of a cold log, what is known to be there. */
type Found = Pick<
  LogState,
  | 'segments'
  | 'logStartOffset'
  | 'logEndOffset'
  | 'firstDirtyOffset'
  | 'epochs'
  | 'producers'
  | 'snapshots'
  | 'rollBasis'
>;

function newState(deps: LogDeps, config: LogConfig, host: SegmentHost, found: Found): LogState {
  const last = found.epochs.entries.at(-1);
  const isNoted = found.producers === undefined && last?.startOffset === found.logEndOffset;
  const notedEpoch = isNoted ? last?.epoch : undefined;
  return {
    ...found,
    deps,
    directory: host.directory,
    config,
    host,
    preallocation: undefined,
    trimming: false,
    tail: deps.shared.tail.openTail(),
    flushedEndOffset: found.logEndOffset,
    rolled: [],
    // Of a cold log: its last epoch may be noted elsewhere alone.
    epochsChanged: notedEpoch !== undefined,
    notedEpoch,
    persisted: undefined,
    deletedFiles: new DeletedFiles(deps),
    generation: 0,
    truncatingTo: undefined,
    closed: false,
    tailUnknown: false,
    writeFailure: undefined,
    syncFailure: undefined,
  };
}

/** The log in `directory` as a clean stop left it: cold. EnvError CORRUPT if more was durable once. Looks at no file. */
export function coldState(
  deps: LogDeps,
  directory: string,
  config: LogConfig,
  summary: LogSummary,
  recovery: LogRecovery,
): LogState {
  const { logEndOffset } = summary;
  const logStartOffset = Math.max(summary.logStartOffset, recovery.logStartOffset ?? 0);
  const durable = Math.max(recovery.recoveryPoint, logStartOffset);
  if (durable > logEndOffset) {
    const facts = `${directory} was closed at offset ${logEndOffset}, but was durable up to offset ${durable}`;
    throw new EnvError('CORRUPT', `${facts}: acknowledged records are lost`);
  }
  const host = newHost(deps, directory, config);
  return newState(deps, config, host, {
    segments: summary.segments.map((segment) => Segment.existing(host, segment.baseOffset, segment)),
    logStartOffset,
    logEndOffset,
    firstDirtyOffset: knownDirtyOffset(recovery, logEndOffset),
    epochs: new LeaderEpochCache(summary.epochs),
    producers: undefined,
    snapshots: [...summary.snapshots],
    rollBasis: undefined,
  });
}

/** A log that ends below was not what was compacted. */
function knownDirtyOffset({ firstDirtyOffset = 0 }: LogRecovery, logEndOffset: Offset): Offset {
  return firstDirtyOffset > logEndOffset ? 0 : firstDirtyOffset;
}

/** What it does for its owner, who is not there yet, is set later. */
function newHost({ disk, shared }: LogDeps, directory: string, config: LogConfig): SegmentHost {
  return {
    disk,
    files: shared.files,
    indexes: shared.indexes,
    directory,
    intervalBytes: config.indexIntervalBytes,
    syncFailed: () => {},
    giveBack: () => {},
  };
}

interface Files {
  /** Base offsets of segments, and offsets of producer snapshots, ascending. */
  readonly segments: Offset[];
  readonly snapshots: Offset[];
}

/** What is there; half-written replacements and indexes without a log go. */
async function listFiles(disk: Disk, directory: string): Promise<Files> {
  let names = (await disk.list(directory)).map((entry) => entry.name);
  if (await finishSwaps(disk, directory, names)) names = (await disk.list(directory)).map((entry) => entry.name);
  const parsed = names.flatMap((name) => {
    const file = parseLogFileName(name);
    return file === undefined ? [] : [{ ...file, name }];
  });
  const offsets = (kind: string) => parsed.filter((file) => file.kind === kind).map((file) => file.offset);
  const segments = new Set(offsets('log'));
  const orphans = parsed.filter((file) => file.kind.endsWith('index') && !segments.has(file.offset));
  const leftovers = [
    ...names.filter((name) => name.endsWith('.tmp') || name.endsWith(DELETED_SUFFIX)),
    ...orphans.map((file) => file.name),
  ];
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
  host: SegmentHost,
  recovery: LogRecovery,
  baseOffsets: readonly Offset[],
): Promise<LoadedSegments> {
  const { disk } = deps;
  const { directory } = host;
  const { recoveryPoint } = recovery;
  if (baseOffsets.length === 0) {
    const start = recovery.logStartOffset ?? 0;
    if (recoveryPoint > start) {
      throw new EnvError('CORRUPT', `${directory} has no segments, but was durable up to offset ${recoveryPoint}`);
    }
    const segment = Segment.create(host, start);
    await disk.syncDirectory(directory);
    return { segments: [segment], logEndOffset: start, epochs: [], epochsFrom: start };
  }
  const segments = baseOffsets.map((base) => Segment.existing(host, base));
  if (recovery.cleanShutdown) return loadClean(directory, segments, recoveryPoint);
  const trusted = baseOffsets.findIndex((_, i) => !((baseOffsets[i + 1] ?? recoveryPoint) < recoveryPoint));
  const epochsFrom = baseOffsets[trusted] as Offset;
  const recovered = await recoverSegments(disk, directory, segments, trusted, recoveryPoint);
  logRecovery(deps, directory, recovered, recoveryPoint);
  return { ...recovered, epochsFrom };
}

function logRecovery(deps: LogDeps, directory: string, recovered: RecoveredSegments, recoveryPoint: Offset): void {
  const { logEndOffset, cutBytes, removedSegments, checkedBytes, rewrittenBytes } = recovered;
  const facts = { directory, recoveryPoint, logEndOffset, cutBytes, removedSegments, checkedBytes, rewrittenBytes };
  // Never silent: what was cut had not been synced, but with flush mode async it may have been acknowledged.
  if (cutBytes > 0) deps.logger.warn('log-recovered-with-cut', facts);
  else deps.logger.debug('log-recovered', facts);
}

/** After a clean stop: the end of the active segment from its last index entry on. */
async function loadClean(directory: string, segments: Segment[], recoveryPoint: Offset): Promise<LoadedSegments> {
  const active = segments.at(-1) as Segment;
  let epochs = new LeaderEpochCache();
  let epochsFrom: Offset | undefined;
  const { loadedEndOffset } = await active.load(undefined, () => {
    epochs = new LeaderEpochCache();
    epochsFrom = undefined;
    return (batch) => {
      epochsFrom ??= batch.baseOffset;
      epochs.assign(batch.partitionLeaderEpoch, batch.baseOffset);
    };
  });
  if (loadedEndOffset < recoveryPoint) {
    const facts = `${directory} ends at offset ${loadedEndOffset}, but was durable up to offset ${recoveryPoint}`;
    throw new EnvError('CORRUPT', `${facts}: acknowledged records are lost`);
  }
  return { segments, logEndOffset: loadedEndOffset, epochs: epochs.entries, epochsFrom: epochsFrom ?? loadedEndOffset };
}

/**
 * The checkpoint, then the batches looked at, which correct it: they do not replace it, since compaction may have taken the
 * first batches of an epoch. Its last entry, or the one noted elsewhere, counts at the log's end too: of a leader that wrote
 * nothing yet. Without a usable checkpoint all batches tell.
 */
async function loadEpochs(
  disk: Disk,
  directory: string,
  loaded: LoadedSegments,
  noted: EpochEntry | undefined,
): Promise<LeaderEpochCache> {
  const { segments, logEndOffset, epochsFrom } = loaded;
  const stored = await readEpochs(disk, directory);
  const epochs = new LeaderEpochCache(stored?.filter((entry) => entry.startOffset < logEndOffset) ?? []);
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
  for (const last of [stored?.at(-1), noted]) {
    if (last !== undefined && last.startOffset === logEndOffset && last.epoch > epochs.latestEpoch) {
      epochs.assign(last.epoch, last.startOffset);
    }
  }
  const same = stored !== undefined && JSON.stringify(stored) === JSON.stringify(epochs.entries);
  if (!same && (stored !== undefined || epochs.entries.length > 0)) await writeEpochs(disk, directory, epochs.entries);
  return epochs;
}

/** T-3.1: the newest intact snapshot, and the batches after it. */
export async function loadProducers({
  deps,
  directory,
  segments,
  logEndOffset,
  snapshots,
}: Pick<LogState, 'deps' | 'directory' | 'segments' | 'logEndOffset' | 'snapshots'>): Promise<ProducerStates> {
  const start = (segments[0] as Segment).baseOffset;
  const upTo = logEndOffset;
  const { producers, offset } = await readNewestSnapshot(deps, directory, snapshots, start, upTo);
  await forEachBatch(segments, logEndOffset, { from: offset, to: upTo }, (batch) => producers.update(batch));
  return producers;
}
