// What a leader has to say of its own log when its epoch begins, for the loss ledger (S-D8): that it was elected uncleanly, so that its
// log is the truth now, whatever others had (D-11.1); or that it lacks what it knew to be committed (D-10.2).
import type { Offset } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import type { PartitionState } from '../metadata/image.ts';
import type { ReplicaLoss } from './loss-reports.ts';

interface Starting {
  readonly topicId: Uuid;
  readonly partition: number;
  readonly log: { readonly logEndOffset: Offset };
  /** At its greatest, before the epoch. */
  readonly knownHighWatermark: Offset;
}

/** Undefined: nothing. */
export function lossAtStart(
  { topicId, partition, log, knownHighWatermark }: Starting,
  { leaderEpoch, recovering }: Pick<PartitionState, 'leaderEpoch' | 'recovering'>,
): ReplicaLoss | undefined {
  const fromOffset = log.logEndOffset;
  if (!recovering && knownHighWatermark <= fromOffset) return undefined;
  const toOffset = Math.max(fromOffset, knownHighWatermark);
  const kind = recovering ? 'led' : 'short';
  return { topicId, partition, leaderEpoch, kind, fromOffset, toOffset, highWatermark: knownHighWatermark };
}
