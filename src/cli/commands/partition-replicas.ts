// `kvorum partition replicas`: each replica as its own broker and its leader know it.
import type { PartitionDescription, ReplicaDescription, SilentBroker } from '../../gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition } from '../../gen/kvorum/v1/admin.ts';
import { withAdmin } from '../admin-client.ts';
import { sayFailures } from '../items.ts';
import type { ReplicasOptions } from '../options.ts';
import type { Cell, Column } from '../output.ts';
import { columns, list, print } from '../output.ts';
import { readingsOf } from '../partition-name.ts';
import { nameOf, selectPartitions } from '../partition-selection.ts';
import type { ToldReplicas } from '../replica-lag.ts';
import { toldOf } from '../replica-lag.ts';

const { describeReplicas: describe, describeTopics } = AdminServiceDefinition.methods;

interface Row {
  readonly topic: string;
  readonly state: PartitionDescription;
  readonly brokerId: number;
  readonly told: ToldReplicas | undefined;
  readonly replica: ReplicaDescription | undefined;
}

export async function describeReplicas(names: string[], options: ReplicasOptions): Promise<void> {
  const readings = names.map(readingsOf);
  const { topics, answer, missing } = await withAdmin(options, async (admin) => {
    const all = readings.length === 0;
    const selection = all ? undefined : await selectPartitions(admin, readings);
    const wanted = selection && new Set(selection.partitions.map(nameOf));
    const known = selection?.topics ?? (await admin.read(describeTopics, { topics: [] })).topics;
    const shown = known
      .map(({ name, partitions }) => ({
        name,
        partitions: partitions.filter((it) => wanted?.has(nameOf({ topic: name, partition: it.partition })) !== false),
      }))
      .filter(({ partitions }) => partitions.length > 0);
    const found = new Set(shown.flatMap(({ name, partitions }) => partitions.map((it) => `${name}-${it.partition}`)));
    const asked = { topics: all ? [] : shown.map(({ name }) => name), forwarded: false };
    return {
      topics: shown,
      answer: shown.length === 0 ? { replicas: [], silent: [] } : await admin.read(describe, asked),
      missing: [...(wanted ?? [])].filter((name) => !found.has(name)),
    };
  });
  const told = toldOf(topics, answer.replicas);
  const rows = topics.flatMap(({ name, partitions }) =>
    partitions.flatMap((state) => rowsOf(name, state, told.get(`${name}/${state.partition}`))),
  );
  const replicas = rows.flatMap(({ replica }) => replica ?? []);
  await print(options.format, { replicas, silent: answer.silent }, (wide) =>
    rows.length === 0 ? '' : columns(wide, COLUMNS, rows),
  );
  sayFailures(options.format, failuresOf(missing, answer.silent));
  if (rows.length === 0 && missing.length === 0) console.error('there is no topic');
}

function rowsOf(topic: string, state: PartitionDescription, told: ToldReplicas | undefined): Row[] {
  return state.replicas.map((brokerId) => ({ topic, state, brokerId, told, replica: told?.of(brokerId) }));
}

function failuresOf(missing: readonly string[], silent: readonly SilentBroker[]) {
  const message = 'there is no such partition: kvorum topic describe shows those that there are';
  return [
    ...missing.map((name) => ({ name, error: { code: 3, name: 'UNKNOWN_TOPIC_OR_PARTITION', message } })),
    ...silent.map(({ brokerId, error }) => ({ name: `broker ${brokerId}`, error })),
  ];
}

/** Of what only the replica's broker knows. */
const own =
  (cell: (replica: ReplicaDescription) => Cell) =>
  ({ replica }: Row): Cell =>
    replica === undefined || replica.role === 'offline' ? '?' : cell(replica);

const COLUMNS: readonly Column<Row>[] = [
  { head: 'PARTITION', cell: ({ topic, state }) => `${topic}-${state.partition}` },
  { head: 'BROKER', cell: ({ brokerId }) => brokerId },
  { head: 'ROLE', cell: ({ replica }) => replica?.role ?? 'silent' },
  { head: 'EPOCH', cell: own(({ leaderEpoch }) => leaderEpoch) },
  { head: 'LOG START', cell: own(({ logStartOffset }) => logStartOffset) },
  { head: 'HIGH WATERMARK', cell: own(({ highWatermark }) => highWatermark) },
  { head: 'LOG END', cell: own(({ logEndOffset }) => logEndOffset) },
  { head: 'LAG', cell: (row) => (isLeader(row) ? '-' : (row.told?.lagOf(row.brokerId) ?? '?')) },
  { head: 'CAUGHT UP', cell: caughtUp },
  { head: 'IN SYNC', cell: ({ state, brokerId }) => (state.isr.includes(brokerId) ? 'yes' : 'no') },
  { head: 'LOG EPOCHS', cell: own(({ epochs }) => newestEpochs(epochs)), wide: true },
  { head: 'PENDING ISR', cell: own(({ pendingIsr }) => list(pendingIsr)), wide: true },
  { head: 'FAILURE', cell: ({ replica }) => replica?.failure || '-' },
];

function isLeader({ state, brokerId }: Row): boolean {
  return state.leader === brokerId;
}

/** Since when it has everything, as its leader knows. */
function caughtUp(row: Row): Cell {
  if (isLeader(row)) return '-';
  const agoMs = row.told?.follower(row.brokerId)?.caughtUpMsAgo;
  if (agoMs === undefined) return '?';
  if (agoMs < 0) return 'never';
  return agoMs < 1000 ? 'now' : `${Math.round(agoMs / 1000)} s ago`;
}

const SHOWN_EPOCHS = 4;

/** `0@0 3@120`: each epoch and where it starts. */
function newestEpochs(epochs: ReplicaDescription['epochs']): string {
  const shown = epochs.slice(-SHOWN_EPOCHS).map(({ leaderEpoch, startOffset }) => `${leaderEpoch}@${startOffset}`);
  return [...(epochs.length > SHOWN_EPOCHS ? ['…'] : []), ...shown].join(' ') || '-';
}
