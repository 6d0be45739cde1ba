// `kvorum topic list|describe`.
import type { PartitionDescription, TopicDescription } from '../../gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition } from '../../gen/kvorum/v1/admin.ts';
import { withAdmin } from '../admin-client.ts';
import { sayFailures } from '../items.ts';
import type { DescribeOptions, ListOptions } from '../options.ts';
import type { Column } from '../output.ts';
import { columns, list, print } from '../output.ts';

const { listTopics: listing, describeTopics: describe } = AdminServiceDefinition.methods;

export async function listTopics(options: ListOptions): Promise<void> {
  const answer = await withAdmin(options, (admin) => admin.read(listing, {}));
  await print(options.format, answer, (wide) =>
    columns(
      wide,
      [
        { head: 'TOPIC', cell: (topic) => topic.name },
        { head: 'PARTITIONS', cell: (topic) => topic.partitions },
        { head: 'REPLICATION', cell: (topic) => topic.replicationFactor },
        { head: 'ID', cell: (topic) => topic.topicId, wide: true },
      ],
      answer.topics,
    ),
  );
}

export async function describeTopics(names: string[], options: DescribeOptions): Promise<void> {
  const topics = names.map((name) => ({ name, topicId: '' }));
  const answer = await withAdmin(options, (admin) => admin.read(describe, { topics }));
  const shown = filtered(answer.topics, options);
  await print(options.format, { ...answer, topics: shown }, (wide) =>
    shown
      .filter(({ error }) => error === undefined)
      .map((topic) => `${heading(topic, wide)}\n${columns(wide, COLUMNS, topic.partitions)}`)
      .join('\n\n'),
  );
  sayFailures(options.format, shown);
  if (shown.length === 0) console.error(answer.topics.length === 0 ? 'there is no topic' : 'no partition matches');
}

/** With a filter, only partitions that pass it, and topics that have one; what could not be described stays. */
function filtered(
  topics: readonly TopicDescription[],
  { unavailable, underReplicated }: DescribeOptions,
): readonly TopicDescription[] {
  if (unavailable !== true && underReplicated !== true) return topics;
  const passes = ({ leader, isr, replicas }: PartitionDescription): boolean =>
    (unavailable === true && leader < 0) ||
    (underReplicated === true && replicas.some((replica) => !isr.includes(replica)));
  return topics
    .map((topic) => ({ ...topic, partitions: topic.partitions.filter(passes) }))
    .filter(({ partitions, error }) => partitions.length > 0 || error !== undefined);
}

function heading({ name, topicId, configs }: TopicDescription, wide: boolean): string {
  const pairs = Object.entries(configs).map(([key, value]) => `${key}=${value}`);
  const notes = [...(wide ? [`id ${topicId}`] : []), ...pairs];
  return notes.length === 0 ? name : `${name} (${notes.join(', ')})`;
}

const COLUMNS: readonly Column<PartitionDescription>[] = [
  { head: 'PARTITION', cell: ({ partition }) => partition },
  { head: 'LEADER', cell: ({ leader }) => (leader < 0 ? 'none' : leader) },
  { head: 'EPOCH', cell: ({ leaderEpoch }) => leaderEpoch },
  { head: 'REPLICAS', cell: ({ replicas }) => list(replicas) },
  { head: 'ISR', cell: ({ isr }) => list(isr) },
  { head: 'ELR', cell: ({ elr }) => list(elr) },
  { head: 'PARTITION EPOCH', cell: ({ partitionEpoch }) => partitionEpoch, wide: true },
  { head: 'LED LAST', cell: ({ lastKnownLeader }) => (lastKnownLeader < 0 ? '-' : lastKnownLeader), wide: true },
  { head: 'RECOVERING', cell: ({ recovering }) => (recovering ? 'yes' : 'no'), wide: true },
  { head: 'ADDING', cell: ({ adding }) => list(adding), wide: true },
  { head: 'REMOVING', cell: ({ removing }) => list(removing), wide: true },
  { head: 'LEADER SINCE OFFSET', cell: ({ leaderOffset }) => (leaderOffset < 0 ? '?' : leaderOffset), wide: true },
  { head: 'DIRECTORIES', cell: ({ directories }) => list(directories), wide: true },
];
