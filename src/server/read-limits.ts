// How much one answer of AdminService may say, so that it fits into a message and does not hold up others: a call that asks for more
// is refused with a sentence.
import { invalidArgument } from '../env/rpc-failures.ts';
import type { DescribeConfigsRequest, DescribeTopicsRequest, TopicSelector } from '../gen/kvorum/v1/admin.ts';
import type { MetadataImage, TopicImage } from '../metadata/image.ts';
import { topicByName } from '../metadata/image.ts';

/** A description of a partition with three replicas has about 130 bytes, a message 64 MiB at most. */
const MAX_PARTITIONS = 300_000;
/** Names of topics that are not there have an answer too. */
const MAX_TOPICS = 100_000;
/** All configs of a resource have some ten thousand bytes. */
const MAX_RESOURCES = 2000;

/** RpcError INVALID_ARGUMENT. */
export function checkDescribeTopics(image: MetadataImage, { topics }: DescribeTopicsRequest): void {
  if (topics.length > MAX_TOPICS)
    throw invalidArgument('topics', `the call names ${topics.length} topics, of ${MAX_TOPICS} possible`);
  const found = topics.length === 0 ? [...image.topics.values()] : topics.map((selector) => find(image, selector));
  const count = found.reduce((sum, topic) => sum + (topic?.partitions.size ?? 0), 0);
  if (count > MAX_PARTITIONS) {
    throw invalidArgument(
      'topics',
      `the answer would describe ${count} partitions, of ${MAX_PARTITIONS} possible: name fewer topics`,
    );
  }
}

/** RpcError INVALID_ARGUMENT. */
export function checkDescribeConfigs({ resources }: DescribeConfigsRequest): void {
  if (resources.length <= MAX_RESOURCES) return;
  throw invalidArgument(
    'resources',
    `the call names ${resources.length} resources, of ${MAX_RESOURCES} possible: use several calls`,
  );
}

function find(image: MetadataImage, { name, topicId }: TopicSelector): TopicImage | undefined {
  return name === '' ? image.topics.get(topicId) : topicByName(image, name);
}
