// A batch of the metadata log as its bytes, replayed.
import type { MetadataImage } from '../../../src/metadata/image.ts';
import { decodeRecords } from '../../../src/metadata/record.ts';
import { replay } from '../../../src/metadata/replay.ts';

/** The batch at the end of the image. */
export function apply(before: MetadataImage, bytes: readonly Uint8Array[]) {
  const baseOffset = before.endOffset;
  const endOffset = baseOffset + bytes.length;
  const records = decodeRecords(bytes, baseOffset);
  return { baseOffset, endOffset, ...replay(before, { baseOffset, endOffset, epoch: 1, records }) };
}
