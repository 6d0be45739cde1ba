// What an operator wants to read of each committed change. Written by the active controller only.
import type { Logger } from '../env/logger.ts';
import type { MetadataDelta } from '../metadata/delta.ts';
import type { MetadataImage } from '../metadata/image.ts';
import type { BrokerSessions } from './sessions.ts';

export function logChanges(
  logger: Logger,
  image: MetadataImage,
  delta: MetadataDelta,
  previous: MetadataImage,
  sessions: Pick<BrokerSessions, 'has'>,
): void {
  for (const id of delta.brokers) {
    const now = image.brokers.get(id);
    const before = previous.brokers.get(id);
    if (now === undefined) continue;
    const facts = { brokerId: id, brokerEpoch: now.brokerEpoch };
    if (now.brokerEpoch !== before?.brokerEpoch) logger.info('broker-registered', facts);
    else if (now.fenced && !before.fenced && !sessions.has(id)) logger.info('broker-left', facts);
    else if (now.fenced && !before.fenced) logger.warn('broker-fenced', facts);
    else if (!now.fenced && before.fenced) logger.info('broker-unfenced', facts);
    else if (now.inControlledShutdown && !before.inControlledShutdown) logger.info('broker-shutting-down', facts);
  }
  for (const id of delta.topics) {
    const topic = image.topics.get(id);
    if (topic === undefined || previous.topics.has(id)) continue;
    logger.info('topic-created', { topic: topic.name, topicId: id, partitions: topic.partitions.size });
  }
  for (const [id, { name }] of delta.removedTopics) logger.info('topic-deleted', { topic: name, topicId: id });
}
