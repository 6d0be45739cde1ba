// What an operator wants to read of each committed change. Written by the active controller only.
import type { Logger } from '../env/logger.ts';
import type { MetadataDelta } from '../metadata/delta.ts';
import type { BrokerRegistration, MetadataImage } from '../metadata/image.ts';
import { SHUT_DOWN } from './decide/heartbeat.ts';
import type { Moves } from './moves.ts';

export function logChanges(
  logger: Logger,
  image: MetadataImage,
  delta: MetadataDelta,
  previous: MetadataImage,
  moves: Moves,
): void {
  for (const id of delta.brokers) {
    const now = image.brokers.get(id);
    const before = previous.brokers.get(id);
    if (now !== undefined) logBroker(logger, now, before, moves);
    else if (before !== undefined) {
      moves.take(id);
      logger.info('broker-unregistered', { brokerId: id, brokerEpoch: before.brokerEpoch });
    }
  }
  for (const id of delta.topics) {
    const topic = image.topics.get(id);
    if (topic === undefined || previous.topics.has(id)) continue;
    logger.info('topic-created', { topic: topic.name, topicId: id, partitions: topic.partitions.size });
  }
  for (const [id, { name }] of delta.removedTopics) logger.info('topic-deleted', { topic: name, topicId: id });
}

function logBroker(
  logger: Logger,
  now: BrokerRegistration,
  before: BrokerRegistration | undefined,
  moves: Moves,
): void {
  const { brokerId, brokerEpoch, logDirs } = now;
  const { cause } = now.state;
  const facts = { brokerId, brokerEpoch };
  if (brokerEpoch !== before?.brokerEpoch) {
    moves.take(brokerId);
    logger.info('broker-registered', { ...facts, bootCounter: now.bootCounter, how: cause });
    return;
  }
  if (now.fenced && !before.fenced) {
    const { partitions, leaders } = moves.take(brokerId);
    const gone = { ...facts, cause, partitionsLeft: partitions, leadersMoved: leaders };
    if (cause === SHUT_DOWN) logger.info('broker-left', gone);
    else logger.warn('broker-fenced', gone);
  } else if (!now.fenced && before.fenced) {
    logger.info('broker-unfenced', { ...facts, leadersElected: moves.take(brokerId).leaders });
  }
  if (now.inControlledShutdown && !before.inControlledShutdown) logger.info('broker-shutting-down', facts);
  if (logDirs.length < before.logDirs.length) {
    const failed = before.logDirs.filter((id) => !logDirs.includes(id));
    const { partitions, leaders } = moves.take(brokerId);
    const moved = { partitionsLeft: partitions, leadersMoved: leaders };
    logger.error('broker-log-dirs-failed', { ...facts, failed, online: logDirs, ...moved });
  }
}
