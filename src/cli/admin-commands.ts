// Commands of administration: topic, cluster, quorum. They call AdminService, as any gRPC tool can.
import type { Command } from 'commander';
import type { AddVoterOptions, Asking, CreateOptions, DeleteOptions, RemoveVoterOptions } from './command-options.ts';
import { wholeNumber } from './failure.ts';
import { addQuorumDiskCommands } from './quorum-disk-commands.ts';
import { withServer } from './server-option.ts';

export function addAdminCommands(program: Command): void {
  const topic = program.command('topic').description('Create, list, describe and delete topics.');
  asking(topic.command('create <name...>'))
    .description('Create topics.')
    .option(
      '-p, --partitions <n>',
      'partitions; num.partitions of the cluster if not given',
      wholeNumber('--partitions', 1),
    )
    .option('-r, --replication-factor <n>', 'replicas of each partition', wholeNumber('--replication-factor', 1))
    .option('-c, --config <key=value...>', 'topic configs, e.g. segment.bytes=1048576')
    .option('--validate-only', 'check, and create nothing')
    .addHelpText('after', '\nExample:\n  kvorum topic create orders --partitions 6 --config log.flush.mode=async')
    .action(async (names: string[], options: CreateOptions) =>
      (await import('./commands/topic.ts')).createTopics(names, options),
    );
  asking(topic.command('list'))
    .description('List all topics.')
    .action(async (options: Asking) => (await import('./commands/topic.ts')).listTopics(options));
  asking(topic.command('describe [name...]'))
    .description('Show partitions, leaders, replicas and configs; of all topics if none is named.')
    .action(async (names: string[], options: Asking) =>
      (await import('./commands/topic.ts')).describeTopics(names, options),
    );
  asking(topic.command('delete <name...>'))
    .description('Delete topics with all their records.')
    .option('--yes', 'do not ask')
    .action(async (names: string[], options: DeleteOptions) =>
      (await import('./commands/topic.ts')).deleteTopics(names, options),
    );

  const cluster = program.command('cluster').description('The cluster as a whole.');
  asking(cluster.command('describe'))
    .description('Show brokers, their states and addresses, and the active controller.')
    .action(async (options: Asking) => (await import('./commands/cluster.ts')).describeCluster(options));

  addQuorumCommands(program.command('quorum').description('The metadata quorum: who leads it, who votes in it.'));
}

function addQuorumCommands(quorum: Command): void {
  asking(quorum.command('describe'))
    .description(
      'Show leader, epoch, high watermark, voters and observers, as the leader sees them. Where no leader answers: what the asked node knows, and exit code 1.',
    )
    .action(async (options: Asking) => (await import('./commands/quorum.ts')).describeQuorum(options));
  asking(quorum.command('add-voter'))
    .description(
      'Make a controller that runs and has caught up as an observer a voter. One change at a time; nothing else needs a restart.',
    )
    .requiredOption('--controller <host:port>', "the new controller's controller listener, as the leader can reach it")
    .addHelpText(
      'after',
      '\nExample, after `kvorum quorum describe` shows it as an observer without lag:\n  kvorum quorum add-voter --controller 127.0.0.1:9393',
    )
    .action(async (options: AddVoterOptions) => (await import('./commands/quorum.ts')).addVoter(options));
  asking(quorum.command('remove-voter'))
    .description('Take a voter out, dead or alive. Refused where too few of the others are there.')
    .requiredOption('--voter <id[@directoryId]>', 'node id, and the directory id where only that disk is meant')
    .addHelpText('after', '\nExample:\n  kvorum quorum remove-voter --voter 3@wP3bJbVIQ4OaC3VRUqcbZw')
    .action(async (options: RemoveVoterOptions) => (await import('./commands/quorum.ts')).removeVoter(options));
  addQuorumDiskCommands(quorum);
}

function asking(command: Command): Command {
  return withServer(command).option('--json', 'print the answer as one line of JSON');
}
