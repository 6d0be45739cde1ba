// Going through the headers of the batches in a range of offsets, for what is derived from them.
import type { Offset } from '../base/ids.ts';
import { EnvError } from '../env/error.ts';
import type { BatchHeader } from '../record/batch.ts';
import { scanBatches } from './batch-scan.ts';
import { misfit } from './header-check.ts';
import type { Segment } from './segment.ts';

/** Visits the batches that begin in [from, to), in order. The batch is valid during the call only: header fields only. */
export async function forEachBatch(
  segments: readonly Segment[],
  logEndOffset: Offset,
  range: { readonly from: Offset; readonly to: Offset },
  visit: (batch: BatchHeader, segment: Segment, position: number) => void,
): Promise<void> {
  for (const [i, segment] of segments.entries()) {
    const endOffset = segments[i + 1]?.baseOffset ?? logEndOffset;
    if (endOffset <= range.from || segment.baseOffset >= range.to) continue;
    const { file, index, size } = await segment.load(endOffset);
    const { position: from } = index.offsets.lookup(range.from);
    let leastOffset = segment.baseOffset;
    let wrong: string | undefined;
    const end = await scanBatches(file, { from, to: size, view: 'header' }, (batch, position) => {
      wrong = misfit(batch, segment.baseOffset, leastOffset);
      if (wrong !== undefined || batch.baseOffset >= range.to) return false;
      leastOffset = batch.nextOffset;
      if (batch.baseOffset >= range.from) visit(batch, segment, position);
      return true;
    });
    const problem = wrong ?? end.problem;
    if (problem === undefined) continue;
    throw new EnvError('CORRUPT', `${segment.path} is damaged at position ${end.position}: ${problem}`);
  }
}
