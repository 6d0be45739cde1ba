// The image under construction while records are applied.
import type { NodeId } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import type { ConfigEntity, MetadataImage, TopicImage } from './image.ts';

/** The image under construction. Its maps may be persistent values: only the fields move. */
export interface Draft {
  level: number;
  brokers: MetadataImage['brokers'];
  topics: MetadataImage['topics'];
  topicIds: MetadataImage['topicIds'];
  configs: MetadataImage['configs'];
  nextProducerId: number;
  commands: MetadataImage['commands'];
  commandBytes: number;
  /** When the batch that is being applied was decided, -1 if not known. */
  timestampMs: number;
  readonly changed: {
    readonly topics: Set<Uuid>;
    readonly removedTopics: Map<Uuid, TopicImage>;
    readonly brokers: Set<NodeId>;
    readonly configs: Set<ConfigEntity>;
  };
}

/** A draft that begins as this image. */
export function draftOf(image: MetadataImage): Draft {
  const changed = {
    topics: new Set<Uuid>(),
    removedTopics: new Map<Uuid, TopicImage>(),
    brokers: new Set<NodeId>(),
    configs: new Set<ConfigEntity>(),
  };
  const { level, brokers, topics, topicIds, configs, nextProducerId, commands, commandBytes } = image;
  return {
    level,
    brokers,
    topics,
    topicIds,
    configs,
    nextProducerId,
    commands,
    commandBytes,
    timestampMs: -1,
    changed,
  };
}
