// Where a follower cuts its log, from what the leader said of an epoch (D-3.3, KIP-101, KIP-279); pure.
import type { Epoch, Offset } from '../base/ids.ts';
import type { EpochEndOffset } from '../log/leader-epoch-cache.ts';

/** The end of a log, and what it knows of its epochs. */
export interface EpochsOfLog {
  readonly logEndOffset: Offset;
  endOffsetFor(epoch: Epoch): EpochEndOffset | undefined;
}

/**
 * `diverging`: the largest epoch that both may know, as the leader sees it, and where that ends there. What lies below the point is in
 * both logs, or the leader's next answer leads further down: never to the high watermark instead (D-3.4).
 */
function truncationPoint(log: EpochsOfLog, diverging: EpochEndOffset): Offset {
  const { logEndOffset } = log;
  const local = log.endOffsetFor(diverging.epoch);
  if (local === undefined) return Math.min(diverging.endOffset, logEndOffset);
  if (local.epoch === diverging.epoch) return Math.min(local.endOffset, diverging.endOffset, logEndOffset);
  // Of the leader's epoch there is nothing here: back to the end of the one before, which the next fetch names.
  return Math.min(local.endOffset, logEndOffset);
}

/** What the leader said, where it makes sense as an answer to what was asked, and cutting to it changes something. */
export function divergence(
  log: EpochsOfLog & { readonly epochs: { readonly entries: readonly { readonly startOffset: Offset }[] } },
  asked: { readonly fetchOffset: Offset; readonly lastFetchedEpoch: Epoch },
  diverging: EpochEndOffset,
): { readonly kind: 'cut'; readonly point: Offset } | { readonly kind: 'refused'; readonly reason: string } {
  const { epoch, endOffset } = diverging;
  const { fetchOffset, lastFetchedEpoch } = asked;
  const point = truncationPoint(log, diverging);
  const makesSense = epoch < lastFetchedEpoch || (epoch === lastFetchedEpoch && endOffset < fetchOffset);
  const newestStart = log.epochs.entries.at(-1)?.startOffset ?? -1;
  // Where it changes nothing the same answer would come again.
  const changes = point < log.logEndOffset || newestStart >= point;
  if (epoch >= 0 && makesSense && changes) return { kind: 'cut', point };
  const reason = `epoch ${epoch} up to ${endOffset} as where the logs part, for epoch ${lastFetchedEpoch} up to ${fetchOffset}`;
  return { kind: 'refused', reason };
}
