// One batch of a simulated log with the hash of the whole prefix that ends with it: two logs agree up to an offset
// exactly if their entries that end there have equal chains. That makes every log comparison a lookup.
import type { Epoch, Offset } from '../../base/ids.ts';
import type { Batch, ReplicaKey } from '../../raft/types.ts';
import { batchHash, FNV_START, foldNumber } from './hash.ts';

export interface LogEntry {
  readonly batch: Batch;
  readonly endOffset: Offset;
  readonly epoch: Epoch;
  /** Hash of all batches up to and including this one. */
  readonly chain: number;
}

/** How the pinned voters are read from a batch that pins them (R-0.3a); undefined for any other batch. */
export type VotersOf = (batch: Batch) => readonly ReplicaKey[] | undefined;

export function entryAfter(previous: LogEntry | undefined, batch: Batch): LogEntry {
  return {
    batch,
    endOffset: batch.baseOffset + batch.records.length,
    epoch: batch.epoch,
    chain: foldNumber(foldNumber(FNV_START, previous === undefined ? 0 : previous.chain), batchHash(batch)),
  };
}

export function endOffsetOf(log: readonly LogEntry[]): Offset {
  return log.length === 0 ? 0 : (log[log.length - 1] as LogEntry).endOffset;
}

export function lastEpochOf(log: readonly LogEntry[]): Epoch {
  return log.length === 0 ? 0 : (log[log.length - 1] as LogEntry).epoch;
}

/** The index of the entry that ends at `endOffset`, or -1. */
export function indexEndingAt(log: readonly LogEntry[], endOffset: Offset): number {
  let low = 0;
  let high = log.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const end = (log[middle] as LogEntry).endOffset;
    if (end === endOffset) return middle;
    if (end < endOffset) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

/** Whether the log holds exactly the prefix that ends with `entry`. */
export function holdsPrefix(log: readonly LogEntry[], entry: LogEntry): boolean {
  const at = indexEndingAt(log, entry.endOffset);
  return at >= 0 && (log[at] as LogEntry).chain === entry.chain;
}
