// `kvorum config …`.
import type { GroupRow, OptionRow } from '../command-table.ts';
import { asking, changing } from '../common-options.ts';
import { wholeNumber } from '../failure.ts';
import type { AlterConfigOptions, DescribeConfigOptions } from '../options.ts';

/** Whose configs: any number of these together. */
const WHOSE: readonly OptionRow[] = [
  {
    flags: '--topic <name>',
    text: 'a topic; may be given several times',
    parse: (text, previous) => collect(text, previous),
  },
  {
    flags: '--broker <id>',
    text: 'one broker; may be given several times',
    parse: (text, previous) => collect(wholeNumber('--broker', 0)(text), previous),
  },
  { flags: '--all-brokers', text: 'all brokers: what holds where neither topic nor broker has a value of its own' },
];

function collect<T>(value: T, previous: unknown): T[] {
  return [...((previous as T[] | undefined) ?? []), value];
}

const load = () => import('../commands/config-alter.ts');

export const CONFIG: GroupRow = {
  name: 'config',
  text: 'Configs of topics, of brokers and of all brokers: what is in force, where it comes from, and changing it.',
  commands: [
    asking({
      name: 'describe [key...]',
      text: 'Show configs in force and where each value comes from; without keys those that somebody has set.',
      options: [...WHOSE, { flags: '--all', text: 'also what nobody has set' }],
      examples: [
        'kvorum config describe --topic orders --all',
        'kvorum config describe segment.bytes --topic orders --format wide',
      ],
      run: async (keys: string[], options: DescribeConfigOptions) =>
        (await import('../commands/config-describe.ts')).describeConfigs(keys, options),
    }),
    changing({
      name: 'set <key=value...>',
      text: 'Set configs: all of one topic or broker, or none.',
      options: WHOSE,
      examples: [
        'kvorum config set segment.bytes=1048576 --topic orders',
        'kvorum config set log.flush.mode=async --all-brokers',
      ],
      run: async (pairs: string[], options: AlterConfigOptions) => (await load()).setConfigs(pairs, options),
    }),
    changing({
      name: 'append <key=items...>',
      text: 'Add items to configs that are lists; several items separated by commas.',
      options: WHOSE,
      examples: ['kvorum config append cleanup.policy=compact --topic orders'],
      run: async (pairs: string[], options: AlterConfigOptions) => (await load()).appendToConfigs(pairs, options),
    }),
    changing({
      name: 'subtract <key=items...>',
      text: 'Take items out of configs that are lists; several items separated by commas.',
      options: WHOSE,
      examples: ['kvorum config subtract cleanup.policy=compact --topic orders'],
      run: async (pairs: string[], options: AlterConfigOptions) => (await load()).subtractFromConfigs(pairs, options),
    }),
    changing({
      name: 'reset <key...>',
      text: 'Go back to what is in force without a value of its own.',
      options: WHOSE,
      examples: ['kvorum config reset segment.bytes --topic orders'],
      run: async (keys: string[], options: AlterConfigOptions) => (await load()).resetConfigs(keys, options),
    }),
  ],
};
