// What an unclean election may take (C-5.7), from what replicas say of their logs: by leader epochs two logs are compared without
// reading them, since the same epoch at the same offset is the same record, and so is all before it (S-D4, D-1.2).
import type { Epoch, NodeId, Offset } from '../base/ids.ts';
import type { PossibleLoss, ReplicaDescription } from '../gen/kvorum/v1/admin.ts';

type Log = Pick<ReplicaDescription, 'epochs' | 'logStartOffset' | 'logEndOffset'>;

/** `told`: of that partition, as far as brokers answer. */
export function possibleLoss(
  elected: NodeId,
  replicas: readonly NodeId[],
  told: readonly ReplicaDescription[],
): PossibleLoss {
  const answers = told.filter(({ brokerId, role }) => role !== 'offline' && replicas.includes(brokerId));
  const silent = replicas.filter((id) => !answers.some(({ brokerId }) => brokerId === id));
  const highWatermark = Math.max(-1, ...answers.map((it) => it.highWatermark));
  const leader = answers.find(({ brokerId }) => brokerId === elected);
  if (leader === undefined) {
    const knownEndOffset = Math.max(-1, ...answers.map(({ logEndOffset }) => logEndOffset));
    return { firstOffset: -1, knownEndOffset, highWatermark, silent, silentFromOffset: -1 };
  }
  const losing = answers.flatMap((other) => {
    const fromOffset = partingOffset(leader, other);
    return fromOffset < other.logEndOffset ? [{ fromOffset, endOffset: other.logEndOffset }] : [];
  });
  const firstOffset = Math.min(leader.logEndOffset, ...losing.map(({ fromOffset }) => fromOffset));
  return {
    firstOffset,
    knownEndOffset: Math.max(firstOffset, ...losing.map(({ endOffset }) => endOffset)),
    highWatermark,
    silent,
    silentFromOffset: silent.length === 0 ? -1 : Math.min(firstOffset, leader.highWatermark),
  };
}

/** The first offset at which `other` has what `log` does not have, or has otherwise; its end if there is none. */
export function partingOffset(log: Log, other: Log): Offset {
  const its = endsOf(log);
  for (const [epoch, endOffset] of [...endsOf(other)].reverse()) {
    const known = its.get(epoch);
    if (known !== undefined) return Math.min(known, endOffset);
  }
  // Nothing in common that is known: of an empty log that is so, of others the worst is taken.
  if (other.logStartOffset === other.logEndOffset) return other.logEndOffset;
  return its.size === 0 ? log.logEndOffset : log.logStartOffset;
}

/** Where each epoch ends that has records, rising. */
function endsOf({ epochs, logEndOffset }: Log): Map<Epoch, Offset> {
  const ends = new Map<Epoch, Offset>();
  for (const [i, { leaderEpoch, startOffset }] of epochs.entries()) {
    const endOffset = epochs[i + 1]?.startOffset ?? logEndOffset;
    if (startOffset < endOffset) ends.set(leaderEpoch, endOffset);
  }
  return ends;
}
