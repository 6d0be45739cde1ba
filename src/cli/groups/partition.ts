// `kvorum partition …`.
import type { GroupRow } from '../command-table.ts';
import { asking, destroying } from '../common-options.ts';
import type { ElectOptions, ExplainOptions, LossesOptions, ReplicasOptions } from '../options.ts';

export const PARTITION: GroupRow = {
  name: 'partition',
  text: 'Leaders and replicas of partitions: why they are as they are, electing others, and what that has cost.',
  commands: [
    asking({
      name: 'explain <topic> [partition]',
      text: 'Say why a partition has this leader or none, which metadata record decided it, and what would change it.',
      examples: ['kvorum partition explain orders 3', 'kvorum partition explain orders-3 --format wide'],
      run: async (topic: string, partition: string | undefined, options: ExplainOptions) =>
        (await import('../commands/partition-explain.ts')).explainPartition(topic, partition, options),
    }),
    asking({
      name: 'losses [topic...]',
      text: 'Show the loss ledger, of TOPIC or TOPIC-PARTITION or of all: what unclean elections and lost disks cost, replica by replica.',
      options: [{ flags: '--open', text: 'only losses whose extent is not known yet' }],
      examples: [
        'kvorum partition losses',
        'kvorum partition losses orders-3 --format wide',
        'kvorum partition losses --open',
      ],
      run: async (names: string[], options: LossesOptions) =>
        (await import('../commands/partition-losses.ts')).showLosses(names, options),
    }),
    asking({
      name: 'replicas [partition...]',
      text: 'Show each replica of TOPIC-PARTITION or TOPIC as its broker has it: role, offsets, lag, why it is offline; of all if none is named.',
      examples: ['kvorum partition replicas orders-3', 'kvorum partition replicas orders --format wide'],
      run: async (partitions: string[], options: ReplicasOptions) =>
        (await import('../commands/partition-replicas.ts')).describeReplicas(partitions, options),
    }),
    destroying({
      name: 'elect [partition...]',
      text: 'Elect leaders: of TOPIC-PARTITION, of all partitions of TOPIC, or with --all of all where it changes something.',
      options: [
        {
          flags: '--type <type>',
          text: 'preferred: the first replica, without loss; unclean: any replica that lives where nobody else can lead, and what it lacks is lost (asks first)',
          choices: ['preferred', 'unclean'],
          standard: 'preferred',
        },
        { flags: '--unclean', text: 'short for --type unclean', conflicts: ['type'] },
        { flags: '--all', text: 'all partitions for which it changes something' },
      ],
      examples: [
        'kvorum partition elect orders-3 orders-4',
        'kvorum partition elect --all',
        'kvorum partition elect --unclean orders-3 --dry-run',
      ],
      run: async (partitions: string[], options: ElectOptions) =>
        (await import('../commands/partition-elect.ts')).electLeaders(partitions, options),
    }),
  ],
};
