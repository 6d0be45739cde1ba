// Deleting topics by name or id (C-7.3): each one succeeds or fails on its own, all of them in one batch.
import type { Uuid } from '../../base/uuid.ts';
import type {
  DeletedTopic,
  DeleteTopicsRequest,
  DeleteTopicsResponse,
  ItemError,
  TopicSelector,
} from '../../gen/kvorum/v1/admin.ts';
import type { MetadataRecord } from '../../gen/kvorum/v1/metadata.ts';
import { itemError } from '../../metadata/errors.ts';
import type { MetadataImage, TopicImage } from '../../metadata/image.ts';
import { topicByName } from '../../metadata/image.ts';
import { metadataRecord } from '../../metadata/record.ts';
import type { Decision } from './decision.ts';

export function decideDeleteTopics(image: MetadataImage, request: DeleteTopicsRequest): Decision<DeleteTopicsResponse> {
  const found = request.topics.map((selector) => ({ selector, topic: select(image, selector) }));
  const timesNamed = new Map<Uuid, number>();
  for (const { topic } of found) {
    if (topic !== undefined) timesNamed.set(topic.topicId, (timesNamed.get(topic.topicId) ?? 0) + 1);
  }
  const records: MetadataRecord[] = [];
  const topics = found.map(({ selector, topic }): DeletedTopic => {
    if (topic === undefined) return { ...selector, error: notFound(selector) };
    const { name, topicId } = topic;
    if ((timesNamed.get(topicId) ?? 0) > 1) {
      return { name, topicId, error: itemError('INVALID_REQUEST', `the request names topic '${name}' more than once`) };
    }
    if (!request.validateOnly) records.push(metadataRecord({ $case: 'removeTopic', removeTopic: { topicId } }));
    return { name, topicId, error: undefined };
  });
  return { records, respond: (after) => ({ topics, metadataEndOffset: after.endOffset }) };
}

function select(image: MetadataImage, { name, topicId }: TopicSelector): TopicImage | undefined {
  return name === '' ? image.topics.get(topicId) : topicByName(image, name);
}

function notFound({ name, topicId }: TopicSelector): ItemError {
  return name === ''
    ? itemError('UNKNOWN_TOPIC_ID', `there is no topic with id '${topicId}'`)
    : itemError('UNKNOWN_TOPIC_OR_PARTITION', `there is no topic '${name}'`);
}
