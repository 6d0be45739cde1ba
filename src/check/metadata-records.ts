// The records of the metadata log as checkers need them: the generated MetadataRecord fits.
import type { Epoch, NodeId, Offset } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';

export interface SeenRecord {
  readonly kind?: SeenKind | undefined;
}

/** A batch of the metadata log. `records` is empty for control batches of the quorum, which take offsets too. */
export interface SeenBatch {
  readonly baseOffset: Offset;
  readonly endOffset: Offset;
  readonly records: readonly SeenRecord[];
}

export type SeenKind =
  | { readonly $case: 'metadataLevel'; readonly metadataLevel: { readonly level: number } }
  | { readonly $case: 'registerBroker'; readonly registerBroker: SeenRegistration }
  | { readonly $case: 'brokerChange'; readonly brokerChange: SeenBrokerChange }
  | { readonly $case: 'unregisterBroker'; readonly unregisterBroker: SeenBrokerChange }
  | { readonly $case: 'topic'; readonly topic: { readonly name: string; readonly topicId: Uuid } }
  | { readonly $case: 'partition'; readonly partition: SeenNewPartition }
  | { readonly $case: 'partitionChange'; readonly partitionChange: SeenPartitionChange }
  | { readonly $case: 'removeTopic'; readonly removeTopic: { readonly topicId: Uuid } }
  | { readonly $case: 'config'; readonly config: SeenConfig }
  | { readonly $case: 'uncleanElection'; readonly uncleanElection: SeenUncleanElection }
  | { readonly $case: 'command'; readonly command: SeenCommand }
  | { readonly $case: 'producerIds'; readonly producerIds: { readonly nextProducerId: number } }
  | { readonly $case: 'replicaLoss'; readonly replicaLoss: SeenReplicaLoss }
  | { readonly $case: 'partitionLoss' }
  | { readonly $case: 'noOp' };

export interface SeenRegistration {
  readonly brokerId: NodeId;
  readonly incarnationId: Uuid;
  readonly logDirs: readonly Uuid[];
  readonly bootCounter: number;
  readonly cleanStart: boolean;
}

export interface SeenBrokerChange {
  readonly brokerId: NodeId;
  readonly brokerEpoch: Offset;
  readonly fenced?: boolean | undefined;
  readonly inControlledShutdown?: boolean | undefined;
}

export interface SeenNewPartition {
  readonly topicId: Uuid;
  readonly partition: number;
  readonly replicas: readonly NodeId[];
  readonly isr: readonly NodeId[];
  readonly elr: readonly NodeId[];
  readonly leader: NodeId;
  readonly lastKnownLeader?: NodeId | undefined;
  readonly recovering: boolean;
  readonly leaderEpoch: Epoch;
  readonly partitionEpoch: Epoch;
}

interface SeenList {
  readonly replicas: readonly NodeId[];
}

export interface SeenPartitionChange {
  readonly topicId: Uuid;
  readonly partition: number;
  readonly leader?: NodeId | undefined;
  readonly replicas?: SeenList | undefined;
  readonly isr?: SeenList | undefined;
  readonly elr?: SeenList | undefined;
  readonly lastKnownLeader?: NodeId | undefined;
  readonly recovering?: boolean | undefined;
}

export interface SeenConfig {
  /** 1: topic, 2: broker. */
  readonly scope: number;
  readonly entity: string;
  readonly key: string;
  readonly value?: string | undefined;
}

export interface SeenUncleanElection {
  readonly topicId: Uuid;
  readonly partition: number;
  readonly leader: NodeId;
  readonly oldLeaderEpoch: Epoch;
  readonly newLeaderEpoch: Epoch;
  readonly oldIsr: readonly NodeId[];
  readonly oldElr: readonly NodeId[];
  readonly cause: string;
}

export interface SeenReplicaLoss {
  readonly topicId: Uuid;
  readonly partition: number;
  readonly brokerId: NodeId;
  readonly leaderEpoch: Epoch;
  /** 1 to 4, see LossKind in metadata.proto. */
  readonly kind: number;
  readonly fromOffset: Offset;
  readonly toOffset: Offset;
}

export interface SeenCommand {
  readonly clientId: Uuid;
  readonly sequence: number;
  readonly method: string;
  readonly reply: Uint8Array;
}
