// Puts a compacted segment in the place of those it was made from, so that a crash leaves the log as it was or as it becomes:
// 1. its files, which are durable, are renamed from .cleaned to .swap, the log last: with that, made durable, it counts;
// 2. in memory it replaces the others, at once;
// 3. their files are renamed to .deleted, durably, before
// 4. the suffix .swap goes: the log never has an old segment beside a new one that covers it.
// A load finishes what a crash cut short after 1. Kafka's LogSegments.replaceSegments syncs none of these steps.
import { assert } from '../../base/assert.ts';
import type { Offset } from '../../base/ids.ts';
import type { Disk } from '../../env/disk.ts';
import { EnvError } from '../../env/error.ts';
import { scanBatches } from '../batch-scan.ts';
import { filePrefix, snapshotPath } from '../file-names.ts';
import type { LogState } from '../log-state.ts';
import { failLog } from '../log-state.ts';
import { Segment } from '../segment.ts';
import type { CleanedFile } from './cleaned-file.ts';
import { CLEANED, renameFiles, SEGMENT_KINDS, SWAP } from './cleaned-file.ts';
import type { Source } from './source.ts';

/**
 * Durable when it resolves. The sources are the log's, and nothing else takes bytes away meanwhile. EnvError; the log is fenced if
 * it is not known then which of them count.
 */
export async function swapSegments(state: LogState, sources: readonly Source[], cleaned: CleanedFile): Promise<void> {
  const { directory, host } = state;
  const { disk } = state.deps;
  const at = state.segments.indexOf((sources[0] as Source).segment);
  const old = state.segments.slice(at, at + sources.length);
  assert(at >= 0 && old.every((segment, i) => segment === sources[i]?.segment), 'the segments are the log as it is');
  assert(at + sources.length < state.segments.length, 'the active segment is not compacted');
  const prefix = filePrefix(directory, cleaned.baseOffset);
  try {
    await renameFiles(disk, prefix, CLEANED, SWAP);
    await disk.syncDirectory(directory);

    const segment = Segment.compacted(host, cleaned.file, cleaned.index, cleaned.size);
    const merged = old.slice(1).map(({ baseOffset }) => baseOffset);
    const snapshots = state.snapshots.filter((offset) => merged.includes(offset));
    state.generation += 1;
    state.segments = state.segments.toSpliced(at, old.length, segment);
    state.snapshots = state.snapshots.filter((offset) => !merged.includes(offset));

    const paths: string[] = [];
    for (const each of old) {
      await each.close();
      const oldPrefix = filePrefix(directory, each.baseOffset);
      paths.push(...SEGMENT_KINDS.toReversed().map((kind) => `${oldPrefix}.${kind}`));
    }
    // As in Kafka: a snapshot belongs to the segment that begins there.
    paths.push(...snapshots.map((offset) => snapshotPath(directory, offset)));
    await state.deletedFiles.take(paths, state.config.fileDeleteDelayMs);
    await disk.syncDirectory(directory);
    await renameFiles(disk, prefix, SWAP, '');
    segment.file.arrived();
    await disk.syncDirectory(directory);
  } catch (error) {
    if (error instanceof EnvError) failLog(state, 'sync', error);
    throw error;
  }
}

/**
 * Before a log is loaded: removes what a compaction had not completed, and finishes the swap of what it had. `names`: what lies in
 * the folder. Returns whether that changed. EnvError CORRUPT if a completed segment is damaged; nothing was changed for it then.
 */
export async function finishSwaps(disk: Disk, directory: string, names: readonly string[]): Promise<boolean> {
  const leftovers = names.filter((name) => name.endsWith(CLEANED));
  for (const name of leftovers) await disk.remove(`${directory}/${name}`);
  const swaps = names.filter((name) => name.endsWith(`.log${SWAP}`));
  for (const name of swaps) await finishSwap(disk, directory, name, names);
  // Its log has its name already: this index can be made again.
  const indexes = names.filter((name) => name.endsWith(SWAP) && !swaps.includes(name));
  for (const name of indexes) await disk.remove(`${directory}/${name}`);
  return leftovers.length + swaps.length + indexes.length > 0;
}

async function finishSwap(disk: Disk, directory: string, name: string, names: readonly string[]): Promise<void> {
  const baseOffset = Number(name.slice(0, 20));
  const endOffset = await endOffsetOf(disk, `${directory}/${name}`);
  for (const other of names) {
    if (!/^\d{20}\.(index|timeindex|log)$/.test(other)) continue;
    const offset = Number(other.slice(0, 20));
    if (offset >= baseOffset && offset < endOffset) await disk.remove(`${directory}/${other}`);
  }
  await disk.syncDirectory(directory);
  await renameFiles(disk, filePrefix(directory, baseOffset), SWAP, '');
  await disk.syncDirectory(directory);
}

/** Its last batch tells, which compaction always leaves. */
async function endOffsetOf(disk: Disk, path: string): Promise<Offset> {
  const file = await disk.open(path, 'read');
  try {
    let endOffset: Offset | undefined;
    const range = { from: 0, to: await file.size(), view: 'header' } as const;
    const end = await scanBatches(file, range, (batch) => {
      endOffset = batch.nextOffset;
      return true;
    });
    if (end.problem === undefined && endOffset !== undefined) return endOffset;
    throw new EnvError('CORRUPT', `${path} is damaged at position ${end.position}: ${end.problem ?? 'it is empty'}`);
  } finally {
    await file.close();
  }
}
