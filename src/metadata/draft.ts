// The image under construction while records are applied.
import type { List } from 'immutable';
import type { Epoch, NodeId, Offset } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import { LoadCounter } from './broker-loads.ts';
import type { ConfigEntity, MetadataImage, PartitionState, TopicImage } from './image.ts';

/** Its maps may be persistent values: only the fields move. */
export interface Draft {
  readonly before: MetadataImage;
  level: number;
  brokers: MetadataImage['brokers'];
  topics: MetadataImage['topics'];
  topicIds: MetadataImage['topicIds'];
  collidingNames: MetadataImage['collidingNames'];
  readonly loads: LoadCounter;
  configs: MetadataImage['configs'];
  nextProducerId: number;
  commands: MetadataImage['commands'];
  commandBytes: number;
  losses: MetadataImage['losses'];
  lossCount: number;
  /** When the batch that is being applied was decided, -1 if not known. */
  timestampMs: number;
  /** Partitions of topics that are being changed in place; undefined where nothing may be. */
  readonly open: Set<List<PartitionState>> | undefined;
  readonly changed: {
    readonly topics: Set<Uuid>;
    readonly removedTopics: Map<Uuid, TopicImage>;
    readonly brokers: Set<NodeId>;
    readonly configs: Set<ConfigEntity>;
  };
}

/** A draft that begins as this image, all of whose maps are persistent values. */
export function draftOf(image: MetadataImage): Draft {
  const { level, brokers, topics, topicIds, collidingNames, configs, nextProducerId } = image;
  const { commands, commandBytes, losses, lossCount } = image;
  return {
    before: image,
    level,
    brokers,
    topics,
    topicIds,
    collidingNames,
    loads: new LoadCounter(image.loads),
    configs,
    nextProducerId,
    commands,
    commandBytes,
    losses,
    lossCount,
    timestampMs: -1,
    open: undefined,
    changed: {
      topics: new Set<Uuid>(),
      removedTopics: new Map<Uuid, TopicImage>(),
      brokers: new Set<NodeId>(),
      configs: new Set<ConfigEntity>(),
    },
  };
}

/**
 * The same for who applies many records and looks at the whole at the end: maps and lists that nobody else sees before are changed in
 * place, which is several times faster. {@link imageOf} finishes it.
 */
export function draftInPlaceOf(image: MetadataImage): Draft {
  return { ...draftOf(image), topics: image.topics.asMutable(), open: new Set() };
}

/** Sets a partition of a topic of the draft, the next one to begin with. */
export function setPartitionOf(draft: Draft, topic: TopicImage, partition: number, state: PartitionState): void {
  draft.loads.changed(topic.partitions.get(partition), state);
  if (draft.open?.has(topic.partitions) === true) {
    topic.partitions.set(partition, state);
    return;
  }
  const isInPlace = draft.open !== undefined;
  const partitions = (isInPlace ? topic.partitions.asMutable() : topic.partitions).set(partition, state);
  draft.open?.add(partitions);
  const { name, topicId } = topic;
  draft.topics = draft.topics.set(topicId, { name, topicId, partitions });
}

/** The partitions of these topics will not be changed in place any more. */
export function closeTopics(draft: Draft): void {
  for (const partitions of draft.open ?? []) partitions.asImmutable();
  draft.open?.clear();
}

/** The image that the draft has become, whose last record, at `endOffset` - 1, is of `epoch`; once. */
export function imageOf(draft: Draft, endOffset: Offset, epoch: Epoch): MetadataImage {
  closeTopics(draft);
  const { before, level, topics, nextProducerId, commands, commandBytes, losses, lossCount } = draft;
  return {
    endOffset,
    epoch,
    level,
    brokers: draft.brokers.asImmutable(),
    topics: draft.open !== undefined && !topics.wasAltered() ? before.topics : topics.asImmutable(),
    topicIds: draft.topicIds.asImmutable(),
    collidingNames: draft.collidingNames.asImmutable(),
    loads: draft.loads.finish(),
    configs: draft.configs.asImmutable(),
    nextProducerId,
    commands,
    commandBytes,
    losses,
    lossCount,
  };
}
