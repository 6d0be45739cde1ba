// A simulated log as prefixes: each batch knows the hash of everything up to it, so two logs agree up to an offset exactly if
// their prefixes that end there have equal chains. That makes every log comparison a lookup, also where a log was trimmed
// it then begins with the prefix that its oldest snapshot stands for.
import type { Epoch, Offset } from '../../base/ids.ts';
import type { Batch, ReplicaKey } from '../../raft/types.ts';
import { batchHash, FNV_START, foldNumber } from './hash.ts';

/** Everything below `endOffset`. */
export interface LogPrefix {
  readonly endOffset: Offset;
  /** Of its last batch, 0 if there is none. */
  readonly epoch: Epoch;
  /** Hash of all its batches. */
  readonly chain: number;
  /** How many batches it has. */
  readonly ordinal: number;
  /** The voter set in force at its end; undefined while nobody is pinned (R-0.3a). */
  readonly voters: readonly ReplicaKey[] | undefined;
  /** How many of its batches set the voters. */
  readonly voterRecords: number;
}

/** A prefix by its last batch. */
export interface LogEntry extends LogPrefix {
  readonly batch: Batch;
  readonly previous: LogPrefix;
}

/** What a replica holds: the batches that come after `start`, which is empty or stands in a snapshot. */
export interface SimLog {
  start: LogPrefix;
  entries: LogEntry[];
}

/** How the voters are read from a batch that sets them; undefined for any other batch. */
export type VotersOf = (batch: Batch) => readonly ReplicaKey[] | undefined;

export const NOTHING: LogPrefix = {
  endOffset: 0,
  epoch: 0,
  chain: 0,
  ordinal: 0,
  voters: undefined,
  voterRecords: 0,
};

export function entryAfter(previous: LogPrefix, batch: Batch, votersOf: VotersOf): LogEntry {
  const voters = batch.control ? votersOf(batch) : undefined;
  return {
    batch,
    previous,
    endOffset: batch.baseOffset + batch.records.length,
    epoch: batch.epoch,
    chain: foldNumber(foldNumber(FNV_START, previous.chain), batchHash(batch)),
    ordinal: previous.ordinal + 1,
    voters: voters ?? previous.voters,
    voterRecords: previous.voterRecords + (voters === undefined ? 0 : 1),
  };
}

/** Whether its last batch is known: else it is empty, or stands in a snapshot. */
export function isEntry(prefix: LogPrefix): prefix is LogEntry {
  return 'previous' in prefix;
}

/** The whole log as a prefix. */
export function wholeOf({ start, entries }: SimLog): LogPrefix {
  return entries.length === 0 ? start : (entries[entries.length - 1] as LogEntry);
}

export function endOffsetOf(log: SimLog): Offset {
  return wholeOf(log).endOffset;
}

export function lastEpochOf(log: SimLog): Epoch {
  return wholeOf(log).epoch;
}

/** The prefix that ends at `endOffset`, where the log still tells it apart; undefined within a batch and outside the log. */
export function prefixAt({ start, entries }: SimLog, endOffset: Offset): LogPrefix | undefined {
  if (endOffset === start.endOffset) return start;
  return entries[indexEndingAt(entries, endOffset)];
}

/** The index of the entry that ends at `endOffset`, or -1. */
function indexEndingAt(entries: readonly LogEntry[], endOffset: Offset): number {
  let low = 0;
  let high = entries.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const end = (entries[middle] as LogEntry).endOffset;
    if (end === endOffset) return middle;
    if (end < endOffset) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

/** Whether the log holds exactly that prefix: by its batches, or within the committed prefix that its snapshot stands for. */
export function holdsPrefix({ start, entries }: SimLog, prefix: LogPrefix, committed: readonly LogEntry[]): boolean {
  const at = prefix.ordinal - start.ordinal;
  if (at > 0) return entries[at - 1]?.chain === prefix.chain;
  if (at === 0) return start.chain === prefix.chain;
  return prefix.ordinal === 0 || committed[prefix.ordinal - 1]?.chain === prefix.chain;
}
