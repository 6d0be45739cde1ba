// One entry of the loss ledger (S-D8): an unclean election, or what a replica found out by itself, and what it cost each replica.
import type { Epoch, NodeId, Offset } from '../base/ids.ts';
import type { ReplicaLossRecord } from '../gen/kvorum/v1/metadata.ts';

/** What one replica says of its own log, or that it never will: see ReplicaLossRecord in metadata.proto. */
export type ReplicaLoss = Readonly<Omit<ReplicaLossRecord, 'topicId' | 'partition'>>;

export interface PartitionLoss {
  /** Of the record that opened it: no two have the same, and older ones have smaller ones. */
  readonly offset: Offset;
  /** When that was decided: milliseconds since 1970, -1 if not known. */
  readonly timestampMs: number;
  /** Elected uncleanly; -1: no election, the entry is what a replica found out by itself. */
  readonly leader: NodeId;
  /** Without an election both are that of the report. */
  readonly oldLeaderEpoch: Epoch;
  readonly newLeaderEpoch: Epoch;
  readonly oldIsr: readonly NodeId[];
  readonly oldElr: readonly NodeId[];
  /** Who allowed it; empty without an election. */
  readonly cause: string;
  /** Replicas that have not said yet all of what they had: while there are any, it is not known how much was lost. */
  readonly awaited: readonly NodeId[];
  /** At most one of a broker and kind, with the newest leader epoch of those that it is made of; in the order in which they came. */
  readonly replicas: readonly ReplicaLoss[];
}
