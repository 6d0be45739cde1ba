// Commands about the metadata log: of a running node (tail), and of what is on a disk (dump, snapshot).
import type { Command } from 'commander';
import type { DumpOptions, SnapshotOptions, TailOptions } from './command-options.ts';
import { withServer } from './server-option.ts';

const NDJSON = 'one line of JSON per record';

export function addMetadataCommands(program: Command): void {
  const metadata = program.command('metadata').description('The metadata log: every change of the cluster, in order.');
  withServer(metadata.command('tail'))
    .description('Print the committed records of the metadata log, from the log of whatever node is asked.')
    .option(
      '-f, --from <offset>',
      'beginning, end or an offset; what lies before the log is shown as a snapshot',
      'beginning',
    )
    .option('--follow', 'go on printing what is committed from now on')
    .option('--json', NDJSON)
    .addHelpText('after', '\nExample:\n  kvorum metadata tail --from end --follow')
    .action(async (options: TailOptions) => (await import('./commands/metadata-tail.ts')).tailMetadata(options));
  metadata
    .command('dump')
    .description(
      'Print what a stopped node has on its disk: quorum state, snapshots, and the log, committed or not. No record is changed.',
    )
    .requiredOption(
      '--dir <metadata.log.dir>',
      "the node's metadata.log.dir (its first log.dirs where that is not set)",
    )
    .option('--json', NDJSON)
    .addHelpText('after', '\nExample:\n  kvorum metadata dump --dir data/controller-1')
    .action(async (options: DumpOptions) => (await import('./commands/metadata-files.ts')).dumpMetadata(options));
  metadata
    .command('snapshot [file]')
    .description('Verify a snapshot file and print its header, voters and records. The node may run.')
    .option('--dir <metadata.log.dir>', 'the newest snapshot of this node instead of a file')
    .option('--json', NDJSON)
    .addHelpText('after', '\nExample:\n  kvorum metadata snapshot --dir data/controller-1')
    .action(async (file: string | undefined, options: SnapshotOptions) =>
      (await import('./commands/metadata-files.ts')).showSnapshot(file, options),
    );
}
