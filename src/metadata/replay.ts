// Applies records to an image: total, deterministic and pure (C-0.4, C-0.5). Leaders, followers and brokers run exactly this.
// A record that does not fit the image is a bug or a damaged log, and ends the node.
import type { Map as ImmutableMap } from 'immutable';
import { Map as ImmutableMapOf, List } from 'immutable';
import { assert, must, unreachable } from '../base/assert.ts';
import type { Epoch, NodeId, Offset } from '../base/ids.ts';
import { NO_NODE } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import type {
  BrokerChangeRecord,
  ConfigRecord,
  MetadataRecord,
  PartitionChangeRecord,
  PartitionRecord,
  ProducerIdsRecord,
  RegisterBrokerRecord,
  TopicRecord,
} from '../gen/kvorum/v1/metadata.ts';
import { ConfigScope } from '../gen/kvorum/v1/metadata.ts';
import type { MetadataDelta } from './delta.ts';
import type { ConfigEntity, MetadataImage, PartitionState, TopicImage } from './image.ts';
import { topicEntity } from './image.ts';
import { LATEST_METADATA_LEVEL } from './record.ts';

/** One atomic batch of the metadata log; records take offsets baseOffset, baseOffset+1, …, all below endOffset. */
export interface MetadataBatch {
  readonly baseOffset: Offset;
  readonly endOffset: Offset;
  readonly epoch: Epoch;
  /** Empty for the quorum's own control batches, which take offsets too. */
  readonly records: readonly MetadataRecord[];
}

/** The image under construction. Its maps may be persistent values: only the fields move. */
export interface Draft {
  level: number;
  brokers: MetadataImage['brokers'];
  topics: MetadataImage['topics'];
  topicIds: MetadataImage['topicIds'];
  configs: MetadataImage['configs'];
  nextProducerId: number;
  readonly changed: {
    readonly topics: Set<Uuid>;
    readonly removedTopics: Map<Uuid, TopicImage>;
    readonly brokers: Set<NodeId>;
    readonly configs: Set<ConfigEntity>;
  };
}

/** The image after the batch, and what changed. AssertionError if the batch does not follow the image (C-0.4). */
export function replay(image: MetadataImage, batch: MetadataBatch): { image: MetadataImage; delta: MetadataDelta } {
  assert(
    batch.baseOffset >= image.endOffset && batch.endOffset >= batch.baseOffset + batch.records.length,
    () => `batch ${batch.baseOffset}..${batch.endOffset} replayed on an image that ends at ${image.endOffset}`,
  );
  const draft = draftOf(image);
  batch.records.forEach((record, index) => {
    applyRecord(draft, record, batch.baseOffset + index);
  });
  return {
    image: {
      endOffset: batch.endOffset,
      epoch: batch.epoch,
      level: draft.level,
      brokers: draft.brokers,
      topics: draft.topics,
      topicIds: draft.topicIds,
      configs: draft.configs,
      nextProducerId: draft.nextProducerId,
    },
    delta: draft.changed,
  };
}

/** A draft that begins as this image. */
export function draftOf(image: MetadataImage): Draft {
  const { level, brokers, topics, topicIds, configs, nextProducerId } = image;
  const changed = {
    topics: new Set<Uuid>(),
    removedTopics: new Map<Uuid, TopicImage>(),
    brokers: new Set<NodeId>(),
    configs: new Set<ConfigEntity>(),
  };
  return { level, brokers, topics, topicIds, configs, nextProducerId, changed };
}

/** The record at `offset`, applied. AssertionError if it does not follow from those before (C-0.4). */
export function applyRecord(draft: Draft, record: MetadataRecord, offset: Offset): void {
  const { kind } = record;
  if (kind === undefined) {
    assert(record.skippable, `the record at offset ${offset} has no kind`);
    return;
  }
  switch (kind.$case) {
    case 'metadataLevel':
      return applyLevel(draft, kind.metadataLevel.level);
    case 'registerBroker':
      return applyRegisterBroker(draft, kind.registerBroker, offset);
    case 'brokerChange':
      return applyBrokerChange(draft, kind.brokerChange);
    case 'topic':
      return applyTopic(draft, kind.topic);
    case 'partition':
      return applyPartition(draft, kind.partition);
    case 'partitionChange':
      return applyPartitionChange(draft, kind.partitionChange);
    case 'removeTopic':
      return applyRemoveTopic(draft, kind.removeTopic.topicId);
    case 'config':
      return applyConfig(draft, kind.config);
    case 'producerIds':
      return applyProducerIds(draft, kind.producerIds);
    case 'noOp':
      return;
    default:
      unreachable(kind, 'metadata record');
  }
}

function applyLevel(draft: Draft, level: number): void {
  assert(level > draft.level, `metadata level ${level} does not raise the present one, ${draft.level}`);
  assert(
    level <= LATEST_METADATA_LEVEL,
    () =>
      `the cluster is at metadata level ${level}, and this version knows levels up to ${LATEST_METADATA_LEVEL}: ` +
      'run this node with the version that the other nodes run',
  );
  draft.level = level;
}

function applyRegisterBroker(draft: Draft, record: RegisterBrokerRecord, offset: Offset): void {
  const { brokerId } = record;
  const brokerEpoch = record.brokerEpoch ?? offset;
  const previous = draft.brokers.get(brokerId);
  assert(
    previous === undefined || brokerEpoch > previous.brokerEpoch,
    `broker ${brokerId} registers with an epoch that is not above its last`,
  );
  draft.brokers = draft.brokers.set(brokerId, {
    brokerId,
    brokerEpoch,
    incarnationId: record.incarnationId,
    logDirs: record.logDirs,
    endpoints: record.endpoints,
    rack: record.rack,
    bootCounter: record.bootCounter,
    fenced: record.fenced ?? true,
    inControlledShutdown: record.inControlledShutdown,
  });
  draft.changed.brokers.add(brokerId);
}

function applyBrokerChange(draft: Draft, record: BrokerChangeRecord): void {
  const { brokerId, brokerEpoch } = record;
  const broker = must(draft.brokers.get(brokerId), `broker ${brokerId}, which a record changes,`);
  assert(broker.brokerEpoch === brokerEpoch, `a change of broker ${brokerId} is for another epoch than its own`);
  draft.brokers = draft.brokers.set(brokerId, {
    ...broker,
    fenced: record.fenced ?? broker.fenced,
    inControlledShutdown: record.inControlledShutdown ?? broker.inControlledShutdown,
  });
  draft.changed.brokers.add(brokerId);
}

function applyTopic(draft: Draft, { name, topicId }: TopicRecord): void {
  assert(!draft.topicIds.has(name), `topic ${name} is created but exists`);
  assert(!draft.topics.has(topicId), `topic id ${topicId} is used twice`);
  draft.topicIds = draft.topicIds.set(name, topicId);
  draft.topics = draft.topics.set(topicId, { name, topicId, partitions: List() });
  draft.changed.topics.add(topicId);
}

/** C-4.3, C-5.4. */
function assertSound(state: PartitionState, what: () => string): void {
  const { replicas, isr, leader } = state;
  assert(
    replicas.length > 0 && new Set(replicas).size === replicas.length,
    () => `${what()}: bad replicas [${replicas.join()}]`,
  );
  assert(
    isr.length > 0 && new Set(isr).size === isr.length && isr.every((id) => replicas.includes(id)),
    () => `${what()}: ISR [${isr.join()}] does not fit replicas [${replicas.join()}]`,
  );
  assert(leader === NO_NODE || isr.includes(leader), () => `${what()}: leader ${leader} is not in ISR [${isr.join()}]`);
  assert(state.directories.length === replicas.length, () => `${what()}: not one directory per replica`);
}

function setPartition(draft: Draft, topic: TopicImage, partition: number, state: PartitionState): void {
  assertSound(state, () => `partition ${topic.name}-${partition}`);
  draft.topics = draft.topics.set(topic.topicId, { ...topic, partitions: topic.partitions.set(partition, state) });
  draft.changed.topics.add(topic.topicId);
}

function applyPartition(draft: Draft, record: PartitionRecord): void {
  const topic = must(draft.topics.get(record.topicId), `topic ${record.topicId} of a new partition`);
  assert(
    record.partition === topic.partitions.size,
    `partition ${topic.name}-${record.partition} is created, but the topic has ${topic.partitions.size}`,
  );
  const { replicas, isr, leader, leaderEpoch, partitionEpoch, directories } = record;
  setPartition(draft, topic, record.partition, { replicas, isr, leader, leaderEpoch, partitionEpoch, directories });
}

function applyPartitionChange(draft: Draft, record: PartitionChangeRecord): void {
  const topic = must(draft.topics.get(record.topicId), `topic ${record.topicId} of a changed partition`);
  assert(record.partition >= 0, `topic ${topic.name} has no partition ${record.partition}`);
  const state = must(topic.partitions.get(record.partition), `partition ${topic.name}-${record.partition}`);
  setPartition(draft, topic, record.partition, {
    ...state,
    isr: record.isr === undefined ? state.isr : record.isr.replicas,
    leader: record.leader ?? state.leader,
    leaderEpoch: record.leader === undefined ? state.leaderEpoch : state.leaderEpoch + 1, // C-4.2
    partitionEpoch: state.partitionEpoch + 1, // C-4.2
  });
}

function applyRemoveTopic(draft: Draft, topicId: Uuid): void {
  const topic = must(draft.topics.get(topicId), `topic ${topicId}, which a record removes,`);
  draft.topics = draft.topics.delete(topicId);
  draft.topicIds = draft.topicIds.delete(topic.name);
  draft.configs = draft.configs.delete(topicEntity(topic.name));
  draft.changed.topics.delete(topicId);
  draft.changed.configs.delete(topicEntity(topic.name));
  draft.changed.removedTopics.set(topicId, topic);
}

/** Whose key the record sets. */
export function entityOf(record: ConfigRecord): ConfigEntity {
  if (record.scope === ConfigScope.TOPIC) return topicEntity(record.entity);
  assert(record.scope === ConfigScope.BROKER, `a config record has scope ${record.scope}`);
  return `broker:${record.entity}`;
}

function applyConfig(draft: Draft, record: ConfigRecord): void {
  const entity = entityOf(record);
  assert(
    record.scope !== ConfigScope.TOPIC || draft.topicIds.has(record.entity),
    `config ${record.key} is set on topic ${record.entity}, which does not exist`,
  );
  const before: ImmutableMap<string, string> = draft.configs.get(entity) ?? ImmutableMapOf();
  const after = record.value === undefined ? before.delete(record.key) : before.set(record.key, record.value);
  draft.configs = after.size === 0 ? draft.configs.delete(entity) : draft.configs.set(entity, after);
  draft.changed.configs.add(entity);
}

function applyProducerIds(draft: Draft, record: ProducerIdsRecord): void {
  assert(
    record.nextProducerId > draft.nextProducerId,
    `producer ids go back from ${draft.nextProducerId} to ${record.nextProducerId}`,
  );
  draft.nextProducerId = record.nextProducerId;
}
