// Answers to AdminService's reads, from one image. Used by controllers and brokers alike; DescribeQuorum is not here,
// since only the leader of the quorum can answer it.

import type { NodeId } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import type {
  BrokerDescription,
  DescribeClusterResponse,
  DescribeTopicsRequest,
  DescribeTopicsResponse,
  ListTopicsResponse,
  PartitionDescription,
  TopicDescription,
  TopicSelector,
} from '../gen/kvorum/v1/admin.ts';
import type { Endpoint } from '../gen/kvorum/v1/metadata.ts';
import { effectiveMinIsr } from './effective-min-isr.ts';
import { itemError } from './errors.ts';
import type { MetadataImage, PartitionState, TopicImage } from './image.ts';
import { brokersInOrder, configsOf, topicByName, topicEntity, topicsInOrder } from './image.ts';
import type { DurabilityPolicy } from './survival.ts';
import { topicSurvival } from './survival.ts';

/** What a node knows of the cluster besides its image. */
export interface ClusterFacts {
  readonly clusterId: Uuid;
  /** The active controller as this node knows it, -1 if it knows none. */
  readonly controllerId: NodeId;
  readonly controllers: readonly {
    readonly id: NodeId;
    readonly address: { readonly host: string; readonly port: number };
  }[];
}

/** All topics in order of their names. */
export function listTopics(image: MetadataImage): ListTopicsResponse {
  const topics = topicsInOrder(image).map(({ name, topicId, partitions }) => ({
    name,
    topicId,
    partitions: partitions.size,
    replicationFactor: partitions.first()?.replicas.length ?? 0,
  }));
  return { topics, metadataEndOffset: image.endOffset };
}

/** One answer per selector, in order; all topics if there is none. */
export function describeTopics(
  image: MetadataImage,
  request: DescribeTopicsRequest,
  policy: DurabilityPolicy,
): DescribeTopicsResponse {
  const topics =
    request.topics.length === 0
      ? topicsInOrder(image).map((topic) => describeTopic(image, topic, policy))
      : request.topics.map((selector) => describeSelected(image, selector, policy));
  return { topics, metadataEndOffset: image.endOffset };
}

function describeSelected(
  image: MetadataImage,
  { name, topicId }: TopicSelector,
  policy: DurabilityPolicy,
): TopicDescription {
  const topic = name === '' ? image.topics.get(topicId) : topicByName(image, name);
  if (topic !== undefined) return describeTopic(image, topic, policy);
  const error =
    name === ''
      ? itemError('UNKNOWN_TOPIC_ID', `there is no topic with id '${topicId}'`)
      : itemError('UNKNOWN_TOPIC_OR_PARTITION', `there is no topic '${name}'`);
  return { name, topicId, error, partitions: [], configs: {}, minInsyncReplicas: -1 };
}

function describeTopic(image: MetadataImage, topic: TopicImage, policy: DurabilityPolicy): TopicDescription {
  const { name, topicId } = topic;
  const partitions = topic.partitions.toArray();
  return {
    name,
    topicId,
    error: undefined,
    partitions: partitions.map(describePartition),
    configs: configsOf(image, topicEntity(name)).toObject(),
    // Partitions may have numbers of replicas of their own.
    minInsyncReplicas: Math.max(-1, ...partitions.map((state) => effectiveMinIsr(policy.minIsrOf(name), state))),
    survival: topicSurvival(image, topic, policy),
  };
}

export function describePartition(state: PartitionState, partition: number): PartitionDescription {
  const { leader, leaderEpoch, partitionEpoch, lastKnownLeader, recovering, leaderOffset } = state;
  return {
    partition,
    leader,
    leaderEpoch,
    partitionEpoch,
    replicas: [...state.replicas],
    isr: [...state.isr],
    elr: [...state.elr],
    lastKnownLeader,
    recovering,
    adding: [...state.adding],
    removing: [...state.removing],
    directories: [...state.directories],
    leaderOffset,
  };
}

export function describeCluster(image: MetadataImage, facts: ClusterFacts): DescribeClusterResponse {
  const brokers = brokersInOrder(image).map(
    (broker): BrokerDescription => ({
      brokerId: broker.brokerId,
      brokerEpoch: broker.brokerEpoch,
      incarnationId: broker.incarnationId,
      fenced: broker.fenced,
      inControlledShutdown: broker.inControlledShutdown,
      endpoints: [...broker.endpoints],
      rack: broker.rack,
      leaderCount: image.loads.get(broker.brokerId)?.leaders ?? 0,
      replicaCount: image.loads.get(broker.brokerId)?.replicas ?? 0,
      isrCount: image.loads.get(broker.brokerId)?.inSync ?? 0,
      logDirs: [...broker.logDirs],
      bootCounter: broker.bootCounter,
      minMetadataLevel: broker.minMetadataLevel,
      maxMetadataLevel: broker.maxMetadataLevel,
      state: { ...broker.state, epoch: -1 },
    }),
  );
  const controllers = facts.controllers.map(
    ({ id, address }): Endpoint => ({ listener: String(id), host: address.host, port: address.port }),
  );
  return {
    clusterId: facts.clusterId,
    brokers,
    controllerId: facts.controllerId,
    controllers,
    metadataLevel: image.level,
    metadataEndOffset: image.endOffset,
  };
}
