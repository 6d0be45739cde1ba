// First pass of a compaction: the offset of the last record of each key in the dirty part of the log.
// Records of transactions are left out: whether one was committed is not looked at here, and a record that was aborted must not
// displace one that is visible. They are displaced themselves (filter.ts).
import type { Offset } from '../../base/ids.ts';
import type { BatchHeader } from '../../record/batch.ts';
import { RecordCursor } from '../../record/cursor.ts';
import type { Pace } from './batch-walk.ts';
import { BatchWalk, RECORDS_PER_BREATH } from './batch-walk.ts';
import { openRecords, readable } from './contents.ts';
import type { OffsetMap } from './offset-map.ts';
import type { Source } from './source.ts';
import { openSource } from './source.ts';

export interface MapBuilt {
  /** All records below are in the map, as far as they count: the first one that did not fit, or the end of the sources. */
  readonly endOffset: Offset;
  readonly bytesRead: number;
}

/** Notes the keys of all records from `from` on, as many as the map holds. The sources end at `to`. */
export async function buildMap(
  sources: readonly Source[],
  from: Offset,
  to: Offset,
  map: OffsetMap,
  pace: Pace,
): Promise<MapBuilt> {
  const cursor = new RecordCursor();
  let bytesRead = 0;
  for (const source of sources) {
    if (source.endOffset <= from) continue;
    const { file, size, index } = await openSource(source);
    const position = index.offsets.lookup(from).position;
    bytesRead += size - position;
    const walk = new BatchWalk(file, position, size, pace);
    while (await walk.fill()) {
      for (let batch = walk.next(); batch !== undefined; batch = walk.next()) {
        const missed = counts(batch, from) ? await addBatch(walk, batch, from, map, cursor) : undefined;
        if (missed !== undefined) return { endOffset: missed, bytesRead };
        const breath = walk.spent(1);
        if (breath !== undefined) await breath;
      }
    }
  }
  return { endOffset: to, bytesRead };
}

function counts(batch: BatchHeader, from: Offset): boolean {
  return batch.lastOffset >= from && batch.recordsCount > 0 && !batch.isControl && !batch.isTransactional;
}

/** The offset of the first record that did not fit; undefined if all did. */
async function addBatch(
  walk: BatchWalk,
  batch: BatchHeader,
  from: Offset,
  map: OffsetMap,
  cursor: RecordCursor,
): Promise<Offset | undefined> {
  const { content } = openRecords(batch, cursor);
  for (;;) {
    const added = readable(batch, () => addRecords(content, from, map, cursor));
    if (added.kind === 'full') return cursor.offset;
    const breath = walk.spent(added.count);
    if (breath !== undefined) await breath;
    if (added.kind === 'done') return undefined;
  }
}

function addRecords(
  content: Buffer,
  from: Offset,
  map: OffsetMap,
  cursor: RecordCursor,
): { kind: 'done' | 'more' | 'full'; count: number } {
  for (let count = 0; count < RECORDS_PER_BREATH; count++) {
    if (!cursor.next()) return { kind: 'done', count };
    if (cursor.keyStart < 0 || cursor.offset < from) continue;
    if (!map.put(content, cursor.keyStart, cursor.keyEnd, cursor.offset)) return { kind: 'full', count };
  }
  return { kind: 'more', count: RECORDS_PER_BREATH };
}
