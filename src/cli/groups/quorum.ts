// `kvorum quorum …`: of a running cluster (describe, add-voter, remove-voter), and of folders and files (recover, replay).
import type { GroupRow } from '../command-table.ts';
import { asking, changing } from '../common-options.ts';
import type { AddVoterOptions, ListOptions, RecoverOptions, RemoveVoterOptions, ReplayOptions } from '../options.ts';

export const QUORUM: GroupRow = {
  name: 'quorum',
  text: 'The metadata quorum: who leads it, who votes in it.',
  commands: [
    asking({
      name: 'describe',
      text: 'Show leader, epoch, high watermark, voters and observers, as the leader sees them. Where no leader answers: what the asked node knows, and exit code 1.',
      examples: ['kvorum quorum describe'],
      run: async (options: ListOptions) => (await import('../commands/quorum.ts')).describeQuorum(options),
    }),
    changing({
      name: 'add-voter',
      text: 'Make a controller that runs and has caught up as an observer a voter. One change at a time; nothing else needs a restart.',
      options: [
        {
          flags: '--controller <host:port>',
          text: "the new controller's controller listener, as the leader can reach it",
          required: true,
        },
      ],
      examples: [
        'kvorum quorum describe                                   # until it is an observer without lag',
        'kvorum quorum add-voter --controller 127.0.0.1:9393',
      ],
      run: async (options: AddVoterOptions) => (await import('../commands/quorum-voters.ts')).addVoter(options),
    }),
    changing({
      name: 'remove-voter',
      text: 'Take a voter out, dead or alive. Refused where too few of the others are there.',
      options: [
        {
          flags: '--voter <id[@directoryId]>',
          text: 'node id, and the directory id where only that disk is meant',
          required: true,
        },
      ],
      examples: ['kvorum quorum remove-voter --voter 3@wP3bJbVIQ4OaC3VRUqcbZw'],
      run: async (options: RemoveVoterOptions) => (await import('../commands/quorum-voters.ts')).removeVoter(options),
    }),
    {
      name: 'recover',
      text: 'Last resort, when a majority of the controllers has lost its disks for good: let the one whose configuration this is go on alone. Tells what it found and what would be lost; does nothing without --yes.',
      options: [
        {
          flags: '--config <file>',
          text: "the stopped survivor's configuration, in server.properties syntax",
          required: true,
        },
        { flags: '--yes', text: 'do it' },
      ],
      examples: ['kvorum quorum recover --config deploy/controller-3.properties'],
      run: async (options: RecoverOptions) => (await import('../commands/recover.ts')).recover(options),
    },
    {
      name: 'replay <file...>',
      text: 'Run recordings (quorum.record.dir) of one or several nodes through the consensus core again: compare its answers with the recorded ones, and judge the run by the safety properties.',
      options: [{ flags: '--trace', text: 'print every event and what the core answered' }],
      examples: ['kvorum quorum replay records/quorum-*.ndjson'],
      run: async (files: string[], options: ReplayOptions) =>
        (await import('../commands/replay.ts')).replayRecordings(files, options),
    },
  ],
};
