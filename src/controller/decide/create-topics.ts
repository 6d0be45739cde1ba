// Creating topics (C-7.1, C-7.2): each topic of a request succeeds or fails on its own, all of them in one batch.
import { assert } from '../../base/assert.ts';
import type { NodeId } from '../../base/ids.ts';
import type { Uuid } from '../../base/uuid.ts';
import { validateTopicConfig } from '../../config/topic-config.ts';
import type {
  CreatedTopic,
  CreateTopicsRequest,
  CreateTopicsResponse,
  ItemError,
  NewTopic,
} from '../../gen/kvorum/v1/admin.ts';
import type { MetadataRecord } from '../../gen/kvorum/v1/metadata.ts';
import { ConfigScope } from '../../gen/kvorum/v1/metadata.ts';
import { itemError } from '../../metadata/errors.ts';
import type { MetadataImage } from '../../metadata/image.ts';
import { isActive } from '../../metadata/image.ts';
import { metadataRecord } from '../../metadata/record.ts';
import type { Decision } from './decision.ts';
import { directoryFor, Placement } from './placement.ts';
import { NameCollisions, topicNameError } from './topic-name.ts';

/** C-0.6: more partitions than this do not fit into one batch of the metadata log. */
export const MAX_PARTITIONS_PER_REQUEST = 10_000;

export interface CreateTopicsContext {
  /** num.partitions. */
  readonly defaultPartitions: number;
  /** C-0.5: a random id that was never given out. */
  readonly newTopicId: () => Uuid;
}

/** What is being put together over the topics of one request. */
interface Work {
  readonly image: MetadataImage;
  readonly context: CreateTopicsContext;
  readonly placement: Placement;
  readonly collisions: NameCollisions;
  readonly timesNamed: ReadonlyMap<string, number>;
  partitionsLeft: number;
}

export function decideCreateTopics(
  image: MetadataImage,
  request: CreateTopicsRequest,
  context: CreateTopicsContext,
): Decision<CreateTopicsResponse> {
  const timesNamed = new Map<string, number>();
  for (const { name } of request.topics) timesNamed.set(name, (timesNamed.get(name) ?? 0) + 1);
  const work: Work = {
    image,
    context,
    placement: new Placement(image),
    collisions: new NameCollisions(image),
    timesNamed,
    partitionsLeft: MAX_PARTITIONS_PER_REQUEST,
  };
  const records: MetadataRecord[] = [];
  const topics = request.topics.map((topic): CreatedTopic => {
    const { name, configs } = topic;
    const error = checkName(work, name) ?? checkReplicationFactor(topic) ?? checkConfigs(topic);
    const brokers = error ?? placePartitions(work, topic);
    if (!Array.isArray(brokers)) {
      return { name, error: brokers, topicId: '', partitions: -1, replicationFactor: -1, configs: {} };
    }
    for (const id of brokers) work.placement.add(id);
    work.collisions.add(name);
    work.partitionsLeft -= brokers.length;
    const created = { name, error: undefined, partitions: brokers.length, replicationFactor: 1, configs };
    if (request.validateOnly) return { ...created, topicId: '' };
    const topicId = context.newTopicId();
    assert(!image.topics.has(topicId), 'a new topic id is in use');
    records.push(...topicRecords(image, topic, topicId, brokers));
    return { ...created, topicId };
  });
  return { records, respond: (after) => ({ topics, metadataEndOffset: after.endOffset }) };
}

function checkName({ image, collisions, timesNamed }: Work, name: string): ItemError | undefined {
  const bad = topicNameError(name);
  if (bad !== undefined) return itemError('INVALID_TOPIC_EXCEPTION', bad);
  if ((timesNamed.get(name) ?? 0) > 1) {
    return itemError('INVALID_REQUEST', `the request names topic '${name}' more than once`);
  }
  if (image.topicIds.has(name)) return itemError('TOPIC_ALREADY_EXISTS', `topic '${name}' exists already`);
  const other = collisions.find(name);
  if (other === undefined) return undefined;
  return itemError('INVALID_TOPIC_EXCEPTION', `'${name}' differs from topic '${other}' only in '.' against '_'`);
}

function checkReplicationFactor({ replicationFactor, assignments }: NewTopic): ItemError | undefined {
  const wanted = Math.max(replicationFactor, ...assignments.map(({ replicas }) => replicas.length));
  if (wanted > 1) {
    return itemError(
      'INVALID_REPLICATION_FACTOR',
      `replication factor ${wanted} is not possible: this version stores one replica per partition; use 1 or -1`,
    );
  }
  if (replicationFactor === 1 || replicationFactor === -1) return undefined;
  return itemError(
    'INVALID_REPLICATION_FACTOR',
    `replication factor ${replicationFactor} is not possible: use 1, or -1 for the default`,
  );
}

function checkConfigs({ configs }: NewTopic): ItemError | undefined {
  for (const [key, value] of Object.entries(configs)) {
    const error = validateTopicConfig(key, value);
    if (error !== undefined) return itemError('INVALID_CONFIG', error);
  }
  return undefined;
}

/** The broker of each partition. */
function placePartitions(work: Work, topic: NewTopic): NodeId[] | ItemError {
  const manual = topic.assignments.length > 0;
  const count = manual ? topic.assignments.length : partitionCount(work, topic);
  if (count < 1) {
    const message = `${topic.partitions} partitions are not possible: use at least 1, or -1 for the default`;
    return itemError('INVALID_PARTITIONS', message);
  }
  if (count > work.partitionsLeft) {
    const message = `a request can create at most ${MAX_PARTITIONS_PER_REQUEST} partitions: use several requests`;
    return itemError('POLICY_VIOLATION', message);
  }
  if (manual) return placeManually(work.image, topic);
  if (work.placement.brokerCount > 0) return work.placement.place(count);
  return itemError('INVALID_REPLICATION_FACTOR', 'no broker can take a replica: none is registered and unfenced');
}

function partitionCount({ context }: Work, { partitions }: NewTopic): number {
  return partitions === -1 ? context.defaultPartitions : partitions;
}

function placeManually(image: MetadataImage, { partitions, assignments }: NewTopic): NodeId[] | ItemError {
  if (partitions !== -1 && partitions !== assignments.length) {
    const message = `${partitions} partitions are asked for but ${assignments.length} are assigned: use -1`;
    return itemError('INVALID_REQUEST', message);
  }
  const sorted = [...assignments].toSorted((a, b) => a.partition - b.partition);
  const brokers: NodeId[] = [];
  for (const { partition, replicas } of sorted) {
    const [id] = replicas;
    const problem =
      partition !== brokers.length
        ? `partitions must be assigned once each, from 0 to ${assignments.length - 1}`
        : id === undefined
          ? `partition ${partition} is assigned to no broker`
          : !image.brokers.has(id)
            ? `partition ${partition} is assigned to broker ${id}, which is not registered`
            : !isActive(image.brokers.get(id))
              ? `partition ${partition} is assigned to broker ${id}, which is fenced or about to stop`
              : undefined;
    if (problem !== undefined || id === undefined) return itemError('INVALID_REPLICA_ASSIGNMENT', problem ?? '');
    brokers.push(id);
  }
  return brokers;
}

/** C-7.2: the ISR consists of active brokers, the leader is the first, both epochs are 0. */
function topicRecords(
  image: MetadataImage,
  { name, configs }: NewTopic,
  topicId: Uuid,
  brokers: readonly NodeId[],
): MetadataRecord[] {
  const scope = ConfigScope.TOPIC;
  return [
    metadataRecord({ $case: 'topic', topic: { name, topicId } }),
    ...Object.entries(configs).map(([key, value]) =>
      metadataRecord({ $case: 'config', config: { scope, entity: name, key, value } }),
    ),
    ...brokers.map((id, partition) =>
      metadataRecord({
        $case: 'partition',
        partition: {
          topicId,
          partition,
          replicas: [id],
          isr: [id],
          leader: id,
          leaderEpoch: 0,
          partitionEpoch: 0,
          directories: [directoryFor(image.brokers.get(id))],
          elr: [],
          recovering: false,
          adding: [],
          removing: [],
        },
      }),
    ),
  ];
}
