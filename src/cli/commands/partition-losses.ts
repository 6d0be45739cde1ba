// `kvorum partition losses`: the loss ledger.
import type { LossDescription, TopicDescription } from '../../gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition as Admin } from '../../gen/kvorum/v1/admin.ts';
import type { ReplicaLossRecord } from '../../gen/kvorum/v1/metadata.ts';
import { lossKindText, rangeText, replicaLossText } from '../../metadata/loss-text.ts';
import { committedLost, goneFrom, lostRange } from '../../metadata/losses.ts';
import { withAdmin } from '../admin-client.ts';
import { UsageError } from '../failure.ts';
import type { LossesOptions } from '../options.ts';
import type { Column } from '../output.ts';
import { columns, isoTime, list, print } from '../output.ts';
import type { TopicOrPartition } from '../partition-name.ts';
import { meaningOf, namesOf, readingsOf, topicsToLookUp } from '../partition-name.ts';

/** Of the topics and partitions that are named, or of all. */
export async function showLosses(names: readonly string[], options: LossesOptions): Promise<void> {
  const readings = names.map(readingsOf);
  const { wanted, answer } = await withAdmin(options, async (admin) => {
    const { topics } =
      readings.length === 0
        ? { topics: [] }
        : await admin.read(Admin.methods.describeTopics, {
            topics: topicsToLookUp(readings).map((name) => ({ name, topicId: '' })),
          });
    const known = namesOf(topics);
    const wanted = readings.map((reading) => meaningOf(reading, known));
    for (const one of wanted) checkIsThere(one, topics);
    const request = { topics: [...new Set(wanted.map(({ topic }) => topic))], onlyOpen: options.open === true };
    return { wanted, answer: await admin.read(Admin.methods.describeLosses, request) };
  });
  const losses = answer.losses.filter((loss) => wanted.length === 0 || wanted.some((one) => isOf(one, loss)));
  await print(options.format, { ...answer, losses: losses.map(plainLoss) }, (wide) => lossesText(losses, wide));
  if (losses.length === 0) console.error(options.open === true ? 'no loss is open' : 'no loss is recorded');
}

/** A partition that is not there has no loss, and so says nothing: more likely it is a slip. Topics are checked by the server. */
function checkIsThere({ topic, partition }: TopicOrPartition, topics: readonly TopicDescription[]): void {
  const found = topics.find(({ name, error }) => name === topic && error === undefined);
  if (found === undefined || partition === undefined || partition < found.partitions.length) return;
  throw new UsageError(
    `topic '${topic}' has no partition ${partition}: its partitions are 0 to ${found.partitions.length - 1}`,
  );
}

function isOf({ topic, partition }: TopicOrPartition, loss: LossDescription): boolean {
  return loss.topic === topic && (partition === undefined || loss.partition === partition);
}

/** Kinds by their names. */
function plainLoss(loss: LossDescription): object {
  return { ...loss, replicas: loss.replicas.map((replica) => ({ ...replica, kind: lossKindText(replica.kind) })) };
}

/** Two tables: what is lost, and what each replica says. */
export function lossesText(losses: readonly LossDescription[], wide: boolean): string {
  if (losses.length === 0) return '';
  const replicas = losses.flatMap((loss) => loss.replicas.map((replica) => ({ loss, replica })));
  const tables = [
    columns(wide, LOSS_COLUMNS, losses),
    ...(replicas.length === 0 ? [] : [columns(wide, REPLICA_COLUMNS, replicas)]),
  ];
  return tables.join('\n\n');
}

/** `100 to 119`, with what may be added to it. */
function lostText(loss: LossDescription): string {
  const { firstOffset, endOffset, awaited } = loss;
  const range = rangeText({ firstOffset, endOffset });
  if (awaited.length > 0) return firstOffset < endOffset ? `${range}, and what is awaited` : 'not known yet';
  if (goneFrom(loss).length === 0) return range;
  return firstOffset < endOffset ? `${range}, or more` : 'not known';
}

/** `nothing` only where nobody can say otherwise any more. */
function surelyText(loss: LossDescription): string {
  const range = lostRange(loss, committedLost);
  const isOpen = loss.awaited.length + goneFrom(loss).length > 0;
  return isOpen && range.firstOffset >= range.endOffset ? 'not known' : rangeText(range);
}

/** Those that are not registered say nothing unless they come back. */
function awaitedText({ awaited, unregistered }: LossDescription): string {
  return list(awaited.map((id) => (unregistered.includes(id) ? `${id} (not registered)` : id)));
}

const partitionText = ({ topic, partition }: LossDescription): string => `${topic}-${partition}`;

const LOSS_COLUMNS: readonly Column<LossDescription>[] = [
  { head: 'PARTITION', cell: partitionText },
  { head: 'WHEN', cell: ({ timestampMs }) => isoTime(timestampMs) },
  { head: 'LEADER', cell: ({ leader }) => (leader < 0 ? '-' : leader) },
  {
    head: 'LEADER EPOCH',
    cell: ({ oldLeaderEpoch: old, newLeaderEpoch: now }) => (old === now ? now : `${old} → ${now}`),
  },
  { head: 'LOST', cell: lostText },
  { head: 'SURELY COMMITTED', cell: surelyText },
  { head: 'WAITS FOR', cell: awaitedText },
  { head: 'ALLOWED BY', cell: ({ leader, cause }) => (leader < 0 ? 'nobody' : cause) },
  { head: 'ISR BEFORE', cell: ({ oldIsr }) => list(oldIsr), wide: true },
  { head: 'ELR BEFORE', cell: ({ oldElr }) => list(oldElr), wide: true },
  { head: 'RECORD', cell: ({ offset }) => offset, wide: true },
  { head: 'TOPIC ID', cell: ({ topicId }) => topicId, wide: true },
];

interface ReplicaRow {
  readonly loss: LossDescription;
  readonly replica: ReplicaLossRecord;
}

const REPLICA_COLUMNS: readonly Column<ReplicaRow>[] = [
  { head: 'PARTITION', cell: ({ loss }) => partitionText(loss) },
  { head: 'LEADER EPOCH', cell: ({ loss }) => loss.newLeaderEpoch },
  { head: 'WHAT A REPLICA SAYS', cell: ({ replica }) => replicaLossText(replica) },
  { head: 'SAID IN EPOCH', cell: ({ replica }) => replica.leaderEpoch, wide: true },
  {
    head: 'HIGH WATERMARK',
    cell: ({ replica }) => (replica.highWatermark < 0 ? '-' : replica.highWatermark),
    wide: true,
  },
];
