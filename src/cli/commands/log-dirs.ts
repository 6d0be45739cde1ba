// `kvorum broker log-dirs`.
import type { BrokerLogDirs, LogDirDescription, LogDirReplica } from '../../gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition } from '../../gen/kvorum/v1/admin.ts';
import { withAdmin } from '../admin-client.ts';
import { bytesText } from '../bytes-text.ts';
import { sayFailures } from '../items.ts';
import type { LogDirsOptions } from '../options.ts';
import type { Column } from '../output.ts';
import { columns, print } from '../output.ts';

interface DirRow {
  readonly brokerId: number;
  readonly dir: LogDirDescription;
}

interface ReplicaRow extends DirRow {
  readonly replica: LogDirReplica;
}

/** Directories in a table; where topics are asked for, or with `wide`, their replicas in a second one, the largest first. */
export async function describeLogDirs(options: LogDirsOptions): Promise<void> {
  const { describeLogDirs: describe } = AdminServiceDefinition.methods;
  const { topic = [], broker = [] } = options;
  const request = { brokerIds: [...broker], topics: [...topic] };
  const { brokers } = await withAdmin(options, (admin) => admin.read(describe, request));
  await print(options.format, { brokers }, (wide) => {
    const dirs = dirsOf(brokers);
    const replicas = topic.length > 0 || wide ? replicasOf(dirs) : [];
    const tables = [
      ...(dirs.length > 0 ? [columns(wide, DIR_COLUMNS, dirs)] : []),
      ...(replicas.length > 0 ? [columns(wide, REPLICA_COLUMNS, replicas)] : []),
    ];
    return tables.join('\n\n');
  });
  sayFailures(
    options.format,
    brokers.flatMap(({ brokerId, error, logDirs }) => [
      { name: `broker ${brokerId}`, error },
      ...logDirs.map((dir) => ({ name: `broker ${brokerId} ${dir.path}`, error: dir.error })),
    ]),
  );
}

function dirsOf(brokers: readonly BrokerLogDirs[]): DirRow[] {
  return brokers.flatMap(({ brokerId, logDirs }) => logDirs.map((dir) => ({ brokerId, dir })));
}

function replicasOf(dirs: readonly DirRow[]): ReplicaRow[] {
  const rows = dirs.flatMap(({ brokerId, dir }) => dir.replicas.map((replica) => ({ brokerId, dir, replica })));
  return rows.sort((a, b) => b.replica.sizeBytes - a.replica.sizeBytes);
}

const DIR_COLUMNS: readonly Column<DirRow>[] = [
  { head: 'BROKER', cell: ({ brokerId }) => brokerId },
  { head: 'LOG DIR', cell: ({ dir }) => dir.path },
  { head: 'STATE', cell: ({ dir }) => (dir.error === undefined ? 'online' : 'offline') },
  { head: 'REPLICAS', cell: ({ dir }) => (dir.error === undefined ? dir.replicas.length : '-') },
  { head: 'SIZE', cell: ({ dir }) => (dir.error === undefined ? bytesText(sizeOf(dir)) : '-') },
  { head: 'FREE', cell: ({ dir }) => bytesText(dir.usableBytes) },
  { head: 'OF', cell: ({ dir }) => bytesText(dir.totalBytes) },
  { head: 'SIZE IN BYTES', cell: ({ dir }) => (dir.error === undefined ? sizeOf(dir) : '-'), wide: true },
];

const REPLICA_COLUMNS: readonly Column<ReplicaRow>[] = [
  { head: 'REPLICA', cell: ({ replica }) => `${replica.topic}-${replica.partition}` },
  { head: 'BROKER', cell: ({ brokerId }) => brokerId },
  { head: 'LOG DIR', cell: ({ dir }) => dir.path },
  { head: 'SIZE', cell: ({ replica }) => bytesText(replica.sizeBytes) },
  { head: 'SIZE IN BYTES', cell: ({ replica }) => replica.sizeBytes, wide: true },
  { head: 'LAG', cell: ({ replica }) => replica.offsetLag, wide: true },
];

function sizeOf({ replicas }: LogDirDescription): number {
  return replicas.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}
