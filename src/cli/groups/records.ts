// Commands that write and read records: produce, consume. They find the brokers through AdminService and then speak Kafka.
import type { CommandRow } from '../command-table.ts';
import { FORMAT, SERVER } from '../common-options.ts';
import { wholeNumber } from '../failure.ts';
import type { ConsumeOptions, ProduceOptions } from '../options.ts';

export const RECORDS: readonly CommandRow[] = [
  {
    name: 'produce <topic>',
    text: 'Send each line of standard input as a record, and wait until all are acknowledged.',
    options: [
      {
        flags: '-k, --key <key>',
        text: 'key of every record; the partition follows from it as in the Java client (murmur2)',
      },
      {
        flags: '-p, --partition <n>',
        text: 'partition of every record; round robin if neither is given',
        parse: wholeNumber('--partition', 0),
      },
      { flags: '-H, --header <name=value...>', text: 'headers of every record' },
      { flags: '-z, --compression <codec>', text: 'gzip, snappy, lz4 or zstd' },
      SERVER,
    ],
    examples: ['printf "a\\nb\\n" | kvorum produce orders --key customer-7'],
    run: async (topic: string, options: ProduceOptions) =>
      (await import('../commands/produce.ts')).produce(topic, options),
  },
  {
    name: 'consume <topic>',
    text: 'Print records: text has the value, wide, json and yaml have topic, partition, offset, timestamp, key, value, headers.',
    options: [
      { flags: '-p, --partition <n>', text: 'only this partition', parse: wholeNumber('--partition', 0) },
      {
        flags: '-f, --from <where>',
        text: 'beginning, end, an offset, or @milliseconds since 1970',
        standard: 'end',
      },
      { flags: '-n, --count <n>', text: 'stop after so many records', parse: wholeNumber('--count', 1) },
      { flags: '-e, --exit', text: 'stop at the end of the partitions instead of waiting' },
      FORMAT,
      SERVER,
    ],
    examples: ['kvorum consume orders --from beginning --exit --format json'],
    run: async (topic: string, options: ConsumeOptions) =>
      (await import('../commands/consume.ts')).consume(topic, options),
  },
];
