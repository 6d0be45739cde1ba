// `kvorum topic create|delete|add-partitions`.
import type { CreatedPartitions, CreatedTopic } from '../../gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition } from '../../gen/kvorum/v1/admin.ts';
import { StartError } from '../../server/start-error.ts';
import type { AdminClient } from '../admin-client.ts';
import { changeFields, withAdmin } from '../admin-client.ts';
import type { Sent } from '../batches.ts';
import { inBatches, itemsPerCall } from '../batches.ts';
import type { Changing } from '../common-options.ts';
import { keyValues } from '../common-options.ts';
import { confirm } from '../confirm.ts';
import { UsageError } from '../failure.ts';
import type { ItemLine } from '../items.ts';
import { reportItems } from '../items.ts';
import type { AddPartitionsOptions, CreateOptions, DeleteOptions } from '../options.ts';
import { replicaAssignment } from '../replica-assignment.ts';

const {
  createTopics: create,
  createPartitions,
  deleteTopics: remove,
  describeTopics: describe,
} = AdminServiceDefinition.methods;

interface BatchAnswer<Item> {
  readonly topics: readonly Item[];
  readonly metadataEndOffset: number;
}

export async function createTopics(names: string[], options: CreateOptions): Promise<void> {
  const { partitions, replicationFactor, dryRun } = options;
  if (options.replicaAssignment !== undefined && (partitions !== undefined || replicationFactor !== undefined)) {
    throw new UsageError(
      '--replica-assignment says how many partitions and replicas there are: leave out --partitions and --replication-factor',
    );
  }
  const configs = Object.fromEntries(keyValues('--config', options.config ?? []));
  const assignments = options.replicaAssignment === undefined ? [] : replicaAssignment(options.replicaAssignment);
  const topics = names.map((name) => ({
    name,
    partitions: partitions ?? -1,
    replicationFactor: replicationFactor ?? -1,
    configs,
    assignments,
  }));
  const sent = await withAdmin(options, (admin) =>
    inBatches(
      topics,
      (batch) => admin.command(create, { topics: batch, ...changeFields(options) }),
      itemsPerCall(partitions ?? assignments.length),
    ),
  );
  await report(options, names.length, sent, ({ name, error, ...topic }: CreatedTopic) => ({
    name,
    error,
    text: `${dryRun === true ? 'could be created' : 'created'}${extent(topic)}`,
  }));
}

function extent({ partitions, replicationFactor }: Pick<CreatedTopic, 'partitions' | 'replicationFactor'>): string {
  if (partitions <= 0) return '';
  const replicas =
    replicationFactor > 0 ? `, ${replicationFactor === 1 ? '1 replica' : `${replicationFactor} replicas`} each` : '';
  return ` (${partitions === 1 ? '1 partition' : `${partitions} partitions`}${replicas})`;
}

export async function deleteTopics(names: string[], options: DeleteOptions): Promise<void> {
  if (options.dryRun === true) {
    await tellWhatGoes(names, options);
    return;
  }
  const what = names.length > 10 ? `${names.length} topics (${names.slice(0, 10).join(', ')}, …)` : names.join(', ');
  await confirm(options, `Delete ${what} with all records?`, 'nothing was deleted');
  const topics = names.map((name) => ({ name, topicId: '' }));
  const sent = await withAdmin(options, (admin) =>
    inBatches(topics, (batch) => admin.command(remove, { topics: batch, ...changeFields(options) })),
  );
  await report(options, names.length, sent, ({ name, error }) => ({ name, error, text: 'deleted' }));
}

/** A server that does not know `validate_only` of DeleteTopics would delete: `--dry-run` only looks. */
async function tellWhatGoes(names: readonly string[], options: DeleteOptions): Promise<void> {
  const request = { topics: names.map((name) => ({ name, topicId: '' })) };
  const answer = await withAdmin(options, (admin) => admin.read(describe, request));
  const topics = answer.topics.map(({ name, topicId, error }) => ({ name, topicId, error }));
  await reportItems(
    options.format,
    { ...answer, topics },
    answer.topics.map(({ name, error, partitions }) => ({
      name,
      error,
      text: `would be deleted with all records${extent({ partitions: partitions.length, replicationFactor: -1 })}`,
    })),
  );
}

export async function addPartitions(names: string[], options: AddPartitionsOptions): Promise<void> {
  const { total, replicaAssignment: brokers } = options;
  if (total === undefined && brokers === undefined) {
    throw new UsageError('say how many partitions each topic has afterwards: --total <n>');
  }
  if (brokers !== undefined && names.length > 1) {
    throw new UsageError('--replica-assignment places the new partitions of one topic: name one');
  }
  const sent = await withAdmin(options, async (admin) => {
    const assignments = brokers === undefined ? [] : await placement(admin, names[0] ?? '', brokers);
    const totalCount = total ?? (assignments.at(-1)?.partition ?? -1) + 1;
    const topics = names.map((topic) => ({ topic, totalCount, assignments }));
    return inBatches(
      topics,
      (batch) => admin.command(createPartitions, { topics: batch, ...changeFields(options) }),
      itemsPerCall(totalCount),
    );
  });
  await report(options, names.length, sent, ({ topic, error, totalCount }: CreatedPartitions) => ({
    name: topic,
    error,
    text: options.dryRun === true ? `could have ${totalCount} partitions` : `${totalCount} partitions now`,
  }));
}

/** The new partitions are numbered from the present count on. */
async function placement(admin: AdminClient, name: string, brokers: string) {
  replicaAssignment(brokers);
  const { topics } = await admin.read(describe, { topics: [{ name, topicId: '' }] });
  const topic = topics[0];
  if (topic === undefined || topic.error !== undefined) {
    throw new StartError(`${name}: ${topic?.error?.name}: ${topic?.error?.message}`);
  }
  return replicaAssignment(brokers, topic.partitions.length);
}

/** Prints what was answered; where a call failed, says of how many items nothing is known after that. */
async function report<Item>(
  options: Changing,
  count: number,
  { answers, failure }: Sent<BatchAnswer<Item>>,
  lineOf: (item: Item) => ItemLine,
): Promise<void> {
  const topics = answers.flatMap((answer) => answer.topics);
  const metadataEndOffset = answers.at(-1)?.metadataEndOffset ?? -1;
  if (answers.length > 0) await reportItems(options.format, { topics, metadataEndOffset }, topics.map(lineOf));
  if (failure === undefined) return;
  if (answers.length > 0) {
    console.error(`kvorum: of ${count} topics the last ${count - topics.length} have no answer; the reason follows`);
  }
  throw failure;
}
