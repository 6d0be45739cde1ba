// `kvorum topic list|describe`.
import type { DescribeReplicasResponse, PartitionDescription, TopicDescription } from '../../gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition } from '../../gen/kvorum/v1/admin.ts';
import type { AdminClient } from '../admin-client.ts';
import { withAdmin } from '../admin-client.ts';
import { sayFailures } from '../items.ts';
import type { DescribeOptions, ListOptions } from '../options.ts';
import type { Column } from '../output.ts';
import { columns, list, print } from '../output.ts';
import type { Told, ToldReplicas } from '../replica-lag.ts';
import { lagOfEach, largestLag, toldOf } from '../replica-lag.ts';

const { listTopics: listing, describeTopics: describe, describeReplicas } = AdminServiceDefinition.methods;

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

/** What is asked of the brokers themselves holds people up no longer, whoever is silent, and programs; more of it takes longer. */
const LAG_WAIT_MS = 150;
const LAG_WAIT_OF_PROGRAMS_MS = 1000;
const LAGS_PER_MS = 5;

export async function describeTopics(names: string[], options: DescribeOptions): Promise<void> {
  const topics = names.map((name) => ({ name, topicId: '' }));
  const { answer, shown, replicas } = await withAdmin(options, async (admin) => {
    const described = await admin.read(describe, { topics });
    const passing = filtered(described.topics, options);
    return { answer: described, shown: passing, replicas: await askReplicas(admin, passing, options) };
  });
  const told = toldOf(shown, replicas?.replicas ?? []);
  await print(options.format, { ...answer, topics: shown, ...replicas }, (wide) =>
    shown
      .filter(({ error }) => error === undefined)
      .map((topic) => `${heading(topic, wide)}\n${columns(wide, COLUMNS, rowsOf(topic, told))}`)
      .join('\n\n'),
  );
  sayFailures(options.format, shown);
  if (shown.length === 0) console.error(answer.topics.length === 0 ? 'there is no topic' : 'no partition matches');
}

/** As far as it is told quickly. */
async function askReplicas(
  admin: AdminClient,
  topics: readonly TopicDescription[],
  { format }: DescribeOptions,
): Promise<DescribeReplicasResponse | undefined> {
  const found = topics.filter(({ error }) => error === undefined);
  const count = found.reduce((sum, { partitions }) => sum + partitions.length, 0);
  if (count === 0) return undefined;
  const request = { topics: found.map(({ name }) => name), forwarded: false };
  const waitMs = format === 'json' || format === 'yaml' ? LAG_WAIT_OF_PROGRAMS_MS : LAG_WAIT_MS;
  const answer = await admin.glance(describeReplicas, request, waitMs + count / LAGS_PER_MS);
  if (answer === undefined) return undefined;
  const isShown = new Set(found.flatMap(({ name, partitions }) => partitions.map((it) => `${name}/${it.partition}`)));
  return { ...answer, replicas: answer.replicas.filter((it) => isShown.has(`${it.topic}/${it.partition}`)) };
}

/** With a filter, only partitions that pass one, and topics that have one; what could not be described stays. */
function filtered(
  topics: readonly TopicDescription[],
  { unavailable, underReplicated, underMinIsr }: DescribeOptions,
): readonly TopicDescription[] {
  if (unavailable !== true && underReplicated !== true && underMinIsr !== true) return topics;
  const passes = (topic: TopicDescription, state: PartitionDescription): boolean =>
    (unavailable === true && state.leader < 0) ||
    (underReplicated === true && isUnderReplicated(state)) ||
    (underMinIsr === true && isUnderMinIsr(topic, state));
  return topics
    .map((topic) => ({ ...topic, partitions: topic.partitions.filter((state) => passes(topic, state)) }))
    .filter(({ partitions, error }) => partitions.length > 0 || error !== undefined);
}

/** Those that a reassignment is adding are not missed. */
function isUnderReplicated({ replicas, isr, adding }: PartitionDescription): boolean {
  return replicas.some((replica) => !isr.includes(replica) && !adding.includes(replica));
}

function isUnderMinIsr({ minInsyncReplicas }: TopicDescription, state: PartitionDescription): boolean {
  const { isr, replicas, adding } = state;
  return isr.length < Math.max(1, Math.min(minInsyncReplicas, replicas.length - adding.length));
}

function heading({ name, topicId, configs, minInsyncReplicas, survival }: TopicDescription, wide: boolean): string {
  const pairs = Object.entries(configs).map(([key, value]) => `${key}=${value}`);
  const notes = [...(wide ? [`id ${topicId}`] : []), ...pairs];
  const title = notes.length === 0 ? name : `${name} (${notes.join(', ')})`;
  const survives = survival === undefined ? '' : `; survives: ${survival.sentence}`;
  return `${title}\n  min ISR ${minInsyncReplicas}${survives}`;
}

interface Row extends PartitionDescription {
  readonly topic: TopicDescription;
  readonly told: ToldReplicas | undefined;
}

function rowsOf(topic: TopicDescription, told: Told): Row[] {
  return topic.partitions.map((state) => ({ ...state, topic, told: told.get(`${topic.name}/${state.partition}`) }));
}

/** What is wrong with it, the worst first. */
function healthOf(row: Row): string {
  const wrong = [
    ...(row.leader < 0 ? ['no leader'] : []),
    ...(isUnderMinIsr(row.topic, row) ? ['under min ISR'] : isUnderReplicated(row) ? ['under-replicated'] : []),
    ...(row.recovering && row.replicas.length > 1 ? ['recovering'] : []),
    ...(row.adding.length + row.removing.length > 0 ? ['reassigning'] : []),
  ];
  return wrong.length === 0 ? 'ok' : wrong.join(', ');
}

const COLUMNS: readonly Column<Row>[] = [
  { head: 'PARTITION', cell: ({ partition }) => partition },
  { head: 'LEADER', cell: ({ leader }) => (leader < 0 ? 'none' : leader) },
  { head: 'EPOCH', cell: ({ leaderEpoch }) => leaderEpoch },
  { head: 'REPLICAS', cell: ({ replicas }) => list(replicas) },
  { head: 'ISR', cell: ({ isr }) => list(isr) },
  { head: 'ELR', cell: ({ elr }) => list(elr) },
  { head: 'LAG', cell: (row) => largestLag(row, row.told) },
  { head: 'HEALTH', cell: healthOf },
  { head: 'LAG OF EACH', cell: (row) => lagOfEach(row, row.told), wide: true },
  { head: 'PARTITION EPOCH', cell: ({ partitionEpoch }) => partitionEpoch, wide: true },
  { head: 'LED LAST', cell: ({ lastKnownLeader }) => (lastKnownLeader < 0 ? '-' : lastKnownLeader), wide: true },
  { head: 'RECOVERING', cell: ({ recovering }) => (recovering ? 'yes' : 'no'), wide: true },
  { head: 'ADDING', cell: ({ adding }) => list(adding), wide: true },
  { head: 'REMOVING', cell: ({ removing }) => list(removing), wide: true },
  { head: 'LEADER SINCE OFFSET', cell: ({ leaderOffset }) => (leaderOffset < 0 ? '?' : leaderOffset), wide: true },
  { head: 'DIRECTORIES', cell: ({ directories }) => list(directories), wide: true },
];
