// Commands that run nodes: dev, format, start. See commands/ for what they do.
import type { Command } from 'commander';
import type { DevOptions, FormatOptions, StartOptions } from './command-options.ts';
import { wholeNumber } from './failure.ts';

export function addNodeCommands(program: Command): void {
  program
    .command('dev')
    .description('Run a whole cluster in this process, on loopback.')
    .option('--controllers <n>', 'controllers', wholeNumber('--controllers', 1), 3)
    .option('--brokers <n>', 'brokers', wholeNumber('--brokers', 1), 3)
    .option('--data-dir <dir>', 'where the data stays between runs', 'kvorum-data')
    .option('--ephemeral', 'keep the data in a temporary folder, and remove it at the end')
    .option(
      '--kafka-port <port>',
      'Kafka port of the first broker; each further one adds 100; 0: any free',
      port('--kafka-port'),
      9092,
    )
    .option('--controller-port <port>', 'likewise for controllers', port('--controller-port'), 9093)
    .option('--grpc-port <port>', 'likewise for the gRPC ports of brokers', port('--grpc-port'), 9094)
    .option('--config <key=value...>', 'more configuration for every node, e.g. num.partitions=3')
    .option('--log-level <level>', 'debug, info, warn or error', 'warn')
    .option('--json', 'print one line of JSON once every partition is served')
    .addHelpText(
      'after',
      '\nExample:\n  kvorum dev --ephemeral --kafka-port 0 --controller-port 0 --grpc-port 0 --json',
    )
    .action(async (options: DevOptions) => (await import('./commands/dev.ts')).dev(options));
  program
    .command('format')
    .description(
      'Prepare the folders of a node for a cluster, once. Folders that are prepared already are left as they are.',
    )
    .requiredOption('--cluster-id <id>', 'id of the cluster, 22 characters; the same on every node (see random-id)')
    .requiredOption('--config <file>', "the node's configuration, in server.properties syntax")
    .addHelpText(
      'after',
      '\nExample:\n  kvorum format --cluster-id $(kvorum random-id) --config deploy/controller-1.properties',
    )
    .action(async (options: FormatOptions) => (await import('./commands/format.ts')).format(options));
  program
    .command('random-id')
    .description('Print a new cluster id.')
    .action(async () => (await import('./commands/format.ts')).printRandomId());
  program
    .command('start')
    .description('Run one node until it is told to stop (SIGINT or SIGTERM).')
    .requiredOption('--config <file>', "the node's configuration, in server.properties syntax")
    .action(async (options: StartOptions) => (await import('./commands/start.ts')).start(options));
}

function port(name: string): (text: string) => number {
  return (text) => Math.min(wholeNumber(name, 0)(text), 65_536);
}
