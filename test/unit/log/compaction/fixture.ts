// Keyed records for the tests of compaction, and what a consumer finds in a log.

import type { CompactionResult, CompactionRun } from '../../../../src/log/compaction/compact.ts';
import type { LogRecovery } from '../../../../src/log/load.ts';
import type { LogConfig, LogDeps } from '../../../../src/log/log-state.ts';
import { PartitionLog } from '../../../../src/log/partition-log.ts';
import { BatchHeader } from '../../../../src/record/batch.ts';
import type { BatchOptions } from '../../../../src/record/builder.ts';
import { buildBatch } from '../../../../src/record/builder.ts';
import { decodeRecords } from '../../../../src/record/record.ts';
import { splitBatches } from '../../../../src/record/scan.ts';
import { CONFIG, deps, NODE_VALUES } from '../fixture.ts';

const SECRET = Buffer.alloc(16, 7);
export const COMPACTED: LogConfig = { ...CONFIG, cleanupPolicy: 'compact', segmentBytes: 300, deleteRetentionMs: 1000 };

/** `[key, value]`; a null value is a tombstone. */
export type Pair = readonly [key: string | null, value: string | null];

export function keyed(pairs: readonly Pair[], options: BatchOptions & { readonly timestamp?: number } = {}): Buffer {
  const { timestamp = 100, ...rest } = options;
  const bytesOf = (text: string | null) => (text === null ? null : Buffer.from(text));
  const records = pairs.map(([key, value]) => ({
    timestamp,
    key: bytesOf(key),
    value: bytesOf(value),
    headers: [],
  }));
  return buildBatch(records, rest);
}

export function openLog(
  directory: string,
  config: LogConfig = COMPACTED,
  recovery: LogRecovery = { cleanShutdown: false, recoveryPoint: 0 },
  logDeps: LogDeps = deps(),
): Promise<PartitionLog> {
  return PartitionLog.open(logDeps, directory, config, recovery);
}

export function compact(log: PartitionLog, run: Partial<CompactionRun> = {}): Promise<CompactionResult> {
  const mapBytes = NODE_VALUES['log.cleaner.dedupe.buffer.size'];
  return log.compact({ endOffset: log.logEndOffset, now: 10_000, mapBytes, secret: SECRET, ...run });
}

/** Copies of the batches, in order. */
export async function batchesOf(log: PartitionLog): Promise<BatchHeader[]> {
  const found: BatchHeader[] = [];
  let at = log.logStartOffset;
  while (at < log.logEndOffset) {
    const bytes = await log.read(at, 1 << 20, log.logEndOffset, true);
    for (const batch of splitBatches(bytes)) {
      found.push(new BatchHeader(Buffer.from(batch.bytes)));
      at = batch.nextOffset;
    }
    if (bytes.length === 0) throw new Error(`nothing at ${at}`);
  }
  return found;
}

/** `offset key=value`, of all records. */
export async function contentOf(log: PartitionLog): Promise<string[]> {
  return (await batchesOf(log)).flatMap((batch) =>
    decodeRecords(batch).map(({ offset, key, value }) => `${offset} ${key?.toString()}=${value?.toString()}`),
  );
}
