// The loss ledger as AdminService tells it (S-D8), from one image.
import type { DescribeLossesRequest, DescribeLossesResponse, LossDescription } from '../gen/kvorum/v1/admin.ts';
import type { MetadataImage, TopicImage } from './image.ts';
import { topicByName } from './image.ts';
import type { PartitionLoss } from './loss-entry.ts';
import { lostRange } from './losses.ts';

/** Of those topics that are there, or of all; in the order of the records that they began with. */
export function describeLosses(image: MetadataImage, request: DescribeLossesRequest): DescribeLossesResponse {
  const topics =
    request.topics.length === 0
      ? [...image.losses.keys()].map((id) => image.topics.get(id))
      : [...new Set(request.topics)].map((name) => topicByName(image, name));
  const losses = topics
    .flatMap((topic) => (topic === undefined ? [] : lossesOfTopic(image, topic)))
    .filter(({ awaited }) => !request.onlyOpen || awaited.length > 0);
  return { losses: losses.toSorted((a, b) => a.offset - b.offset), metadataEndOffset: image.endOffset };
}

function lossesOfTopic(image: MetadataImage, topic: TopicImage): LossDescription[] {
  return [...(image.losses.get(topic.topicId) ?? [])].flatMap(([partition, entries]) =>
    entries.map((entry) => describeLoss(image, topic, partition, entry)),
  );
}

function describeLoss(
  image: MetadataImage,
  { name, topicId }: TopicImage,
  partition: number,
  entry: PartitionLoss,
): LossDescription {
  const { oldIsr, oldElr, awaited, replicas, ...fields } = entry;
  return {
    topic: name,
    topicId,
    partition,
    ...fields,
    oldIsr: [...oldIsr],
    oldElr: [...oldElr],
    replicas: replicas.map((replica) => ({ topicId, partition, ...replica })),
    awaited: [...awaited],
    unregistered: awaited.filter((id) => !image.brokers.has(id)),
    ...lostRange(entry),
  };
}
