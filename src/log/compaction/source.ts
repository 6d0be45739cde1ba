// A sealed segment that is compacted, as it was when the compaction began.
import { EnvError } from '../../env/error.ts';
import type { Segment, SegmentContent } from '../segment.ts';
import type { SealedSegment } from './cleanable.ts';

export interface Source extends SealedSegment {
  readonly segment: Segment;
}

/** Its file and indexes. EnvError CORRUPT if it is not as long as it was. */
export async function openSource({ segment, endOffset, size }: Source): Promise<SegmentContent> {
  const content = await segment.load(endOffset);
  if (content.size === size) return content;
  throw new EnvError('CORRUPT', `${segment.path} has ${content.size} bytes, ${size} before`);
}
