// An image as the records that make it, in one canonical order: what a snapshot holds, and how two images are compared.
import type { Epoch, Offset } from '../base/ids.ts';
import { NO_NODE } from '../base/ids.ts';
import type { MetadataRecord } from '../gen/kvorum/v1/metadata.ts';
import { ConfigScope } from '../gen/kvorum/v1/metadata.ts';
import type { BrokerRegistration, ConfigEntity, MetadataImage, TopicImage } from './image.ts';
import { brokersInOrder, EMPTY_IMAGE, topicsInOrder } from './image.ts';
import { metadataRecord } from './record.ts';
import { replay } from './replay.ts';

/** Records that replayed on EMPTY_IMAGE give this image again: see {@link imageFromRecords}. Equal images, equal records. */
export function imageToRecords(image: MetadataImage): MetadataRecord[] {
  const records: MetadataRecord[] = [];
  if (image.level > 0) {
    records.push(metadataRecord({ $case: 'metadataLevel', metadataLevel: { level: image.level } }));
  }
  for (const broker of brokersInOrder(image)) records.push(brokerRecord(broker));
  for (const topic of topicsInOrder(image)) records.push(...topicRecords(topic));
  const entities = [...image.configs.keys()].toSorted();
  for (const entity of entities) records.push(...configRecords(image, entity));
  if (image.nextProducerId > 0) {
    const { nextProducerId } = image;
    records.push(
      metadataRecord({ $case: 'producerIds', producerIds: { brokerId: NO_NODE, brokerEpoch: -1, nextProducerId } }),
    );
  }
  return records;
}

/** The image that ended at `endOffset`, with `epoch` the epoch of the record before it. */
export function imageFromRecords(records: readonly MetadataRecord[], endOffset: Offset, epoch: Epoch): MetadataImage {
  const batch = { baseOffset: 0, endOffset: records.length, epoch, records };
  return { ...replay(EMPTY_IMAGE, batch).image, endOffset };
}

function brokerRecord(broker: BrokerRegistration): MetadataRecord {
  return metadataRecord({
    $case: 'registerBroker',
    registerBroker: {
      ...broker,
      logDirs: [...broker.logDirs],
      endpoints: [...broker.endpoints],
      cleanStart: false,
    },
  });
}

function topicRecords({ name, topicId, partitions }: TopicImage): MetadataRecord[] {
  const records = [metadataRecord({ $case: 'topic', topic: { name, topicId } })];
  partitions.forEach((state, partition) => {
    const { replicas, isr, directories, ...rest } = state;
    const lists = { replicas: [...replicas], isr: [...isr], directories: [...directories] };
    records.push(metadataRecord({ $case: 'partition', partition: { topicId, partition, ...rest, ...lists } }));
  });
  return records;
}

function configRecords(image: MetadataImage, entity: ConfigEntity): MetadataRecord[] {
  const at = entity.indexOf(':');
  const scope = entity.startsWith('topic:') ? ConfigScope.TOPIC : ConfigScope.BROKER;
  const configs = [...(image.configs.get(entity) ?? [])].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return configs.map(([key, value]) =>
    metadataRecord({ $case: 'config', config: { scope, entity: entity.slice(at + 1), key, value } }),
  );
}
