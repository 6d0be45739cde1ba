// `kvorum log …`: the files of partitions on a disk.
import type { GroupRow } from '../command-table.ts';
import { FORMAT } from '../common-options.ts';
import type { LogDumpOptions } from '../options.ts';

export const LOG: GroupRow = {
  name: 'log',
  text: 'The files of partitions on a disk, those of Kafka too.',
  commands: [
    {
      name: 'dump <files...>',
      text: 'Print and verify segments, indexes, producer snapshots and checkpoints; of a folder all that it has. Nothing is changed; the broker may run. Exit code 1 if something is wrong.',
      options: [
        { flags: '-r, --records', text: 'the records of each batch too' },
        {
          flags: '--decode <how>',
          text: 'how keys, values and header values are shown',
          choices: ['text', 'hex', 'base64'],
          standard: 'text',
        },
        { flags: '-c, --check', text: 'only verify: a line for each file, and what is wrong' },
        FORMAT,
      ],
      examples: [
        'kvorum log dump data/orders-0/00000000000000000000.log --records',
        'kvorum log dump data/orders-0',
        'kvorum log dump data --records --check',
      ],
      run: async (files: string[], options: LogDumpOptions) =>
        (await import('../commands/log-dump.ts')).dumpLog(files, options),
    },
  ],
};
