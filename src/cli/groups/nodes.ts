// Commands that run nodes: dev, format, random-id, start.
import type { CommandRow } from '../command-table.ts';
import { FORMAT } from '../common-options.ts';
import { wholeNumber } from '../failure.ts';
import type { DevOptions, FormatStorageOptions, StartOptions } from '../options.ts';

const CONFIG_FILE = {
  flags: '--config <file>',
  text: "the node's configuration, in server.properties syntax",
  required: true,
};

export const NODES: readonly CommandRow[] = [
  {
    name: 'dev',
    text: 'Run a whole cluster in this process, on loopback.',
    options: [
      { flags: '--controllers <n>', text: 'controllers', parse: wholeNumber('--controllers', 1), standard: 3 },
      { flags: '--brokers <n>', text: 'brokers', parse: wholeNumber('--brokers', 1), standard: 3 },
      { flags: '--data-dir <dir>', text: 'where the data stays between runs', standard: 'kvorum-data' },
      { flags: '--ephemeral', text: 'keep the data in a temporary folder, and remove it at the end' },
      {
        flags: '--kafka-port <port>',
        text: 'Kafka port of the first broker; each further one adds 100; 0: any free',
        parse: port('--kafka-port'),
        standard: 9092,
      },
      {
        flags: '--controller-port <port>',
        text: 'likewise for controllers',
        parse: port('--controller-port'),
        standard: 9093,
      },
      {
        flags: '--grpc-port <port>',
        text: 'likewise for the gRPC ports of brokers',
        parse: port('--grpc-port'),
        standard: 9094,
      },
      { flags: '--config <key=value...>', text: 'more configuration for every node, e.g. num.partitions=3' },
      { flags: '--log-level <level>', text: 'debug, info, warn or error', standard: 'warn' },
      { ...FORMAT, text: 'how to print where it listens, once every partition is served' },
    ],
    examples: ['kvorum dev', 'kvorum dev --ephemeral --kafka-port 0 --controller-port 0 --grpc-port 0 --format json'],
    run: async (options: DevOptions) => (await import('../commands/dev.ts')).dev(options),
  },
  {
    name: 'format',
    text: 'Prepare the folders of a node for a cluster, once. Folders that are prepared already are left as they are.',
    options: [
      {
        flags: '--cluster-id <id>',
        text: 'id of the cluster, 22 characters; the same on every node (see random-id)',
        required: true,
      },
      CONFIG_FILE,
    ],
    examples: ['kvorum format --cluster-id $(kvorum random-id) --config deploy/controller-1.properties'],
    run: async (options: FormatStorageOptions) => (await import('../commands/format.ts')).format(options),
  },
  {
    name: 'random-id',
    text: 'Print a new cluster id.',
    examples: ['kvorum random-id'],
    run: async () => (await import('../commands/format.ts')).printRandomId(),
  },
  {
    name: 'start',
    text: 'Run one node until it is told to stop (SIGINT or SIGTERM).',
    options: [CONFIG_FILE],
    examples: ['kvorum start --config deploy/broker-4.properties'],
    run: async (options: StartOptions) => (await import('../commands/start.ts')).start(options),
  },
];

function port(name: string): (text: string) => number {
  return (text) => Math.min(wholeNumber(name, 0)(text), 65_536);
}
