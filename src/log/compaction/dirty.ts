// Whether it is time to compact a log (D-9.4): what of it is dirty, and since when.
import type { Offset } from '../../base/ids.ts';
import { BATCH_HEADER_BYTES, BatchHeader } from '../../record/batch.ts';
import { readFully } from '../batch-scan.ts';
import type { LogState } from '../log-state.ts';
import type { Cleanable } from './cleanable.ts';
import { dirtyRatio, lagExceeded } from './cleanable.ts';
import { findCleanable } from './compact.ts';
import type { Source } from './source.ts';

export interface DirtyLog {
  /** 0 .. 1, of what may be compacted. */
  readonly ratio: number;
  /** max.compaction.lag.ms has passed for a record in it. */
  readonly overdue: boolean;
  readonly part: Cleanable;
}

/** Undefined if there is nothing to compact below `endOffset`. `now` in wall time. EnvError. */
export async function dirtyPart(state: LogState, endOffset: Offset, now: number): Promise<DirtyLog | undefined> {
  const found = await findCleanable(state, endOffset, now);
  if (found === undefined) return undefined;
  const { part, sources } = found;
  // Nothing can be that old: spare the look at the file.
  const canBeOverdue = now - state.config.maxCompactionLagMs > 0;
  const overdue = canBeOverdue && lagExceeded(await firstDirtyTimestamp(sources, part), now, state.config);
  return { ratio: dirtyRatio(part), overdue, part };
}

/** The greatest timestamp in the first batch of the first segment that is dirty. */
async function firstDirtyTimestamp(sources: readonly Source[], { firstDirtyOffset }: Cleanable): Promise<number> {
  const source = sources.find(({ endOffset }) => endOffset > firstDirtyOffset);
  if (source === undefined) return -1;
  const header = Buffer.alloc(BATCH_HEADER_BYTES);
  const count = await readFully(source.segment.file, header, BATCH_HEADER_BYTES, 0);
  return count < BATCH_HEADER_BYTES ? -1 : new BatchHeader(header).maxTimestamp;
}
