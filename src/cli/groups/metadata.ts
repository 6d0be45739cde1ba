// `kvorum metadata …`: of a running node (tail, history, diff), and of what is on a disk (dump, snapshot).
import type { GroupRow } from '../command-table.ts';
import { asking, FORMAT } from '../common-options.ts';
import type { DumpOptions, ListOptions, SnapshotOptions, TailOptions } from '../options.ts';

export const METADATA: GroupRow = {
  name: 'metadata',
  text: 'The metadata log: every change of the cluster, in order.',
  commands: [
    asking({
      name: 'tail',
      text: 'Print the committed records of the metadata log, from the log of whatever node is asked.',
      options: [
        {
          flags: '-f, --from <offset>',
          text: 'beginning, end or an offset; what lies before the log is shown as a snapshot',
          standard: 'beginning',
        },
        { flags: '--follow', text: 'go on printing what is committed from now on' },
      ],
      examples: ['kvorum metadata tail --from end --follow'],
      run: async (options: TailOptions) => (await import('../commands/metadata-tail.ts')).tailMetadata(options),
    }),
    asking({
      name: 'history <topic[-partition]>',
      text: 'Print every change of a topic or partition that the log of the asked node holds, oldest first: offset, epoch, time, cause.',
      examples: ['kvorum metadata history orders', 'kvorum metadata history orders-3 --format json'],
      run: async (name: string, options: ListOptions) =>
        (await import('../commands/metadata-history.ts')).showHistory(name, options),
    }),
    asking({
      name: 'diff <from> [to]',
      text: "Print what differs between the cluster's metadata at two offsets; each means everything below it. Without the second: until now.",
      examples: ['kvorum metadata diff 1200 1300', 'kvorum metadata diff 1200'],
      run: async (from: string, to: string | undefined, options: ListOptions) =>
        (await import('../commands/metadata-diff.ts')).showDifference(from, to, options),
    }),
    {
      name: 'dump',
      text: 'Print what a stopped node has on its disk: quorum state, snapshots, and the log, committed or not. No record is changed.',
      options: [
        {
          flags: '--dir <metadata.log.dir>',
          text: "the node's metadata.log.dir (its first log.dirs where that is not set)",
          required: true,
        },
        FORMAT,
      ],
      examples: ['kvorum metadata dump --dir data/controller-1'],
      run: async (options: DumpOptions) => (await import('../commands/metadata-files.ts')).dumpMetadata(options),
    },
    {
      name: 'snapshot [file]',
      text: 'Verify a snapshot file and print its header, voters and records. The node may run.',
      options: [
        { flags: '--dir <metadata.log.dir>', text: 'the newest snapshot of this node instead of a file' },
        FORMAT,
      ],
      examples: ['kvorum metadata snapshot --dir data/controller-1'],
      run: async (file: string | undefined, options: SnapshotOptions) =>
        (await import('../commands/metadata-files.ts')).showSnapshot(file, options),
    },
  ],
};
