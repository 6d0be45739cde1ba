// What a leader asks of the controller: to change the ISR of a partition, or to note that it has recovered (D-5, C-6). The broker
// implements it; one request of a partition is under way at a time, and the leader says what becomes of the answer.
import type { Epoch, NodeId, Offset } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';

export interface IsrMember {
  readonly brokerId: NodeId;
  /** The registration that the leader knows the member by, never another (KIP-903); of the leader its own. */
  readonly brokerEpoch: Offset;
}

export interface PartitionAlteration {
  readonly topicId: Uuid;
  readonly partition: number;
  /** What the decision is based on. */
  readonly leaderEpoch: Epoch;
  readonly partitionEpoch: Epoch;
  /** The whole new ISR, the leader included. */
  readonly isr: readonly IsrMember[];
  readonly recovering: boolean;
}

/** D-5.3 to D-5.6. */
export type AlterationOutcome =
  /** Committed, or so already: the partition is this now. */
  | {
      readonly kind: 'altered';
      readonly leaderEpoch: Epoch;
      readonly partitionEpoch: Epoch;
      readonly isr: readonly NodeId[];
      readonly recovering: boolean;
    }
  /** Surely not carried out (D-5.4). */
  | { readonly kind: 'refused'; readonly error: string; readonly message: string }
  /** Overtaken: the metadata log will show by what (D-5.5). */
  | { readonly kind: 'superseded'; readonly error: string; readonly message: string };

export interface AlterPartitions {
  /**
   * Asks until there is an answer: what is not known is asked again, the same (D-5.6). Never rejects; resolves with undefined when
   * the broker stops, or `signal` is aborted, as the partition's leadership is over.
   */
  alter(alteration: PartitionAlteration, signal: AbortSignal): Promise<AlterationOutcome | undefined>;
}
