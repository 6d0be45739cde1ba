// Creating topics (C-7.1, C-7.2): each topic of a request succeeds or fails on its own, all of them in one batch.
import { assert } from '../../base/assert.ts';
import type { Uuid } from '../../base/uuid.ts';
import { validValue } from '../../config/in-force.ts';
import { NODE_KEYS } from '../../config/node-keys.ts';
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
import { brokerEntity, configsOf } from '../../metadata/image.ts';
import { metadataRecord } from '../../metadata/record.ts';
import { Budget } from './budget.ts';
import { checkTopicValue, topicConflict } from './config-values.ts';
import type { Decision } from './decision.ts';
import { checkAssignments, checkReplicationFactor, defaultReplicas, newPartition } from './new-partitions.ts';
import type { Assignment } from './placement.ts';
import { Placement } from './placement.ts';
import { NameCollisions, topicNameError } from './topic-name.ts';

export interface CreateTopicsContext {
  /** num.partitions of this node's file; what is altered for all brokers goes before. */
  readonly defaultPartitions: number;
  /** default.replication.factor, likewise. */
  readonly defaultReplicationFactor: number;
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
  readonly budget: Budget;
}

/** A topic that can be created. */
interface Plan {
  readonly assignments: readonly Assignment[];
  readonly configs: Record<string, string>;
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
    budget: new Budget(),
  };
  const records: MetadataRecord[] = [];
  const topics = request.topics.map((topic): CreatedTopic => {
    const { name } = topic;
    const plan = planTopic(work, topic);
    if ('error' in plan) {
      return { name, error: plan.error, topicId: '', partitions: -1, replicationFactor: -1, configs: {} };
    }
    const { assignments, configs } = plan;
    work.placement.add(assignments);
    work.collisions.add(name);
    const replicationFactor = assignments[0]?.length ?? 0;
    const created = { name, error: undefined, partitions: assignments.length, replicationFactor, configs };
    if (request.validateOnly) return { ...created, topicId: '' };
    const topicId = context.newTopicId();
    assert(!image.topics.has(topicId), 'a new topic id is in use');
    addRecords(records, work.placement, { name, topicId }, plan);
    return { ...created, topicId };
  });
  return { records, respond: (after) => ({ topics, metadataEndOffset: after.endOffset }) };
}

function planTopic(work: Work, topic: NewTopic): Plan | { readonly error: ItemError } {
  const { placement, budget } = work;
  const badName = checkName(work, topic.name);
  if (badName !== undefined) return { error: badName };
  const configs = checkConfigs(work.image, topic);
  if ('error' in configs) return configs;
  const size = sizeOf(work, topic);
  if ('error' in size) return size;
  const { partitions, replicationFactor } = size;
  const isManual = topic.assignments.length > 0;
  const assigned = isManual
    ? checkAssignments(placement, topic.assignments, { first: 0, replicationFactor: topic.replicationFactor })
    : [];
  if (!Array.isArray(assigned)) return { error: assigned };
  const tooMuch = budget.take(partitions, replicationFactor);
  if (tooMuch !== undefined) return { error: tooMuch };
  return {
    assignments: isManual ? assigned : placement.place(partitions, replicationFactor),
    configs: configs.configs,
  };
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

function checkConfigs(
  image: MetadataImage,
  { configs }: NewTopic,
): { readonly configs: Record<string, string> } | { readonly error: ItemError } {
  const checked: Record<string, string> = {};
  for (const [key, value] of Object.entries(configs)) {
    const parsed = checkTopicValue(image, key, value);
    if (!parsed.ok) return { error: itemError('INVALID_CONFIG', parsed.error) };
    checked[key] = parsed.value;
  }
  const conflict = topicConflict(image, new Map(Object.entries(checked)));
  if (conflict !== undefined) return { error: itemError('INVALID_CONFIG', conflict) };
  return { configs: checked };
}

/** How many partitions and replicas, with the defaults for -1. */
function sizeOf(
  { image, placement, context }: Work,
  { partitions, replicationFactor, assignments }: NewTopic,
): { readonly partitions: number; readonly replicationFactor: number } | { readonly error: ItemError } {
  const { defaultPartitions, defaultReplicationFactor } = context;
  const isManual = assignments.length > 0;
  if (isManual && partitions !== -1 && partitions !== assignments.length) {
    const message = `${partitions} partitions are asked for but ${assignments.length} are assigned: use -1`;
    return { error: itemError('INVALID_REQUEST', message) };
  }
  const ifNotSaid = isManual
    ? {
        partitions: assignments.length,
        replicas: assignments.reduce((most, it) => Math.max(most, it.replicas.length), 1),
      }
    : {
        partitions: clusterDefault(image, 'num.partitions') ?? defaultPartitions,
        replicas: defaultReplicas(
          placement,
          clusterDefault(image, 'default.replication.factor') ?? defaultReplicationFactor,
        ),
      };
  const size = {
    partitions: partitions === -1 ? ifNotSaid.partitions : partitions,
    replicationFactor: replicationFactor === -1 ? ifNotSaid.replicas : replicationFactor,
  };
  if (size.partitions < 1) {
    const message = `${partitions} partitions are not possible: use at least 1, or -1 for the default`;
    return { error: itemError('INVALID_PARTITIONS', message) };
  }
  const error = checkReplicationFactor(placement, size.replicationFactor);
  return error === undefined ? size : { error };
}

function clusterDefault(image: MetadataImage, name: 'num.partitions' | 'default.replication.factor') {
  return validValue(name, NODE_KEYS[name], configsOf(image, brokerEntity()).get(name));
}

function addRecords(
  records: MetadataRecord[],
  placement: Placement,
  topic: { readonly name: string; readonly topicId: Uuid },
  { assignments, configs }: Plan,
): void {
  records.push(metadataRecord({ $case: 'topic', topic }));
  for (const [key, value] of Object.entries(configs)) {
    const config = { scope: ConfigScope.TOPIC, entity: topic.name, key, value };
    records.push(metadataRecord({ $case: 'config', config }));
  }
  for (const [partition, replicas] of assignments.entries()) {
    records.push(newPartition(placement, { topicId: topic.topicId, partition }, replicas));
  }
}
