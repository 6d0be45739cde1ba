// Commands that write and read records: produce, consume. They find the brokers through AdminService and then speak Kafka.
import type { Command } from 'commander';
import type { ConsumeOptions, ProduceOptions } from './command-options.ts';
import { wholeNumber } from './failure.ts';
import { withServer } from './server-option.ts';

export function addRecordCommands(program: Command): void {
  withServer(program.command('produce <topic>'))
    .description('Send each line of standard input as a record, and wait until all are acknowledged.')
    .option('-k, --key <key>', 'key of every record; the partition follows from it as in the Java client (murmur2)')
    .option(
      '-p, --partition <n>',
      'partition of every record; round robin if neither is given',
      wholeNumber('--partition', 0),
    )
    .option('-H, --header <name=value...>', 'headers of every record')
    .option('-z, --compression <codec>', 'gzip, snappy, lz4 or zstd')
    .addHelpText('after', '\nExample:\n  printf "a\\nb\\n" | kvorum produce orders --key customer-7')
    .action(async (topic: string, options: ProduceOptions) =>
      (await import('./commands/produce.ts')).produce(topic, options),
    );
  withServer(program.command('consume <topic>'))
    .description('Print records, one value per line.')
    .option('-p, --partition <n>', 'only this partition', wholeNumber('--partition', 0))
    .option('-f, --from <where>', 'beginning, end, an offset, or @milliseconds since 1970', 'end')
    .option('-n, --count <n>', 'stop after so many records', wholeNumber('--count', 1))
    .option('-e, --exit', 'stop at the end of the partitions instead of waiting')
    .option('--json', 'one line of JSON per record: topic, partition, offset, timestamp, key, value, headers')
    .addHelpText('after', '\nExample:\n  kvorum consume orders --from beginning --exit --json')
    .action(async (topic: string, options: ConsumeOptions) =>
      (await import('./commands/consume.ts')).consume(topic, options),
    );
}
