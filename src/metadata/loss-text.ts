// Losses in words: for the history, for explanations, and for the command line.
import type { NodeId } from '../base/ids.ts';
import { NO_NODE } from '../base/ids.ts';
import type { LossDescription } from '../gen/kvorum/v1/admin.ts';
import { LossKind } from '../gen/kvorum/v1/metadata.ts';
import type { ReplicaLoss } from './loss-entry.ts';
import type { LossRange } from './losses.ts';
import { committedLost, goneFrom, lostRange } from './losses.ts';

const KINDS: Readonly<Partial<Record<LossKind, string>>> = {
  [LossKind.LED]: 'led',
  [LossKind.CUT]: 'cut',
  [LossKind.HOLE]: 'hole',
  [LossKind.SHORT]: 'short',
  [LossKind.GONE]: 'gone',
};

/** `cut`; the number of one that this version does not know. */
export function lossKindText(kind: LossKind): string {
  return KINDS[kind] ?? String(kind);
}

/** What an entry says, as in the image and as described. */
export type ToldLoss = Pick<LossDescription, 'leader' | 'oldLeaderEpoch' | 'newLeaderEpoch' | 'cause'> & {
  readonly awaited: readonly NodeId[];
  readonly replicas: readonly Omit<ReplicaLoss, 'leaderEpoch'>[];
};

/** `offset 7`, `offsets 7 to 9`, `nothing`. */
export function rangeText({ firstOffset, endOffset }: LossRange): string {
  if (firstOffset >= endOffset) return 'nothing';
  return endOffset === firstOffset + 1 ? `offset ${firstOffset}` : `offsets ${firstOffset} to ${endOffset - 1}`;
}

/** What one replica says: `broker 2 cut offsets 7 to 9, of which it knew offsets 7 to 8 to be committed`. */
export function replicaLossText(loss: Omit<ReplicaLoss, 'leaderEpoch'>): string {
  const { brokerId, kind, fromOffset, toOffset, highWatermark, reason } = loss;
  const range = rangeText({ firstOffset: fromOffset, endOffset: toOffset });
  const isEmpty = fromOffset >= toOffset;
  const surely = committedLost(loss);
  const committed =
    surely.firstOffset < surely.endOffset ? `, of which it knew ${rangeText(surely)} to be committed` : '';
  const who = `broker ${brokerId}`;
  switch (kind) {
    case LossKind.LED:
      return isEmpty
        ? `${who} led, and went on from offset ${fromOffset}`
        : `${who} led, and went on from offset ${fromOffset}: it had lost ${range}, which it knew to be committed`;
    case LossKind.CUT:
      if (!isEmpty) return `${who} cut ${range}${committed}`;
      return toOffset === 0 ? `${who} had an empty log` : `${who} had nothing that the leader lacks`;
    case LossKind.HOLE:
      return `${who} dropped its log, which ended at offset ${fromOffset}: the leader has nothing before offset ${toOffset} any more`;
    case LossKind.SHORT:
      return `${who} leads without ${range}${committed}: its disk has lost them`;
    case LossKind.GONE:
      return `broker ${brokerId} will not say what it had: ${reason}`;
    default:
      return `${who} lost ${range}${committed}; high watermark ${highWatermark}`;
  }
}

/** `offsets 7 to 9 are lost so far, of which offsets 7 to 8 were surely committed; it waits for what broker 3 says`. */
export function lossText(loss: ToldLoss): string {
  const { awaited } = loss;
  const lost = lostRange(loss);
  const surely = lostRange(loss, committedLost);
  const gone = goneFrom(loss);
  const isNothing = lost.firstOffset >= lost.endOffset;
  const isKnown = awaited.length + gone.length === 0;
  const committed = surely.firstOffset < surely.endOffset ? `, of which ${rangeText(surely)} surely committed` : '';
  const parts = [
    isNothing
      ? isKnown
        ? 'no replica had to cut anything'
        : 'nothing is known to be lost'
      : `${rangeText(lost)} lost${committed}`,
    ...(awaited.length === 0 ? [] : [`what ${brokersText(awaited)} had is not known yet`]),
    ...(gone.length === 0 ? [] : [`what ${brokersText(gone)} had will not be known`]),
  ];
  return parts.join('; ');
}

/** What an entry began with. */
export function lossOriginText({ leader, oldLeaderEpoch, newLeaderEpoch }: ToldLoss): string {
  return leader === NO_NODE
    ? `a loss in leader epoch ${newLeaderEpoch}`
    : `broker ${leader} elected uncleanly, leader epoch ${oldLeaderEpoch} → ${newLeaderEpoch}`;
}

/** `broker 3`, `brokers 3, 4`. */
function brokersText(ids: readonly NodeId[]): string {
  return `${ids.length === 1 ? 'broker' : 'brokers'} ${ids.join(', ')}`;
}
