// What replicas say of records that they lost or are about to cut (S-D8): told to the controller first, and acted on when that is in the
// loss ledger. The broker implements it.
import type { Epoch, Offset } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';

/** See LossKind in metadata.proto. */
export type ReplicaLossKind = 'led' | 'cut' | 'hole' | 'short';

export interface ReplicaLoss {
  readonly topicId: Uuid;
  readonly partition: number;
  /** In which the replica leads or follows. */
  readonly leaderEpoch: Epoch;
  readonly kind: ReplicaLossKind;
  /** [fromOffset, toOffset); equal: it lost nothing. */
  readonly fromOffset: Offset;
  readonly toOffset: Offset;
  /** What it knew to be committed, -1 if nothing. */
  readonly highWatermark: Offset;
}

export interface LossReports {
  /**
   * Resolves with true when it is in the ledger, or has no place there any more (the topic is gone, the cluster's metadata level is below
   * that of the ledger); with false when the broker stops, or `signal` is aborted. Asks again until then; never rejects.
   */
  report(loss: ReplicaLoss, signal: AbortSignal): Promise<boolean>;
}
