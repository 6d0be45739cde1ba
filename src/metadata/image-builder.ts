// Builds an image from the records of a snapshot, one by one, so that whoever reads the snapshot sets the pace. What is
// different from the image before is found out on the way: the end takes little time, however large the images.
import { assert } from '../base/assert.ts';
import type { Epoch, NodeId, Offset } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import type { MetadataRecord } from '../gen/kvorum/v1/metadata.ts';
import type { MetadataDelta } from './delta.ts';
import type { Draft } from './draft.ts';
import { closeTopics, draftInPlaceOf, imageOf } from './draft.ts';
import type { BrokerRegistration, ConfigEntity, MetadataImage, TopicImage } from './image.ts';
import { EMPTY_IMAGE, topicEntity } from './image.ts';
import { applyRecord, entityOf } from './replay.ts';

export class ImageBuilder {
  readonly #previous: MetadataImage;
  readonly #draft: Draft;
  readonly #changedTopics = new Set<Uuid>();
  readonly #changedConfigs = new Set<ConfigEntity>();
  /** The topic, or the entity, whose records are coming. */
  #openTopic: Uuid | undefined;
  #openEntity: ConfigEntity | undefined;
  /** How many of the previous image's are still there. */
  #keptTopics = 0;
  #keptEntities = 0;
  #records = 0;

  /** `previous` is what {@link finish} compares with; nothing of it is taken over. */
  constructor(previous: MetadataImage) {
    const { brokers, topicIds, collidingNames, configs } = EMPTY_IMAGE;
    this.#previous = previous;
    this.#draft = {
      ...draftInPlaceOf(EMPTY_IMAGE),
      brokers: brokers.asMutable(),
      topicIds: topicIds.asMutable(),
      collidingNames: collidingNames.asMutable(),
      configs: configs.asMutable(),
    };
  }

  /** The next record. AssertionError if it does not follow from those before, or they are not a snapshot's. */
  add(record: MetadataRecord): void {
    const { kind } = record;
    switch (kind?.$case) {
      case 'registerBroker':
        assert(kind.registerBroker.brokerEpoch !== undefined, 'a snapshot registers a broker without its epoch');
        break;
      case 'topic':
        this.#settle();
        this.#openTopic = kind.topic.topicId;
        break;
      case 'partition':
        assert(kind.partition.topicId === this.#openTopic, 'a snapshot does not keep the records of a topic together');
        break;
      case 'config':
        this.#open(entityOf(kind.config));
        break;
      default:
    }
    applyRecord(this.#draft, record, this.#records++);
  }

  #open(entity: ConfigEntity): void {
    if (entity === this.#openEntity) return;
    this.#settle();
    assert(!this.#draft.configs.has(entity), `a snapshot does not keep the configs of ${entity} together`);
    this.#openEntity = entity;
  }

  /** All of the open topic or entity has come. */
  #settle(): void {
    const { topics, configs } = this.#draft;
    if (this.#openTopic !== undefined) {
      closeTopics(this.#draft);
      const before = this.#previous.topics.get(this.#openTopic);
      if (before !== undefined) this.#keptTopics++;
      if (!isSameTopic(before, topics.get(this.#openTopic))) this.#changedTopics.add(this.#openTopic);
    }
    if (this.#openEntity !== undefined) {
      const before = this.#previous.configs.get(this.#openEntity);
      if (before !== undefined) this.#keptEntities++;
      if (!configs.get(this.#openEntity)?.equals(before)) this.#changedConfigs.add(this.#openEntity);
    }
    this.#openTopic = undefined;
    this.#openEntity = undefined;
  }

  /** The image that ended at `endOffset`, with `epoch` the epoch of the record before it, and what it changes; once. */
  finish(endOffset: Offset, epoch: Epoch): { image: MetadataImage; delta: MetadataDelta } {
    this.#settle();
    const image = imageOf(this.#draft, endOffset, epoch);
    const removedTopics = this.#removedTopics(image);
    this.#addRemovedConfigs(image);
    return {
      image,
      delta: {
        topics: this.#changedTopics,
        removedTopics,
        brokers: changedBrokers(this.#previous, image),
        configs: this.#changedConfigs,
      },
    };
  }

  #removedTopics(image: MetadataImage): Map<Uuid, TopicImage> {
    const removed = new Map<Uuid, TopicImage>();
    const { topics } = this.#previous;
    if (this.#keptTopics === topics.size) return removed;
    for (const [id, topic] of topics) if (!image.topics.has(id)) removed.set(id, topic);
    return removed;
  }

  /** Those of topics that are gone go without saying. */
  #addRemovedConfigs(image: MetadataImage): void {
    const { configs, topicIds } = this.#previous;
    if (this.#keptEntities === configs.size) return;
    const gone = new Set<ConfigEntity>();
    for (const name of topicIds.keys()) if (!image.topicIds.has(name)) gone.add(topicEntity(name));
    for (const entity of configs.keys()) {
      if (!image.configs.has(entity) && !gone.has(entity)) this.#changedConfigs.add(entity);
    }
  }
}

/** Every change of a partition raises its partition epoch (C-4.2), and a topic id stands for one name (C-7.1). */
function isSameTopic(before: TopicImage | undefined, after: TopicImage | undefined): boolean {
  if (before === undefined || before.partitions.size !== after?.partitions.size) return false;
  for (const [partition, { partitionEpoch }] of after.partitions.entries()) {
    if (before.partitions.get(partition)?.partitionEpoch !== partitionEpoch) return false;
  }
  return true;
}

function changedBrokers(previous: MetadataImage, image: MetadataImage): Set<NodeId> {
  const changed = new Set<NodeId>();
  for (const [id, broker] of image.brokers) if (!isSameBroker(previous.brokers.get(id), broker)) changed.add(id);
  for (const id of previous.brokers.keys()) if (!image.brokers.has(id)) changed.add(id);
  return changed;
}

/** A broker epoch stands for all that was registered with it (C-2.1), but for what changes later. */
function isSameBroker(before: BrokerRegistration | undefined, after: BrokerRegistration): boolean {
  return (
    before?.brokerEpoch === after.brokerEpoch &&
    before.fenced === after.fenced &&
    before.inControlledShutdown === after.inControlledShutdown &&
    before.logDirs.join() === after.logDirs.join()
  );
}
