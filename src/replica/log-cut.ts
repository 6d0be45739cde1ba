// How a follower's log is cut to what its leader has, or begun anew where that begins (D-3.3, D-3.8). What goes below the high watermark,
// or is waited for in the loss ledger, is in the ledger before it goes (D-3.5, S-D8), so that no crash can hide it.
import type { Epoch, Offset } from '../base/ids.ts';
import type { Logger } from '../env/logger.ts';
import type { LossReports, ReplicaLoss } from './loss-reports.ts';
import type { Partition } from './partition.ts';

/** A follower that cuts. */
export interface Cutter {
  readonly partition: Partition;
  readonly leaderEpoch: Epoch;
  readonly logger: Logger;
  readonly lossReports: LossReports;
  /** Aborted when it follows no more: nothing is cut then. */
  readonly signal: AbortSignal;
  /** Leader epochs whose entry in the loss ledger waits for what this broker says of the partition. */
  awaited(partition: Partition): readonly Epoch[];
}

/** Whether the ledger waits for this replica, for an epoch that it has followed to. */
export function isAwaited(cutter: Cutter): boolean {
  return cutter.awaited(cutter.partition).some((epoch) => epoch <= cutter.leaderEpoch);
}

/**
 * Cuts the log to `point`, durably (D-3.6); false if it was not to be. Where that lies below the start of the log, it begins anew where the
 * leader's does: what is between has to come again. EnvError.
 */
export async function cutTo(cutter: Cutter, wanted: Offset, leaderStartOffset: Offset): Promise<boolean> {
  const { partition, leaderEpoch, logger } = cutter;
  const { topic, log, knownHighWatermark: highWatermark } = partition;
  const from = log.logEndOffset;
  const point = Math.max(wanted, log.logStartOffset);
  const isLoss = point < highWatermark;
  if (isLoss || (point < from && isAwaited(cutter))) {
    if (!(await report(cutter, 'cut', point, from))) return false;
  }
  const facts = { topic, partition: partition.partition, leaderEpoch, from, to: point, highWatermark };
  if (isLoss) logger.warn('truncated-below-high-watermark', facts);
  else logger.info('log-truncated', facts);
  // Retention may have moved the start meanwhile.
  if (wanted < log.logStartOffset) await log.truncateFullyAndStartAt(Math.min(leaderStartOffset, wanted));
  else await log.truncateTo(wanted);
  partition.truncated();
  return true;
}

/** Drops the log, and begins it anew at `startOffset`, where the leader's begins: further on than this one ends. EnvError. */
export async function beginAnew(cutter: Cutter, startOffset: Offset): Promise<boolean> {
  const { partition, leaderEpoch, logger } = cutter;
  const { topic, log, knownHighWatermark: highWatermark } = partition;
  const { logStartOffset, logEndOffset } = log;
  // A new replica misses nothing that it had: the ledger would fill with what retention and DeleteRecords do.
  const isBlank = logStartOffset === logEndOffset && highWatermark <= logEndOffset && !isAwaited(cutter);
  if (!isBlank && !(await report(cutter, 'hole', logEndOffset, startOffset))) return false;
  logger[isBlank ? 'info' : 'warn']('log-dropped', {
    topic,
    partition: partition.partition,
    leaderEpoch,
    logStartOffset,
    logEndOffset,
    newStartOffset: startOffset,
    highWatermark,
    reason: 'the leader has nothing any more of what would follow here',
  });
  await log.truncateFullyAndStartAt(startOffset);
  partition.truncated();
  return true;
}

/** Tells the ledger, which waits for it, that this replica had nothing that its leader lacks. */
export async function reportNothingCut(cutter: Cutter): Promise<void> {
  const { logEndOffset } = cutter.partition.log;
  await report(cutter, 'cut', logEndOffset, logEndOffset);
}

/** True once it is in the ledger, and this replica may act on it. */
async function report(
  { partition: { topicId, partition, knownHighWatermark: highWatermark }, leaderEpoch, lossReports, signal }: Cutter,
  kind: ReplicaLoss['kind'],
  fromOffset: Offset,
  toOffset: Offset,
): Promise<boolean> {
  const loss = { topicId, partition, leaderEpoch, kind, fromOffset, toOffset, highWatermark };
  return (await lossReports.report(loss, signal)) && !signal.aborted;
}
