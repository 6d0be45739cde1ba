// `kvorum topic …`.
import type { GroupRow, OptionRow } from '../command-table.ts';
import { asking, changing, destroying } from '../common-options.ts';
import { wholeNumber } from '../failure.ts';
import type {
  AddPartitionsOptions,
  CreateOptions,
  DeleteOptions,
  DeleteRecordsOptions,
  DescribeOptions,
  ListOptions,
} from '../options.ts';

const REPLICA_ASSIGNMENT: OptionRow = {
  flags: '--replica-assignment <brokers>',
  text: 'brokers of each partition, preferred leader first, as Kafka writes it: 4:5:6,5:6:4; else the controller places',
};

const load = () => import('../commands/topic.ts');
const loadRecords = () => import('../commands/delete-records.ts');
const loadDescribe = () => import('../commands/topic-describe.ts');

export const TOPIC: GroupRow = {
  name: 'topic',
  text: 'Create, list, describe and delete topics, and add partitions to them.',
  commands: [
    changing({
      name: 'create <name...>',
      text: 'Create topics, each on its own.',
      options: [
        {
          flags: '-p, --partitions <n>',
          text: 'partitions; num.partitions of the cluster if not given',
          parse: wholeNumber('--partitions', 1),
        },
        {
          flags: '-r, --replication-factor <n>',
          text: 'replicas of each partition; default.replication.factor of the cluster if not given: one per broker, at most 3',
          parse: wholeNumber('--replication-factor', 1),
        },
        { flags: '-c, --config <key=value...>', text: 'topic configs, e.g. segment.bytes=1048576' },
        REPLICA_ASSIGNMENT,
      ],
      examples: [
        'kvorum topic create orders --partitions 6 --config log.flush.mode=async',
        'kvorum topic create audit --replica-assignment 4,5,6',
      ],
      run: async (names: string[], options: CreateOptions) => (await load()).createTopics(names, options),
    }),
    asking({
      name: 'list',
      text: 'List all topics.',
      examples: ['kvorum topic list --format json'],
      run: async (options: ListOptions) => (await loadDescribe()).listTopics(options),
    }),
    asking({
      name: 'describe [name...]',
      text: 'Show what topics survive, their partitions, leaders, replicas and lag, and configs; of all topics if none is named.',
      options: [
        { flags: '--unavailable', text: 'only partitions without a leader' },
        { flags: '--under-replicated', text: 'only partitions with replicas that are not in the ISR' },
        {
          flags: '--under-min-isr',
          text: 'only partitions whose ISR is smaller than min.insync.replicas: acks=all is refused',
        },
      ],
      examples: ['kvorum topic describe orders --format wide', 'kvorum topic describe --unavailable --under-min-isr'],
      run: async (names: string[], options: DescribeOptions) => (await loadDescribe()).describeTopics(names, options),
    }),
    destroying({
      name: 'delete <name...>',
      text: 'Delete topics with all their records.',
      examples: ['kvorum topic delete orders --dry-run', 'kvorum topic delete orders --yes'],
      run: async (names: string[], options: DeleteOptions) => (await load()).deleteTopics(names, options),
    }),
    destroying({
      name: 'delete-records <topic>',
      text: 'Delete the oldest records of partitions, up to an offset or to the end. Consumers begin after them.',
      options: [
        {
          flags: '-p, --partition <n>',
          text: 'a partition; may be given several times',
          parse: (text, previous) => [
            ...((previous as number[] | undefined) ?? []),
            wholeNumber('--partition', 0)(text),
          ],
          required: true,
        },
        {
          flags: '--before <offset|end>',
          text: 'records below this offset go; end: all that are committed',
          required: true,
        },
      ],
      examples: [
        'kvorum topic delete-records orders --partition 0 --before 1000 --dry-run',
        'kvorum topic delete-records orders --partition 0 --partition 1 --before end --yes',
      ],
      run: async (topic: string, options: DeleteRecordsOptions) => (await loadRecords()).deleteRecords(topic, options),
    }),
    changing({
      name: 'add-partitions <name...>',
      text: 'Add partitions to topics. Keys may go to other partitions afterwards; partitions are never taken away.',
      options: [
        {
          flags: '-t, --total <n>',
          text: 'partitions that each topic has afterwards',
          parse: wholeNumber('--total', 1),
        },
        { ...REPLICA_ASSIGNMENT, text: `${REPLICA_ASSIGNMENT.text}; of the new partitions, of one topic` },
      ],
      examples: [
        'kvorum topic add-partitions orders --total 12',
        'kvorum topic add-partitions audit --replica-assignment 5,6',
      ],
      run: async (names: string[], options: AddPartitionsOptions) => (await load()).addPartitions(names, options),
    }),
  ],
};
