// Second pass of a compaction: neighbouring segments written anew as one, without what the filter lets go.

import { must } from '../../base/assert.ts';
import type { Offset } from '../../base/ids.ts';
import { EnvError } from '../../env/error.ts';
import type { BatchHeader } from '../../record/batch.ts';
import type { LogState } from '../log-state.ts';
import type { Pace } from './batch-walk.ts';
import { BatchWalk, RECORDS_PER_BREATH } from './batch-walk.ts';
import { CleanedFile } from './cleaned-file.ts';
import type { BatchFilter, Verdict } from './filter.ts';
import type { Source } from './source.ts';
import { openSource } from './source.ts';

/**
 * Writes what stays of the group to a file beside the log, durable but for its directory entry; undefined, and no file, if all of a
 * lone segment stays as it is. After a failure nothing is left.
 */
export async function rewriteGroup(
  state: LogState,
  group: readonly Source[],
  filter: BatchFilter,
  pace: Pace,
): Promise<CleanedFile | undefined> {
  const { baseOffset } = must(group[0], 'first segment of a group');
  const { endOffset } = must(group.at(-1), 'last segment of a group');
  const { deps, directory, config } = state;
  const cleaned = await CleanedFile.create(deps.disk, directory, baseOffset, config.indexIntervalBytes, pace);
  try {
    let changed = group.length > 1;
    for (const source of group) changed = (await rewriteSource(source, endOffset, cleaned, filter, pace)) || changed;
    if (changed) {
      await cleaned.complete();
      return cleaned;
    }
  } catch (error) {
    await abandon(cleaned);
    throw error;
  }
  await cleaned.discard();
  return undefined;
}

/** Whether it lost anything. */
async function rewriteSource(
  source: Source,
  groupEndOffset: Offset,
  cleaned: CleanedFile,
  filter: BatchFilter,
  pace: Pace,
): Promise<boolean> {
  const { file, size } = await openSource(source);
  const walk = new BatchWalk(file, 0, size, pace);
  let changed = false;
  let nextOffset = source.baseOffset;
  while (await walk.fill()) {
    for (let batch = walk.next(); batch !== undefined; batch = walk.next()) {
      const verdict = filter.open(batch)
        ? await judge(walk, batch, groupEndOffset, filter)
        : verdictOf(batch, groupEndOffset, filter);
      if (verdict !== 'whole') changed = true;
      nextOffset = batch.nextOffset;
      if (verdict !== undefined) {
        const written = cleaned.append(verdict === 'whole' ? batch.bytes : verdict);
        if (written !== undefined) await written;
      }
      const breath = walk.spent(1);
      if (breath !== undefined) await breath;
    }
  }
  // The last batch of a segment is what says where it ends.
  if (nextOffset === source.endOffset) return changed;
  const ends = `ends at offset ${nextOffset}, the next segment begins at ${source.endOffset}`;
  throw new EnvError('CORRUPT', `${source.segment.path} ${ends}`);
}

async function judge(
  walk: BatchWalk,
  batch: BatchHeader,
  groupEndOffset: Offset,
  filter: BatchFilter,
): Promise<Verdict> {
  for (;;) {
    const count = filter.judge();
    const breath = walk.spent(count);
    if (breath !== undefined) await breath;
    if (count < RECORDS_PER_BREATH) return verdictOf(batch, groupEndOffset, filter);
  }
}

function verdictOf(batch: BatchHeader, groupEndOffset: Offset, filter: BatchFilter): Verdict {
  return filter.verdict(batch.nextOffset === groupEndOffset);
}

/** The failure that led here is the one to be told; what stays is removed when the log is compacted or loaded next. */
async function abandon(cleaned: CleanedFile): Promise<void> {
  await cleaned.discard().catch(() => undefined);
}
