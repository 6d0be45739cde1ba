// An image as the records that make it: what a snapshot holds, and how two images are compared.
import type { Epoch, Offset } from '../base/ids.ts';
import { NO_NODE } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import type { MetadataRecord, PartitionLossRecord, PartitionRecord } from '../gen/kvorum/v1/metadata.ts';
import { ConfigScope } from '../gen/kvorum/v1/metadata.ts';
import type { BrokerRegistration, ConfigEntity, MetadataImage, PartitionState, TopicImage } from './image.ts';
import { brokersInOrder, EMPTY_IMAGE, topicsInOrder } from './image.ts';
import { ImageBuilder } from './image-builder.ts';
import type { PartitionLoss } from './loss-entry.ts';
import { metadataRecord } from './record.ts';

/** Records that make this image again: see {@link imageFromRecords}. Equal images, equal records. */
export function imageToRecords(image: MetadataImage): MetadataRecord[] {
  return [...recordsOf(image, topicsInOrder(image), [...image.configs.keys()].toSorted())];
}

/**
 * The same records, those of a topic or of an entity's configs together, but topics and entities in any order. Each is made
 * when it is asked for, in little time whatever the size of the image.
 */
export function snapshotRecords(image: MetadataImage): Iterable<MetadataRecord> {
  return recordsOf(image, image.topics.values(), image.configs.keys());
}

/** The image that ended at `endOffset`, with `epoch` the epoch of the record before it. AssertionError as ImageBuilder. */
export function imageFromRecords(records: Iterable<MetadataRecord>, endOffset: Offset, epoch: Epoch): MetadataImage {
  const builder = new ImageBuilder(EMPTY_IMAGE);
  for (const record of records) builder.add(record);
  return builder.finish(endOffset, epoch).image;
}

function* recordsOf(
  image: MetadataImage,
  topics: Iterable<TopicImage>,
  entities: Iterable<ConfigEntity>,
): Generator<MetadataRecord, void, undefined> {
  if (image.level > 0) {
    yield metadataRecord({ $case: 'metadataLevel', metadataLevel: { level: image.level } });
  }
  for (const broker of brokersInOrder(image)) yield brokerRecord(broker);
  for (const topic of topics) yield* topicRecords(topic);
  for (const entity of entities) yield* configRecords(image, entity);
  for (const topicId of [...image.losses.keys()].toSorted()) yield* lossRecords(image, topicId);
  if (image.nextProducerId > 0) {
    const { nextProducerId } = image;
    const producerIds = { brokerId: NO_NODE, brokerEpoch: -1, nextProducerId };
    yield metadataRecord({ $case: 'producerIds', producerIds });
  }
  for (const [clientId, command] of image.commands) {
    yield metadataRecord({ $case: 'command', command: { clientId, ...command } });
  }
}

function brokerRecord({ state, ...broker }: BrokerRegistration): MetadataRecord {
  return metadataRecord({
    $case: 'registerBroker',
    registerBroker: {
      ...broker,
      logDirs: [...broker.logDirs],
      endpoints: [...broker.endpoints],
      cleanStart: false,
      afterCrash: false,
      stateOffset: state.offset,
      stateTimestampMs: state.timestampMs,
      stateCause: state.cause,
    },
  });
}

function* topicRecords({ name, topicId, partitions }: TopicImage): Generator<MetadataRecord, void, undefined> {
  yield metadataRecord({ $case: 'topic', topic: { name, topicId } });
  for (const [partition, state] of partitions.entries()) {
    yield metadataRecord({ $case: 'partition', partition: partitionRecord(topicId, partition, state) });
  }
}

/** By partition, oldest first. */
function* lossRecords({ losses }: MetadataImage, topicId: Uuid): Generator<MetadataRecord, void, undefined> {
  const partitions = losses.get(topicId);
  if (partitions === undefined) return;
  for (const [partition, entries] of [...partitions].toSorted(([a], [b]) => a - b)) {
    for (const entry of entries) {
      yield metadataRecord({ $case: 'partitionLoss', partitionLoss: lossRecord(topicId, partition, entry) });
    }
  }
}

function lossRecord(topicId: Uuid, partition: number, loss: PartitionLoss): PartitionLossRecord {
  const { offset, timestampMs, awaited, replicas, oldIsr, oldElr, ...election } = loss;
  return {
    election: { topicId, partition, ...election, oldIsr: [...oldIsr], oldElr: [...oldElr] },
    offset,
    timestampMs,
    awaited: [...awaited],
    replicas: replicas.map((replica) => ({ topicId, partition, ...replica })),
  };
}

/** Field by field: an image has many partitions, and a snapshot has all of them. */
function partitionRecord(topicId: Uuid, partition: number, state: PartitionState): PartitionRecord {
  return {
    topicId,
    partition,
    replicas: [...state.replicas],
    isr: [...state.isr],
    elr: [...state.elr],
    leader: state.leader,
    lastKnownLeader: state.lastKnownLeader === NO_NODE ? undefined : state.lastKnownLeader,
    recovering: state.recovering,
    leaderEpoch: state.leaderEpoch,
    partitionEpoch: state.partitionEpoch,
    directories: [...state.directories],
    adding: [...state.adding],
    removing: [...state.removing],
    leaderOffset: state.leaderOffset,
  };
}

function configRecords(image: MetadataImage, entity: ConfigEntity): MetadataRecord[] {
  const at = entity.indexOf(':');
  const scope = entity.startsWith('topic:') ? ConfigScope.TOPIC : ConfigScope.BROKER;
  const configs = [...(image.configs.get(entity) ?? [])].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return configs.map(([key, value]) =>
    metadataRecord({ $case: 'config', config: { scope, entity: entity.slice(at + 1), key, value } }),
  );
}
