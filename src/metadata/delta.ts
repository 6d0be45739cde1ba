// What one batch, or a snapshot, changed, for those who follow images step by step.
import type { NodeId } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import type { ConfigEntity, TopicImage } from './image.ts';

export interface MetadataDelta {
  /** Topics that were created, or of which a partition changed, and that still exist. */
  readonly topics: ReadonlySet<Uuid>;
  /** Topics that are gone, as they were last. */
  readonly removedTopics: ReadonlyMap<Uuid, TopicImage>;
  /** Brokers that registered or changed state, or are gone. */
  readonly brokers: ReadonlySet<NodeId>;
  /** Entities of which a config key was set or removed; those of removed topics are not listed. */
  readonly configs: ReadonlySet<ConfigEntity>;
}

/** Whether nothing that the image shows besides its offset changed. */
export function isEmptyDelta(delta: MetadataDelta): boolean {
  return delta.topics.size + delta.removedTopics.size + delta.brokers.size + delta.configs.size === 0;
}
