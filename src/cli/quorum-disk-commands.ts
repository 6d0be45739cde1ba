// Commands of the quorum that work on folders and files, not on a running cluster: recover, replay.
import type { Command } from 'commander';
import type { RecoverOptions, ReplayOptions } from './quorum-disk-options.ts';

/** `quorum`: the group that they belong to. */
export function addQuorumDiskCommands(quorum: Command): void {
  quorum
    .command('recover')
    .description(
      'Last resort, when a majority of the controllers has lost its disks for good: let the one whose configuration this is go on alone. Tells what it found and what would be lost; does nothing without --yes.',
    )
    .requiredOption('--config <file>', "the stopped survivor's configuration, in server.properties syntax")
    .option('--yes', 'do it')
    .addHelpText('after', '\nExample:\n  kvorum quorum recover --config deploy/controller-3.properties')
    .action(async (options: RecoverOptions) => (await import('./commands/recover.ts')).recover(options));
  quorum
    .command('replay <file...>')
    .description(
      'Run recordings (quorum.record.dir) of one or several nodes through the consensus core again: compare its answers with the recorded ones, and judge the run by the safety properties.',
    )
    .option('--trace', 'print every event and what the core answered')
    .addHelpText('after', '\nExample:\n  kvorum quorum replay records/quorum-*.ndjson')
    .action(async (files: string[], options: ReplayOptions) =>
      (await import('./commands/replay.ts')).replayRecordings(files, options),
    );
}
