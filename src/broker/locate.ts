// From a topic name and partition number in a request to the partition on this broker.
import { partitionOf, topicByName } from '../metadata/image.ts';
import type { ErrorName } from '../protocol/error-codes.ts';
import type { Partition } from '../replica/partition.ts';
import type { BrokerContext } from './context.ts';

/** The partition, or the error that its absence is; waits for a log that is being opened. */
export async function locatePartition(
  context: BrokerContext,
  topic: string,
  partition: number,
): Promise<Partition | ErrorName> {
  const { image } = context.metadata;
  const topicId = topicByName(image, topic)?.topicId;
  if (topicId === undefined || partitionOf(image, topicId, partition) === undefined)
    return 'UNKNOWN_TOPIC_OR_PARTITION';
  return context.replicas.find(topicId, partition);
}
