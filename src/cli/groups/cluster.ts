// `kvorum broker …` and `kvorum cluster …`.
import type { GroupRow } from '../command-table.ts';
import { asking, changing, destroying } from '../common-options.ts';
import { wholeNumber } from '../failure.ts';
import type { ListOptions, LogDirsOptions, UnregisterOptions, UpgradeOptions } from '../options.ts';

const load = () => import('../commands/broker.ts');

export const BROKER: GroupRow = {
  name: 'broker',
  text: 'Brokers: who is there, in what state, since when and why.',
  commands: [
    asking({
      name: 'list',
      text: 'List all brokers that are registered.',
      examples: ['kvorum broker list --format wide'],
      run: async (options: ListOptions) => (await load()).listBrokers(options),
    }),
    asking({
      name: 'describe [id...]',
      text: 'Show all that is known of brokers, and which record made their state what it is; of all if none is named.',
      examples: ['kvorum broker describe 4'],
      run: async (ids: string[], options: ListOptions) => (await load()).describeBrokers(ids, options),
    }),
    asking({
      name: 'log-dirs',
      text: 'Show the log dirs of brokers: which are offline, what they hold and the room on their disks. Exit code 1 if one is offline.',
      options: [
        {
          flags: '--broker <id...>',
          text: 'of these brokers; of all if none is named',
          parse: (text, previous) => [...((previous as number[] | undefined) ?? []), wholeNumber('--broker', 0)(text)],
        },
        { flags: '--topic <name...>', text: 'the replicas of these topics alone, each with its size' },
      ],
      examples: ['kvorum broker log-dirs', 'kvorum broker log-dirs --broker 4 --topic orders'],
      run: async (options: LogDirsOptions) => (await import('../commands/log-dirs.ts')).describeLogDirs(options),
    }),
    destroying({
      name: 'unregister <id...>',
      text: 'Forget brokers that are gone for good. They must be stopped, and hold no replica that is needed.',
      examples: ['kvorum broker unregister 6 --yes'],
      run: async (ids: string[], options: UnregisterOptions) =>
        (await import('../commands/broker-unregister.ts')).unregisterBrokers(ids, options),
    }),
  ],
};

export const CLUSTER: GroupRow = {
  name: 'cluster',
  text: 'The cluster as a whole, and its metadata level.',
  commands: [
    asking({
      name: 'describe',
      text: 'Show brokers, their states and addresses, and the active controller. Exit code 1 if there is none.',
      examples: ['kvorum cluster describe --server 127.0.0.1:9094,127.0.0.1:9194'],
      run: async (options: ListOptions) => (await import('../commands/cluster.ts')).describeCluster(options),
    }),
    asking({
      name: 'features',
      text: 'Show the metadata level in force, and the levels that each node can follow.',
      examples: ['kvorum cluster features'],
      run: async (options: ListOptions) => (await import('../commands/features.ts')).describeFeatures(options),
    }),
    changing({
      name: 'upgrade',
      text: 'Raise the metadata level, after every node runs the new version. There is no way back.',
      options: [
        {
          flags: '--level <n>',
          text: 'the level; the highest that every node can follow if not given',
          parse: wholeNumber('--level', 1),
        },
      ],
      examples: ['kvorum cluster upgrade --dry-run', 'kvorum cluster upgrade --level 2'],
      run: async (options: UpgradeOptions) => (await import('../commands/features.ts')).upgradeCluster(options),
    }),
  ],
};
