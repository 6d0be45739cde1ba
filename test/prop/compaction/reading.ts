// All that a consumer finds in a log.
import { must } from '../../../src/base/assert.ts';
import type { PartitionLog } from '../../../src/log/partition-log.ts';
import { decodeRecords } from '../../../src/record/record.ts';
import { splitBatches } from '../../../src/record/scan.ts';

export interface Found {
  readonly offset: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly timestamp: number;
  readonly leaderEpoch: number;
}

/** In order; fails if offsets do not ascend or a batch is damaged. */
export async function readAll(log: PartitionLog): Promise<Found[]> {
  const found: Found[] = [];
  for (let at = log.logStartOffset; at < log.logEndOffset; ) {
    const bytes = await log.read(at, 1 << 20, log.logEndOffset, true);
    if (bytes.length === 0) throw new Error(`nothing at offset ${at}`);
    for (const batch of splitBatches(bytes)) {
      if (batch.baseOffset < at && batch.lastOffset < at) throw new Error(`offset ${batch.baseOffset} after ${at}`);
      if (batch.computeCrc() !== batch.crc) throw new Error(`the batch at ${batch.baseOffset} is damaged`);
      for (const { offset, key, value, timestamp } of decodeRecords(batch)) {
        const last = found.at(-1)?.offset ?? -1;
        if (offset <= last) throw new Error(`offset ${offset} after ${last}`);
        const leaderEpoch = batch.partitionLeaderEpoch;
        const textOf = (field: Buffer | null) => (field === null ? null : field.toString());
        found.push({ offset, key: textOf(key), value: textOf(value), timestamp, leaderEpoch });
      }
      at = must(batch.nextOffset, 'next offset');
    }
  }
  return found;
}
