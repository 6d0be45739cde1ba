// More partitions for topics that are there (C-7.4): each topic of a request on its own, all of them in one batch. The new ones
// have as many replicas as the topic has, and are placed so that the topic stays evenly spread.
import type {
  CreatedPartitions,
  CreatePartitionsRequest,
  CreatePartitionsResponse,
  ItemError,
  NewPartitions,
} from '../../gen/kvorum/v1/admin.ts';
import type { MetadataRecord } from '../../gen/kvorum/v1/metadata.ts';
import { itemError } from '../../metadata/errors.ts';
import type { MetadataImage, TopicImage } from '../../metadata/image.ts';
import { topicByName } from '../../metadata/image.ts';
import { Budget } from './budget.ts';
import type { Decision } from './decision.ts';
import { checkAssignments, checkReplicationFactor, newPartition } from './new-partitions.ts';
import type { Assignment } from './placement.ts';
import { Placement } from './placement.ts';

export function decideCreatePartitions(
  image: MetadataImage,
  request: CreatePartitionsRequest,
): Decision<CreatePartitionsResponse> {
  const timesNamed = new Map<string, number>();
  for (const { topic } of request.topics) timesNamed.set(topic, (timesNamed.get(topic) ?? 0) + 1);
  const placement = new Placement(image);
  const budget = new Budget();
  const records: MetadataRecord[] = [];
  const topics = request.topics.map((wanted): CreatedPartitions => {
    const { topic: name, totalCount } = wanted;
    const failed = (error: ItemError): CreatedPartitions => ({ topic: name, error, totalCount: -1 });
    const topic = topicByName(image, name);
    if (topic === undefined) return failed(itemError('UNKNOWN_TOPIC_OR_PARTITION', `there is no topic '${name}'`));
    if ((timesNamed.get(name) ?? 0) > 1) {
      return failed(itemError('INVALID_REQUEST', `the request names topic '${name}' more than once`));
    }
    const assignments = place({ placement, budget }, topic, wanted);
    if (!Array.isArray(assignments)) return failed(assignments);
    placement.add(assignments);
    if (!request.validateOnly) {
      const first = topic.partitions.size;
      for (const [i, replicas] of assignments.entries()) {
        records.push(newPartition(placement, { topicId: topic.topicId, partition: first + i }, replicas));
      }
    }
    return { topic: name, error: undefined, totalCount };
  });
  return { records, respond: (after) => ({ topics, metadataEndOffset: after.endOffset }) };
}

interface Work {
  readonly placement: Placement;
  readonly budget: Budget;
}

function place({ placement, budget }: Work, topic: TopicImage, wanted: NewPartitions): Assignment[] | ItemError {
  const { totalCount, assignments } = wanted;
  const first = topic.partitions.size;
  const count = totalCount - first;
  if (count <= 0) {
    const message = `topic '${topic.name}' has ${first} ${first === 1 ? 'partition' : 'partitions'}: ask for more than that; partitions are never taken away`;
    return itemError('INVALID_PARTITIONS', message);
  }
  const replicationFactor = replicationFactorOf(topic);
  const isManual = assignments.length > 0;
  if (isManual && assignments.length !== count) {
    const message = `${count} partitions are added to topic '${topic.name}', but ${assignments.length} are assigned`;
    return itemError('INVALID_REQUEST', message);
  }
  const error = checkReplicationFactor(placement, replicationFactor) ?? budget.take(count, replicationFactor);
  if (error !== undefined) return error;
  if (isManual) return checkAssignments(placement, assignments, { first, replicationFactor });
  const present = topic.partitions.toArray().map(({ replicas }) => replicas);
  return placement.place(count, replicationFactor, present);
}

/** As the first partition has it, or will have it when it is reassigned. */
function replicationFactorOf(topic: TopicImage): number {
  const state = topic.partitions.get(0);
  return state === undefined ? 1 : state.replicas.length - state.removing.length;
}
